package ledger

import (
	"context"
	"sync"
	"time"
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
	// Carry makes an attempt and ends it. It reports whether the app could be
	// reached at all, and the error of recording the outcome.
	Carry func(attempt *Attempt) (reached bool, err error)
	// Failed is told what the store could not do; the courier goes on.
	Failed func(err error)
}

const (
	// batch is how many due events are read at once.
	batch = 256
	// storePause is how long a courier waits when the store fails.
	storePause = time.Second
	// An app that could not be reached this often in a row is probed with one
	// event at a time, with a pause in between that doubles up to longestPause.
	brokenAfter  = 5
	firstPause   = time.Second
	longestPause = time.Minute
)

// Dispatch hands over what is due on the courier's route, now and as it becomes
// due, until the context ends; it returns when the attempts that are on their
// way then have ended. While nothing is due it sleeps: commits wake it.
func (l *Ledger) Dispatch(ctx context.Context, c Courier) {
	d := &dispatch{
		Courier: c, ledger: l, woken: l.listen(c.Route), ended: make(chan carried, c.Workers), running: make(map[Key]bool),
	}
	defer l.unlisten(c.Route, d.woken)
	d.run(ctx)
}

// dispatch is a courier at work.
type dispatch struct {
	Courier
	ledger *Ledger
	woken  chan struct{}
	ended  chan carried

	queue   []Due        // due events that were read and not begun yet
	running map[Key]bool // events on their way
	next    time.Time    // when the first event that is not due yet will be

	refused   int       // times in a row that the app could not be reached
	paused    time.Time // when that last led to a pause
	notBefore time.Time // nothing is begun until then
}

// carried is what came of one event.
type carried struct {
	key     Key
	began   time.Time
	tried   bool // else it was not to be handed over, and says nothing of the app
	reached bool
	err     error
}

func (d *dispatch) run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	for ctx.Err() == nil {
		d.fill(ctx)
		for len(d.running) < d.width() && len(d.queue) > 0 {
			key := d.queue[0].Key
			d.queue = d.queue[1:]
			if d.running[key] || d.ledger.inFlight(key.Record) {
				continue // whose end wakes us
			}
			d.running[key] = true
			workers.Go(func() { d.ended <- d.carry(ctx, key) })
		}
		d.wait(ctx)
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
	due, err := d.ledger.store.Due(ctx, d.Route, len(d.running)+batch)
	if err != nil {
		d.fail(err)
		return
	}
	now := d.ledger.now()
	d.next = time.Time{}
	for _, e := range due {
		if e.At.After(now) {
			d.next = e.At
			break
		}
		if !d.running[e.Key] {
			d.queue = append(d.queue, e)
		}
	}
}

// wait returns when there may be something to do.
func (d *dispatch) wait(ctx context.Context) {
	if len(d.running) < d.width() && len(d.queue) > 0 {
		return
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
	case c := <-d.ended:
		d.note(c)
	}
	for { // whatever else has ended meanwhile
		select {
		case c := <-d.ended:
			d.note(c)
		default:
			return
		}
	}
}

// note draws the conclusions from an attempt.
func (d *dispatch) note(c carried) {
	delete(d.running, c.key)
	switch {
	case c.err != nil:
		d.fail(c.err)
	case !c.tried:
	case c.reached:
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
func (d *dispatch) carry(ctx context.Context, key Key) carried {
	c := carried{key: key, began: d.ledger.now()}
	attempt, err := d.ledger.take(context.WithoutCancel(ctx), key, &d.Plan, d.Lease)
	if err != nil || attempt == nil {
		c.err = err
		return c
	}
	c.tried = true
	c.reached, c.err = d.Carry(attempt)
	return c
}

// listen returns a channel that gets a value when an event of the route may
// have become due.
func (l *Ledger) listen(route string) chan struct{} {
	woken := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listeners[route] = append(l.listeners[route], woken)
	return woken
}

func (l *Ledger) unlisten(route string, woken chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var rest []chan struct{}
	for _, other := range l.listeners[route] {
		if other != woken {
			rest = append(rest, other)
		}
	}
	l.listeners[route] = rest
}

func (l *Ledger) wake(route string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, woken := range l.listeners[route] {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
}
