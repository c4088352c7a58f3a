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
	Initial  Reason = "initial"
	Retry    Reason = "retry"
	Replay   Reason = "replay"   // somebody asked for it once more
	Release  Reason = "release"  // somebody released it from being held
	Backfill Reason = "backfill" // a filter was widened after it had been ignored
)

// Attempt is the right to hand one event to the app once. Exactly one of
// Delivered, Failed, Unconfirmed and Hold ends it; End may always be deferred.
// An attempt is used by one goroutine.
type Attempt struct {
	// Number counts the event's attempts, from 1.
	Number int
	// Reason says why it is made.
	Reason Reason
	// Seq is the event's place among those of its record.
	Seq uint64
	// Event is what is handed over. Of an event that the ledger knew it is the
	// ledger's own; its body is nil once it was pruned.
	Event Event

	ledger *Ledger
	claim  Claim
	flight *flight
	plan   *Plan // nil where the sender's retries are the retries
	rank   func(status string) int
	// counted: the commit that accepted the event counts this attempt.
	counted bool
	steps   []Transition // on the way to the attempt
	traced  bool         // see Trace
	begun   time.Time
	ended   bool
	became  State

	confirmation *Confirmation
	order        *Order
}

func (l *Ledger) newAttempt(claim Claim, event Event, known bool, f *flight, plan *Plan, rank func(status string) int) *Attempt {
	a := &Attempt{
		Number: event.Attempts + 1, Reason: Initial, Seq: event.Seq, Event: event,
		ledger: l, claim: claim, flight: f, plan: plan, rank: rank, begun: l.now(),
	}
	// Its first attempt is counted and was not made: else there would be an
	// outcome, or a note of its loss, as long as the process that counted it lives.
	untouched := event.State == None || event.State == Delivering && event.Attempts == 1
	if a.counted = untouched && event.CountedBy == l.process && !l.isLost(event.Key); a.counted {
		a.Number = 1
	}
	switch {
	case event.NextReason != "":
		a.Reason = event.NextReason
	case event.Seq > 0 && !a.counted: // it was handed over before
		a.Reason = Retry
	}
	if !known {
		a.steps = append(a.steps, Transition{At: event.ReceivedAt, State: Received})
	}
	if a.Seq == 0 || a.counted {
		a.Seq = max(event.Seq, firstSeq(event))
		for _, other := range claim.Events {
			if other.Key != event.Key {
				a.Seq = max(a.Seq, other.Seq+1)
			}
		}
	}
	// Another event of the record may have the place that it was given.
	a.counted = a.counted && a.Seq == event.Seq
	return a
}

// firstSeq is the place of an event that is the first of its record.
func firstSeq(event Event) uint64 { return uint64(max(event.ReceivedAt.UnixMilli(), 1)) }

// Confirming records, with the outcome, that CCPayment was asked first.
func (a *Attempt) Confirming() {
	a.steps = append(a.steps, Transition{At: a.ledger.now(), State: Confirming})
}

// Confirmed adds what CCPayment said to what the attempt's end writes. Either
// may be nil.
func (a *Attempt) Confirmed(c *Confirmation, order *Order) {
	a.confirmation, a.order = c, order
}

// Trace has Send record the event even where it binds no flag to it, so that the
// next attempt knows that this one may have reached the app.
func (a *Attempt) Trace() { a.traced = true }

// Send is called right before the event is handed over. It binds the flags that
// the event has earned, durably, and reports of each whether the event may carry
// it. In the same commit the event itself is recorded, so that one which a crash
// cuts off is known; where the retries are ours, its attempt is counted, too.
func (a *Attempt) Send(ctx context.Context, flags ...Flag) ([]bool, error) {
	a.begun = a.ledger.now()
	var steps []Transition
	switch {
	case a.counted && len(flags) == 0:
		return nil, nil
	case a.plan != nil:
		steps = append(a.steps, a.handed())
	case len(flags) > 0 || a.traced:
		if steps = a.steps; len(steps) == 0 || steps[len(steps)-1].State != Confirming {
			steps = append(steps, Transition{At: a.begun, State: Confirming})
		}
		steps[len(steps)-1].Seq = a.Seq
	default:
		return nil, nil
	}
	change := Change{Event: a.Event, Transitions: steps}
	bound, err := a.ledger.store.Bind(context.WithoutCancel(ctx), a.claim, change, flags)
	if err != nil {
		return nil, fmt.Errorf("binding the event's flags: %w", err)
	}
	a.steps = nil
	return bound, nil
}

