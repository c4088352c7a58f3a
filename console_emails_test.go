package ccpayment_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var (
	closeForm = regexp.MustCompile(`(?s)<form method="post" action="\./order">.*?</form>`)
	hidden    = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// formOf are the hidden fields of the form that closes the order on a page.
func (s consoleShop) formOf(page string) (fields []string) {
	s.t.Helper()
	for _, field := range hidden.FindAllStringSubmatch(closeForm.FindString(page), -1) {
		fields = append(fields, field[1], html.UnescapeString(field[2]))
	}
	if fields == nil {
		s.t.Fatalf("it has no form to close the order: %s", page)
	}
	return fields
}

// TestConsoleNamesOrdersByTheirEvents: the page of an order whose id is the buyer's e-mail
// address does not have it, and closes the order all the same. Only who has typed the id,
// of an order without an event, finds it in the form.
func TestConsoleNamesOrdersByTheirEvents(t *testing.T) {
	s := newCloseShop(t)
	const buyer = "eve@example.com"
	s.buys(buyer)
	typed := s.view("/alice/order?id=" + url.QueryEscape(buyer))
	if fields := s.formOf(typed); strings.Join(fields, " ") != "id "+buyer+" account default" {
		t.Errorf("before any payment the order is named by %q", fields)
	}
	s.payPart(s.orderNamed(buyer).GatewayOrderID, "4")
	id := s.awaitState("status=success", "delivered")
	page := s.view("/alice/order?event="+id, "REDACTED")
	fields := s.formOf(page)
	if strings.Contains(page, "eve@") || strings.Contains(page, "eve%40") {
		t.Errorf("the page has the address: %s", page)
	}
	got := s.post("/alice/order", append(fields, "reason", "sold out", "force", "yes")...)
	if to := got.header.Get("Location"); got.status != http.StatusSeeOther || strings.Contains(to, "eve%40") {
		t.Fatalf("%d to %s: %s", got.status, to, got.body)
	}
	closed := s.view("/alice/"+got.header.Get("Location"), "The order is closed.", "sold out (alice)")
	if strings.Contains(closed, "eve@") || strings.Contains(closed, "eve%40") {
		t.Errorf("the closed order's page has the address: %s", closed)
	}
	if !strings.Contains(s.logs(), `"msg":"closing an order","user":"alice","reason":"sold out","order_id":"REDACTED"`) {
		t.Error("the log does not say who closed what, or has the address")
	}
	if v := s.buys(buyer); v.status != http.StatusGone {
		t.Errorf("its checkout is %d %s", v.status, v.body)
	}
}
