package coinpayments_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// tab is a buyer's browser without scripts.
type tab struct {
	*world
	page string // the path of the invoice's page
	id   string
}

func (w *world) visit(order string) *tab {
	w.t.Helper()
	made := w.ok("POST", "/v2/merchant/invoices", w.body(order, `,"successUrl":"https://shop.example/thanks?o=1","cancelUrl":"https://shop.example/basket"`))
	link := made.Str("invoices.0.checkoutLink")
	return &tab{world: w, page: strings.TrimPrefix(link, w.url), id: made.Str("invoices.0.id")}
}

// sees opens the page and checks what it says.
func (b *tab) sees(texts ...string) string {
	b.t.Helper()
	resp, err := b.client.Get(b.url + b.page)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	html, _ := io.ReadAll(resp.Body)
	for _, want := range texts {
		if !strings.Contains(string(html), want) {
			b.t.Errorf("the page does not say %q", want)
		}
	}
	return string(html)
}

// posts sends a form and returns the status and the page that follows.
func (b *tab) posts(path string, form url.Values, headers ...string) (int, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+"/checkout/"+b.id+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	html, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(html)
}

func TestPageFromCoinToPaid(t *testing.T) {
	w := start(t)
	b := w.visit("order-1")
	b.sees("Waiting for payment", "49.90 USD", "Cap", "Tron", "LTCT", `href="https://shop.example/basket"`)
	if code, _ := b.posts("/coin", url.Values{"with": {"1002"}}); code != 200 {
		t.Errorf("choosing: %d", code)
	}
	html := b.sees("0.7472286", "Litecoin Testnet", "Play the buyer", "59 min", "<svg class=\"qr\"")
	if strings.Contains(html, "Risky") || strings.Contains(html, "Wrong coin") {
		t.Error("the page offers what CoinPayments does not know")
	}
	b.posts("/pay", url.Values{"pay": {"less"}})
	b.sees("Processing", "0.3736143", "of 3 confirmations")
	w.box.Advance(3 * time.Second)
	b.sees("Partly paid", "0.3736143")
	b.posts("/pay", url.Values{"pay": {"exact"}})
	w.box.Advance(3 * time.Second)
	b.sees("Paid", `href="https://shop.example/thanks?o=1"`)
	w.expectStates(b.id, "paid: confirmed")
}

func TestEveryButtonOfThePage(t *testing.T) {
	w := start(t)
	for button, want := range map[string][2]string{
		"exact": {"Paid", "paid: confirmed"}, "more": {"Overpaid", "paid: confirmed"}, "less": {"Partly paid", "pending: pending"},
		"fail": {"Payment failed", "unpaid: created"}, "late": {"Waiting for payment", "unpaid: timedOutWaitingRefund"},
	} {
		b := w.visit("order-" + button)
		b.posts("/coin", url.Values{"with": {"1002"}})
		b.posts("/pay", url.Values{"pay": {button}})
		w.box.Advance(3 * time.Second)
		html := b.sees(want[0])
		if button == "late" && !strings.Contains(html, "Waiting for a refund") {
			t.Error("late: the page does not say that the money goes back")
		}
		w.expectStates(b.id, want[1])
	}
	b := w.visit("order-custom")
	b.posts("/coin", url.Values{"with": {"1002"}})
	for amount, want := range map[string]int{"": 422, "1,5": 422, "0": 422, "0.000000001": 422, "0.5": 200} {
		if code, _ := b.posts("/pay", url.Values{"pay": {"custom"}, "amount": {amount}}); code != want {
			t.Errorf("%q: %d", amount, code)
		}
	}
	for path, form := range map[string]url.Values{"/pay": {"pay": {"risky"}}, "/coin": {"with": {"5057"}}} {
		if code, _ := b.posts(path, form); code != 422 {
			t.Errorf("%v: %d", form, code)
		}
	}
	b.sees("Processing")
}

func TestPagesThatAreOver(t *testing.T) {
	w := start(t)
	b := w.visit("order-1")
	w.ok("POST", "/v1/merchant/invoices/"+b.id+"/cancel", "")
	b.sees("Cancelled", "The shop took this order back")
	b = w.visit("order-2")
	w.control("coinpayments/timeout", `{"order_id":"order-2"}`)
	b.sees("Expired")
	b = w.visit("order-3")
	b.posts("/coin", url.Values{"with": {"1002"}})
	w.control("coinpayments/timeout", `{"order_id":"order-3","payment":true}`)
	b.sees("Waiting for payment", "Pay with")

	for _, id := range []string{"", "x", "2008d68d-0f66-44ec-8500-68d054b882b9"} {
		b.page = "/checkout/?invoice-id=" + id
		b.sees("No such checkout")
	}
	b.id = "x"
	if code, _ := b.posts("/pay", url.Values{"pay": {"exact"}}); code != 404 {
		t.Errorf("paying nothing: %d", code)
	}
}

// TestFormsOfOtherSites are refused, and so are control calls.
func TestFormsOfOtherSites(t *testing.T) {
	w := start(t)
	b := w.visit("order-1")
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		if code, _ := b.posts("/coin", url.Values{"with": {"1002"}}, headers...); code != 403 {
			t.Errorf("%v: %d", headers, code)
		}
	}
	if code, _ := b.posts("/coin", url.Values{"with": {"1002"}}, "Origin", "null"); code != 200 {
		t.Errorf("the page's own form: %d", code)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/sandbox/coinpayments/pay", strings.NewReader(`{}`))
	req.Header.Set("Origin", "https://evil.example")
	if got := w.do(req); got.status != 403 {
		t.Errorf("a control call: %d", got.status)
	}
}

func TestFrontPageHasBothGateways(t *testing.T) {
	w := start(t)
	b := w.visit("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: "LTCT"})
	processtest.Until(t, "the log", func() bool { return len(w.box.Deliveries()) == 5 })
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/", nil)
	req.Header.Set("Accept", "text/html")
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	html, _ := io.ReadAll(resp.Body)
	for _, want := range []string{
		clientID, w.url + "/coinpayments", "App id", "Client id", "gateway coinpayments {", "order-1", strings.TrimPrefix(b.page, "/"), "InvoicePaid",
	} {
		if !strings.Contains(string(html), want) {
			t.Errorf("%q is missing in %s", want, html)
		}
	}
	if strings.Contains(string(html), secret) {
		t.Error("the secret is on the page")
	}
}