func (a *Attempt) handed() Transition {
	return Transition{At: a.begun, State: Delivering, Attempt: a.Number, Seq: a.Seq}
}

// Holds reports of each flag whether an earlier attempt of the event has bound
// it: then it stays on this one, whatever the order has become since.
func (a *Attempt) Holds(ctx context.Context, flags ...Flag) ([]bool, error) {
	held, err := a.ledger.store.Holds(context.WithoutCancel(ctx), a.Event.Key, flags)
	if err != nil {
		return nil, fmt.Errorf("reading the event's flags: %w", err)
	}
	return held, nil
}

// Became is the state that the attempt's end has put the event in, durably; None
// while it has not ended, or where that could not be recorded.
func (a *Attempt) Became() State { return a.became }

// Unconfirmed records that CCPayment could not agree yet, and why. The app was
// not called: the attempt is not counted. Those who wait get the failure.
func (a *Attempt) Unconfirmed(ctx context.Context, failure error) error {
	outcome := a.again(failure, Again{})
	err := a.write(ctx, append(a.steps, outcome))
	if err != nil {
		failure = err
	}
	a.land(0, failure)
	return err
}

// Hold records that the event is kept back until somebody clears it, and why.
func (a *Attempt) Hold(ctx context.Context, cause string) error {
	err := a.write(ctx, append(a.steps, Transition{At: a.ledger.now(), State: Held, Cause: cause}))
	a.land(OnHold, err)
	return err
}

// Delivered records that the app said yes. Only when it returns nil may the
// sender be told so; those who wait for the attempt share what it returns.
func (a *Attempt) Delivered(ctx context.Context) error {
	err := a.commit(ctx, Transition{At: a.ledger.now(), State: Delivered})
	a.land(Duplicate, err)
	return err
}

// Failed records that the app did not say yes, why, and when it is asked again.
// Those who wait for the attempt get the failure as their error, or the error of
// recording it, which is also returned.
func (a *Attempt) Failed(ctx context.Context, failure error, again Again) error {
	err := a.commit(ctx, a.again(failure, again))
	if err != nil {
		failure = err
	}
	a.land(0, failure)
	return err
}

// again is what becomes of the event after a failure.
func (a *Attempt) again(failure error, again Again) Transition {
	t := Transition{At: a.ledger.now(), State: Retrying, Cause: failure.Error()}
	if a.plan == nil {
		return t
	}
	t.Spared, t.Rejected = again.Spared, again.Rejected > 0
	if t.Next = a.plan.next(a.Event, t.At, again, a.ledger.clock); t.Next.IsZero() {
		t.State, t.Spared = Dead, false
	}
	return t
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
	outcome.Attempt, outcome.Seq = a.Number, a.Seq
	if a.plan == nil {
		a.steps = append(a.steps, a.handed())
	}
	changes := []Change{a.change(append(a.steps, outcome))}
	for _, other := range a.claim.Events {
		if outcome.State != Dead && other.State.Pending() && supersedes(a.rank, a.Event.Key.Status, other.Key.Status) {
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
		if a.counted {
			a.ledger.noteLost(a.Event.Key)
		}
		_ = a.ledger.store.Release(ctx, a.claim) // the commit's error says more
		return fmt.Errorf("recording the outcome: %w", err)
	}
	a.became = outcome.State
	a.ledger.forgetLost(a.Event.Key)
	return nil
}

func (a *Attempt) change(transitions []Transition) Change {
	return Change{Event: a.Event, Transitions: transitions, Confirmation: a.confirmation, Order: a.order}
}

// write commits transitions after which the event was not handed over.
func (a *Attempt) write(ctx context.Context, transitions []Transition) error {
	ctx = context.WithoutCancel(ctx)
	if err := a.ledger.store.Commit(ctx, a.claim, []Change{a.change(transitions)}); err != nil {
		_ = a.ledger.store.Release(ctx, a.claim) // the commit's error says more
		return fmt.Errorf("recording the outcome: %w", err)
	}
	a.became = transitions[len(transitions)-1].State
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
	if a.order != nil {
		a.ledger.tell(a.order.OrderID)
	}
}
