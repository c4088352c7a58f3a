package coinpayments_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// signed checks that a webhook is signed over the URL as it was registered.
func (w *world) signedOver(h hook, url string) bool {
	stamp := h.header.Get("X-CoinPayments-Timestamp")
	sent, err := time.Parse("2006-01-02T15:04:05", stamp)
	return err == nil && time.Since(sent).Abs() < time.Minute && h.header.Get("X-CoinPayments-Client") == clientID &&
		h.header.Get("X-CoinPayments-Signature") == sign(secret, "POST", url, clientID, stamp, string(h.body))
}

func TestWebhookBody(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: "ETH", Confirmations: 2})
	hooks := w.receiver.got()
	last := hooks[len(hooks)-1]
	body := jsonOf(t, last)
	body.Expect(t, map[string]string{
		"type": `"InvoicePending"`, "invoice.id": `"` + id + `"`, "invoice.state": `"Pending"`,
		"invoice.amount.currency.id": `5057`, "invoice.amount.currency.smartContract": `null`, "invoice.amount.total": `4990`,
		"invoice.lineItems.0.amount": `4990`, "invoice.customData.order_id": `"order-1"`, "invoice.confirmedAt": `null`,
		"invoice.payments.0.state": `"Pending"`, "invoice.payments.0.hotWallet.confirmations": `2`,
		"invoice.payments.0.hotWallet.requiredConfirmations":             `6`,
		"invoice.payments.0.hotWallet.unconfirmedAmount":                 `15955440000000000`,
		"invoice.payments.0.hotWallet.unconfirmedAmountInNativeCurrency": `4990`,
	})
	if len(body.Str("id")) != 32 || !strings.HasSuffix(body.Str("timestamp"), "+00:00") || len(body.Str("timestamp")) != 33 {
		t.Errorf("%s", last.body)
	}
	created, _ := body.At("invoice.createdAt").Value.(interface{ Int64() (int64, error) }).Int64()
	expires, _ := body.At("invoice.expiresDate").Value.(interface{ Int64() (int64, error) }).Int64()
	if expires-created != 31_536_000 {
		t.Errorf("it lives %d s", expires-created)
	}
}

func TestWebhooksAreRetriedForHours(t *testing.T) {
	w := start(t)
	w.receiver.answers(500)
	w.invoice("order-1")
	w.box.Advance(24 * time.Hour)
	hooks := w.receiver.got()
	if len(hooks) != 11 {
		t.Fatalf("%d tries", len(hooks))
	}
	ids := map[string]bool{}
	for _, h := range hooks {
		if ids[h.ID] = true; !w.signedOver(h, w.hookURL()) {
			t.Errorf("not signed: %v", h.header)
		}
	}
	if len(ids) != len(hooks) {
		t.Errorf("%d tries have %d ids", len(hooks), len(ids))
	}
	log := w.box.Deliveries()
	var offsets []string
	for i := len(log) - 1; i >= 0; i-- {
		offsets = append(offsets, time.Duration(log[i].Offset).String())
	}
	want := "0s 30s 1m30s 3m30s 7m30s 15m30s 31m30s 1h3m30s 2h7m30s 4h15m30s 8h31m30s"
	if got := strings.Join(offsets, " "); got != want || log[0].NextAt != nil || log[0].Gateway != "coinpayments" {
		t.Errorf("tried at %s", got)
	}

	// Any 2xx ends it.
	w.receiver.answers(204)
	w.invoice("order-2")
	w.box.Advance(24 * time.Hour)
	if got := len(w.receiver.got()); got != 12 {
		t.Errorf("%d tries", got)
	}
}

func TestRetriesWithAnOldTimestamp(t *testing.T) {
	w := start(t)
	set := w.Settings()
	set.StaleRetries = true
	if err := w.Set(set); err != nil {
		t.Fatal(err)
	}
	w.receiver.answers(500)
	w.invoice("order-1")
	w.hears("InvoiceCreated")
	first := w.receiver.got()[0].header.Get("X-CoinPayments-Timestamp")
	processtest.Until(t, "the clock has moved on", func() bool { return time.Now().UTC().Format("2006-01-02T15:04:05") != first })
	w.box.Advance(time.Minute)
	again := w.receiver.got()[1].header.Get("X-CoinPayments-Timestamp")
	if again != first {
		t.Errorf("%s after %s", again, first)
	}
}

