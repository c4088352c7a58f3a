package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

const (
	// missed is why an event was received of which no webhook came, and told why a webhook
	// that comes later is none.
	missed = "the gateway has it, and no webhook came"
	told   = "the app was told of it before its webhook came"
)

// IsBackfilled reports whether the event was made of the gateway's records, because no
// webhook had come.
func (e Event) IsBackfilled() bool {
	return len(e.Transitions) > 0 && e.Transitions[0].State == Received && e.Transitions[0].Reason == Backfill
}

// disagrees reports whether one of two events says that a payment is risky, and the other that
// it is not: then neither is a copy, whatever else they have in common.
func (k Key) disagrees(other Key) bool {
	return k.Risk == NotRisky && other.Risk == Risky || k.Risk == Risky && other.Risk == NotRisky
}

// isTold reports whether a webhook is a copy of an event that was made of the gateway's
// records: of the same record and status, although its risk may be written in another way.
// One that says risky, where the records did not, is none, nor one that clears the payment,
// of which the records said something else by the time of that event, or nothing yet while that
// event was never sent; nor is any where that event has not reached the app and does not by
// itself.
func (l *Ledger) isTold(ctx context.Context, claim Claim, key Key) (bool, error) {
	for _, other := range claim.Events {
		is := other.Key.Status == key.Status && other.Key.Risk != key.Risk && key.Risk != Risky && !key.disagrees(other.Key)
		if !is || !other.State.Pending() && other.State != Delivered {
			continue
		}
		event, err := l.store.Load(ctx, other.Key)
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		case err != nil:
			return false, fmt.Errorf("loading the event: %w", err)
		case event.IsBackfilled() && (key.Risk != NotRisky || event.saysNotRisky()):
			return true, nil
		}
	}
	return false, nil
}

// saysNotRisky reports whether nothing more is to be told by a webhook that calls the event's
// payment clean: its records did, or it was sent without being confirmed.
func (e Event) saysNotRisky() bool {
	if e.Confirmation != nil {
		return e.Confirmation.Risk == NotRisky
	}
	went := func(through State) bool {
		return slices.ContainsFunc(e.Transitions, func(t Transition) bool { return t.State == through })
	}
	return went(Delivering) && !went(Confirming)
}

// hasCome reports whether the webhook of an event that was made of the gateway's records came
// by the time that the app is to be told of that: one may come between the look at the ledger
// and the commit that accepts the event. One that was ignored, or superseded by the event
// itself, is none; and what an operator has released is told.
func (l *Ledger) hasCome(ctx context.Context, claim Claim, key Key) (bool, error) {
	others := slices.DeleteFunc(slices.Clone(claim.Events), func(other Summary) bool {
		return other.Key.Status != key.Status || other.Key == key || key.disagrees(other.Key) || other.State == Ignored || other.State == Superseded
	})
	if len(others) == 0 {
		return false, nil
	}
	event, err := l.store.Load(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		return false, nil // it was not accepted, or is not delivered anyway
	case err != nil:
		return false, fmt.Errorf("loading the event: %w", err)
	}
	wasTold := func(t Transition) bool { return t.State == Delivered }
	if !event.IsBackfilled() || event.Released || slices.ContainsFunc(event.Transitions, wasTold) {
		return false, nil
	}
	for _, other := range others {
		switch came, err := l.store.Load(ctx, other.Key); {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		case err != nil:
			return false, fmt.Errorf("loading the event: %w", err)
		case !came.IsBackfilled():
			return true, nil
		}
	}
	return false, nil
}
