package hosted_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// page is a parsed page with what the tests ask of it.
type page struct {
	*testing.T
	root *html.Node
	size int
}

func parse(t *testing.T, w *httptest.ResponseRecorder, err error) page {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	size := w.Body.Len()
	root, err := html.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{t, root, size}
}

func checkout(t *testing.T, c hosted.Checkout) page {
	t.Helper()
	w := httptest.NewRecorder()
	err := hosted.WriteCheckout(w, http.StatusOK, c)
	return parse(t, w, err)
}

// all returns the elements with the tag; "" is any.
func (p page) all(tag string) []*html.Node {
	var found []*html.Node
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && (tag == "" || n.Data == tag) {
			found = append(found, n)
		}
	}
	return found
}

// with returns the only element with the attribute's value.
func (p page) with(key, value string) *html.Node {
	p.Helper()
	var found []*html.Node
	for _, n := range p.all("") {
		if attr(n, key) == value {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		p.Fatalf("%d elements with %s=%q", len(found), key, value)
	}
	return found[0]
}

func (p page) text() string { return text(p.root) }

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func within(n *html.Node, tag string) *html.Node {
	for a := range n.Ancestors() {
		if a.Data == tag {
			return a
		}
	}
	return nil
}

func TestEveryPageIsWellMade(t *testing.T) {
	made := make(map[string]page)
	for name, c := range pages() {
		made[name] = checkout(t, c)
	}
	w := httptest.NewRecorder()
	made["overview"] = parse(t, w, hosted.WriteOverview(w, overview()))
	w = httptest.NewRecorder()
	made["error"] = parse(t, w, hosted.WriteError(w, hosted.Error{Status: http.StatusNotFound}))

	for name, p := range made {
		if len(p.all("h1")) != 1 || text(p.all("h1")[0]) == "" {
			t.Errorf("%s: not one h1", name)
		}
		if len(p.all("main")) != 1 || attr(p.all("html")[0], "lang") != "en" || text(p.all("title")[0]) == "" {
			t.Errorf("%s: main, lang or title is missing", name)
		}
		ids := make(map[string]bool)
		for _, n := range p.all("") {
			if id := attr(n, "id"); id != "" {
				if ids[id] {
					t.Errorf("%s: id %s twice", name, id)
				}
				ids[id] = true
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: the policy blocks %s of %s", name, a.Key, n.Data)
				}
			}
			if n.Data == "form" && (attr(n, "method") != "post" || !strings.HasPrefix(attr(n, "action"), "/i/tok/")) {
				t.Errorf("%s: form posts to %s %q", name, attr(n, "method"), attr(n, "action"))
			}
			if (n.Data == "script" && attr(n, "src") == "") || n.Data == "style" {
				t.Errorf("%s: inline %s", name, n.Data)
			}
		}
		for _, n := range p.all("") {
			for _, key := range []string{"aria-labelledby", "aria-describedby", "for", "data-copy"} {
				if id := attr(n, key); id != "" && !ids[id] {
					t.Errorf("%s: %s names %s, which is not there", name, key, id)
				}
			}
			if link, internal := strings.CutPrefix(attr(n, "href"), "#"); internal && !ids[link] {
				t.Errorf("%s: link to #%s, which is not there", name, link)
			}
			if n.Data == "input" || n.Data == "select" {
				labelled := within(n, "label") != nil || p.with("for", attr(n, "id")) != nil
				if !labelled || within(n, "fieldset") == nil || within(n, "form") == nil {
					t.Errorf("%s: %s %s has no label, fieldset or form", name, n.Data, attr(n, "id"))
				}
			}
			if n.Data == "fieldset" && (n.FirstChild == nil || !strings.Contains(text(n), " ") || len(find(n, "legend")) != 1) {
				t.Errorf("%s: a fieldset without a legend", name)
			}
		}
	}
}

func find(n *html.Node, tag string) []*html.Node {
	var found []*html.Node
	for d := range n.Descendants() {
		if d.Data == tag && d.Type == html.ElementNode {
			found = append(found, d)
		}
	}
	return found
}