func TestOnlyWhatIsRegisteredIsSent(t *testing.T) {
	w := start(t)
	w.ok("POST", "/v2/merchant/invoices", strings.Replace(w.body("order-1", ""), everything, `["invoicePaid"]`, 1))
	w.pay(coinpayments.Payment{OrderID: "order-1"})
	w.hears("InvoicePaid")

	// Payments are told of where it is asked for, under the name that was registered.
	w.ok("POST", "/v2/merchant/invoices", strings.Replace(w.body("order-2", ""), everything, `["paymentCreated","paymentTimedOut"]`, 1))
	w.ok("POST", "/v2/merchant/invoices", strings.Replace(w.body("order-3", ""), everything, `["invoicePaymentCreated"]`, 1))
	w.pay(coinpayments.Payment{OrderID: "order-2", Amount: dec("0.1")})
	w.hears("InvoicePaid PaymentCreated")
	w.pay(coinpayments.Payment{OrderID: "order-3"})
	w.hears("InvoicePaid PaymentCreated InvoicePaymentCreated")
	w.box.Advance(61 * time.Minute)
	w.hears("InvoicePaid PaymentCreated InvoicePaymentCreated PaymentTimedOut")
}

func TestWebhooksOfTheIntegration(t *testing.T) {
	w := start(t)
	path := "/v1/merchant/clients/dc6a16e5-45c3-4187-ba21-a9edbbe484a5/webhooks"
	url := w.receiver.server.URL + "/all/"
	made := w.call("POST", path, `{"notificationsUrl":"`+url+`","notifications":["invoicePaid","invoiceCreated"]}`)
	id := made.Str("id")
	if made.status != 201 || id == "" {
		t.Fatalf("%d %v", made.status, made.Value)
	}
	w.ok("GET", path+"?type=invoicePaid", "").Expect(t, map[string]string{
		"items.0.id": `"` + id + `"`, "items.0.notificationsUrl": `"` + url + `"`, "items.0.notifications": `["invoicePaid","invoiceCreated"]`,
	})
	if got := w.ok("GET", path+"?type=invoicePending", "").Len("items"); got != 0 {
		t.Errorf("%d of another type", got)
	}
	// An invoice's own webhook and the integration's both hear of it.
	w.invoice("order-1")
	w.hears("InvoiceCreated×2")
	hooks := w.receiver.got()
	if !w.signedOver(hooks[0], w.hookURL()) || !w.signedOver(hooks[1], url) || hooks[0].ID == hooks[1].ID {
		t.Errorf("%v", hooks)
	}
	w.ok("PUT", path+"/"+id, `{"notificationsUrl":"`+url+`","notifications":["invoiceCancelled"]}`)
	w.invoice("order-2")
	w.hears("InvoiceCreated×3")
	w.ok("DELETE", path+"/"+id, "")
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"DELETE", path + "/" + id, "", 404},
		{"GET", "/v1/merchant/clients/" + strings.Repeat("a", 32) + "/webhooks", "", 404},
		{"POST", path, `{"notificationsUrl":"x","notifications":["invoicePaid"]}`, 400},
		{"POST", path, `{"notificationsUrl":"` + url + `","notifications":["paid"]}`, 400},
	} {
		if got := w.call(c.method, c.path, c.body); got.status != c.status {
			t.Errorf("%s %s: %d", c.method, c.path, got.status)
		}
	}
}

func TestCopies(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: "LTCT"})
	w.hears("InvoiceCreated InvoicePending×3 InvoicePaid")
	for _, body := range []string{`{"order_id":"order-1"}`, `{"invoice_id":"` + id + `","type":"invoicePending","times":2}`, `{"order_id":"order-1","type":"InvoicePaid"}`} {
		w.control("coinpayments/copy", body)
	}
	w.hears("InvoiceCreated InvoicePending×3 InvoicePaid×2 InvoicePending×2 InvoicePaid")
	ids := map[string]bool{}
	for _, h := range w.receiver.got() {
		if ids[h.ID] = true; !w.signedOver(h, w.hookURL()) || h.Invoice["state"] != strings.TrimPrefix(h.Type, "Invoice") && h.Type != "InvoiceCreated" {
			t.Errorf("%s %v", h.body, h.header)
		}
	}
	if len(ids) != 9 {
		t.Errorf("%d ids", len(ids))
	}
}

// TestOutOfOrder: webhooks that are held back come in reverse.
func TestOutOfOrder(t *testing.T) {
	w := start(t)
	w.invoice("order-1")
	w.hears("InvoiceCreated")
	w.control("hold", "")
	if _, err := w.Pay(t.Context(), coinpayments.Payment{OrderID: "order-1", Coin: "LTCT", Instant: true}); err != nil {
		t.Fatal(err)
	}
	w.box.Advance(coinpayments.CompleteAfter)
	w.hears("InvoiceCreated")
	if got := w.control("release", `{"reverse":true}`).Text("released"); got != "5" {
		t.Errorf("%s were released", got)
	}
	w.hears("InvoiceCreated InvoiceCompleted InvoicePaid InvoicePending×3")
	w.control("hold", "")
	w.invoice("order-2")
	w.box.Advance(time.Second)
	w.box.Reset()
	w.invoice("order-3")
	w.hears("InvoiceCreated InvoiceCompleted InvoicePaid InvoicePending×3 InvoiceCreated")
}

