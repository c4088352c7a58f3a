package operator

import (
	"context"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Census counts the events of ledgers, by route.
type Census struct {
	// Events are the numbers of events in each state, by route.
	Events map[string]*Tally
	// Oldest is the age of the oldest event that is yet to be handed over, by route,
	// where events are handed over in the background.
	Oldest map[string]time.Duration
	// Bytes is the size of those ledgers that know it; Sized says whether any does.
	Bytes int64
	Sized bool
}

// Tally has a number of events for each [ledger.State].
type Tally [ledger.Discarded + 1]uint64

// NewCensus returns a census of no ledger.
func NewCensus() *Census {
	return &Census{Events: make(map[string]*Tally), Oldest: make(map[string]time.Duration)}
}

// Add adds a ledger, whose configured routes count also where they have no event. A
// ledger that cannot be read is left out.
func (c *Census) Add(ctx context.Context, l *ledger.Ledger, routes []string) {
	counts, err := l.Counts(ctx)
	if err != nil {
		return
	}
	pending := make(map[string]bool)
	for _, route := range routes { // a route without events has none in each state
		pending[route] = false
	}
	for _, n := range counts {
		if n.State <= ledger.Discarded {
			c.of(n.Route)[n.State] += n.N
		}
		pending[n.Route] = pending[n.Route] || n.State.Pending()
	}
	for route, some := range pending {
		c.of(route)
		since, ok := OldestPending(ctx, l, route)
		switch {
		case ok:
			c.Oldest[route] = max(c.Oldest[route], l.Now().Sub(since))
		case !some:
			c.Oldest[route] = max(c.Oldest[route], 0)
		} // else the route has no background delivery: the gateway's retries are the retries
	}
	if size, err := l.Size(); err == nil {
		c.Bytes, c.Sized = c.Bytes+size, true
	}
}

func (c *Census) of(route string) *Tally {
	if c.Events[route] == nil {
		c.Events[route] = new(Tally)
	}
	return c.Events[route]
}

const (
	// censusPatience is how long a census of ledgers is waited for that other processes
	// share: their database may be away.
	censusPatience = time.Second
	// censusKept is how long it serves, so that not every one who asks has it counted.
	censusKept = 5 * time.Second
)

// Recent is the latest census of ledgers that are shared. The zero value has none. It is
// safe for concurrent use.
type Recent struct {
	mu       sync.Mutex
	counting chan struct{} // closed when the count that runs has ended; nil: none runs
	last     *Census
	at       time.Time
}

// Census returns a census of the last seconds, or has one counted. Where that takes too
// long it returns that of no ledger, and the count goes on, alone.
func (r *Recent) Census(count func(context.Context) *Census) *Census {
	r.mu.Lock()
	if r.last != nil && time.Since(r.at) < censusKept {
		defer r.mu.Unlock()
		return r.last
	}
	if r.counting == nil {
		r.counting = make(chan struct{})
		go r.count(count)
	}
	done := r.counting
	r.mu.Unlock()
	timer := time.NewTimer(censusPatience)
	defer timer.Stop()
	select {
	case <-done:
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.last
	case <-timer.C:
		return NewCensus()
	}
}

func (r *Recent) count(count func(context.Context) *Census) {
	ctx, cancel := context.WithTimeout(context.Background(), censusKept)
	defer cancel()
	census := count(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.at = census, time.Now()
	close(r.counting)
	r.counting = nil
}
