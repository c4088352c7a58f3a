package ledger

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
)

// Dispatcher says how the due events of one route are delivered in the background;
// see [Ledger.Dispatch].
type Dispatcher struct {
	// Route is the route's name.
	Route string
	Plan  Plan
	// Lease is longer than an attempt can take.
	Lease time.Duration
	// Workers is how many events are worked on at once; at least 1.
	Workers int
	// Rank orders the statuses of a record; see [Options].
	Rank func(status string) int
	// Direct: events are delivered without being confirmed, so that the commit which
	// accepts one can count its first attempt.
	Direct bool
	// Work makes one delivery attempt and finishes it. It reports whether the app
	// could be reached, and the error of recording the outcome.
	Work func(attempt *Attempt) (Contact, error)
	// Failed is called with what the store could not do. The dispatcher pauses, and
	// goes on.
	Failed func(err error)
	// Damaged is called with an event that cannot be delivered because the store
	// cannot read it, or something that belongs to it; and again every hour. The id
	// is empty where even the event's key cannot be read.
	Damaged func(eventID string, err error)
}

const (
	// batch is how many due events are read at once.
	batch = 256
	// storePause is how long a dispatcher waits when the store fails.
	storePause = time.Second
	// leasedPause is how long an event is left alone while another process works on
	// its record.
	leasedPause = time.Second
	// readEvery is how often a dispatcher at work reads what is due although nothing says
	// that there is more: the clock may have been set.
	readEvery = time.Second
	// sweepEvery is how often events are looked for that a clock which has been set back
	// since has planned, where Take does not see them.
	sweepEvery = time.Minute
	// damagedPause is how long an event is left alone that the store cannot read.
	damagedPause = time.Hour
	// An app that could not be reached this often in a row is probed with one
	// event at a time, with a pause in between that doubles up to longestPause.
	brokenAfter  = 5
	firstPause   = time.Second
	longestPause = time.Minute
)

// Contact is whether an attempt reached the app.
type Contact uint8

const (
	// Untried: the app was not called.
	Untried Contact = iota
	// Reached: the app responded, whatever its response.
	Reached
	// Unreached: the app refused the connection or did not respond.
	Unreached
)

// Dispatch delivers the events that are due on the dispatcher's route, now and as
// they become due, until the context ends; it returns when the attempts that run
// then have ended. While nothing is due it sleeps, and commits wake it.
func (l *Ledger) Dispatch(ctx context.Context, with Dispatcher) {
	d := &dispatch{
		Dispatcher: with, ledger: l, unread: true,
		ended: make(chan result, with.Workers), running: make(map[Key]bool), aside: make(map[Key]time.Time),
		listener: &listener{
			route: with.Route, direct: with.Direct, woken: make(chan struct{}, 1), slots: make(chan struct{}, with.Workers),
			fresh: make(chan *Event, with.Workers), expected: make(map[Key]int),
		},
	}
	l.listen(d.listener)
	d.run(ctx)
}

// dispatch is a running [Dispatcher].
type dispatch struct {
	Dispatcher
	*listener
	ledger *Ledger
	ended  chan result

	queue   []Due             // due events that were read and not begun yet
	unread  bool              // there may be due events that were not read
	read    time.Time         // when due events were last read
	running map[Key]bool      // events that a worker works on
	aside   map[Key]time.Time // events that are left alone, and until when
	next    time.Time         // when the first event that is not due yet will be
	swept   time.Time         // when events were last looked for that are due too late

	refused int // times in a row that the app could not be reached
	// paused is when that last led to a pause, and nothing is begun before notBefore: both by
	// this machine's monotonic clock, because the ledger's may be set back.
	paused, notBefore time.Time
	// isPaused: notBefore had not come when the dispatcher last began to look. What depends on
	// it must not change while it looks: it could wait for nothing then.
	isPaused bool
}

// result is what a worker's attempt came to.
type result struct {
	key     Key
	began   time.Time
	contact Contact
	err     error
	// isDelivered: the event is not due any more.
	isDelivered bool
}

