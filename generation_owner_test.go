package ccpayment_test

import (
	"net/http"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// payPart pays a part of an order at the gateway.
func (s *shop) payPart(id, amount string) {
	s.t.Helper()
	part := sandbox.Payment{OrderID: id, Amount: decimal.RequireFromString(amount), Instant: true, Wait: patience}
	if _, err := s.box.Pay(s.t.Context(), part); err != nil {
		s.t.Fatal(err)
	}
}

// awaitDelivered waits until n payments that succeeded were delivered.
func (s *shop) awaitDelivered(n int) {
	s.t.Helper()
	await(s.t, "the payments are delivered", func() bool { return len(s.list("state=delivered&status=success").Events) == n })
}

// wantFulfilled fails the test unless the app was told to fulfil these orders.
func (s *shop) wantFulfilled(want ...string) {
	s.t.Helper()
	got := s.fulfilledIDs()
	if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
		s.t.Errorf("fulfilled: %q, want %q", got, want)
	}
}

// TestGenerationBought: who buys an order under the id that CCPayment has for a later
// generation of another order gets an order of his own. One payment fulfils one order.
func TestGenerationBought(t *testing.T) {
	for _, paidFirst := range []bool{false, true} {
		s, _ := namedShop(t, "")
		s.buy("order-1", "10")
		s.buy("order-1", "200")
		generation := s.orderNamed("order-1").Generations[1].ID
		if paidFirst {
			s.payAll(generation)
			s.awaitDelivered(1)
		}
		v := s.buy(generation, "200")
		if o := s.orderNamed(generation); v.status != http.StatusCreated || o.OrderID != generation || o.GatewayOrderID == generation {
			t.Errorf("bought: %d %s, %+v", v.status, v.body, o)
		}
		if !paidFirst {
			s.payAll(generation)
		}
		s.payPart("order-1", "0.01")
		s.awaitDelivered(2)
		s.payPart(generation, "0.01")
		s.awaitDelivered(3)
		s.wantFulfilled("order-1")
		if o := s.orderNamed(generation); o.State != "unpaid" {
			t.Errorf("the other order is %+v", o)
		}
	}
}
