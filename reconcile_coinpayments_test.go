package ccpayment_test

import (
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestCoinPaymentsLostWebhooks: what lost webhooks about an invoice were to tell is told from
// the invoice, once; the webhooks that come late are copies.
func TestCoinPaymentsLostWebhooks(t *testing.T) {
	// The block of the account ends in front of that of reconcile.
	s := newCPShop(t, "}\nreconcile {\nevery 50ms\ngrace 1ms")
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "webhook", Drop: "before", Times: -1}); err != nil {
		t.Fatal(err)
	}
	page := s.buys(201)
	s.pays(page, "")
	told := s.hears("the order is paid", hasStatus("Paid"))
	told.says(t, map[string]string{
		"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "paid", "Ccpayment-Coin": "LTC",
		"Ccpayment-Attempt-Reason": "backfill", "Ccpayment-Record-Id": invoiceOf(page),
	})
	s.box.ClearFaults()
	s.box.Advance(600e9) // the gateway's own retries
	s.fulfilled(1)
	keys := make(map[string]int)
	for _, call := range s.hooks() {
		if keys[call.header.Get("Idempotency-Key")]++; call.header.Get("Ccpayment-Status") == "Paid" && call.header.Get("Idempotency-Key") != told.header.Get("Idempotency-Key") {
			t.Errorf("the webhook is another event: %v", call.header)
		}
	}
	for key, times := range keys {
		if times != 1 {
			t.Errorf("the app was sent %s %d times", key, times)
		}
	}
}
