package ccpayment_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// emailSite is a site whose people are known by their e-mail addresses.
var emailSite = strings.NewReplacer("user alice", "user alice@ops.example", "user bob", "user bob@ops.example").Replace(consoleSite)

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

// TestConsoleTellsOperatorsApart: who took a step is shown even if that is an e-mail address,
// and no other address is, wherever it stands in the reason.
func TestConsoleTellsOperatorsApart(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := consoleShop{&shop{box: box, c: c, server: start(t, setup{
		global: adminOn, account: "base_url " + base, site: emailSite, app: status(http.StatusServiceUnavailable), webhook: "retry {\nfirst 1h\n}",
	})}}
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	id := s.heldPayment(sandbox.Payment{OrderID: "order-1", Risky: true})
	step := func(path, step, state, reason string) {
		t.Helper()
		got := s.post(path, "id", id, "route", "webhook", "step", step, "state", state, "reason", reason, "force", "yes")
		if got.status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", step, got.status, got.body)
		}
	}
	step("/alice/event", "accept", "held", "asked eve@example.com (eve@example.com)")
	const alices = "released: asked REDACTED (REDACTED) (alice@ops.example)"
	s.awaitState("record_id="+s.list("").Events[0].RecordID+"&status=success", "retrying")
	step("/shop/bob/event", "replay", "retrying", "mended")
	s.ask(http.MethodPost, "events/"+id+"/replay", `{"reason":"asked (eve@example.com)"}`, http.StatusOK, nil)
	step("/alice/event", "discard", "retrying", "gave up")
	for _, path := range []string{"event?id=" + id, "order?event=" + id} {
		page := html.UnescapeString(s.view("/alice/" + path))
		for _, want := range []string{alices, "replayed: mended (bob@ops.example)", "replayed: asked (REDACTED).", "discarded: gave up (alice@ops.example)"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %q: %s", path, want, page)
			}
		}
		if strings.Contains(page, "eve@") {
			t.Errorf("%s has the buyer's address", path)
		}
	}
}