func (d *dispatch) run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	work := func(key Key, take func(context.Context) (*Attempt, error)) {
		d.running[key] = true
		delete(d.aside, key)
		workers.Go(func() { d.ended <- d.attempt(context.WithoutCancel(ctx), key, take) })
	}
	begin := func(key Key, fresh *Event) {
		if fresh != nil {
			d.ledger.arrived(d.listener, key)
		}
		work(key, func(ctx context.Context) (*Attempt, error) { return d.ledger.take(ctx, key, fresh, &d.Dispatcher) })
	}
	defer func() {
		d.ledger.unlisten(d.listener)
		for { // events that were accepted with a slot of ours are ours to deliver
			select {
			case event := <-d.fresh:
				begin(event.Key, event)
			default:
				return
			}
		}
	}()
	for ctx.Err() == nil {
		d.isPaused = time.Now().Before(d.notBefore)
		if d.ledger.session != nil {
			for _, taken := range d.takeDue(ctx) {
				work(taken.Event.Key, func(ctx context.Context) (*Attempt, error) {
					return d.ledger.takeLeased(ctx, taken, &d.Dispatcher)
				})
			}
		} else {
			d.fill(ctx)
		}
		for len(d.running) < d.width() && len(d.queue) > 0 && d.takeSlot() {
			key := d.queue[0].Key
			d.queue = d.queue[1:]
			if d.runs(key.Record) || d.ledger.inFlight(key.Record) {
				d.freeSlot()
				d.unread = true
				continue // the end of that attempt wakes us
			}
			begin(key, nil)
		}
		d.open.Store(d.refused < brokenAfter && !d.isPaused && d.ledger.canClaim())
		if fresh := d.wait(ctx); fresh != nil {
			begin(fresh.Key, fresh)
		}
	}
}

// runs reports whether a worker works on an event of a record, or is about to: an event
// that was due earlier is not to be overtaken by another that is quicker to the record.
func (d *dispatch) runs(record Record) bool {
	for key := range d.running {
		if key.Record == record {
			return true
		}
	}
	return false
}

// width is how many attempts may run now.
func (d *dispatch) width() int {
	switch {
	case d.isPaused:
		return 0
	case d.refused >= brokenAfter:
		return 1
	default:
		return d.Workers
	}
}

// fill reads what is due once the queue is empty, and something may be due that was not
// read: reading costs more than an attempt.
func (d *dispatch) fill(ctx context.Context) {
	select {
	case <-d.woken:
		d.unread = true
	default:
	}
	if len(d.queue) > 0 || len(d.running) >= d.width() {
		return
	}
	now := d.ledger.now()
	if isNone := d.next.IsZero() || now.Before(d.next); isNone && !d.unread && time.Since(d.read) < readEvery {
		return
	}
	maps.DeleteFunc(d.aside, func(_ Key, until time.Time) bool { return !now.Before(until) })
	limit := len(d.running) + len(d.aside) + batch
	due, err := d.ledger.store.Due(ctx, d.Route, time.Time{}, limit)
	now = d.ledger.now()
	d.read, d.unread = time.Now(), err != nil || len(due) == limit && d.Plan.due(due[limit-1].At, now)
	if horizon := now.Add(d.Plan.Max); err == nil && len(due) == limit && !due[limit-1].At.After(horizon) {
		// Events that were planned by a clock that has been set back since stand behind
		// all others, which may fail and come back for ever. They go first: an attempt
		// plans them anew, among the others.
		behind, failure := d.ledger.store.Due(ctx, d.Route, horizon.Add(1), limit)
		d.unread = d.unread || failure != nil || len(behind) == limit
		due, err = append(behind, due...), failure
	}
	if err != nil {
		d.fail(err)
		return
	}
	d.next = time.Time{}
	later := func(at time.Time) {
		if d.next.IsZero() || at.Before(d.next) {
			d.next = at
		}
	}
	for _, e := range due {
		switch until, isAside := d.aside[e.Key]; {
		case isAside:
			later(until)
		case !d.Plan.due(e.At, now):
			later(e.At)
		case e.Err != nil:
			later(d.setAside(e.Key, "", e.Err))
		case d.running[e.Key]:
			// Where its attempt has ended by now, it may have been made due since.
			d.unread = d.unread || !d.ledger.flies(e.Key.Record)
		case !d.ledger.isExpected(d.listener, e.Key):
			d.queue = append(d.queue, e)
		}
	}
}

// takeDue takes what is due from a store that several processes share, at most as much
// as can begin at once, and takes a slot for each.
func (d *dispatch) takeDue(ctx context.Context) (begin []Taken) {
	now := d.ledger.now()
	d.next = now.Add(d.ledger.session.pollEvery())
	life, err := d.ledger.session.living()
	if err != nil {
		return nil // the beginning of the next session wakes us
	}
	room := 0
	for room < max(d.Workers/2, 1) && len(d.running)+room < d.width() && d.takeSlot() {
		room++
	}
	if room == 0 {
		return nil
	}
	defer func() {
		for range room - len(begin) {
			d.freeSlot()
		}
	}()
	maps.DeleteFunc(d.aside, func(_ Key, until time.Time) bool { return !now.Before(until) })
	all, err := d.ledger.session.cluster.Take(ctx, d.Route, d.Lease, room)
	if errors.Is(err, ErrNoSession) {
		return nil // the next renewal says so, or the store waits for leases that it has lost
	}
	if err != nil {
		d.fail(err)
		return nil
	}
	for _, taken := range all {
		taken.Claim.life = life
		_, isAside := d.aside[taken.Event.Key]
		switch {
		case isAside: // it keeps its lease, so that the others get their turn
		case taken.Err != nil:
			eventID := "" // of an event that cannot be read; it may be another of the record
			if taken.Event.State != None {
				eventID = taken.Event.EventID()
			}
			d.setAside(taken.Event.Key, eventID, taken.Err)
		case d.running[taken.Event.Key]:
			_ = d.ledger.store.Unlock(context.WithoutCancel(ctx), taken.Claim) // else it runs out
		default:
			begin = append(begin, taken)
		}
	}
	if len(all) == room {
		d.next = now // there may be more
	}
	if time.Since(d.swept) >= sweepEvery {
		d.sweep(ctx, now.Add(d.Plan.Max+1))
	}
	return begin
}

