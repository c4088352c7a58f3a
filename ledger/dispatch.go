package ledger

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
)

// Courier hands the due events of one route over.
type Courier struct {
	// Route is the route's name.
	Route string
	Plan  Plan
	// Lease is longer than an attempt can take.
	Lease time.Duration
	// Workers is how many events are handed over at once; at least 1.
	Workers int
	// Rank orders the statuses of a record; see [Options].
	Rank func(status string) int
	// Direct: nothing is asked between an event's coming in and its handing over,
	// so that the commit which accepts it can count its first attempt.
	Direct bool
	// Carry makes an attempt and ends it. It reports what that tells of the app,
	// and the error of recording the outcome.
	Carry func(attempt *Attempt) (Sign, error)
	// Failed is told what the store could not do; the courier goes on.
	Failed func(err error)
	// Damaged is told of an event that cannot be handed over because the store
	// cannot read it, or something that belongs to it; and again every hour. The id
	// is empty where even its key cannot be read.
	Damaged func(eventID string, err error)
}

const (
	// batch is how many due events are read at once.
	batch = 256
	// storePause is how long a courier waits when the store fails.
	storePause = time.Second
	// leasedPause is how long an event is left alone while another process works on
	// its record.
	leasedPause = time.Second
	// asidePause is how long an event is left alone that the store cannot read.
	asidePause = time.Hour
	// An app that could not be reached this often in a row is probed with one
	// event at a time, with a pause in between that doubles up to longestPause.
	brokenAfter  = 5
	firstPause   = time.Second
	longestPause = time.Minute
)

// Sign is what an attempt tells of the app.
type Sign uint8

const (
	// Untried: the app was not called.
	Untried Sign = iota
	// Reached: the app answered, whatever it said.
	Reached
	// Unreached: the app refused the connection or did not answer.
	Unreached
)

// Dispatch hands over what is due on the courier's route, now and as it becomes
// due, until the context ends; it returns when the attempts that are on their
// way then have ended. While nothing is due it sleeps: commits wake it.
func (l *Ledger) Dispatch(ctx context.Context, c Courier) {
	d := &dispatch{
		Courier: c, ledger: l, ended: make(chan carried, c.Workers), running: make(map[Key]bool), aside: make(map[Key]time.Time),
		listener: &listener{
			Courier: &c, woken: make(chan struct{}, 1), places: make(chan struct{}, c.Workers),
			fresh: make(chan Event, c.Workers), expected: make(map[Key]int),
		},
	}
	l.listen(d.listener)
	d.run(ctx)
}

// dispatch is a courier at work.
type dispatch struct {
	Courier
	*listener
	ledger *Ledger
	ended  chan carried

	queue   []Due             // due events that were read and not begun yet
	running map[Key]bool      // events on their way
	aside   map[Key]time.Time // until when events are left alone, as those that cannot be read
	next    time.Time         // when the first event that is not due yet will be

	refused   int       // times in a row that the app could not be reached
	paused    time.Time // when that last led to a pause
	notBefore time.Time // nothing is begun until then
}

// carried is what came of one event.
type carried struct {
	key   Key
	began time.Time
	sign  Sign
	err   error
}

func (d *dispatch) run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	begin := func(key Key, fresh *Event) {
		d.running[key] = true
		delete(d.aside, key)
		if fresh != nil {
			d.ledger.arrived(d.listener, key)
		}
		workers.Go(func() { d.ended <- d.carry(ctx, key, fresh) })
	}
	defer func() {
		d.ledger.unlisten(d.listener)
		for { // what was accepted for us is ours to hand over
			select {
			case event := <-d.fresh:
				begin(event.Key, &event)
			default:
				return
			}
		}
	}()
	for ctx.Err() == nil {
		d.fill(ctx)
		for len(d.running) < d.width() && len(d.queue) > 0 && d.takePlace() {
			key := d.queue[0].Key
			d.queue = d.queue[1:]
			if d.running[key] || d.ledger.inFlight(key.Record) {
				d.giveBack()
				continue // whose end wakes us
			}
			begin(key, nil)
		}
		d.listener.open.Store(d.refused < brokenAfter && !d.ledger.now().Before(d.notBefore))
		if event, ok := d.wait(ctx); ok {
			begin(event.Key, &event)
		}
	}
}