func TestFaults(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.hears("InvoiceCreated")
	for _, c := range []struct {
		fault, method, path, retry string
		status                     int
	}{
		{`{"endpoint":"coinpayments/findInvoice","http_status":429,"retry_after":7}`, "GET", "/v2/merchant/invoices/" + id, "7", 429},
		{`{"endpoint":"coinpayments","http_status":503}`, "GET", "/v2/currencies", "", 503},
		{`{"endpoint":"*","http_status":500}`, "GET", "/v2/currencies/1", "", 500},
	} {
		w.control("faults", c.fault)
		got := w.call(c.method, c.path, "")
		if got.status != c.status || got.header.Get("Retry-After") != c.retry || got.Text("status") != fmt.Sprint(c.status) {
			t.Errorf("%s: %d %v", c.fault, got.status, got.Value)
		}
		if got := w.call(c.method, c.path, ""); got.status != 200 {
			t.Errorf("%s: then %d", c.fault, got.status)
		}
	}
	// CCPayment's codes do not touch CoinPayments.
	w.control("faults", `{"endpoint":"*","code":11004}`)
	if got := w.call("GET", "/v2/currencies", ""); got.status != 200 {
		t.Errorf("a code: %d", got.status)
	}
	if got := w.controls("POST", "faults", `{"endpoint":"coinpayments/findInvoice","code":11004}`); got.status != 400 {
		t.Errorf("a code for CoinPayments: %d", got.status)
	}
	w.box.ClearFaults()

	// The answer is lost, and the invoice is made.
	w.control("faults", `{"endpoint":"coinpayments/createInvoice","drop":"after"}`)
	if resp, err := w.client.Do(w.signed("POST", "/v2/merchant/invoices", w.body("order-2", ""))); err == nil {
		resp.Body.Close()
		t.Errorf("answered with %d", resp.StatusCode)
	}
	if got := w.ok("GET", "/v2/merchant/invoices?q=order-2", "").Len("items"); got != 1 {
		t.Errorf("%d invoices", got)
	}
	w.hears("InvoiceCreated×2")

	// A webhook is lost.
	w.control("faults", `{"endpoint":"coinpayments/webhook","drop":"before"}`)
	w.invoice("order-3")
	processtest.Until(t, "the first try", func() bool { return len(w.box.Deliveries()) == 3 })
	w.hears("InvoiceCreated×2")
	w.box.Advance(30 * time.Second)
	w.hears("InvoiceCreated×3")
}

func TestRateLimit(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.CoinPayments.RateLimit = 5 })
	limited := 0
	for range 20 {
		if w.open("GET", "/v2/currencies/1", "").status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("never too many")
	}
}

// TestAnswersThatLagOrLie: the API says what it was told to, and webhooks the truth.
func TestAnswersThatLagOrLie(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.control("coinpayments/answer", `{"order_id":"order-1","frozen":true}`)
	w.pay(coinpayments.Payment{OrderID: "order-1"})
	if got := w.receiver.types(); !strings.HasSuffix(got, "InvoicePaid") || w.get(id).Str("status") != "unpaid" {
		t.Errorf("%s, and GET says %s", got, w.get(id).Str("status"))
	}
	if got := w.ok("GET", "/v2/merchant/invoices?q=order-1", "").Str("items.0.status"); got != "unpaid" {
		t.Errorf("the list says %s", got)
	}
	w.control("coinpayments/answer", `{"order_id":"order-1","frozen":false}`)
	if got := w.get(id).Str("status"); got != "paid" {
		t.Errorf("GET says %s", got)
	}
	w.control("coinpayments/answer", `{"invoice_id":"`+id+`","set":{"status":"cancelled","amount":{"total":"1.00"},"payments":null}}`)
	w.get(id).Expect(t, map[string]string{"status": `"cancelled"`, "amount.total": `"1.00"`, "amount.breakdown.subtotal": `"49.90"`, "payments": `null`})
	w.control("coinpayments/answer", `{"invoice_id":"`+id+`","set":{}}`)
	if got := w.get(id); got.Str("status") != "paid" || got.Str("amount.total") != "49.90" {
		t.Errorf("%v", got.Value)
	}
	w.control("coinpayments/answer", `{"frozen":true}`)
	w.box.Advance(coinpayments.CompleteAfter)
	if got := w.get(id).Str("status"); got != "paid" {
		t.Errorf("with all frozen GET says %s", got)
	}
}
