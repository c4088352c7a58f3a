package ledger_test

import (
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestRejectedForAnHour: what the app calls wrong is given up sooner.
func TestRejectedForAnHour(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		defer stop()
		app.answers(func(*ledger.Attempt) refusal {
			return refusal{err: errRefused, again: ledger.Again{Rejected: time.Hour}}
		})
		e := event("Success")
		b.accept(e, ledger.Accepted)
		time.Sleep(time.Hour + time.Second)
		calls := app.called()
		if got := b.load(e).State; got != ledger.Dead || len(calls) < 5 {
			t.Errorf("it is %s after %d calls", got, len(calls))
		}
	})
}

// TestRejectedAfterAnOutage: the hour begins when the app first calls it wrong.
func TestRejectedAfterAnOutage(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		defer stop()
		app.answers(func(*ledger.Attempt) refusal { return refusal{err: errRefused} })
		e := event("Success")
		b.accept(e, ledger.Accepted)
		time.Sleep(10 * time.Hour)
		app.answers(func(*ledger.Attempt) refusal {
			return refusal{err: errRefused, again: ledger.Again{Rejected: time.Hour}}
		})
		for since := time.Now(); b.load(e).RejectedSince == nil && time.Since(since) < 2*plan.Max; {
			time.Sleep(time.Minute)
		}
		if got := b.load(e).State; got != ledger.Retrying {
			t.Errorf("at the first rejection it is %s", got)
		}
		time.Sleep(time.Hour + time.Minute)
		if got := b.load(e).State; got != ledger.Dead {
			t.Errorf("after an hour of rejections it is %s", got)
		}
	})
}

// TestDeadOvertakesNothing: what the app refused for good has not reached it.
func TestDeadOvertakesNothing(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		defer stop()
		app.answers(func(a *ledger.Attempt) refusal {
			return refusal{err: errRefused, again: ledger.Again{Never: a.Event.Key.Status == "success"}}
		})
		b.accept(event("Success"), ledger.Accepted)
		time.Sleep(time.Hour)
		if got := b.load(event("Success")).State; got != ledger.Dead {
			t.Errorf("Success is %s", got)
		}
		app.answers(nil)
		b.accept(event("Processing"), ledger.Accepted)
		time.Sleep(2 * plan.Max)
		if got := b.load(event("Processing")).State; got != ledger.Delivered {
			t.Errorf("Processing is %s", got)
		}
	})
}
