package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// hold has the event held.
func (b *book) hold(e ledger.Event, cause string) {
	b.t.Helper()
	if err := hold(b.want(e, ledger.Deliver), cause); err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) load(e ledger.Event) ledger.Event {
	b.t.Helper()
	stored, err := b.store.Load(bg, e.Key)
	if err != nil {
		b.t.Fatal(err)
	}
	return stored
}

// wantRefused checks that an operator's step is refused, and why.
func wantRefused(t *testing.T, what string, err error, reason string) {
	t.Helper()
	var refused *ledger.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Reason, reason) {
		t.Errorf("%s: %v, want it refused with %q", what, err, reason)
	}
}

// TestRelease: a held event waits until it is released, and its next attempt
// says so.
func TestRelease(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		b.hold(e, "risky: flagged")
		b.want(e, ledger.OnHold)
		if err := b.Release(bg, e.Key, "looked at it", false); err != nil {
			t.Fatal(err)
		}
		stored := b.load(e)
		if stored.State != ledger.Retrying || !stored.Released || stored.RiskAccepted || stored.NextAttemptAt == nil {
			t.Errorf("the event is %+v", stored)
		}
		attempt := b.want(e, ledger.Deliver)
		if attempt.Reason != ledger.Release || attempt.Number != 1 || !attempt.Event.Released {
			t.Errorf("the attempt is %+v", attempt)
		}
		if err := fail(attempt, errRefused, ledger.Again{}); err != nil {
			t.Fatal(err)
		}
		attempt = b.want(e, ledger.Deliver)
		if attempt.Reason != ledger.Retry || attempt.Number != 2 {
			t.Errorf("the next attempt is %+v", attempt)
		}
		if err := succeed(bg, attempt); err != nil {
			t.Fatal(err)
		}
		want := []ledger.State{
			ledger.Received, ledger.Held, ledger.Retrying, ledger.Delivering, ledger.Retrying, ledger.Delivering, ledger.Delivered,
		}
		if got := b.states(e); !slices.Equal(got, want) {
			t.Errorf("it went through %v, want %v", got, want)
		}
		wantRefused(t, "releasing what is delivered", b.Release(bg, e.Key, "", false), "only held ones")
	})
}

// TestReleaseAccepting: that somebody accepts the risk stays with the event until the next release.
func TestReleaseAccepting(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		e.OrderID, e.GatewayOrderID = "order-1", "shop-order-1"
		b.hold(e, ledger.Late+": the payment came after the order's expiry")
		if err := b.Release(bg, e.Key, "I know the buyer", true); err != nil {
			t.Fatal(err)
		}
		if order, err := b.Order(bg, e.InOrder()); !errors.Is(err, ledger.ErrNotFound) && len(order.Released) > 0 {
			t.Errorf("what is accepted as it is counts: %+v, %v", order, err)
		}
		if attempt := b.want(e, ledger.Deliver); !attempt.Event.RiskAccepted || attempt.Event.AcceptedAs() != ledger.Late {
			t.Errorf("the attempt is %+v", attempt)
		} else if err := hold(attempt, "mismatch: the order's terms"); err != nil {
			t.Fatal(err)
		}
		if err := b.Release(bg, e.Key, "the order is mended", false); err != nil {
			t.Fatal(err)
		}
		if attempt := b.want(e, ledger.Deliver); attempt.Event.RiskAccepted || !attempt.Event.Released || attempt.Event.AcceptedAs() != "" {
			t.Errorf("the latest release does not decide: %+v", attempt)
		} else {
			giveUp(attempt, errRefused)
		}
	})
}

