// Package ledger stores every event that was received, decides whether and when it
// is delivered to the app, and keeps two delivery attempts at one record from
// running at once. It knows nothing of HTTP servers, of Caddy, or of what an event
// is worth.
package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Verdict is what is done with a webhook that was received.
type Verdict uint8

const (
	// Deliver: the caller holds an [Attempt], and sends the event to the app.
	Deliver Verdict = iota + 1
	// Duplicate: the event is delivered, or was discarded by an operator.
	Duplicate
	// Overtaken: a later status of the record makes the event pointless.
	Overtaken
	// Filtered: the event is not for the app.
	Filtered
	// OnHold: the event waits for an operator.
	OnHold
	// Accepted: the event is stored, and is delivered in the background.
	Accepted
)

// ErrInFlight: an attempt of the same record was still in flight when the wait
// was over.
var ErrInFlight = errors.New("an attempt of the record is in flight")

// Options say how a webhook is treated.
type Options struct {
	// Ignore returns why the event is not for the app; empty: it is. It may complete the
	// event. It is called only where that matters, and not for a copy of an event that
	// was delivered, for example. Nil: every event is for the app.
	Ignore func(*Event) (cause string, err error)
	// Lease is longer than an attempt can take.
	Lease time.Duration
	// Wait is how long to wait for another attempt of the record.
	Wait time.Duration
	// Rank orders the statuses of a record, which it gets in lower case: an event of
	// a higher rank supersedes those of lower ones. A status that is not known has
	// rank 0: it supersedes nothing and is never superseded. Nil: none is known.
	Rank func(status string) int
}

// Ledger decides what is done with the webhooks that come in, over a [Store], and
// lets concurrent copies of an event share the attempt that is in flight. One
// process has one Ledger per store. A Ledger is safe for concurrent use.
type Ledger struct {
	// Reader reads the store.
	Reader

	store    Store
	session  *session // nil: no other process shares the store
	clock    *clock
	sequence sequence
	// process names this process, among those that the store has served.
	process string

	mu      sync.Mutex
	flights map[Record]*flight
	locks   map[Record]*nameLock
	// unsaved holds the changes by which an event was delivered, and which the store
	// could not write. Until they are written nothing else of the record is decided:
	// a lower status must not follow a final one that only this process knows of.
	unsaved map[Record]Change
	// lost are the events whose first attempt was counted in advance, was made, and
	// had an outcome that the store could not write.
	lost map[Key]bool
	// listeners are woken when an event of their route may have become due.
	listeners map[string][]*listener
	// watchers are the channels that are closed when an order changes.
	watchers map[OrderID][]chan struct{}
}

// flight is an attempt or a decision in progress, which copies of the event wait
// for.
type flight struct {
	key Key
	// shared: copies of the event share the outcome; else they wait for the end and
	// are decided on then.
	shared bool
	// awaited: a dispatcher has passed over an event of the record meanwhile.
	awaited bool
	done    chan struct{} // closed when verdict and err are set

	verdict Verdict
	err     error
}

// New returns the ledger over a store; now is the clock.
// The times that its callers give it are by that clock, too; where the store is shared
// the ledger turns them into the store's.
func New(store Store, now func() time.Time) *Ledger {
	l := &Ledger{
		Reader: store, store: store, clock: &clock{now: now}, process: rand.Text()[:8],
		flights: make(map[Record]*flight), locks: make(map[Record]*nameLock), unsaved: make(map[Record]Change), lost: make(map[Key]bool), listeners: make(map[string][]*listener),
		watchers: make(map[OrderID][]chan struct{}),
	}
	if cluster, ok := store.(Cluster); ok {
		l.session = newSession(cluster, now)
		l.store = l.session.cluster
		l.clock.now = func() time.Time { return l.session.atStore(now()) }
		cluster.OnWake(l.heard)
	}
	return l
}

func (l *Ledger) now() time.Time { return l.clock.read() }

// Now returns the time by the clock that the times of events and orders are of: the
// store's where that is shared.
func (l *Ledger) Now() time.Time { return l.now() }

