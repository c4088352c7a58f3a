package coinpayments_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// TestPaidByControl: the path of somebody with curl.
func TestPaidByControl(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.Speed = 1000 })
	id := w.invoice("order-1")
	paid := w.control("coinpayments/pay", `{"order_id":"order-1","coin":"LTCT","wait":true}`)
	if paid.Str("record_id") != id || paid.Str("deliveries.0.type") != "InvoicePaid" || paid.Text("deliveries.0.ok") != "true" {
		t.Errorf("%v", paid.Value)
	}
	got := w.controls("GET", "deliveries?gateway=coinpayments&record_id="+id+"&type=invoicepaid", "")
	if got.Len("deliveries") != 1 || got.Str("deliveries.0.order_id") != "order-1" || got.Str("deliveries.0.answer") != "OK" {
		t.Errorf("%v", got.Value)
	}
	if got := w.controls("GET", "deliveries?gateway=ccpayment", ""); got.Len("deliveries") != 0 {
		t.Errorf("%v", got.Value)
	}
	w.control("reset", "")
	if got := w.call("GET", "/v2/merchant/invoices/"+id, ""); got.status != 404 {
		t.Errorf("after the reset: %d", got.status)
	}
}

// TestPaidWithoutACoin: who names no coin pays in one that fulfils an order.
func TestPaidWithoutACoin(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.Speed = 1000 })
	id := w.invoice("order-1")
	w.control("coinpayments/pay", `{"order_id":"order-1","wait":true}`)
	w.get(id).Expect(t, map[string]string{"payments.0.paymentCurrencySymbol": `"LTC"`, "payments.0.isActive": `true`})
}

func TestControlSaysWhatIsWrong(t *testing.T) {
	w := start(t)
	w.invoice("order-1")
	for _, c := range []struct{ call, body, says string }{
		{"pay", `{}`, "order_id"},
		{"pay", `{"order_id":"order-1","invoice_id":"x"}`, "order_id"},
		{"pay", `{"order_id":"nobody"}`, "order_id"},
		{"pay", `{"invoice_id":"nobody"}`, "invoice_id"},
		{"pay", `{"address":"nobody"}`, "address"},
		{"pay", `{"order_id":"order-1","amount":"-1"}`, "amount"},
		{"pay", `{"order_id":"order-1","amount":"1.0000000000000000001","coin":"ETH"}`, "decimals"},
		{"pay", `{"order_id":"order-1","coin":"XYZ"}`, "there are BTC, ETH, USDT.TRC20, "},
		{"pay", `{"order_id":"order-1","coin":"USD"}`, "coin"},
		{"pay", `{"order_id":"order-1","status":"odd"}`, "status"},
		{"pay", `{"order_id":"order-1","wait":"soon"}`, "wait"},
		{"pay", `{"order_id":"order-1","risky":true}`, "risky"},
		{"pay", `{"order_id":"order-1","late":"yes"}`, "late"},
		{"confirm", `{"order_id":"order-1"}`, "nothing was paid"},
		{"confirm", `{"order_id":"order-1","confirmations":-1}`, "confirmations"},
		{"confirm", `{}`, "order_id"},
		{"fail", `{"order_id":"order-1"}`, "nothing was paid"},
		{"accept", `{"order_id":"order-1"}`, "no part"},
		{"complete", `{"order_id":"order-1"}`, "unpaid"},
		{"refund", `{"order_id":"order-1"}`, "nothing to refund"},
		{"timeout", `{"order_id":"order-1","payment":true}`, "no payment"},
		{"copy", `{"order_id":"order-1","type":"InvoicePaid"}`, "InvoicePaid"},
		{"copy", `{"order_id":"order-1","times":9999}`, "times"},
		{"answer", `{"order_id":"order-1"}`, "frozen"},
		{"answer", `{"set":{"status":"paid"}}`, "order_id"},
		{"answer", `{"order_id":"order-1","set":"paid"}`, "set"},
		{"answer", `{"record_id":"nobody","frozen":true}`, "nobody"},
		{"settings", `{"underpayment_percent":101}`, "underpayment_percent"},
		{"settings", `{"underpayment_amount":"x"}`, "underpayment_amount"},
		{"settings", `{"payment_lifetime":"0s"}`, "payment_lifetime"},
		{"settings", `{"search_delay":"soon"}`, "search_delay"},
		{"settings", `{"complete_after":"-1s"}`, "complete_after"},
		{"price", `{"coin":"XYZ","usd":1}`, "coin"},
		{"price", `{"coin":"BTC","usd":0}`, "usd"},
		{"credit", `{"wallet_id":"x","amount":1}`, "wallet_id"},
		{"approval", `{}`, "needed"},
		{"withdrawal", `{"record_id":"x","status":"failed"}`, "record_id"},
	} {
		got := w.controls("POST", "coinpayments/"+c.call, c.body)
		if got.status != 400 || !strings.Contains(got.Str("error"), c.says) {
			t.Errorf("%s %s: %d %q, want %q", c.call, c.body, got.status, got.Str("error"), c.says)
		}
	}
	if got := w.controls("GET", "coinpayments/pay", ""); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d", got.status)
	}
	if got := w.controls("POST", "coinpayments/dance", ""); got.status != 404 {
		t.Errorf("a call that is none: %d", got.status)
	}
	w.expectStates(w.invoice("order-2"), "unpaid")
}

func TestSettingsAreAnswered(t *testing.T) {
	w := start(t)
	w.control("coinpayments/settings", `{"underpayment_percent":"2","complete_after":"never","stale_retries":true}`).Expect(t, map[string]string{
		"underpayment_percent": `"2"`, "complete_after": `"never"`, "payment_lifetime": `"1h0m0s"`, "stale_retries": `true`, "search_delay": `"0s"`,
	})
	w.box.Reset()
	w.control("coinpayments/settings", `{}`).Expect(t, map[string]string{"underpayment_percent": `"0"`, "complete_after": `"10s"`})
}

func TestOptionsThatAreWrong(t *testing.T) {
	for _, id := range []string{"x", "dc6a16e545c34187ba21a9edbbe484a", strings.Repeat("z", 32)} {
		if box, err := sandbox.New(sandbox.Options{CoinPayments: coinpayments.Options{ClientID: id}}); err == nil {
			box.Close()
			t.Errorf("%s was taken", id)
		}
	}
	one, two := start(t, random), start(t, random)
	if one.ClientID() == two.ClientID() || one.ClientSecret() == two.ClientSecret() || len(one.ClientID()) != 32 || len(one.ClientSecret()) != 44 {
		t.Errorf("%s %s", one.ClientID(), one.ClientSecret())
	}
}

func random(o *sandbox.Options) { o.CoinPayments = coinpayments.Options{} }

// TestFiftyAtOnce: invoices, payments and reads beside one another.
func TestFiftyAtOnce(t *testing.T) {
	w := start(t)
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			order := fmt.Sprint("order-", n)
			id := w.invoice(order)
			if _, err := w.Pay(t.Context(), coinpayments.Payment{OrderID: order, Instant: true}); err != nil {
				t.Error(err)
			}
			w.expectStates(id, "paid: confirmed")
			w.ok("GET", "/v2/merchant/invoices?limit=5", "")
			if _, err := w.Copy(id, "*", 1); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.box.Advance(coinpayments.CompleteAfter)
	if got := w.ok("GET", "/v2/merchant/invoices?limit=100&status=completed", "").Len("items"); got != 50 {
		t.Errorf("%d are completed", got)
	}
}
