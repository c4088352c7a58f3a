package coinpayments_test

import (
	"fmt"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// The path of a shop: an invoice, its payment, the webhooks as they really arrive, and
// the invoice read back.
func TestInvoicePaid(t *testing.T) {
	w := start(t)
	made := w.call("POST", "/v2/merchant/invoices", w.body("order-1", ""))
	id := made.Str("invoices.0.id")
	if link := made.Str("invoices.0.checkoutLink"); made.status != 201 || link != w.url+"/checkout/?invoice-id="+id {
		t.Fatalf("%d %s", made.status, link)
	}
	w.hears("InvoiceCreated")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: "USDT.TRC20"})
	w.hears("InvoiceCreated InvoicePending×6 InvoicePaid")
	w.get(id).Expect(t, map[string]string{
		"status": `"paid"`, "amount.total": `"49.90"`, "currency.id": `"5057"`, "invoiceId": `"order-1"`,
		"customData.order_id": `"order-1"`, "payments.0.state": `"confirmed"`, "payments.0.nativeActualAmount": `"49.90"`,
		"payments.0.actualAmount": `"49.895011"`, "payments.0.confirmations": `6`,
	})
	w.box.Advance(coinpayments.CompleteAfter)
	w.get(id).Expect(t, map[string]string{"status": `"completed"`, "payments.0.state": `"completed"`})

	ids := map[string]bool{}
	for _, h := range w.receiver.got() {
		stamp, client := h.header.Get("X-CoinPayments-Timestamp"), h.header.Get("X-CoinPayments-Client")
		right := sign(secret, "POST", w.hookURL(), client, stamp, string(h.body))
		if h.header.Get("X-CoinPayments-Signature") != right || client != clientID || len(stamp) != 19 {
			t.Errorf("%s is not signed: %v", h.Type, h.header)
		}
		amount := h.Invoice["amount"].(map[string]any)
		if h.Invoice["id"] != id || h.Invoice["invoiceId"] != "order-1" || fmt.Sprint(amount["total"]) != "4990" ||
			h.Invoice["merchantClientId"] != "dc6a16e5-45c3-4187-ba21-a9edbbe484a5" {
			t.Errorf("%s", h.body)
		}
		ids[h.ID] = true
	}
	if last := w.receiver.got(); len(ids) != len(last) || last[len(last)-1].Type != "InvoiceCompleted" {
		t.Errorf("%d webhooks have %d ids, the last is %s", len(last), len(ids), last[len(last)-1].Type)
	}
}
