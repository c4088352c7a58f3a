package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// cpShop is a shop that sells for CoinPayments, as the sandbox plays it.
type cpShop struct {
	*server
	box   *sandbox.Sandbox
	coins *cpbox.Sandbox
	api   *coinpayments.Client

	mu    sync.Mutex
	terms string // of the order, as the app's 402 has them
}

// newCPShop starts a shop whose app asks for order-1; options are those of the account.
func newCPShop(t *testing.T, options string) *cpShop {
	t.Helper()
	shop := &cpShop{terms: `{"order_id":"order-1","price":"49.90","currency":"USD","product":"Müsli & Co"}`}
	var err error
	shop.box, err = sandbox.New(sandbox.Options{CoinPayments: cpbox.Options{ClientID: cpVectors.Client, ClientSecret: cpVectors.Secret}})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(shop.box)
	t.Cleanup(func() { api.Close(); shop.box.Close() })
	shop.coins = shop.box.CoinPayments()
	connections := coinpayments.NewHTTPClient()
	t.Cleanup(connections.CloseIdleConnections)
	shop.api, err = coinpayments.New(coinpayments.Credentials{ClientID: cpVectors.Client, ClientSecret: cpVectors.Secret},
		coinpayments.WithBaseURL(api.URL+cpbox.BasePath), coinpayments.WithHTTPClient(connections))
	if err != nil {
		t.Fatal(err)
	}
	shop.server = start(t, setup{
		account: fmt.Sprintf(`account coins {
			gateway coinpayments {
				client_id %s
				client_secret %s
				base_url %s
			}
			webhook_url http://127.0.0.1:$PORT/cp-hook
			%s
		}`, cpVectors.Client, cpVectors.Secret, api.URL+cpbox.BasePath, options),
		site: strings.Replace(cpSite, "\n}", "\n\tccpayment_checkout {\n\t\taccount coins\n\t\trespond json\n\t}\n\treverse_proxy $APP\n}", 1),
		app:  shop.serve,
	})
	return shop
}

// serve is the app.
func (s *cpShop) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/cp-hook" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusPaymentRequired)
	io.WriteString(w, s.terms)
}

// asks changes the terms of the order.
func (s *cpShop) asks(terms string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.terms = terms
}

// buys asks for the order's checkout, fails the test unless the answer has this status,
// and returns the checkout page, or the code of the error.
func (s *cpShop) buys(status int) string {
	s.t.Helper()
	response, err := s.client.Get("http://" + s.addr + "/buy")
	if err != nil {
		s.t.Fatal(err)
	}
	reply, err := readReply(response)
	if err != nil {
		s.t.Fatal(err)
	}
	if reply.status != status {
		s.t.Fatalf("the buyer got %d %s, want %d: %s", reply.status, reply.body, status, s.logs())
	}
	var body struct {
		CheckoutURL string `json:"checkout_url"`
		Error       struct{ Code string }
	}
	if err := json.Unmarshal([]byte(reply.body), &body); err != nil {
		s.t.Fatalf("%s: %v", reply.body, err)
	}
	return body.CheckoutURL + body.Error.Code
}

// buysAnother asks for the order's checkout until its page is another one, and returns that.
func (s *cpShop) buysAnother(page string) string {
	s.t.Helper()
	var other string
	await(s.t, "another page", func() bool {
		response, err := s.client.Get("http://" + s.addr + "/buy")
		if err != nil {
			s.t.Fatal(err)
		}
		reply, err := readReply(response)
		if err != nil {
			s.t.Fatal(err)
		}
		var body struct {
			CheckoutURL string `json:"checkout_url"`
		}
		if err := json.Unmarshal([]byte(reply.body), &body); err != nil {
			s.t.Fatalf("%s: %v", reply.body, err)
		}
		other = body.CheckoutURL
		return other != "" && other != page
	})
	return other
}

// pays makes a payment of the invoice of a page, of so many coins where amount is not empty.
func (s *cpShop) pays(page, amount string) {
	s.t.Helper()
	payment := cpbox.Payment{InvoiceID: invoiceOf(page), Coin: "LTC", Instant: true, Wait: patience}
	if amount != "" {
		payment.Amount = decimal.RequireFromString(amount)
	}
	if _, err := s.coins.Pay(s.t.Context(), payment); err != nil {
		s.t.Fatal(err)
	}
}

func invoiceOf(page string) string { return page[strings.LastIndex(page, "=")+1:] }

// hears waits until the app was told of an event with these headers, and returns the call.
func (s *cpShop) hears(what string, is func(http.Header) bool) received {
	s.t.Helper()
	var found received
	await(s.t, what, func() bool {
		for _, call := range s.hooks() {
			if is(call.header) {
				found = call
				return true
			}
		}
		return false
	})
	return found
}

// hooks are the calls of the app about events.
func (s *cpShop) hooks() []received {
	var calls []received
	for _, call := range s.app.received() {
		if call.header.Get("Ccpayment-Type") != "" {
			calls = append(calls, call)
		}
	}
	return calls
}

