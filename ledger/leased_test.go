package ledger_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestLeasedElsewhere: an event on whose record another process works is left
// alone for a moment. No other event waits for it, and the store is not broken.
func TestLeasedElsewhere(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		const lease = 90 * time.Second
		began := time.Now()
		contended := numbered(1, "Success")
		var claims atomic.Int32
		b.store.claim = func(r ledger.Record) error {
			if r != contended.Record {
				return nil
			}
			if claims.Add(1); time.Since(began) < lease {
				return ledger.ErrLeased
			}
			return nil
		}
		b.accept(contended, ledger.Accepted)
		app := &app{}
		defer b.run(ledger.Dispatcher{
			Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 4, Rank: rank, Work: app.work,
			Failed:  func(err error) { t.Errorf("the store is called broken: %v", err) },
			Damaged: func(_ string, err error) { t.Errorf("the event is called damaged: %v", err) },
		})()
		synctest.Wait()
		b.accept(numbered(2, "Success"), ledger.Accepted)
		synctest.Wait()
		if got := b.load(numbered(2, "Success")).State; got != ledger.Delivered || time.Since(began) > 0 {
			t.Errorf("another event is %s after %s", got, time.Since(began))
		}
		fresh := numbered(1, "Failed") // of the same record, and accepted with a slot
		b.accept(fresh, ledger.Accepted)
		time.Sleep(lease - time.Second)
		synctest.Wait()
		if calls := app.called(); len(calls) != 1 || claims.Load() < 2*80 || claims.Load() > 2*100 {
			t.Errorf("meanwhile the app was called %d times, and the record claimed %d times", len(calls), claims.Load())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for _, e := range []ledger.Event{contended, fresh} {
			if got := b.load(e); got.State != ledger.Delivered || got.Attempts != 1 {
				t.Errorf("after the lease %s is %s, after %d attempts", e.Status, got.State, got.Attempts)
			}
		}
		if got := len(app.called()); got != 3 {
			t.Errorf("the app was called %d times", got)
		}
	})
}

// TestLeasedIsShared: a copy that waits for the event learns that an attempt is in
// flight.
func TestLeasedIsShared(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		b.store.claim = func(ledger.Record) error { time.Sleep(time.Second); return ledger.ErrLeased }
		b.accept(e, ledger.Accepted)
		_, stop := b.dispatch("webhook")
		synctest.Wait()
		if _, attempt, err := b.Begin(bg, e, opts); attempt != nil || !errors.Is(err, ledger.ErrInFlight) {
			t.Errorf("the outcome is %v, %v", attempt, err)
		}
		stop()
	})
}
