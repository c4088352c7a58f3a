package crash

import (
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestPartBeforeTheCrash: an event that was delivered as a part, and whose response a
// crash cut off, does not fulfil the order when it is delivered again: the app has the
// event, and ignores a second delivery.
func TestPartBeforeTheCrash(t *testing.T) {
	t.Parallel()
	for _, m := range modes[:2] {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now().Add(-time.Second)
			s := newShop(t, m)
			record := s.processing(t, "order-1", half)
			s.crashAt(t, point{spec: "kill:answered:1", until: dies}, record)

			// The rest is paid meanwhile, and CCPayment sends its webhook later only.
			if err := s.box.SetWebhookURL(""); err != nil {
				t.Fatal(err)
			}
			if _, err := s.pay(sandbox.Payment{OrderID: "order-1", Amount: half.Amount, Instant: true}); err != nil {
				t.Fatal(err)
			}
			s.caddy.start()
			again := s.outbox.unacknowledged()
			processtest.Until(t, "the part comes again", func() bool {
				for _, body := range again { // in pass-through it is the sender's to repeat
					if err := s.outbox.copy(s.hook, body); err != nil {
						t.Fatal(err)
					}
				}
				return len(s.successes(t)) == 2
			})
			if err := s.box.SetWebhookURL(s.hook); err != nil {
				t.Fatal(err)
			}
			if _, err := s.api.ResendWebhooks(t.Context(), client.ResendRequest{From: began, All: true}); err != nil {
				t.Fatal(err)
			}
			s.settle()
			check(t, s.history())
		})
	}
}
