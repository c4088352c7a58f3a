package ledger_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestDeadApp: an app that cannot be reached is probed, one event at a time, and
// the events of another route do not wait for it.
func TestDeadApp(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		defer stop()
		healthy, stopHealthy := b.dispatch("other")
		defer stopHealthy()
		app.answers(func(*ledger.Attempt) refusal { return refusal{err: errRefused, unreached: true} })
		const n = 200
		for i := range n {
			b.accept(numbered(i, "Success"), ledger.Accepted)
			e := numbered(i, "Success")
			e.Route = "other"
			b.accept(e, ledger.Accepted)
		}
		synctest.Wait()
		if got := len(healthy.called()); got != n {
			t.Errorf("the healthy app got %d of %d events", got, n)
		}
		time.Sleep(10 * time.Minute)
		if got := len(app.called()); got > 30 {
			t.Errorf("the dead app was called %d times in ten minutes", got)
		}
		app.answers(nil)
		time.Sleep(plan.Max)
		for i := range n {
			if got := b.load(numbered(i, "Success")).State; got != ledger.Delivered {
				t.Fatalf("event %d is %s", i, got)
			}
		}
	})
}

// TestAppAwayForAMoment: attempts that were on their way together when the app
// went away are one sign of it and not many, so that it is probed again soon.
func TestAppAwayForAMoment(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		const n = 100
		for i := range n {
			b.accept(numbered(i, "Success"), ledger.Accepted)
		}
		back := time.Now().Add(2 * time.Second)
		app := &app{answer: func(*ledger.Attempt) refusal {
			time.Sleep(time.Millisecond)
			if time.Now().Before(back) {
				return refusal{err: errRefused, unreached: true}
			}
			return refusal{}
		}}
		defer b.dispatchTo(app, "webhook")()
		time.Sleep(2*time.Second + plan.First)
		delivered := 0
		for i := range n {
			if b.load(numbered(i, "Success")).State == ledger.Delivered {
				delivered++
			}
		}
		if delivered < n/2 {
			t.Errorf("%d of %d events were delivered %s after the app had come back", delivered, n, plan.First)
		}
	})
}

// TestReloadAwayFromHangingApp: a new configuration does not wait for what the
// app of the old one still holds.
func TestReloadAwayFromHangingApp(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		hanging, stop := b.dispatch("webhook")
		hanging.answers(func(*ledger.Attempt) refusal {
			time.Sleep(30 * time.Second)
			return refusal{err: errRefused, unreached: true}
		})
		const n = 100
		for i := range n {
			b.accept(numbered(i, "Success"), ledger.Accepted)
			time.Sleep(time.Millisecond)
		}
		held := len(hanging.called())
		go stop()
		healthy := &app{}
		defer b.dispatchTo(healthy, "webhook")()
		synctest.Wait()
		if got := len(healthy.called()); got != n-held {
			t.Errorf("the new app has got %d of the %d events that the old one does not hold", got, n-held)
		}
		time.Sleep(time.Minute)
		if got := len(healthy.called()); got != n {
			t.Errorf("the new app has got %d of %d events", got, n)
		}
	})
}
