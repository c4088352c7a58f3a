package ccpayment_test

import (
	"encoding/csv"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// fileNamed downloads the file that the export page offers by this name, and returns what a
// column of it has.
func (s consoleShop) fileNamed(page, name, column string) (cells []string) {
	s.t.Helper()
	link := regexp.MustCompile(`href="\./([^"]*)">` + name + `</a>`).FindStringSubmatch(s.view("/alice/" + page))
	if link == nil {
		s.t.Fatalf("%s has no file %q", page, name)
	}
	got := s.view("/alice/" + html.UnescapeString(link[1]))
	rows, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil || !slices.Contains(rows[0], column) {
		s.t.Fatalf("%v: %s", err, got)
	}
	for _, row := range rows[1:] {
		cells = append(cells, row[slices.Index(rows[0], column)])
	}
	slices.Sort(cells)
	return cells
}

// TestConsoleExportsPaymentsOfOtherAccounts: payments stay in the export when their account
// is called otherwise, and when it is not configured any more.
func TestConsoleExportsPaymentsOfOtherAccounts(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	account := func(name, id string) string {
		return "account " + name + " {\n app_id " + id + "\n app_secret " + secret + "\n base_url " + base + "\n}\n"
	}
	before := setup{global: adminOn, account: account("old", appID), site: consoleSite, webhook: "account old"}
	s := consoleShop{&shop{box: box, c: c, server: start(t, before)}}
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	if err := kinds["invoice in fiat"](s.shop, "order-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Instant: true, Wait: patience}); err != nil {
		t.Fatal(err)
	}
	s.awaitState("status=success", "delivered")
	for _, now := range []struct{ name, id string }{{"old", appID}, {"new", appID}, {"new", "app-other"}, {"old", "app-other"}} {
		after := before
		after.account, after.webhook = account(now.name, now.id), "account "+now.name
		s.load(after)
		if got := s.fileNamed("export", "Payments as CSV", "order_id"); !slices.Equal(got, []string{"order-1"}) {
			t.Errorf("with the account %s of %s the payments are of %q", now.name, now.id, got)
		}
	}
}

// TestConsoleExportsOrdersOfAnAccount: the page's account is that of the orders, too.
func TestConsoleExportsOrdersOfAnAccount(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := consoleShop{&shop{box: box, c: c, server: start(t, setup{
		global: adminOn,
		account: "webhook_url http://127.0.0.1:$PORT/hook\nbase_url " + base + "\naccount other {\n app_id " + appID + "\n app_secret " + secret +
			"\n base_url " + base + "\n order_prefix other-\n webhook_url http://127.0.0.1:$PORT/hook\n}",
		site: strings.Replace(strings.Replace(consoleSite, "$WEBHOOK", "", 1), "	respond 404", `	ccpayment_checkout /other {
		account other
	}
	ccpayment_checkout /buy
	reverse_proxy $APP`, 1),
		app: func(w http.ResponseWriter, r *http.Request) { asks(r.Header.Get("X-Terms"))(w, r) },
	})}}
	for path, order := range map[string]string{"/buy": "mine", "/other": "theirs"} {
		v := s.visit(http.MethodPost, path, "", http.Header{"X-Terms": {`{"order_id":"` + order + `","price":"10"}`}})
		if v.answer.Token == "" {
			t.Fatalf("%d %s", v.status, v.body)
		}
	}
	for _, test := range []struct {
		page, file string
		want       []string
	}{
		{"export", "All orders as CSV", []string{"mine", "theirs"}},
		{"export?account=other&state=dead&order_id=mine", "All orders of the account as CSV", []string{"theirs"}},
		{"export?account=default", "All orders of the account as CSV", []string{"mine"}},
	} {
		if got := s.fileNamed(test.page, test.file, "order_id"); !slices.Equal(got, test.want) {
			t.Errorf("%s of %s has %q, want %q", test.file, test.page, got, test.want)
		}
	}
}