func hasStatus(status string) func(http.Header) bool {
	return func(h http.Header) bool { return h.Get("Ccpayment-Status") == status }
}

// fulfilled fails the test unless the app was told so often to fulfil the order.
func (s *cpShop) fulfilled(n int) {
	s.t.Helper()
	got := 0
	for _, call := range s.hooks() {
		if call.header.Get("Ccpayment-Fulfill") == "true" {
			got++
			call.says(s.t, map[string]string{"Ccpayment-Order-Id": "order-1"})
		}
	}
	if got != n {
		s.t.Errorf("the app was told to fulfil the order %d times, want %d", got, n)
	}
}

// TestCoinPaymentsCheckout: an order is made as an invoice, once, and when the buyer has
// paid it the app is told to fulfil it.
func TestCoinPaymentsCheckout(t *testing.T) {
	s := newCPShop(t, "order_prefix shop-")
	page := s.buys(201)
	if again := s.buys(200); again != page {
		t.Errorf("the page is %s, and then %s", page, again)
	}
	s.hears("the invoice was made", hasStatus("Unpaid"))
	s.pays(page, "")
	s.hears("the order is paid", hasStatus("Paid")).says(t, map[string]string{"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "paid", "Ccpayment-Coin": "LTC"})
	s.box.Advance(cpbox.CompleteAfter)
	s.hears("the order is completed", hasStatus("Completed")).says(t, map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Reason": "already_fulfilled"})
	if code := s.buys(409); code != "paid" {
		t.Errorf("asked again: %s", code)
	}
	s.fulfilled(1)
}

// TestCoinPaymentsLostAnswer: where the answer to the making of an invoice is lost, it is
// looked up, and not made twice.
func TestCoinPaymentsLostAnswer(t *testing.T) {
	s := newCPShop(t, "api_timeout 2s")
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "coinpayments/createInvoice", Drop: "after"}); err != nil {
		t.Fatal(err)
	}
	page := s.buys(201)
	if !strings.HasPrefix(page, "https://checkout.coinpayments.com/checkout/?invoice-id=") {
		t.Errorf("the buyer is sent to %s", page)
	}
	count := 0
	for _, err := range s.api.Invoices(t.Context(), coinpayments.InvoiceFilter{}) {
		if count++; err != nil {
			t.Fatal(err)
		}
	}
	if count != 1 {
		t.Errorf("there are %d invoices", count)
	}
	s.pays(page, "")
	s.hears("the order is paid", hasStatus("Paid"))
	s.fulfilled(1)
}

// TestCoinPaymentsNewTerms: another price ends the invoice before the next one is made, and
// there is no next one while a buyer may pay the first.
func TestCoinPaymentsNewTerms(t *testing.T) {
	s := newCPShop(t, "")
	first := s.buys(201)
	if _, err := s.api.CreatePayment(t.Context(), invoiceOf(first), "jane@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.api.PaymentDetails(t.Context(), invoiceOf(first), "2"); err != nil {
		t.Fatal(err)
	}
	s.asks(`{"order_id":"order-1","price":"59.90","currency":"USD"}`)
	if code := s.buys(409); code != "under_way" {
		t.Errorf("while a payment may come: %s", code)
	}
	if err := s.coins.TimeOut(invoiceOf(first), true); err != nil { // the payment
		t.Fatal(err)
	}
	second := s.buys(201)
	invoice, err := s.api.Invoice(t.Context(), invoiceOf(first))
	if err != nil || !invoice.Status.Is(coinpayments.InvoiceCancelled) || second == first {
		t.Errorf("the first is %s, %v; the second %s", invoice.Status, err, second)
	}
	s.hears("the first is cancelled", hasStatus("Cancelled")).says(t, map[string]string{"Ccpayment-Order-Id": "order-1", "Ccpayment-Fulfill": ""})
	s.pays(second, "")
	s.hears("the order is paid", hasStatus("Paid")).says(t, map[string]string{"Ccpayment-Order-Amount-Due": "59.9", "Ccpayment-Order-Amount-Paid": "59.9"})
	s.fulfilled(1)
}

// TestCoinPaymentsTwins: of two invoices that stand for one order, both of which are paid,
// one fulfils it.
func TestCoinPaymentsTwins(t *testing.T) {
	s := newCPShop(t, "")
	page := s.buys(201)
	price := decimal.RequireFromString("49.90")
	twin, err := s.api.CreateInvoice(t.Context(), coinpayments.InvoiceRequest{
		Currency: "5057", InvoiceID: "order-1", CustomData: map[string]string{"order_id": "order-1"},
		Items: []coinpayments.Item{{Name: "x", Amount: price}}, Amount: coinpayments.InvoiceAmount{Total: price},
		Webhooks: []coinpayments.InvoiceWebhook{{NotificationsURL: "http://" + s.addr + "/cp-hook", Notifications: coinpayments.Notifications()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.pays(page, "")
	s.pays("="+twin.ID, "")
	isPaidTwice := func(h http.Header) bool { return h.Get("Ccpayment-Reason") == "already_fulfilled" }
	s.hears("the second is not to be fulfilled", isPaidTwice).says(t, map[string]string{
		"Ccpayment-Order-State": "overpaid", "Ccpayment-Order-Amount-Paid": "99.8", "Ccpayment-Order-Amount-Due": "49.9",
	})
	s.fulfilled(1)
}

// TestCoinPaymentsTooLittle: an invoice that was paid too little of goes back to the buyer,
// and can be paid anew, on the same page.
func TestCoinPaymentsTooLittle(t *testing.T) {
	s := newCPShop(t, "")
	page := s.buys(201)
	s.pays(page, "0.1")
	s.hears("some was paid", hasStatus("Pending")).says(t, map[string]string{"Ccpayment-Order-State": "processing", "Ccpayment-Fulfill": ""})
	s.box.Advance(time.Hour + time.Minute)
	if again := s.buys(200); again != page {
		t.Errorf("the page is %s, and then %s", page, again)
	}
	s.pays(page, "")
	s.hears("the order is paid", hasStatus("Paid")).says(t, map[string]string{
		"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "paid", "Ccpayment-Order-Amount-Paid": "49.9", "Ccpayment-Reason": "gateway_refunds",
	})
	s.fulfilled(1)
}

// TestCoinPaymentsEndedThere: an invoice that CoinPayments or its console has ended is
// followed by another one when the order is to be paid after all; a buyer is not sent to a
// page that takes no money.
func TestCoinPaymentsEndedThere(t *testing.T) {
	s := newCPShop(t, "")
	page := s.buys(201)
	if err := s.coins.TimeOut(invoiceOf(page), false); err != nil {
		t.Fatal(err)
	}
	second := s.buysAnother(page)
	if err := s.coins.Cancel(invoiceOf(second)); err != nil {
		t.Fatal(err)
	}
	third := s.buysAnother(second)
	if again := s.buys(200); again != third {
		t.Errorf("the page is %s, and then %s", third, again)
	}
	s.pays(third, "")
	s.hears("the order is paid", hasStatus("Paid"))
	s.fulfilled(1)
}

// TestCoinPaymentsLies: an invoice of our checkout that is another than the one that was
// asked for fulfils nothing; which order it is the ledger knows best.
func TestCoinPaymentsLies(t *testing.T) {
	for name, test := range map[string]struct{ patch, held string }{
		"another currency": {`{"currency":{"id":"5195","symbol":"EUR","decimalPlaces":2}}`, "our checkout for"},
		"another total":    {`{"amount":{"total":"4.99"}}`, "our checkout for"},
		"another order":    {`{"customData":{"order_id":"order-2"},"invoiceId":"order-2"}`, ""},
		"no order":         {`{"customData":null,"invoiceId":null}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newCPShop(t, "")
			page := s.buys(201)
			s.hears("the invoice was made", hasStatus("Unpaid"))
			if err := s.coins.Lie(invoiceOf(page), json.RawMessage(test.patch)); err != nil {
				t.Fatal(err)
			}
			s.pays(page, "")
			if test.held != "" {
				s.waitsHeld(test.held)
				s.fulfilled(0)
				return
			}
			s.hears("the order is paid", hasStatus("Paid"))
			s.fulfilled(1)
		})
	}
}

// TestCoinPaymentsReload: what waits for the API outlives a configuration.
func TestCoinPaymentsReload(t *testing.T) {
	api := newCPAPI(t)
	api.says(cpGetInvoice, 500, "")
	s := start(t, api.setup("", ""))
	s.hook(cpDelivery{}, 200)
	s.load(api.setup("timeout 20s", ""))
	api.has("paid", "49.90")
	s.gets(1)[0].says(t, map[string]string{"Ccpayment-Fulfill": "true"})
}

// TestCoinPaymentsReturn: the buyer comes back with the order's status token, however long the
// address is.
func TestCoinPaymentsReturn(t *testing.T) {
	s := newCPShop(t, "")
	returns := func(want string) {
		t.Helper()
		invoice, err := s.api.Invoice(t.Context(), invoiceOf(s.buys(201)))
		if err != nil {
			t.Fatal(err)
		}
		var raw struct{ SuccessURL string }
		if err := json.Unmarshal(invoice.Raw, &raw); err != nil {
			t.Fatal(err)
		}
		token, ok := strings.CutPrefix(raw.SuccessURL, want)
		if !ok || token == "" {
			t.Errorf("the buyer returns to %q, want %s and the token", raw.SuccessURL, want)
		}
	}
	long := "https://shop.example/" + strings.Repeat("thanks/", 30)
	for i, link := range []string{"https://shop.example/thanks", long} {
		s.asks(fmt.Sprintf(`{"order_id":"back-%d","price":"49.90","currency":"USD","return_url":%q}`, i, link))
		returns(link + "?t=")
	}
}
