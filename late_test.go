package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// silentShop is a shop whose sandbox sends no webhooks: the test does.
func silentShop(t *testing.T, webhook string) *shop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	return &shop{box: box, c: c, server: start(t, setup{account: "base_url " + base, webhook: webhook, confirm: true})}
}

// paid makes an order and pays it, and returns the body of its webhook.
func (s *shop) paid(orderID string) string {
	s.t.Helper()
	if err := kinds["order in coin"](s, orderID); err != nil {
		s.t.Fatal(err)
	}
	paid, err := s.box.Pay(s.t.Context(), sandbox.Payment{OrderID: orderID, Instant: true, Wait: patience})
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf(`{"type":"ApiDeposit","msg":{"recordId":%q,"orderId":%q,"coinId":1280,"status":"Success","isFlaggedAsRisky":false}}`,
		paid.RecordID, orderID)
}

// TestStale: a delivery outside the tolerance is believed if CCPayment's own
// records agree, even where nothing else is confirmed.
func TestStale(t *testing.T) {
	old := func() string { return fmt.Sprint(time.Now().Add(-time.Hour).Unix()) }
	for _, confirm := range []string{"on", "off"} {
		t.Run("confirm "+confirm, func(t *testing.T) {
			s := silentShop(t, "confirm "+confirm)
			body := s.paid("order-1")
			s.deliver(delivery{body: body, timestamp: old()}).wants(t, http.StatusOK)
			got := s.app.wants(t, 1)[0].header
			fulfill := map[string]string{"on": "true"}[confirm] // without confirming there are no flags
			if got.Get("Ccpayment-Confirmed") != "true" || got.Get("Ccpayment-Fulfill") != fulfill {
				t.Errorf("the app got %v", got)
			}
			s.deliver(delivery{body: body, timestamp: old()}).wants(t, http.StatusOK)
			s.app.wants(t, 1)

			unknown := `{"type":"ApiDeposit","msg":{"recordId":"404","orderId":"order-1","status":"Success"}}`
			s.deliver(delivery{body: unknown, timestamp: old()}).wants(t, http.StatusServiceUnavailable)
			s.deliver(delivery{body: `{"type":"RiskyAddress","msg":{}}`, timestamp: old()}).wants(t, http.StatusUnauthorized)
			s.deliver(delivery{body: `{"type":"ActivateWebhookURL"}`, timestamp: old()}).wants(t, http.StatusUnauthorized)
			s.app.wants(t, 1)
		})
	}
}

// TestEnrichedBody: the app gets the webhook with the records that confirmed it.
func TestEnrichedBody(t *testing.T) {
	s := silentShop(t, "body enriched")
	sent := s.paid("order-1")
	s.deliver(delivery{body: sent}).wants(t, http.StatusOK)
	got := s.app.wants(t, 1)[0]
	var body struct {
		Type string `json:"type"`
		Msg  struct {
			RecordID string `json:"recordId"`
		} `json:"msg"`
		Record struct {
			RecordID string `json:"recordId"`
			Amount   string `json:"amount"`
		} `json:"record"`
		Order struct {
			AmountToPay string `json:"amountToPay"`
		} `json:"order"`
		Settlement struct {
			State string `json:"state"`
			Due   string `json:"amount_due"`
			Paid  string `json:"amount_paid"`
		} `json:"settlement"`
		EventID string `json:"event_id"`
		Fulfill bool   `json:"fulfill"`
		Credit  bool   `json:"credit"`
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	id := got.header.Get("Ccpayment-Record-Id")
	if body.Type != "ApiDeposit" || body.Msg.RecordID != id || body.Record.RecordID != id || body.Record.Amount != "10" ||
		body.Order.AmountToPay != "10" || body.Settlement.State != "paid" || body.Settlement.Due != "10" || body.Settlement.Paid != "10" ||
		!body.Fulfill || body.Credit || body.EventID != got.header.Get("Idempotency-Key") {
		t.Errorf("the app got %s", got.body)
	}
	if got.header.Get("Content-Type") != "application/json" {
		t.Errorf("as %q", got.header.Get("Content-Type"))
	}

	// Where there is nothing to ask, there are no records.
	s.deliver(delivery{body: `{"type":"RiskyAddress","msg":{"address":"<a>&b"}}`}).wants(t, http.StatusOK)
	want := fmt.Sprintf(`{"type":"RiskyAddress","msg":{"address":"<a>&b"},"record":null,"order":null,"settlement":null,"event_id":%q,"fulfill":false,"credit":false}`,
		s.app.wants(t, 2)[1].header.Get("Idempotency-Key"))
	if got := s.app.received()[1].body; got != want {
		t.Errorf("the app got %s, want %s", got, want)
	}
}
