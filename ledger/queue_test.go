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

// TestReplayedInItsAttempt: an event that is made due again after its attempt has ended,
// and before the dispatcher has heard of that, is delivered again.
func TestReplayedInItsAttempt(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app := &app{}
		defer b.run(ledger.Dispatcher{
			Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 2, Rank: rank,
			Work: func(a *ledger.Attempt) (ledger.Contact, error) {
				contact, err := app.work(a)
				if a.Number == 1 {
					if err := b.Replay(bg, a.Event.Key, "its order became paid"); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Millisecond) // in the bubble: the dispatcher looks what is due
				}
				return contact, err
			},
			Failed: func(err error) { t.Error(err) },
		})()
		synctest.Wait()
		b.accept(event("Success"), ledger.Accepted)
		time.Sleep(time.Minute)
		if calls := app.called(); len(calls) != 2 || calls[1].reason != ledger.Replay {
			t.Errorf("the app was called so: %+v", calls)
		}
	})
}
