package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestHeldPaymentIsInReview: the app hears nothing of a risky payment, but the
// buyer's page must not ask for the money again.
func TestHeldPaymentIsInReview(t *testing.T) {
	for name, coin := range map[string]string{"an invoice": "", "a deposit order": "coin USDT TRX"} {
		t.Run(name, func(t *testing.T) {
			s := checkoutShop(t, coin, asks(cart))
			made := s.visit(http.MethodPost, "/buy", "", nil)
			if _, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Risky: true, Instant: true}); err != nil {
				t.Fatal(err)
			}
			await(t, "the buyer's page is told of it", func() bool {
				v := s.visit(http.MethodGet, "/status?t="+made.answer.Token, "", nil)
				return strings.Contains(v.body, `"state":"review","amount_due":"`) && strings.Contains(v.body, `"fulfilled":false`)
			})
		})
	}
}