// width is how many attempts may be on their way now.
func (d *dispatch) width() int {
	switch {
	case d.ledger.now().Before(d.notBefore):
		return 0
	case d.refused >= brokenAfter:
		return 1
	default:
		return d.Workers
	}
}

// fill reads what is due once the queue is empty.
func (d *dispatch) fill(ctx context.Context) {
	if len(d.queue) > 0 || len(d.running) >= d.width() {
		return
	}
	now := d.ledger.now()
	maps.DeleteFunc(d.aside, func(_ Key, until time.Time) bool { return !now.Before(until) })
	limit := len(d.running) + len(d.aside) + batch
	due, err := d.ledger.store.Due(ctx, d.Route, time.Time{}, limit)
	now = d.ledger.now()
	if horizon := now.Add(d.Plan.Max); err == nil && len(due) == limit && !due[limit-1].At.After(horizon) {
		// What was planned by a clock that has been set back since stands behind all
		// others, which may fail and come back for ever. It goes first: an attempt
		// plans it anew, among them.
		behind, failure := d.ledger.store.Due(ctx, d.Route, horizon.Add(1), limit)
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
		case !d.running[e.Key] && !d.ledger.isExpected(d.listener, e.Key):
			d.queue = append(d.queue, e)
		}
	}
}

// setAside leaves an event alone for a while, so that the others do not wait
// for what may never be read again.
func (d *dispatch) setAside(key Key, eventID string, err error) (until time.Time) {
	until = d.ledger.now().Add(asidePause)
	d.aside[key] = until
	d.Damaged(eventID, err)
	return until
}

// wait returns when there may be something to do; with an event where one has
// just been accepted for us.
func (d *dispatch) wait(ctx context.Context) (fresh Event, ok bool) {
	if len(d.running) < d.width() && len(d.queue) > 0 && len(d.places) < cap(d.places) {
		return fresh, false
	}
	now, wake := d.ledger.now(), time.Time{}
	switch {
	case now.Before(d.notBefore):
		wake = d.notBefore
	case len(d.running) < d.width(): // else nothing begins before something ends
		wake = d.next
	}
	var timeout <-chan time.Time
	if !wake.IsZero() {
		timer := time.NewTimer(max(wake.Sub(now), time.Millisecond))
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-ctx.Done():
	case <-timeout:
	case <-d.woken:
	case fresh = <-d.fresh:
		ok = true
	case c := <-d.ended:
		d.note(c)
	}
	for { // whatever else has ended meanwhile
		select {
		case c := <-d.ended:
			d.note(c)
		default:
			return fresh, ok
		}
	}
}

// note draws the conclusions from an attempt.
func (d *dispatch) note(c carried) {
	delete(d.running, c.key)
	d.giveBack()
	switch {
	case errors.Is(c.err, ErrDamaged):
		d.setAside(c.key, c.key.EventID(), c.err)
	case errors.Is(c.err, ErrInFlight):
		d.aside[c.key] = d.ledger.now().Add(leasedPause)
	case c.err != nil:
		d.fail(c.err)
	case c.sign == Untried:
	case c.sign == Reached:
		d.refused = 0
	case c.began.After(d.paused): // else it is one more of those that led to the pause
		d.refused++
		if d.refused >= brokenAfter {
			d.paused = d.ledger.now()
			d.notBefore = d.paused.Add(min(firstPause<<min(d.refused-brokenAfter, 10), longestPause))
			d.queue = nil // what is probed next is what is due first then
		}
	}
}

// fail pauses: without the store an event that was handed over is still due.
func (d *dispatch) fail(err error) {
	d.Failed(err)
	d.notBefore = d.ledger.now().Add(storePause)
}

// carry takes one event to the app.
func (d *dispatch) carry(ctx context.Context, key Key, fresh *Event) carried {
	c := carried{key: key, began: d.ledger.now()}
	failpoint.Reach("due")
	attempt, err := d.ledger.take(context.WithoutCancel(ctx), key, fresh, &d.Courier)
	if err != nil || attempt == nil {
		c.err = err
		return c
	}
	c.sign, c.err = d.Carry(attempt)
	return c
}
