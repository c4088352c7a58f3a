package ledger_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestNumberAfterALostOutcome: an attempt whose outcome could not be written has its
// number for ever, also where the event lost its place in the record to a lower
// status that came while it was being claimed.
func TestNumberAfterALostOutcome(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		const failing = 2 // outcomes that are not written
		claimed := make(chan struct{})
		b.store.claim = func(ledger.Record) error { <-claimed; return nil }
		var outcomes atomic.Int32
		b.store.commit = func(changes []ledger.Change) error {
			if changes[0].Event.Key == event("Success").Key && outcomes.Add(1) <= failing {
				return errors.New("the disk fails")
			}
			return nil
		}
		app, stop := b.dispatchDirect()
		defer stop()
		app.answers(func(a *ledger.Attempt) refusal {
			if a.Event.Status == "Success" {
				return refusal{err: errRefused}
			}
			return refusal{}
		})
		synctest.Wait()
		b.accept(event("Success"), ledger.Accepted)
		time.Sleep(time.Millisecond)
		b.accept(event("Processing"), ledger.Accepted)
		close(claimed)
		time.Sleep(time.Minute)
		synctest.Wait()

		var last call
		for _, c := range app.called() {
			if c.key != event("Success").Key {
				continue
			}
			if c.number != last.number+1 || (c.reason == ledger.Initial) != (c.number == 1) {
				t.Errorf("after attempt %d came attempt %d, %s", last.number, c.number, c.reason)
			}
			last = c
		}
		if last.number <= failing {
			t.Errorf("the app was called %d times", last.number)
		}
	})
}
