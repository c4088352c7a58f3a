package ledger

import (
	"slices"
	"sync/atomic"
)

// listener is where the ledger finds a route's courier.
type listener struct {
	*Courier
	// woken gets a value when an event of the route may have become due.
	woken chan struct{}
	// places are those of attempts that are on their way, or about to be.
	places chan struct{}
	// fresh are events that have just been accepted, each with a place reserved.
	fresh chan Event
	// open: new events may take a place at once.
	open atomic.Bool

	// Both are guarded by the ledger's mutex. expected are the events for which a
	// place is reserved and that have not come out of fresh yet: others leave them
	// alone. closed: nothing more is put into fresh.
	expected map[Key]int
	closed   bool
}

// takePlace takes a place if there is one.
func (l *listener) takePlace() bool {
	select {
	case l.places <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l *listener) giveBack() { <-l.places }

// reserve takes a place for an event that is about to be accepted, so that it
// need not be read again; nil: it waits for its turn among those that are due.
func (l *Ledger) reserve(event Event) *listener {
	if event.Request.Stale { // which is asked about even where nothing else is
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.listeners[event.Route] {
		if c.open.Load() && c.takePlace() {
			c.expected[event.Key]++
			return c
		}
	}
	return nil
}

// countsFirst reports whether the commit that accepts the event is to count its
// first attempt, too.
func (l *Ledger) countsFirst(event Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	couriers := l.listeners[event.Route]
	return len(couriers) > 0 && couriers[len(couriers)-1].Direct && !event.Request.Stale
}

// hand gives the courier an event that was accepted with a place. There is room
// for all that have one. It reports false where the courier has stopped.
func (l *Ledger) hand(c *listener, event Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.closed {
		return false
	}
	c.fresh <- event
	return true
}

// forget gives back the place of an event that did not need it. The courier may
// have left the event alone meanwhile.
func (l *Ledger) forget(c *listener, key Key) {
	l.arrived(c, key)
	c.giveBack()
	l.wake(c.Route)
}

// arrived ends the expecting of an event.
func (l *Ledger) arrived(c *listener, key Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.expected[key]--; c.expected[key] <= 0 {
		delete(c.expected, key)
	}
}

func (l *Ledger) isExpected(c *listener, key Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return c.expected[key] > 0
}

func (l *Ledger) listen(c *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listeners[c.Route] = append(l.listeners[c.Route], c)
}

func (l *Ledger) unlisten(c *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.closed = true
	l.listeners[c.Route] = slices.DeleteFunc(l.listeners[c.Route], func(other *listener) bool { return other == c })
}

func (l *Ledger) wake(route string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.listeners[route] {
		select {
		case c.woken <- struct{}{}:
		default:
		}
	}
}