func TestStates(t *testing.T) {
	tests := map[string]struct {
		status  string
		says    []string
		payable bool
	}{
		"waiting":     {"Waiting for payment", []string{"24.90 USD", "Two bags of Ethiopia Guji", "Tron", "14 min 09 s"}, true},
		"processing":  {"Processing", []string{"24.912456 USDT", "7 of 20 confirmations"}, false},
		"partly_paid": {"Partly paid", []string{"Received 10 USDT of 24.912456 USDT", "Send the rest, exactly 14.912456 USDT"}, true},
		"paid":        {"Paid", []string{"in full", "Success"}, false},
		"overpaid":    {"Overpaid", []string{"5 USDT more than due", "after the time was up"}, false},
		"in_review":   {"In review", []string{"flagged as risky", "not the coin asked for"}, false},
		"expired":     {"Expired", []string{"The time is up"}, false},
		"failed":      {"Payment failed", []string{"You can pay again", "Failed"}, true},
	}
	all := pages()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := checkout(t, all[name])
			if got := text(p.with("role", "status")); got != test.status {
				t.Errorf("status %q, want %q", got, test.status)
			}
			if !strings.HasPrefix(text(p.all("title")[0]), test.status) {
				t.Errorf("title %q does not begin with the state", text(p.all("title")[0]))
			}
			for _, want := range test.says {
				if !strings.Contains(p.text(), want) {
					t.Errorf("the page does not say %q: %s", want, p.text())
				}
			}
			if got := strings.Contains(p.text(), address); got != test.payable {
				t.Errorf("shows the address: %v, want %v", got, test.payable)
			}
			settled := name == "paid" || name == "overpaid"
			for link, want := range map[string]bool{"https://shop.example/thanks?order=1": settled, "https://shop.example/basket": !settled} {
				if got := slices.ContainsFunc(p.all("a"), func(a *html.Node) bool { return attr(a, "href") == link }); got != want {
					t.Errorf("link to %s: %v, want %v", link, got, want)
				}
			}
		})
	}
}

func TestWhatToPay(t *testing.T) {
	p := checkout(t, pages()["long"])
	for id, want := range map[string]string{
		"amount": "1234567.012345678901234567", "memo": "5f3f1a8e-1c2b-4d5e-8f90-1234567890ab", "address": pages()["long"].Due.Address,
	} {
		if got := p.with("id", id); text(got) != want || got.FirstChild.NextSibling != nil {
			t.Errorf("%s: %q cannot be copied as %q", id, text(got), want)
		}
		if button := p.with("data-copy", id); !has(button, "hidden") || attr(button, "type") != "button" {
			t.Errorf("the copy button of %s is for those with JavaScript only", id)
		}
	}
	if p := checkout(t, pages()["waiting"]); strings.Contains(p.text(), "memo") {
		t.Error("asks for a memo where none is needed")
	}
}

func TestForms(t *testing.T) {
	p := checkout(t, pages()["waiting"])
	var ways []string
	for _, b := range p.all("button") {
		if attr(b, "name") == "pay" {
			ways = append(ways, attr(b, "value"))
		}
	}
	want := []string{
		hosted.PayExact, hosted.PayLess, hosted.PayMore, hosted.PayLate,
		hosted.PayWrongCoin, hosted.PayRisky, hosted.PayFail, hosted.PayCustom,
	}
	if !slices.Equal(ways, want) {
		t.Errorf("ways to pay %q, want %q", ways, want)
	}
	if within(p.with("name", "amount"), "form") == within(p.with("value", "exact"), "form") {
		t.Error("Enter in the amount field would pay exactly")
	}
	if within(p.with("id", "buyer"), "main") != nil {
		t.Error("the test controls are part of the checkout")
	}

	anyCoin := pages()["waiting"]
	anyCoin.Controls.WrongCoin = ""
	for _, b := range checkout(t, anyCoin).all("button") {
		if attr(b, "value") == hosted.PayWrongCoin {
			t.Error("offers a wrong coin where none is wrong")
		}
	}

	mistaken := pages()["long"]
	mistaken.Refresh = time.Second
	p = checkout(t, mistaken)
	input := p.with("name", "amount")
	if attr(input, "aria-invalid") != "true" || attr(input, "value") != "12,5" ||
		text(p.with("id", attr(input, "aria-describedby"))) != "Write the amount with a point: 12.5" {
		t.Error("the mistake is not told at the field")
	}
	if strings.Contains(p.text(), "http-equiv") || has(p.all("body")[0], "data-refresh") {
		t.Error("the answer to a form loads itself anew")
	}

	p = checkout(t, pages()["picker"])
	var values []string
	for _, in := range p.all("input") {
		values = append(values, attr(in, "value"))
		if attr(in, "name") != "with" || attr(in, "type") != "radio" || has(in, "checked") != (attr(in, "value") == "1280/TRX") {
			t.Errorf("choice %v", in.Attr)
		}
	}
	if len(values) != 7 || len(slices.Compact(slices.Sorted(slices.Values(values)))) != 7 {
		t.Errorf("choices %q", values)
	}
	if got := text(within(p.with("value", "1280/ETH"), "label")); got != "USDT on Ethereum" {
		t.Errorf("a choice is called %q", got)
	}
}

