package ledger

import (
	"context"
	"fmt"
	"time"
)

// Reason says why an attempt is made.
type Reason string

// The reasons of an attempt.
const (
	Initial Reason = "initial"
	Retry   Reason = "retry"
)

// Attempt is the right to hand one event to the app once. Exactly one of
// Delivered and Failed ends it; End may always be deferred. An attempt is used
// by one goroutine.
type Attempt struct {
	// Number counts the event's attempts, from 1.
	Number int
	// Reason says why it is made.
	Reason Reason
	// Seq is the event's place among those of its record.
	Seq uint64
	// ReceivedAt is when the event's first delivery arrived.
	ReceivedAt time.Time

	ledger *Ledger
	claim  Claim
	event  Event
	flight *flight
	steps  []Transition // on the way to the attempt
	begun  time.Time
	ended  bool
}

func (l *Ledger) newAttempt(claim Claim, event Event, f *flight) *Attempt {
	a := &Attempt{Number: 1, Reason: Initial, ReceivedAt: event.ReceivedAt, ledger: l, claim: claim, event: event, flight: f}
	if known, ok := find(claim.Events, event.Key); ok {
		a.Number, a.Seq, a.ReceivedAt = known.Attempts+1, known.Seq, known.ReceivedAt
		if a.Number > 1 {
			a.Reason = Retry
		}
	} else {
		a.steps = append(a.steps, Transition{At: event.ReceivedAt, State: Received})
	}
	if a.Seq == 0 {
		a.Seq = uint64(max(event.ReceivedAt.UnixMilli(), 1))
		for _, other := range claim.Events {
			a.Seq = max(a.Seq, other.Seq+1)
		}
	}
	a.begun = l.now()
	return a
}

// Confirming records, with the outcome, that CCPayment was asked first.
func (a *Attempt) Confirming() {
	a.steps = append(a.steps, Transition{At: a.ledger.now(), State: Confirming})
}

// Confirmed is when CCPayment has agreed and the event goes to the app.
func (a *Attempt) Confirmed() { a.begun = a.ledger.now() }

// Unconfirmed records that CCPayment could not agree yet, and why. The app was
// not called: the attempt is not counted. Those who wait get the failure.
func (a *Attempt) Unconfirmed(ctx context.Context, failure error) error {
	err := a.write(ctx, []Change{{Event: a.event, Transitions: append(a.steps, Transition{At: a.ledger.now(), State: Retrying, Cause: failure.Error()})}})
	if err != nil {
		failure = err
	}
	a.land(0, failure)
	return err
}

// Hold records that the event is kept back until somebody clears it, and why.
func (a *Attempt) Hold(ctx context.Context, cause string) error {
	err := a.write(ctx, []Change{{Event: a.event, Transitions: append(a.steps, Transition{At: a.ledger.now(), State: Held, Cause: cause})}})
	a.land(OnHold, err)
	return err
}

// Bind binds flags to the attempt's event, durably, and reports of each whether
// the event may carry it. It is called before the event is handed over.
func (a *Attempt) Bind(ctx context.Context, flags ...Flag) ([]bool, error) {
	bound, err := a.ledger.store.Bind(context.WithoutCancel(ctx), a.claim, a.event.Key, flags)
	if err != nil {
		return nil, fmt.Errorf("binding the event's flags: %w", err)
	}
	return bound, nil
}

// Holds reports of each flag whether an earlier attempt of the event has bound
// it: then it stays on this one, whatever the order has become since.
func (a *Attempt) Holds(ctx context.Context, flags ...Flag) ([]bool, error) {
	held, err := a.ledger.store.Holds(context.WithoutCancel(ctx), a.event.Key, flags)
	if err != nil {
		return nil, fmt.Errorf("reading the event's flags: %w", err)
	}
	return held, nil
}

// Delivered records that the app said yes. Only when it returns nil may the
// sender be told so; those who wait for the attempt share what it returns.
func (a *Attempt) Delivered(ctx context.Context) error {
	err := a.commit(ctx, Transition{State: Delivered})
	a.land(Duplicate, err)
	return err
}

// Failed records that the app did not say yes, and why. Those who wait for the
// attempt get the failure as their error, or the error of recording it, which
// is also returned.
func (a *Attempt) Failed(ctx context.Context, failure error) error {
	err := a.commit(ctx, Transition{State: Retrying, Cause: failure.Error()})
	if err != nil {
		failure = err
	}
	a.land(0, failure)
	return err
}

// End gives the attempt up if it has not ended: nothing is recorded, and the
// next copy of the event begins anew. Those who wait get the failure.
func (a *Attempt) End(ctx context.Context, failure error) {
	if a.ended {
		return
	}
	if err := a.ledger.store.Release(context.WithoutCancel(ctx), a.claim); err != nil {
		failure = fmt.Errorf("%w (and releasing the record: %w)", failure, err)
	}
	a.land(0, failure)
}

// commit writes the attempt's outcome and, in the same step, supersedes what
// the event overtakes.
func (a *Attempt) commit(ctx context.Context, outcome Transition) error {
	ctx = context.WithoutCancel(ctx)
	outcome.At, outcome.Attempt = a.ledger.now(), a.Number
	handed := Transition{At: a.begun, State: Delivering, Attempt: a.Number, Seq: a.Seq}
	changes := []Change{{Event: a.event, Transitions: append(a.steps, handed, outcome)}}
	for _, other := range a.claim.Events {
		if (other.State == Received || other.State == Retrying) && supersedes(a.event.Key.Status, other.Key.Status) {
			changes = append(changes, overtaken(other.Key, outcome.At))
		}
	}
	err := a.ledger.store.Commit(ctx, a.claim, changes)
	if err != nil && outcome.State == Delivered && len(changes) > 1 {
		// What it overtakes may have moved on since the claim. The yes stands.
		err = a.ledger.store.Commit(ctx, a.claim, changes[:1])
	}
	if err != nil {
		if outcome.State == Delivered {
			a.ledger.keepUnsaved(a.claim.Record, changes[0])
		}
		_ = a.ledger.store.Release(ctx, a.claim) // the commit's error says more
		return fmt.Errorf("recording the outcome: %w", err)
	}
	return nil
}

// write commits changes after which the event was not handed over.
func (a *Attempt) write(ctx context.Context, changes []Change) error {
	ctx = context.WithoutCancel(ctx)
	if err := a.ledger.store.Commit(ctx, a.claim, changes); err != nil {
		_ = a.ledger.store.Release(ctx, a.claim) // the commit's error says more
		return fmt.Errorf("recording the outcome: %w", err)
	}
	return nil
}

func overtaken(key Key, at time.Time) Change {
	return Change{
		Event:       Event{Key: key},
		Transitions: []Transition{{At: at, State: Superseded, Cause: "a later status of the record was handed over"}},
	}
}

func (a *Attempt) land(verdict Verdict, err error) {
	a.ended = true
	a.ledger.land(a.flight, verdict, err)
}
