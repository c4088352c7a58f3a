package ledger_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// states are those that an event went through.
func (b *book) states(e ledger.Event) []ledger.State {
	b.t.Helper()
	stored, err := b.store.Load(bg, e.Key)
	if err != nil {
		b.t.Fatal(err)
	}
	var states []ledger.State
	for _, t := range stored.Transitions {
		states = append(states, t.State)
	}
	return states
}

// unconfirmed ends an attempt of which the gateway was asked, and did not agree.
func unconfirmed(a *ledger.Attempt, failure error) error {
	_, err := a.Finish(bg, ledger.Ending{State: ledger.Retrying, Failure: failure, Untried: true, AskedAt: time.Now()})
	return err
}

// TestUnconfirmed: what the gateway could not confirm yet is recorded with its
// cause, and is no attempt.
func TestUnconfirmed(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		cause := errors.New("the record is behind")
		for range 2 {
			attempt := b.want(e, ledger.Deliver)
			if err := unconfirmed(attempt, cause); err != nil {
				t.Fatal(err)
			}
		}
		stored, err := b.store.Load(bg, e.Key)
		if err != nil || stored.State != ledger.Retrying || stored.Attempts != 0 || stored.LastError != cause.Error() {
			t.Errorf("the event is %+v, %v", stored, err)
		}
		attempt := b.want(e, ledger.Deliver)
		if attempt.Number != 1 || attempt.Reason != ledger.Initial {
			t.Errorf("it is attempt %d, %s", attempt.Number, attempt.Reason)
		}
		if _, err := attempt.Sent(bg, ledger.Sending{AskedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := succeed(bg, attempt); err != nil {
			t.Fatal(err)
		}
		want := []ledger.State{
			ledger.Received, ledger.Confirming, ledger.Retrying, ledger.Confirming, ledger.Retrying,
			ledger.Confirming, ledger.Delivering, ledger.Delivered,
		}
		if got := b.states(e); !slices.Equal(got, want) {
			t.Errorf("it went through %v, want %v", got, want)
		}
	})
}

// TestUnconfirmedIsShared: copies that wait for the answer get the same.
func TestUnconfirmedIsShared(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e, cause := event("Success"), errors.New("the record is behind")
		attempt := b.want(e, ledger.Deliver)
		shared := make(chan error)
		go func() {
			_, _, err := b.Begin(bg, e, opts)
			shared <- err
		}()
		synctest.Wait()
		if err := unconfirmed(attempt, cause); err != nil {
			t.Fatal(err)
		}
		if err := <-shared; !errors.Is(err, cause) {
			t.Errorf("a copy got %v", err)
		}
	})
}

// TestHold: a held event is acknowledged and not delivered; it supersedes
// nothing, and the next status of its record goes its way.
func TestHold(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		processing, success := event("Processing"), event("Success")
		b.fail(processing)
		attempt := b.want(success, ledger.Deliver)
		if _, err := attempt.Finish(bg, ledger.Ending{State: ledger.Held, Failure: errors.New("risky"), AskedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		b.want(success, ledger.OnHold)
		b.deliver(processing)
		if got, want := b.states(success), []ledger.State{ledger.Received, ledger.Confirming, ledger.Held}; !slices.Equal(got, want) {
			t.Errorf("it went through %v, want %v", got, want)
		}
		b.deliver(event("Failed"))
	})
}

// TestHoldThatIsNotWritten: what the store could not write is not acknowledged.
func TestHoldThatIsNotWritten(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e, full := event("Success"), errors.New("the disk is full")
		b.store.commit = func([]ledger.Change) error { return full }
		for _, end := range []func(*ledger.Attempt) error{
			func(a *ledger.Attempt) error { return hold(a, "risky") },
			func(a *ledger.Attempt) error { return unconfirmed(a, errors.New("behind")) },
		} {
			attempt := b.want(e, ledger.Deliver)
			if err := end(attempt); !errors.Is(err, full) {
				t.Errorf("the error is %v", err)
			}
		}
		b.store.commit = nil
		b.deliver(e)
	})
}
