package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Reason says why an attempt is made.
type Reason string

// The reasons of an attempt.
const (
	Initial Reason = "initial"
	Retry   Reason = "retry"
	Replay  Reason = "replay"  // an operator, or a changed order, asked for it once more
	Release Reason = "release" // an operator released it from being held
	// Backfill: a filter was widened after it had been ignored, or the gateway's records
	// have it, and no webhook came.
	Backfill Reason = "backfill"
)

// Attempt is one delivery attempt: the right to send one event to the app once.
// Sent is called right before that, and Finish ends the attempt in every case. An
// attempt is used by one goroutine.
type Attempt struct {
	// Number counts the event's attempts, from 1.
	Number int
	// Reason says why the attempt is made.
	Reason Reason
	// Seq is the event's sequence number among the events of its record.
	Seq uint64
	// Event is what is delivered: the event as the ledger has it, where the ledger
	// knew it. Its body is nil once it was pruned.
	Event Event

	ledger *Ledger
	claim  Claim
	life   context.Context // of the session that has the lease; nil: the store is not shared
	flight *flight
	plan   *Plan // nil where the sender's retries are the retries
	rank   func(status string) int
	// counted: the commit that accepted the event counts this attempt.
	counted bool
	steps   []Transition // on the way to the attempt
	begun   time.Time
	sent    bool // Sent was called
	ended   bool
	// isDelivered: it ended so, and that is recorded.
	isDelivered bool

	confirmation *Confirmation
	order        *Order
	answer       *Answer
}

func (l *Ledger) newAttempt(claim Claim, event Event, known bool, f *flight, plan *Plan, rank func(status string) int) *Attempt {
	a := &Attempt{
		Number: event.Attempts + 1, Reason: Initial, Seq: event.Seq, Event: event,
		ledger: l, claim: claim, life: claim.life, flight: f, plan: plan, rank: rank, begun: l.now(),
	}
	// Its first attempt is counted and was not made: else there would be an
	// outcome, or a note of its loss, as long as the process that counted it lives. After
	// one that was spared, another process may have made the first.
	untouched := event.State == None || event.State == Delivering && event.Attempts == 1 && event.Failures == 0 && event.DueSince == nil
	if a.counted = untouched && event.CountedBy == l.process && !l.isLost(event.Key); a.counted {
		a.Number = 1
	}
	// The commit that counted its first attempt gave it its sequence number without a look
	// at the other events, and no attempt was recorded with it since.
	isNumberedUnseen := event.CountedBy != "" && !hasNumberedAttempt(event)
	switch {
	case event.NextReason != "":
		a.Reason = event.NextReason
	case event.Seq > 0 && !a.counted: // it was sent before
		a.Reason = Retry
	}
	if !known {
		a.steps = append(make([]Transition, 0, 4), Transition{At: event.ReceivedAt, State: Received})
	}
	isNew := a.Seq == 0 || a.counted || isNumberedUnseen && l.session != nil
	if isNew {
		a.Seq = max(event.Seq, firstSeq(event))
		if l.session != nil && event.Seq == 0 {
			// It may have waited for an attempt elsewhere at an event that came later, of
			// which nothing could be recorded.
			a.Seq = max(a.Seq, uint64(max(l.now().UnixMilli(), 1)))
		}
	}
	for _, other := range claim.Events {
		// Where no other process shares the ledger, this one may have sent it with its
		// number before a crash, and it stays; but not below that of a status which it
		// overtakes and which was handed over, maybe before the clock was set back.
		wasHandedOver := other.Attempts > 1 || other.State != Delivering && other.State != Superseded
		overtakes := isNumberedUnseen && wasHandedOver && supersedes(rank, event.Key.Status, other.Key.Status)
		if other.Key != event.Key && (isNew || overtakes) {
			a.Seq = max(a.Seq, other.Seq+1)
		}
	}
	// Another event of the record may have the sequence number that it was given.
	a.counted = a.counted && a.Seq == event.Seq
	return a
}