func TestRefresh(t *testing.T) {
	for name, c := range pages() {
		p := checkout(t, c)
		seconds := map[string]string{"processing": "2", "waiting": "10"}[name]
		if got := attr(p.all("body")[0], "data-refresh"); got != seconds {
			t.Errorf("%s: the script refreshes after %q s, want %q", name, got, seconds)
		}
		// With scripting on, the parser gives what is in noscript as text.
		noscript := ""
		for _, n := range p.all("noscript") {
			noscript += text(n)
		}
		if got := strings.Contains(noscript, `http-equiv="refresh" content="`+seconds+`"`); got != (seconds != "") {
			t.Errorf("%s: refreshes without JavaScript: %v", name, got)
		}
	}
}

func TestHostileText(t *testing.T) {
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	c := pages()["failed"]
	c.Shop, c.OrderID, c.Product, c.Price, c.Received, c.Excess = hostile, hostile, hostile, hostile, hostile, hostile
	c.Due = &hosted.Due{Amount: hostile, Coin: hostile, Network: hostile, NetworkSymbol: hostile, Address: hostile, Memo: hostile, ChangeURL: "javascript:alert(1)"}
	c.Payments = []hosted.Payment{{Amount: hostile, Coin: hostile, Network: hostile, Status: hostile, TxID: hostile, RecordID: hostile}}
	c.Controls = &hosted.Controls{Action: "javascript:alert(1)", Exact: hostile, Amount: hostile, Error: hostile, Options: []hosted.Option{{Value: hostile, Label: hostile}}}
	o := hosted.Overview{
		Gateways: []hosted.Gateway{
			{Name: hostile, IDName: hostile, ID: hostile, SecretName: hostile, APIURL: hostile, WebhookURL: hostile, Caddyfile: hostile},
			{Webhooks: hostile},
		},
		Orders:     []hosted.Order{{Gateway: hostile, OrderID: hostile, Product: hostile, Price: hostile, State: hostile, PageURL: "javascript:alert(1)"}, {OrderID: "o", PageURL: "//evil.example"}, {OrderID: "o", PageURL: `/\evil.example`}},
		Deliveries: []hosted.Delivery{{Gateway: hostile, Type: hostile, Status: hostile, OrderID: hostile, RecordID: hostile, Problem: hostile}},
	}
	w := httptest.NewRecorder()
	made := []page{parse(t, w, hosted.WriteOverview(w, o))}
	w = httptest.NewRecorder()
	made = append(made, parse(t, w, hosted.WriteError(w, hosted.Error{Title: hostile, Message: hostile})))
	for _, state := range []hosted.State{hosted.Failed, hosted.Overpaid, hostile} {
		for _, link := range []string{"javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "//evil.example/", "/evil", "https://", "http://u:p@shop.example/"} {
			c.State, c.ReturnURL, c.CloseURL = state, link, link
			made = append(made, checkout(t, c))
		}
	}
	for i, p := range made {
		if !strings.Contains(p.text(), "<script>alert(1)</script>") {
			t.Errorf("page %d does not show the text as text", i)
		}
		if len(p.all("script")) != 1 || len(p.all("img")) != 0 {
			t.Errorf("page %d: the text became elements", i)
		}
		for _, n := range p.all("") {
			for _, key := range []string{"href", "action"} {
				if v := attr(n, key); has(n, key) && !strings.HasPrefix(v, hosted.AssetsPath) && v != "#buyer" && v != "/" && !strings.HasPrefix(v, "#") {
					t.Errorf("page %d: %s leads to %q", i, n.Data, v)
				}
			}
		}
	}
}

func TestNothingSecretOnTheOverview(t *testing.T) {
	w := httptest.NewRecorder()
	p := parse(t, w, hosted.WriteOverview(w, overview()))
	for _, want := range []string{
		"sandbox-7f3a9c", "http://localhost:8080/webhooks/ccpayment", "Will retry", "attempt 2", "HTTP 502", "again at 12:01:05",
		"where each invoice says", "dc6a16e545c34187ba21a9edbbe484a5", "Acknowledged", "Given up", "No answer", "Connection refused", "printed in the terminal",
	} {
		if !strings.Contains(p.text(), want) {
			t.Errorf("the overview does not say %q", want)
		}
	}
	var links []string
	for _, a := range p.all("a") {
		links = append(links, attr(a, "href"))
	}
	if !slices.Equal(links, []string{"/i/tok", "https://pay.example/c/other"}) {
		t.Errorf("links to orders: %q", links)
	}
	w = httptest.NewRecorder()
	empty := parse(t, w, hosted.WriteOverview(w, hosted.Overview{}))
	for _, want := range []string{"No orders yet", "No webhooks yet"} {
		if !strings.Contains(empty.text(), want) {
			t.Errorf("the empty overview does not say %q", want)
		}
	}
}

func TestPagesAreSmall(t *testing.T) {
	w := httptest.NewRecorder()
	hosted.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodGet, asset(t, ".css"), nil))
	css := w.Body.Len()
	all := pages()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if got := checkout(t, all[name]).size + css; got > 30_000 {
			t.Errorf("%s and its CSS are %d bytes", name, got)
		}
	}
}
