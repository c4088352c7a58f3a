package ledger

import (
	"maps"
	"slices"
	"sync/atomic"
)

// listener is how the ledger reaches the dispatcher of a route: it wakes it, and
// passes it events that have just been accepted.
type listener struct {
	route  string
	direct bool // see [Dispatcher]
	// woken gets a value when an event of the route may have become due.
	woken chan struct{}
	// slots has a value for each worker that runs, or is about to.
	slots chan struct{}
	// fresh are events that have just been accepted, each with a slot reserved.
	fresh chan *Event
	// open: new events may take a slot at once.
	open atomic.Bool

	// Both are guarded by the ledger's mutex. expected counts the events for which a
	// slot is reserved and that have not come out of fresh yet: they are not begun
	// from the list of due events. closed: nothing more is put into fresh.
	expected map[Key]int
	closed   bool
}

// takeSlot takes a slot if one is free.
func (l *listener) takeSlot() bool {
	select {
	case l.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l *listener) freeSlot() { <-l.slots }

// reserve takes a slot for an event that is about to be accepted, so that it need
// not be read again. Without a free slot it returns nil, and the event waits its
// turn among those that are due.
func (l *Ledger) reserve(event *Event) *listener {
	if event.Request.Stale { // such an event is confirmed even on a direct route
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, route := range l.listeners[event.Route] {
		if route.open.Load() && route.takeSlot() {
			route.expected[event.Key]++
			return route
		}
	}
	return nil
}

// countsFirst reports whether the commit that accepts the event is to count its
// first attempt, too.
func (l *Ledger) countsFirst(event *Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	routes := l.listeners[event.Route]
	return len(routes) > 0 && routes[len(routes)-1].direct && !event.Request.Stale
}

// pass gives a dispatcher an event that was accepted with a slot. The channel has
// room for all that have one. It reports false where the dispatcher has stopped.
func (l *Ledger) pass(to *listener, event *Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to.closed {
		return false
	}
	to.fresh <- event
	return true
}

// forget frees the slot of an event that did not need it. The dispatcher may have
// passed over the event meanwhile.
func (l *Ledger) forget(at *listener, key Key) {
	l.arrived(at, key)
	at.freeSlot()
	l.wake(at.route)
}

// arrived ends the expecting of an event.
func (l *Ledger) arrived(at *listener, key Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.expected[key]--; at.expected[key] <= 0 {
		delete(at.expected, key)
	}
}

func (l *Ledger) isExpected(at *listener, key Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return at.expected[key] > 0
}

func (l *Ledger) listen(added *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listeners[added.route] = append(l.listeners[added.route], added)
}

func (l *Ledger) unlisten(gone *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone.closed = true
	l.listeners[gone.route] = slices.DeleteFunc(l.listeners[gone.route], func(other *listener) bool { return other == gone })
}

// wakeAll has all dispatchers look for due events.
func (l *Ledger) wakeAll() {
	l.mu.Lock()
	routes := slices.Collect(maps.Keys(l.listeners))
	l.mu.Unlock()
	for _, route := range routes {
		l.wake(route)
	}
}

// wake has the dispatchers of a route look for due events.
func (l *Ledger) wake(route string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.listeners[route] {
		select {
		case at.woken <- struct{}{}:
		default:
		}
	}
}
