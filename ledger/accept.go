package ledger

import (
	"context"
	"errors"
	"fmt"
)

// Accept stores an event that is to be delivered in the background, or finds that
// it is stored already. On [Accepted] the event is due now. The webhook may be
// acknowledged on any verdict, and must not be on an error. Accept waits for no
// attempt: an event comes in while others of its record are being delivered. One of which
// no webhook came has the NextReason [Backfill].
func (l *Ledger) Accept(ctx context.Context, event Event, ignore string) (Verdict, error) {
	if err := l.begin(ctx, beginPatience); err != nil {
		return 0, err
	}
	event.ReceivedAt = l.atStore(event.ReceivedAt)
	var slot *listener
	verdict, isNew, change := Duplicate, false, Change{Event: event}
	waits := false // the event is one that is delivered sooner or later
	var seq uint64 // its sequence number, where its first attempt is counted here
	err := l.store.Accept(context.WithoutCancel(ctx), event.Key, func(known *Event) *Change {
		event := &change.Event
		event.CountedBy, event.Seq = "", 0
		var steps []Transition
		verdict, steps = l.admit(event, known, ignore)
		waits = verdict == Accepted || known != nil && known.State.Pending()
		if steps == nil {
			return nil
		}
		if isNew = known == nil; isNew && verdict == Accepted && slot == nil {
			slot = l.reserve(event)
		}
		// Where processes share the store, only one that delivers the event at once may
		// count its attempt.
		if isNew && verdict == Accepted && (slot != nil || l.session == nil) && l.countsFirst(event) {
			if seq == 0 {
				seq = l.sequence.next(event)
			}
			event.CountedBy, event.Seq = l.process, seq
			steps = append(steps, Transition{At: steps[0].At, State: Delivering, Attempt: 1, Seq: seq})
		}
		change.Transitions = steps
		return &change
	})
	if slot != nil {
		if err == nil && verdict == Accepted && isNew && l.pass(slot, &change.Event) {
			return verdict, nil
		}
		l.forget(slot, event.Key)
	}
	if err != nil {
		return 0, fmt.Errorf("recording the event: %w", err)
	}
	if waits {
		// A copy wakes the dispatcher, too: the commit of an earlier copy may have become
		// durable after it was reported as failed.
		l.wake(event.Route)
		l.tell(Hint{Routes: []string{event.Route}})
	}
	return verdict, nil
}

// admit decides what a webhook comes to, given what the ledger knows of its event.
func (l *Ledger) admit(event, known *Event, ignore string) (Verdict, []Transition) {
	now := l.now()
	due := Transition{At: now, State: Retrying, Next: now, Reason: Retry}
	switch {
	case known == nil && ignore != "":
		return Filtered, []Transition{{At: event.ReceivedAt, State: Received}, {At: now, State: Ignored, Cause: ignore}}
	case known == nil:
		received := Transition{At: event.ReceivedAt, State: Received, Next: now, Reason: event.NextReason}
		if received.Reason == Backfill {
			received.Cause = missed
		}
		return Accepted, []Transition{received}
	}
	switch known.State {
	case Delivered, Discarded:
		return Duplicate, nil
	case Superseded:
		return Overtaken, nil
	case Held:
		return OnHold, nil
	case Ignored:
		if ignore != "" {
			return Filtered, nil
		}
		due.Reason, due.Cause = Backfill, "a copy came, and it is not filtered any more"
	case Dead:
		due.Cause = "a copy came"
	default:
		if known.NextAttemptAt != nil {
			return Duplicate, nil
		}
		due.Cause = "a copy came after the route had changed"
	}
	return Accepted, []Transition{due}
}

// takeLeased begins an attempt at an event that is due and leased already; nil: it is
// not to be delivered now.
func (l *Ledger) takeLeased(ctx context.Context, taken Taken, d *Dispatcher) (attempt *Attempt, err error) {
	key := taken.Event.Key
	f, mine := l.join(key, true)
	if !mine {
		// Whoever is in flight may be waiting for this lease. Its end wakes the dispatcher.
		l.inFlight(key.Record)
		return nil, l.store.Unlock(ctx, taken.Claim)
	}
	defer func() {
		if attempt == nil {
			l.land(f, Duplicate, err)
		}
	}()
	if saved, err := l.saveUnsaved(ctx, taken.Claim); saved || err != nil {
		return nil, err // a change of the record may be of this event, which is due again if not
	}
	switch isOvertaken, err := l.isOvertaken(ctx, taken.Claim, key, &taken.Event, d.Rank); {
	case err != nil:
		return nil, errors.Join(err, l.store.Unlock(ctx, taken.Claim))
	case isOvertaken:
		return nil, l.record(ctx, taken.Claim, overtaken(key, l.now()))
	}
	return l.newAttempt(taken.Claim, taken.Event, true, f, &d.Plan, d.Rank), nil
}

// take begins an attempt at an event that is due. It waits for an attempt of the
// record that is in flight, and returns nil if the event is not to be delivered
// now. While another process works on the record the error is [ErrInFlight]. Fresh
// is the event where it has just been accepted; nil: it is read.
func (l *Ledger) take(ctx context.Context, key Key, fresh *Event, d *Dispatcher) (attempt *Attempt, err error) {
	f, mine := l.join(key, true)
	if !mine {
		<-f.done
		return nil, nil
	}
	defer func() {
		if attempt == nil {
			l.land(f, Duplicate, err)
		}
	}()
	claim, err := l.claim(ctx, key.Record, d.Lease)
	if errors.Is(err, ErrLeased) {
		return nil, ErrInFlight
	}
	if err != nil {
		return nil, err
	}
	if known, ok := find(claim.Events, key); fresh != nil && (!ok || known.State != Received && known.State != Delivering || known.Attempts > 1) {
		return nil, l.store.Unlock(ctx, claim) // somebody was quicker
	}
	if known, _ := find(claim.Events, key); known.State == Superseded {
		return nil, l.store.Unlock(ctx, claim) // since it was read as due
	}
	switch isOvertaken, err := l.isOvertaken(ctx, claim, key, fresh, d.Rank); {
	case err != nil:
		return nil, errors.Join(err, l.store.Unlock(ctx, claim))
	case isOvertaken:
		return nil, l.record(ctx, claim, overtaken(key, l.now()))
	}
	if fresh != nil {
		return l.newAttempt(claim, *fresh, true, f, &d.Plan, d.Rank), nil
	}
	event, err := l.store.Load(ctx, key)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: there is no such event, so one that waits stands wrongly in the list of what is due: replay those that wait", ErrDamaged)
	}
	if err != nil || event.NextAttemptAt == nil || !d.Plan.due(*event.NextAttemptAt, l.now()) {
		return nil, errors.Join(err, l.store.Unlock(ctx, claim))
	}
	return l.newAttempt(claim, event, true, f, &d.Plan, d.Rank), nil
}
