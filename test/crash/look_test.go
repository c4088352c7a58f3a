package crash

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// TestCrashInALook ends Caddy while it has the app told of payments of which no webhook came:
// after a record, and after the part of the look that it has stored. All are told in the end,
// each once.
func TestCrashInALook(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"kill:backfilled:1", "kill:backfilled:3", "kill:looked:1"} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, shop.Modes[1], "reconcile {\n every 50ms\n grace 1ms\n scope account\n }")
			s.Caddy.Start()
			processtest.Until(t, "the account is noted", func() bool {
				response, err := http.Get("http://" + s.Caddy.Admin + "/ccpayment/reconcile")
				if err != nil {
					return false
				}
				defer response.Body.Close()
				return response.StatusCode == http.StatusOK
			})
			s.Caddy.Stop()
			if err := s.Box.SetFaults(sandbox.Fault{Endpoint: "webhook", Drop: "before", Times: -1}); err != nil {
				t.Fatal(err)
			}
			s.Box.Advance(time.Second) // gateways count in seconds, and the ledger is a new one
			const orders = 5
			for i := range orders {
				order := fmt.Sprintf("order-%d", i)
				if err := s.Order(order, true); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Box.Pay(t.Context(), sandbox.Payment{OrderID: order, Amount: shop.Whole.Amount, Instant: true}); err != nil {
					t.Fatal(err)
				}
			}
			s.Caddy.Begin(failpoint.Variable + "=" + spec)
			s.Caddy.Died()
			s.Caddy.Start()
			told := make(map[string]int)
			processtest.Until(t, "the app has all payments", func() bool {
				clear(told)
				for _, a := range s.Attempts("Success") {
					told[a.EventID]++
				}
				return len(told) >= orders
			})
			s.Settle()
			fulfilled := make(map[string]bool) // by events that may have taken two attempts
			for _, a := range s.Attempts("Success") {
				if a.Number == 1 && a.Reason != "backfill" {
					t.Errorf("the first attempt was made because of %s", a.Reason)
				}
				if a.Fulfill {
					fulfilled[a.EventID] = true
				}
			}
			if len(told) != orders || len(fulfilled) != orders {
				t.Errorf("the app was told of %d payments of %d, and to fulfil %d orders", len(told), orders, len(fulfilled))
			}
		})
	}
}
