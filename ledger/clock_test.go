package ledger_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestClockSetBack: no event waits for longer than the plan's longest wait,
// however far the clock is set back, and however many wait.
func TestClockSetBack(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		var ahead time.Duration
		b.Ledger = ledger.New(b.store, func() time.Time { return time.Now().Add(ahead) })
		app, stop := b.dispatch("webhook")
		app.answers(func(*ledger.Attempt) refusal { return refusal{err: errRefused} })
		const n = 600 // more than are read at once
		for i := range n {
			b.accept(numbered(i, "Success"), ledger.Accepted)
		}
		synctest.Wait()
		stop()
		app.answers(nil)
		ahead = -24 * time.Hour // while Caddy is away, or not
		stop = b.dispatchTo(app, "webhook")
		defer stop()
		time.Sleep(plan.Max)
		synctest.Wait()
		if got := len(app.called()); got != 2*n {
			t.Errorf("%d calls for %d events that failed once", got, n)
		}
	})
}

// TestOrderReadAfterClockSetBack: what is read of an order then is not taken
// for older than what was read before.
func TestOrderReadAfterClockSetBack(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var order ledger.Order
	for _, step := range []struct {
		after time.Duration
		state string
		want  string
	}{
		{0, "processing", "processing"},
		{-time.Second, "unpaid", "processing"}, // one that was slower
		{-time.Hour, "paid", "paid"},           // the clock was set back
		{-time.Hour + time.Second, "overpaid", "overpaid"},
	} {
		order.Merge(ledger.Order{State: step.state, ReadAt: now.Add(step.after)})
		if order.State != step.want {
			t.Errorf("%s, read at %s: it is %s", step.state, step.after, order.State)
		}
	}
}