// hasNumberedAttempt reports whether an attempt was recorded with the event's sequence
// number, other than the one that the commit counted which accepted the event.
func hasNumberedAttempt(event Event) bool {
	numbered := 0
	for _, t := range event.Transitions {
		if t.Seq > 0 {
			numbered++
		}
	}
	return numbered > 1
}

// firstSeq is the sequence number of an event that is the first of its record.
func firstSeq(event Event) uint64 { return uint64(max(event.ReceivedAt.UnixMilli(), 1)) }

// Sending is what an event takes with it to the app.
type Sending struct {
	// AskedAt is when the gateway was asked about the event; zero: it was not.
	AskedAt time.Time
	// Flag is what the event is to carry; nil: nothing.
	Flag *Flag
	// Kept: the event carries the flag only where an earlier attempt has bound it.
	// Else nothing is bound, and the event is recorded before it is sent, so that the
	// next attempt knows that this one may have reached the app.
	Kept bool
}

// Sent is called right before the event is sent to the app. It binds the flag to
// the event, durably, unless another event has it, and reports whether the event
// carries it. In the same commit the event is recorded, so that one which a crash
// cuts off is known; where the retries are ours, its attempt is counted, too.
//
// On an error the attempt has ended: its lease is given up, and those who wait for
// it get the error.
func (a *Attempt) Sent(ctx context.Context, s Sending) (carries bool, err error) {
	a.asked(a.ledger.atStore(s.AskedAt))
	a.sent = true
	if carries, err = a.send(context.WithoutCancel(ctx), s); err == nil && !a.Lives() {
		err = ErrNoSession // while it was being bound
	}
	if err != nil {
		_, _ = a.Finish(ctx, Ending{Failure: err}) // the error of sending says more
		return false, err
	}
	return carries, nil
}

func (a *Attempt) send(ctx context.Context, s Sending) (carries bool, err error) {
	var flags []Flag
	isTraced := false
	switch {
	case s.Flag == nil:
	case s.Kept:
		holds, err := a.ledger.Holds(ctx, a.Event.Key, []Flag{*s.Flag})
		if err != nil {
			return false, fmt.Errorf("reading the event's flags: %w", err)
		}
		carries, isTraced = holds[0], !holds[0]
	default:
		flags = []Flag{*s.Flag}
	}
	a.begun = a.ledger.now()
	if !a.Lives() {
		return false, ErrNoSession
	}
	var steps []Transition
	switch {
	case a.counted && len(flags) == 0:
		return carries, nil
	case a.plan != nil:
		steps = append(a.steps, a.delivering())
	case len(flags) > 0 || isTraced:
		if steps = a.steps; len(steps) == 0 || steps[len(steps)-1].State != Confirming {
			steps = append(steps, Transition{At: a.begun, State: Confirming})
		}
		steps[len(steps)-1].Seq = a.Seq
	default:
		return carries, nil
	}
	bound, err := a.ledger.store.Bind(ctx, a.claim, Change{Event: a.Event, Transitions: steps}, flags)
	if err != nil {
		return false, fmt.Errorf("binding the event's flags: %w", err)
	}
	a.steps = nil
	return carries || len(bound) > 0 && bound[0], nil
}

// Lives reports whether the lease is still this process's, by its own clock: one that was
// stopped is quicker than its timers when it wakes.
func (a *Attempt) Lives() bool {
	if a.life == nil {
		return true
	}
	_, _ = a.ledger.session.living() // ends the session if its time is over
	return a.life.Err() == nil
}

// asked adds to the event's history that the gateway was asked about it.
func (a *Attempt) asked(at time.Time) {
	if !at.IsZero() {
		a.steps = append(a.steps, Transition{At: at, State: Confirming})
	}
}