// Begin decides what is done with a webhook whose sender waits for the outcome. On
// [Deliver], and only then, it returns an attempt, which the caller must finish.
//
// While another attempt of the same record is in flight it waits: a copy of
// the same event shares that attempt's outcome, its error included; another
// event of the record is decided on afterwards. When the wait is over the error is
// [ErrInFlight]. Any other error is the store's: nothing was recorded, and the
// webhook must not be acknowledged.
func (l *Ledger) Begin(ctx context.Context, event Event, opts Options) (Verdict, *Attempt, error) {
	if err := l.begin(ctx, opts.Wait); err != nil {
		return 0, nil, err
	}
	event.ReceivedAt = l.atStore(event.ReceivedAt)
	var timeout <-chan time.Time
	for {
		f, mine := l.join(event.Key, true)
		if mine {
			return l.decide(ctx, event, opts, f)
		}
		if timeout == nil {
			timer := time.NewTimer(opts.Wait)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-f.done:
			if f.key == event.Key && f.shared {
				return f.verdict, nil, f.err
			}
		case <-timeout:
			return 0, nil, ErrInFlight
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
}

// join returns the record's flight, and whether it is a new one of the caller's.
func (l *Ledger) join(key Key, shared bool) (*flight, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.flights[key.Record]; ok {
		return f, false
	}
	f := &flight{key: key, shared: shared, done: make(chan struct{})}
	l.flights[key.Record] = f
	return f, true
}

// inFlight reports whether an attempt of the record is in flight. Its end then
// wakes the route's dispatchers.
func (l *Ledger) inFlight(record Record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.flights[record]
	if f != nil {
		f.awaited = true
	}
	return f != nil
}

// flies reports whether an attempt of the record is in flight.
func (l *Ledger) flies(record Record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flights[record] != nil
}

// land ends a flight: those who wait get its outcome.
func (l *Ledger) land(f *flight, verdict Verdict, err error) {
	l.mu.Lock()
	delete(l.flights, f.key.Record)
	awaited := f.awaited
	l.mu.Unlock()
	f.verdict, f.err = verdict, err
	close(f.done)
	if awaited {
		l.wake(f.key.Route)
	}
}

var errPanicked = errors.New("deciding on the event panicked")

func (l *Ledger) decide(ctx context.Context, event Event, opts Options, f *flight) (verdict Verdict, attempt *Attempt, err error) {
	err = errPanicked
	defer func() {
		if attempt == nil {
			l.land(f, verdict, err)
		}
	}()
	return l.rule(ctx, event, opts, f)
}

// rule claims the event's record and decides.
func (l *Ledger) rule(ctx context.Context, event Event, opts Options, f *flight) (Verdict, *Attempt, error) {
	// Others may wait for this decision: it goes on when its own request ends.
	ctx = context.WithoutCancel(ctx)
	turn := ctx
	if l.session != nil { // else nobody else has leases
		var cancel context.CancelFunc
		turn, cancel = context.WithTimeout(ctx, opts.Wait)
		defer cancel()
	}
	claim, waitedFor, err := l.claimInTurn(turn, event.Key.Record, opts.Lease)
	if errors.Is(err, ErrLeased) {
		return 0, nil, ErrInFlight
	}
	if err != nil {
		return 0, nil, err
	}
	known, isKnown := find(claim.Events, event.Key)
	ignore := ""
	if opts.Ignore != nil && known.State.verdict() == 0 {
		completed := event
		if ignore, err = opts.Ignore(&completed); err != nil {
			return 0, nil, errors.Join(err, l.store.Unlock(ctx, claim))
		}
		event = completed
	}
	verdict := judge(claim.Events, event.Key, ignore != "", opts.Rank)
	isTold := false
	if verdict == Deliver && !isKnown {
		if isTold, err = l.isTold(ctx, claim, event.Key); err != nil {
			return 0, nil, errors.Join(err, l.store.Unlock(ctx, claim))
		}
	}
	if verdict == Overtaken {
		isOvertaken, err := l.isOvertaken(ctx, claim, event.Key, &event, opts.Rank)
		if err != nil {
			return 0, nil, errors.Join(err, l.store.Unlock(ctx, claim))
		}
		if !isOvertaken {
			verdict = Deliver
		}
	}
	if isTold {
		verdict = Overtaken
	}
	cause, state := "", None
	switch verdict {
	case Deliver:
		if isKnown {
			if event, err = l.again(ctx, event); err != nil {
				return 0, nil, errors.Join(err, l.store.Unlock(ctx, claim))
			}
		}
		if waitedFor > 0 && known.Epoch == waitedFor && known.State == Retrying {
			// The attempt that was waited for has failed, and copies share its outcome.
			n := len(event.Transitions)
			shared := &SharedError{event.LastError, n > 0 && event.Transitions[n-1].Attempt > 0}
			return 0, nil, errors.Join(shared, l.store.Unlock(ctx, claim))
		}
		return Deliver, l.newAttempt(claim, event, isKnown, f, nil, opts.Rank), nil
	case Overtaken:
		if cause, state = "a later status of the record came first", Superseded; isTold {
			cause = told
		}
	case Filtered:
		cause, state = ignore, Ignored
	}
	if state == None || isKnown && known.State == state {
		// Acknowledged because it was read.
		return verdict, nil, errors.Join(l.store.Unlock(ctx, claim), l.sync(ctx))
	}
	transitions := []Transition{{At: event.ReceivedAt, State: Received}, {At: l.now(), State: state, Cause: cause}}
	if isKnown {
		transitions = transitions[1:] // it was received before
	}
	return verdict, nil, l.record(ctx, claim, Change{Event: event, Transitions: transitions})
}

// claim takes the lease on a record, and writes the change of it that could not be
// written before.
func (l *Ledger) claim(ctx context.Context, record Record, lease time.Duration) (Claim, error) {
	for {
		var life context.Context
		if l.session != nil {
			var err error
			if life, err = l.session.living(); err != nil {
				return Claim{}, err
			}
		}
		claim, err := l.store.Claim(ctx, record, lease)
		claim.life = life
		if err != nil {
			return claim, fmt.Errorf("claiming the record: %w", err)
		}
		if saved, err := l.saveUnsaved(ctx, claim); err != nil || !saved {
			return claim, err
		}
	}
}

// again loads the event of which a copy came. Its body and its request are the
// copy's: those of the store may be pruned or damaged.
func (l *Ledger) again(ctx context.Context, copied Event) (Event, error) {
	event, err := l.store.Load(ctx, copied.Key)
	if err != nil {
		return event, fmt.Errorf("loading the event: %w", err)
	}
	event.Body, event.BodyDamaged, event.Request = copied.Body, false, copied.Request
	return event, nil
}

func (l *Ledger) noteLost(key Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lost) < largestUnsaved {
		l.lost[key] = true
	}
}

func (l *Ledger) forgetLost(key Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lost, key)
}

