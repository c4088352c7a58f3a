package ledger_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestOvertakenInTheQueue: an event that was overtaken after it was read as due
// is left alone, and nothing of that stops the route.
func TestOvertakenInTheQueue(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		b.accept(event("Success"), ledger.Accepted)
		time.Sleep(time.Second) // in the bubble: what follows is due later
		b.accept(event("Processing"), ledger.Accepted)
		b.accept(numbered(2, "Success"), ledger.Accepted)
		app := &app{}
		began := time.Now()
		defer b.run(ledger.Dispatcher{
			Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 1, Rank: rank, Work: app.work,
			Failed: func(err error) { t.Errorf("the dispatcher calls the ledger out of order: %v", err) },
		})()
		synctest.Wait()
		for e, want := range map[string]ledger.State{"Processing": ledger.Superseded, "Success": ledger.Delivered} {
			if got := b.load(event(e)).State; got != want {
				t.Errorf("%s is %s, want %s", e, got, want)
			}
		}
		if got := b.load(numbered(2, "Success")).State; got != ledger.Delivered || time.Since(began) > 0 {
			t.Errorf("what was due after it is %s after %s", got, time.Since(began))
		}
	})
}