func (a *Attempt) delivering() Transition {
	return Transition{At: a.begun, State: Delivering, Attempt: a.Number, Seq: a.Seq}
}

// Within returns a context that also ends when this process has to take its lease for
// lost, because it cannot reach the store that it shares with others: what it does for
// the attempt is to end then, because another process may soon begin the next one.
func (a *Attempt) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.life == nil {
		return ctx, func() {}
	}
	_ = a.Lives() // which ends the life if its time is over
	return during(ctx, a.life)
}

// Ending is how an attempt ended.
type Ending struct {
	// State is Delivered: the app took the event; Retrying: the app did not, or the
	// event could not be confirmed; Held: the event waits for an operator; Superseded: it
	// is pointless by now; or None: the attempt is given up, nothing is recorded, and the
	// next copy begins anew.
	State State
	// Failure is why, unless State is Delivered. Its text becomes the event's cause,
	// and those who wait for the attempt get it; where the event is held they get
	// [OnHold], and where it is superseded [Overtaken].
	Failure error
	// Untried: the app was not called, so the attempt does not count. An event that
	// was neither asked about nor sent cannot be given up as dead.
	Untried bool
	// Again says when the event is tried again, where the retries are ours.
	Again Again
	// AskedAt is that of [Sending], where Sent was not called.
	AskedAt time.Time
	// Confirmation and Order are what the gateway said; nil: nothing.
	Confirmation *Confirmation
	Order        *Order
	// Answer is what the app answered, but for the attempt's number; nil: nothing that is
	// to be kept.
	Answer *Answer
}

// errNoCause stands in for a failure that nobody named, so that those who wait
// for the attempt never take it for a delivered event.
var errNoCause = errors.New("the attempt has failed")