// sweep queues the events that are due from the horizon on, which no plan puts there; see
// [Plan.due].
func (d *dispatch) sweep(ctx context.Context, horizon time.Time) {
	due, err := d.ledger.store.Due(ctx, d.Route, horizon, batch)
	if err != nil {
		d.fail(err)
		return
	}
	d.swept, d.queue = time.Now(), nil
	for _, e := range due {
		if _, isAside := d.aside[e.Key]; !isAside && !d.running[e.Key] && e.Err == nil {
			d.queue = append(d.queue, e)
		}
	}
}

// setAside leaves a damaged event alone for a while, so that the others do not
// wait for one that may never be read again.
func (d *dispatch) setAside(key Key, eventID string, err error) (until time.Time) {
	until = d.ledger.now().Add(damagedPause)
	d.aside[key] = until
	d.Damaged(eventID, err)
	return until
}

// wait returns when there may be something to do; with an event where one has
// just been accepted with a slot of ours.
func (d *dispatch) wait(ctx context.Context) (fresh *Event) {
	if len(d.running) < d.width() && len(d.queue) > 0 && len(d.slots) < cap(d.slots) {
		return nil
	}
	var timeout <-chan time.Time
	left := time.Duration(-1) // until there may be something to begin; below 0: nothing is known to come
	switch {
	case d.isPaused || time.Now().Before(d.notBefore): // since before, or since something failed just now
		left = max(time.Until(d.notBefore), 0)
	case len(d.running) < d.width() && !d.next.IsZero(): // else nothing begins before something ends
		left = max(d.next.Sub(d.ledger.now()), 0)
	}
	if left >= 0 {
		timer := time.NewTimer(max(left, time.Millisecond))
		defer timer.Stop()
		timeout = timer.C
	}
	select { // in this order where several are ready, so that equal causes have equal effects
	case r := <-d.ended:
		d.note(r)
	default:
		select {
		case fresh = <-d.fresh:
		default:
			select {
			case <-ctx.Done():
			case <-timeout:
				d.unread = true // also where the clock was set back since
			case <-d.woken:
				d.unread = true
			case fresh = <-d.fresh:
			case r := <-d.ended:
				d.note(r)
			}
		}
	}
	for { // whatever else has ended meanwhile
		select {
		case r := <-d.ended:
			d.note(r)
		default:
			return fresh
		}
	}
}

// note draws the conclusions from an attempt.
func (d *dispatch) note(r result) {
	delete(d.running, r.key)
	d.freeSlot()
	d.unread = d.unread || !r.isDelivered
	switch {
	case errors.Is(r.err, ErrDamaged), errors.Is(r.err, ErrLater):
		d.setAside(r.key, r.key.EventID(), r.err)
	case errors.Is(r.err, ErrInFlight), errors.Is(r.err, ErrFenced), errors.Is(r.err, ErrNoSession):
		if d.ledger.session == nil { // else it is taken again when its record is free
			d.aside[r.key] = d.ledger.now().Add(leasedPause)
		}
	case r.err != nil:
		d.fail(r.err)
	case r.contact == Untried:
	case r.contact == Reached:
		d.refused = 0
	case r.began.After(d.paused): // else it is one more of those that led to the pause
		d.refused++
		if d.refused >= brokenAfter {
			d.paused = time.Now()
			d.notBefore = d.paused.Add(min(firstPause<<min(d.refused-brokenAfter, 10), longestPause))
			d.queue, d.unread = nil, true // what is probed next is what is due first then
		}
	}
}

// fail pauses: while the store fails, an event that was delivered is still due.
func (d *dispatch) fail(err error) {
	d.Failed(err)
	d.notBefore = time.Now().Add(storePause)
}

// attempt makes one attempt at an event, which take begins.
func (d *dispatch) attempt(ctx context.Context, key Key, take func(context.Context) (*Attempt, error)) result {
	r := result{key: key, began: time.Now()}
	failpoint.Reach("due")
	attempt, err := take(ctx)
	if err != nil || attempt == nil {
		r.err = err
		return r
	}
	r.contact, r.err = d.Work(attempt)
	r.isDelivered = attempt.isDelivered
	return r
}
