package ledger_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// orderEvent is an event of an order, and the order's flag.
func orderEvent(record string) (ledger.Event, ledger.Flag) {
	e := event("Success")
	e.ID, e.OrderID, e.GatewayOrderID = record, "order-1", "order-1"
	return e, ledger.FulfillOf(e.AppID, e.GatewayOrderID)
}

// TestSentBinds: the first event that is sent with a flag carries it, on every
// later attempt, too; no other does.
func TestSentBinds(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		first, flag := orderEvent("1")
		second, _ := orderEvent("2")
		for _, c := range []struct {
			what    string
			event   ledger.Event
			kept    bool
			carries bool
		}{
			{"kept before it is bound", first, true, false},
			{"the first", first, false, true},
			{"the first again", first, false, true},
			{"kept", first, true, true},
			{"another", second, false, false},
			{"kept by another", second, true, false},
		} {
			attempt := b.want(c.event, ledger.Deliver)
			carries, err := attempt.Sent(bg, ledger.Sending{AskedAt: time.Now(), Flag: &flag, Kept: c.kept})
			if err != nil || carries != c.carries {
				t.Errorf("%s: it carries the flag: %t, %v", c.what, carries, err)
			}
			if err := fail(attempt, errRefused, ledger.Again{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestSentLeavesATrace: an event that has not earned its flag any more is known
// before it is sent, and one that still has it is not written once more.
func TestSentLeavesATrace(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e, flag := orderEvent("1")
		binds := 0
		b.store.bind = func() { binds++ }
		attempt := b.want(e, ledger.Deliver)
		if _, err := attempt.Sent(bg, ledger.Sending{AskedAt: time.Now(), Flag: &flag, Kept: true}); err != nil {
			t.Fatal(err)
		}
		if got := b.wantState(e, ledger.Confirming); got.Seq != attempt.Seq || len(got.Transitions) != 2 || binds != 1 {
			t.Errorf("before it is sent it is %+v", got)
		}
		if bound, err := b.Bound(bg, []ledger.Flag{flag}); err != nil || bound[0] {
			t.Errorf("the flag is bound: %v, %v", bound, err)
		}
		if err := fail(attempt, errRefused, ledger.Again{}); err != nil {
			t.Fatal(err)
		}
		for _, s := range []ledger.Sending{{AskedAt: time.Now(), Flag: &flag}, {AskedAt: time.Now(), Flag: &flag, Kept: true}, {AskedAt: time.Now()}, {}} {
			attempt = b.want(e, ledger.Deliver)
			if _, err := attempt.Sent(bg, s); err != nil {
				t.Fatal(err)
			}
			if err := fail(attempt, errRefused, ledger.Again{}); err != nil {
				t.Fatal(err)
			}
		}
		if binds != 2 {
			t.Errorf("it was written %d times before it was sent", binds)
		}
	})
}

// TestSentFails: an attempt that could not be recorded before the app is called
// has ended, with the error for those who wait.
func TestSentFails(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e, flag := orderEvent("1")
		attempt := b.want(e, ledger.Deliver)
		time.Sleep(opts.Lease) // another process may take the record meanwhile
		other := ledger.New(b.store, time.Now)
		_, theirs, err := other.Begin(bg, e, opts)
		if err != nil {
			t.Fatal(err)
		}
		shared := make(chan error)
		go func() {
			_, _, err := b.Begin(bg, e, opts)
			shared <- err
		}()
		synctest.Wait()
		if carries, err := attempt.Sent(bg, ledger.Sending{Flag: &flag}); carries || !errors.Is(err, ledger.ErrFenced) {
			t.Errorf("sending after the lease was lost: %t, %v", carries, err)
		}
		if err := <-shared; !errors.Is(err, ledger.ErrFenced) {
			t.Errorf("a copy got %v", err)
		}
		if state, err := attempt.Finish(bg, ledger.Ending{State: ledger.Delivered}); state != ledger.None || err != nil {
			t.Errorf("an end after that: %s, %v", state, err)
		}
		if err := succeed(bg, theirs); err != nil {
			t.Fatal(err)
		}
		b.want(e, ledger.Duplicate)
	})
}

// TestUntriedIsNeverSpared: an attempt that was not made is not taken off those
// that were.
func TestUntriedIsNeverSpared(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		app, stop := b.dispatch("webhook")
		app.answers(func(*ledger.Attempt) refusal { return refusal{err: errRefused} })
		b.accept(e, ledger.Accepted)
		synctest.Wait()
		stop()
		stop = b.run(ledger.Dispatcher{
			Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 1, Rank: rank, Failed: func(err error) { t.Error(err) },
			Work: func(a *ledger.Attempt) (ledger.Contact, error) {
				_, err := a.Finish(bg, ledger.Ending{
					State: ledger.Retrying, Failure: errRefused, Untried: true, AskedAt: time.Now(), Again: ledger.Again{Spared: true},
				})
				return ledger.Untried, err
			},
		})
		defer stop()
		time.Sleep(plan.First)
		synctest.Wait()
		if got := b.load(e); got.Attempts != 1 || got.Failures < 2 {
			t.Errorf("the event is %+v", got)
		}
	})
}

// TestFailureWithoutACause: those who wait never take a failure that nobody named
// for a delivered event.
func TestFailureWithoutACause(t *testing.T) {
	for _, state := range []ledger.State{ledger.None, ledger.Retrying} {
		t.Run(state.String(), func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				outcomes := b.copies(2, event("Success"))
				first := <-outcomes
				if _, err := first.attempt.Finish(bg, ledger.Ending{State: state}); err != nil {
					t.Fatal(err)
				}
				if o := <-outcomes; o.err == nil {
					t.Errorf("the copy's outcome is %+v", o)
				}
			})
		})
	}
}