// Finish ends the attempt, records its outcome durably, and returns the state that
// the event is in then; a Retrying may have become Dead. Only when the error is nil
// may the sender be told of the outcome; those who wait for the attempt share it.
// A second Finish does nothing and returns None, nil.
func (a *Attempt) Finish(ctx context.Context, e Ending) (State, error) {
	if a.ended {
		return None, nil
	}
	ctx = context.WithoutCancel(ctx)
	if e.Failure == nil {
		e.Failure = errNoCause
	}
	if !a.sent {
		a.asked(a.ledger.atStore(e.AskedAt))
	}
	if a.confirmation = e.Confirmation; e.Order != nil {
		order := *e.Order
		order.ReadAt = a.ledger.atStore(order.ReadAt)
		a.order = &order
	}
	if e.Answer != nil {
		answer := *e.Answer
		answer.Attempt = a.Number
		a.answer = &answer
	}
	outcome := Transition{At: a.ledger.now(), State: e.State}
	var verdict Verdict
	var shared, err error
	switch e.State {
	case Delivered:
		err = a.commit(ctx, outcome)
		verdict, shared = Duplicate, err
	case Held, Superseded:
		outcome.Cause = e.Failure.Error()
		err = a.write(ctx, append(a.steps, outcome))
		if verdict, shared = OnHold, err; e.State == Superseded {
			verdict = Overtaken
		}
	case Retrying:
		e.Again.Spared = e.Again.Spared && !e.Untried // which does not count anyway
		if outcome = a.again(e.Failure, e.Again); e.Untried {
			err = a.write(ctx, append(a.steps, outcome))
		} else {
			err = a.commit(ctx, outcome)
		}
		if shared = err; err == nil {
			shared = e.Failure
		}
	default:
		outcome.State, shared = None, e.Failure
		if err = a.ledger.store.Unlock(ctx, a.claim); err != nil {
			err = fmt.Errorf("releasing the record: %w", err)
			shared = fmt.Errorf("%w (and %w)", e.Failure, err)
		}
	}
	a.land(verdict, shared)
	if err != nil {
		return None, err
	}
	a.isDelivered = outcome.State == Delivered
	return outcome.State, nil
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

// commit writes the attempt's outcome and, in the same step, supersedes what
// the event overtakes.
func (a *Attempt) commit(ctx context.Context, outcome Transition) error {
	outcome.Attempt, outcome.Seq = a.Number, a.Seq
	if a.plan == nil {
		a.steps = append(a.steps, a.delivering())
	}
	changes := []Change{a.change(append(a.steps, outcome))}
	for _, other := range a.claim.Events {
		if outcome.State == Dead || !other.State.Pending() || !supersedes(a.rank, a.Event.Key.Status, other.Key.Status) {
			continue
		}
		// The flags of a record's events are the same. Where they cannot be read now, the
		// event's next attempt finds out.
		if carries, err := a.ledger.carries(ctx, other.Key, a.Event.Flags()); err == nil && !carries {
			changes = append(changes, overtaken(other.Key, outcome.At))
		}
	}
	err := a.ledger.store.Commit(ctx, a.claim, changes)
	if err != nil && outcome.State == Delivered {
		err = a.saveYes(ctx, changes[0], err)
	}
	if err != nil {
		// The commit that accepted the event counts this attempt, whose number stays also
		// where the event got another sequence number.
		if a.Number == 1 && a.Event.CountedBy == a.ledger.process {
			a.ledger.noteLost(a.Event.Key)
		}
		_ = a.ledger.store.Unlock(ctx, a.claim) // the commit's error says more
		return fmt.Errorf("recording the outcome: %w", err)
	}
	a.ledger.forgetLost(a.Event.Key)
	return nil
}

// saveYes records that the app took the event, which could not be recorded together with
// what that supersedes, because of err. It stands, and whoever gets the record next is to
// know.
func (a *Attempt) saveYes(ctx context.Context, yes Change, err error) error {
	if !errors.Is(err, ErrFenced) { // a superseded event may be damaged, or a connection was lost
		err = a.ledger.store.Commit(ctx, a.claim, []Change{yes})
	}
	if err == nil {
		return nil
	}
	a.ledger.keepUnsaved(a.claim.Record, yes)
	if errors.Is(err, ErrFenced) {
		// Another claim knows what became of the record since this one lost it.
		if saved, _ := a.ledger.save(ctx, a.claim.Record); saved {
			return a.checkReplayed(ctx)
		}
	}
	return err
}

// errReplayed: the app's yes is recorded, and answers nobody who waits for a replay.
var errReplayed = errors.New("the event was replayed while the app had it")

// checkReplayed returns an error where the event, of which the app's yes was recorded late, was
// replayed meanwhile: a copy that waits for this attempt may be the one that was asked for.
func (a *Attempt) checkReplayed(ctx context.Context) error {
	e, err := a.ledger.store.Load(ctx, a.Event.Key)
	if err == nil && e.State != Delivered {
		return errReplayed
	}
	return err
}

func (a *Attempt) change(transitions []Transition) Change {
	return Change{Event: a.Event, Transitions: transitions, Confirmation: a.confirmation, Order: a.order, Answer: a.answer}
}

// write commits the transitions of an attempt in which the app was not called.
func (a *Attempt) write(ctx context.Context, transitions []Transition) error {
	if err := a.ledger.store.Commit(ctx, a.claim, []Change{a.change(transitions)}); err != nil {
		_ = a.ledger.store.Unlock(ctx, a.claim) // the commit's error says more
		return fmt.Errorf("recording the outcome: %w", err)
	}
	return nil
}

func overtaken(key Key, at time.Time) Change {
	return Change{
		Event:       Event{Key: key},
		Transitions: []Transition{{At: at, State: Superseded, Cause: "a later status of the record came"}},
	}
}

func (a *Attempt) land(verdict Verdict, err error) {
	a.ended = true
	a.ledger.land(a.flight, verdict, err)
	if a.order != nil {
		a.ledger.changed(a.order.OrderID)
	}
}
