package crash

import (
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// TestPartBeforeTheCrash: an event that was delivered as a part, and whose response a
// crash cut off, does not fulfil the order when it is delivered again: the app has the
// event, and ignores a second delivery.
func TestPartBeforeTheCrash(t *testing.T) {
	t.Parallel()
	for _, m := range shop.Modes[:2] {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			began := time.Now().Add(-time.Second)
			s := newShop(t, m)
			record := processing(s, "order-1", shop.Half)
			crashAt(t, s, point{spec: "kill:answered:1", until: dies}, record)

			// The rest is paid meanwhile, and CCPayment sends its webhook later only.
			if err := s.Box.SetWebhookURL(""); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Pay(sandbox.Payment{OrderID: "order-1", Amount: shop.Half.Amount, Instant: true}); err != nil {
				t.Fatal(err)
			}
			s.Caddy.Start()
			again := s.Outbox.Unacknowledged()
			processtest.Until(t, "the part comes again", func() bool {
				for _, body := range again { // in pass-through it is the sender's to repeat
					if err := s.Outbox.Copy(s.Hook, body); err != nil {
						t.Fatal(err)
					}
				}
				return len(s.Attempts("Success")) == 2
			})
			if err := s.Box.SetWebhookURL(s.Hook); err != nil {
				t.Fatal(err)
			}
			if _, err := s.API.ResendWebhooks(t.Context(), client.ResendRequest{From: began, All: true}); err != nil {
				t.Fatal(err)
			}
			s.Settle()
			shop.Check(t, s.History())
		})
	}
}
