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

// TestClockSetBackBehindOthers: what waits since the clock was set back does not
// wait for others of its route to succeed, however many those are.
func TestClockSetBackBehindOthers(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		var ahead time.Duration
		b.Ledger = ledger.New(b.store, func() time.Time { return time.Now().Add(ahead) })
		app, stop := b.dispatch("webhook")
		app.answers(func(*ledger.Attempt) refusal { return refusal{err: errRefused} })
		waiting := numbered(0, "Success")
		b.accept(waiting, ledger.Accepted)
		synctest.Wait()
		stop()
		ahead = -24 * time.Hour
		const others = 300 // more than are read at once
		for i := range others {
			b.accept(numbered(1+i, "Success"), ledger.Accepted)
		}
		app.answers(func(a *ledger.Attempt) refusal {
			if a.Event.Key == waiting.Key {
				return refusal{}
			}
			return refusal{err: errRefused}
		})
		stop = b.dispatchTo(app, "webhook")
		defer stop()
		time.Sleep(2 * plan.First)
		synctest.Wait()
		if got := b.load(waiting).State; got != ledger.Delivered {
			t.Errorf("it is %s, after %d calls for others", got, len(app.called())-1)
		}
		if got := len(app.called()); got < 2*others {
			t.Errorf("the others wait for it: %d calls", got)
		}
	})
}

// TestOrderReadLater: of two views of an order the one that was read later
// stands, whichever is committed last, and however much later: a process may be
// stopped in between. Where the clock was set back, it is the one that is
// committed last.
func TestOrderReadLater(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var order ledger.Order
	for _, step := range []struct {
		read, committed time.Duration
		state, want     string
	}{
		{0, time.Second, "processing", "processing"},
		{-time.Second, 2 * time.Second, "unpaid", "processing"}, // one that was slower
		{-time.Hour, 3 * time.Second, "unpaid", "processing"},   // one that was stopped amid its read
		{4 * time.Second, 5 * time.Second, "partial", "partial"},
		{3 * time.Second, 4*time.Second - 50*time.Millisecond, "unpaid", "partial"}, // the clock was adjusted
		{-time.Hour, -time.Hour + time.Second, "paid", "paid"},                      // it was set back
		{-time.Hour - time.Second, -time.Hour + 2*time.Second, "partial", "paid"},
		{-time.Hour + 3*time.Second, -time.Hour + 4*time.Second, "overpaid", "overpaid"},
	} {
		order.Merge(ledger.Order{State: step.state, ReadAt: start.Add(step.read)}, start.Add(step.committed))
		if order.State != step.want {
			t.Errorf("%s, read at %s and committed at %s: it is %s", step.state, step.read, step.committed, order.State)
		}
	}
}
