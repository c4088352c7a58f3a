package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// RefusedError is why an operator's step is refused.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Seen is how an operator saw an event. A step that is to be taken as it was seen is refused
// where somebody else's has been taken meanwhile.
type Seen struct {
	State State
	// Attempts is how many there were: one who replays a delivered event does not know that
	// another did, and that it is delivered again by now. Below 0: it is not known. An event
	// that is retried by itself may have had more.
	Attempts int
	// HeldAs is what [Event.HeldAs] was; empty: it is not known.
	HeldAs string
}

// is reports whether the event is still as it was seen.
func (s Seen) is(e Event) bool {
	return s.State == e.State && (s.Attempts < 0 || s.State == Retrying || s.Attempts == e.Attempts) && (s.HeldAs == "" || s.HeldAs == e.HeldAs())
}

// operatorLease is longer than an operator's step takes.
const operatorLease = time.Minute

// Replay makes an event due once more, with the same id. It is meant for dead
// events; delivered ones, too, are delivered again.
func (l *Ledger) Replay(ctx context.Context, key Key, reason string, seen ...Seen) error {
	return l.operate(ctx, key, seen, func(e Event) (Transition, error) {
		t := Transition{State: Retrying, Next: l.now(), Reason: Replay, Cause: "replayed: " + reason}
		switch e.State {
		case Held:
			return t, &RefusedError{"the event is held: release it"}
		case Superseded, Discarded:
			return t, &RefusedError{fmt.Sprintf("the event is %s: that is final", e.State)}
		case Ignored:
			t.Reason = Backfill
		}
		return t, nil
	})
}

// Release makes a held event due: it is confirmed and settled again. An event that
// the gateway does not call clean is held again, unless accept is set; then it is
// delivered without a flag, so that it fulfils and credits nothing. A payment that came late
// counts once its event was released without accept.
func (l *Ledger) Release(ctx context.Context, key Key, reason string, accept bool, seen ...Seen) error {
	return l.operate(ctx, key, seen, func(e Event) (Transition, error) {
		if e.State != Held {
			return Transition{}, &RefusedError{fmt.Sprintf("the event is %s: only held ones are released", e.State)}
		}
		return Transition{State: Retrying, Next: l.now(), Reason: Release, Accept: accept, Cause: "released: " + reason}, nil
	})
}

// Discard throws an event away for ever. An event that carries a flag, which no
// other event of its order can carry then, is discarded only with force.
func (l *Ledger) Discard(ctx context.Context, key Key, reason string, force bool, seen ...Seen) error {
	return l.operate(ctx, key, seen, func(e Event) (Transition, error) {
		if !e.State.canBecome(Discarded) {
			return Transition{}, &RefusedError{fmt.Sprintf("the event is %s: there is nothing to discard", e.State)}
		}
		flags := e.Flags()
		held, err := l.store.Holds(ctx, key, flags)
		if err != nil {
			return Transition{}, fmt.Errorf("reading the event's flags: %w", err)
		}
		if i := slices.Index(held, true); i >= 0 && !force {
			return Transition{}, &RefusedError{fmt.Sprintf("the event carries %s of %s, which no other event will: discard it with force", flags[i].Name, flags[i].ID)}
		}
		return Transition{State: Discarded, Cause: "discarded: " + reason}, nil
	})
}

// since is what has happened to an event since it was seen.
func (s Seen) since(e Event) string {
	if s.State == e.State && s.HeldAs != "" && s.HeldAs != e.HeldAs() {
		return fmt.Sprintf("the event is held as %s by now, and was held as %s when you saw it", e.HeldAs(), s.HeldAs)
	}
	if s.State == e.State {
		return fmt.Sprintf("the event is %s, and has had other attempts than when you saw it", e.State)
	}
	return fmt.Sprintf("the event is %s by now, and was %s when you saw it", e.State, s.State)
}

// operate takes an event that is not in flight through one step. It waits for
// an attempt of the record as long as the context lets it; then the error is
// [ErrInFlight].
func (l *Ledger) operate(ctx context.Context, key Key, seen []Seen, step func(Event) (Transition, error)) error {
	f, err := l.alone(ctx, key)
	if err != nil {
		return err
	}
	defer func() {
		l.land(f, 0, nil)
		l.wake(key.Route)
		l.tell(Hint{Routes: []string{key.Route}})
	}()
	claim, _, err := l.claimInTurn(ctx, key.Record, operatorLease)
	if errors.Is(err, ErrLeased) {
		return ErrInFlight
	}
	if err != nil {
		return err
	}
	event, err := l.store.Load(ctx, key)
	if err == nil && len(seen) > 0 && !seen[0].is(event) {
		err = &RefusedError{"nothing was done: " + seen[0].since(event)}
	}
	if err == nil {
		var t Transition
		if t, err = step(event); err == nil {
			t.At = l.now()
			return l.record(ctx, claim, Change{Event: Event{Key: key}, Transitions: []Transition{t}, Order: orderAfter(event, t)})
		}
	}
	return errors.Join(err, l.store.Unlock(ctx, claim))
}

// Late is what an event is held as whose payment came late. Whoever releases one that is held
// as something else was not told that it did.
const Late = "late"

// orderAfter is what an operator's step changes of the event's order; nil: nothing.
func orderAfter(e Event, t Transition) *Order {
	if e.GatewayOrderID == "" || e.OrderID == "" { // or it is not known which order it is
		return nil
	}
	order := &Order{OrderID: e.InOrder(), Account: e.Account, OwnID: e.OrderID}
	switch {
	case t.Reason == Release && !t.Accept && e.HeldAs() == Late: // it is to count all the same
		order.Released = []string{e.ID}
	case t.State == Discarded && e.Confirmation != nil && e.Confirmation.Fulfill:
		order.Abandoned = true
	default:
		return nil
	}
	return order
}

// alone waits until nothing of the record is in flight, and keeps it so.
func (l *Ledger) alone(ctx context.Context, key Key) (*flight, error) {
	for {
		f, mine := l.join(key, false)
		if mine {
			return f, nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, ErrInFlight
		}
	}
}

// Order returns what the ledger knows of an order, or [ErrNotFound]. Of several ids it
// is the first that the ledger knows.
func (l *Ledger) Order(ctx context.Context, ids ...OrderID) (order Order, err error) {
	err = ErrNotFound
	for _, id := range ids {
		if order, err = l.store.LoadOrder(ctx, id); !errors.Is(err, ErrNotFound) {
			break
		}
	}
	if err != nil {
		return order, fmt.Errorf("loading the order: %w", err)
	}
	return order, nil
}