// TestReleaseOfALatePayment: that a late payment counts is decided by who released it as that,
// and not by who released it as risky.
func TestReleaseOfALatePayment(t *testing.T) {
	for cause, want := range map[string][]string{ledger.Late + ": the payment came after the order's expiry": {event("Success").ID}, "risky: flagged": nil} {
		test(t, func(t *testing.T, b *book) {
			e := event("Success")
			e.OrderID, e.GatewayOrderID = "order-1", "shop-order-1"
			b.hold(e, cause)
			isLate := want != nil
			seen := ledger.Seen{State: ledger.Held, HeldAs: "risky"}
			if isLate { // whoever saw it as risky has decided nothing about that
				wantRefused(t, "what is held as something else by now", b.Release(bg, e.Key, "", false, seen), "held as late by now, and was held as risky")
				seen.HeldAs = ledger.Late
			}
			if err := b.Release(bg, e.Key, "it came in time", false, seen); err != nil {
				t.Fatal(err)
			}
			order, err := b.Order(bg, ledger.OrderID{AppID: e.AppID, ID: e.GatewayOrderID})
			isKnown := err == nil && order.OwnID == "order-1"
			if isKnown != isLate || !slices.Equal(order.Released, want) {
				t.Errorf("released as %q, the order is %+v, %v", cause, order, err)
			}
		})
	}
}

// TestReplay: what is dead or delivered is due again, with its attempts counted on.
func TestReplay(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		b.deliver(e)
		if err := b.Replay(bg, e.Key, "the app lost it"); err != nil {
			t.Fatal(err)
		}
		attempt := b.want(e, ledger.Deliver)
		if attempt.Reason != ledger.Replay || attempt.Number != 2 {
			t.Errorf("the attempt is %+v", attempt)
		}
		if err := succeed(bg, attempt); err != nil {
			t.Fatal(err)
		}
		b.want(e, ledger.Duplicate)

		unknown := event("Failed")
		if err := b.Replay(bg, unknown.Key, ""); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("replaying what is not there: %v", err)
		}
		held := event("Pending")
		held.ID = "2"
		b.hold(held, "risky")
		wantRefused(t, "replaying what is held", b.Replay(bg, held.Key, ""), "release it")
	})
}

// TestDiscard: what is discarded is never delivered, and what carries a flag
// is not discarded by mistake.
func TestDiscard(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		e.OrderID, e.GatewayOrderID = "order-1", "shop-order-1"
		flag := ledger.FulfillOf(e.AppID, e.GatewayOrderID)
		attempt := b.want(e, ledger.Deliver)
		if carries, err := attempt.Sent(bg, ledger.Sending{Flag: &flag}); err != nil || !carries {
			t.Fatal(carries, err)
		}
		if err := hold(attempt, "risky: flagged meanwhile"); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, "discarding a carrier", b.Discard(bg, e.Key, "a mistake", false), "carries fulfill of shop-order-1")
		if got := b.load(e).State; got != ledger.Held {
			t.Errorf("it is %s", got)
		}
		if err := b.Discard(bg, e.Key, "fraud", true); err != nil {
			t.Fatal(err)
		}
		b.want(e, ledger.Duplicate)
		wantRefused(t, "discarding it again", b.Discard(bg, e.Key, "", true), "nothing to discard")
		wantRefused(t, "replaying it", b.Replay(bg, e.Key, ""), "final")

		delivered := event("Success")
		delivered.ID = "2"
		b.deliver(delivered)
		wantRefused(t, "discarding what is delivered", b.Discard(bg, delivered.Key, "", true), "nothing to discard")
	})
}

// TestOperatorWaits: an operator's step waits for the attempt in flight, and a
// delivery for the operator's step.
func TestOperatorWaits(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		attempt := b.want(e, ledger.Deliver)
		short, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if err := b.Discard(short, e.Key, "", false); !errors.Is(err, ledger.ErrInFlight) {
			t.Errorf("discarding what is in flight: %v", err)
		}
		done := make(chan error)
		go func() { done <- b.Replay(bg, e.Key, "again") }()
		if err := succeed(bg, attempt); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("replaying after the attempt: %v", err)
		}
		if got := b.load(e).State; got != ledger.Retrying {
			t.Errorf("it is %s", got)
		}
	})
}