func (l *Ledger) isLost(key Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost[key]
}

// record commits a change of one event that is not delivered now.
func (l *Ledger) record(ctx context.Context, claim Claim, change Change) error {
	if err := l.store.Commit(ctx, claim, []Change{change}); err != nil {
		return errors.Join(fmt.Errorf("recording the event: %w", err), l.store.Unlock(ctx, claim))
	}
	return nil
}

// isOvertaken reports whether a later status of its record supersedes an event, or the app
// was told of it before its webhook came, or by that; nil: it is the store's. One that carries
// a flag is not superseded: no other event would have it.
func (l *Ledger) isOvertaken(ctx context.Context, claim Claim, key Key, event *Event, rank func(status string) int) (bool, error) {
	if judge(claim.Events, key, false, rank) != Overtaken {
		isTold, err := l.isTold(ctx, claim, key)
		if err == nil && !isTold {
			isTold, err = l.hasCome(ctx, claim, key)
		}
		if !isTold {
			return false, err
		}
	}
	if known, isKnown := find(claim.Events, key); !isKnown || known.State == Superseded {
		return true, nil
	}
	if event == nil {
		stored, err := l.store.Load(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged): // it cannot be delivered
			return true, nil
		case err != nil:
			return false, fmt.Errorf("loading the event: %w", err)
		}
		event = &stored
	}
	carries, err := l.carries(ctx, key, event.Flags())
	return !carries, err
}

func (l *Ledger) carries(ctx context.Context, key Key, flags []Flag) (bool, error) {
	holds, err := l.store.Holds(ctx, key, flags)
	if err != nil {
		return false, fmt.Errorf("reading the event's flags: %w", err)
	}
	return slices.Contains(holds, true), nil
}

// judge decides what is done with a webhook of the key, given the events of its
// record.
func judge(events []Summary, key Key, ignore bool, rank func(status string) int) Verdict {
	if known, ok := find(events, key); ok && known.State.verdict() != 0 {
		return known.State.verdict()
	}
	if ignore {
		return Filtered
	}
	for _, other := range events {
		if other.State.overtakes() && supersedes(rank, other.Key.Status, key.Status) {
			return Overtaken
		}
	}
	return Deliver
}

func find(events []Summary, key Key) (Summary, bool) {
	for _, e := range events {
		if e.Key == key {
			return e, true
		}
	}
	return Summary{}, false
}
