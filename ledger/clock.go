package ledger

import (
	"slices"
	"sync"
	"time"
)

// clock reads the time, and notices when the machine's clock is set: then the time
// of day has moved by another amount than a monotonic clock. What is timed within
// the process is not affected. Times that were written down are: those of plans are
// checked by [Plan.due], and from time spans the part that a clock set forward has
// added is left out, so that nothing is given up because of it.
type clock struct {
	now func() time.Time
	// onSet is called with the time by which the clock was set.
	onSet func(by time.Duration)

	mu    sync.Mutex
	last  time.Time
	leaps []leap
}

// leap is the clock's being set.
type leap struct {
	from time.Time // what it showed before
	by   time.Duration
}

const (
	// smallestLeap is more than a clock that is only adjusted ever deviates.
	smallestLeap = time.Minute
	// mostLeaps bounds the memory that a clock out of order can cost.
	mostLeaps = 1000
)

// read returns the time.
func (c *clock) read() time.Time {
	c.mu.Lock()
	now := c.now() // in here, so that times are read in their order
	by := now.Round(0).Sub(c.last.Round(0)) - now.Sub(c.last)
	first := c.last.IsZero()
	from := c.last
	c.last = now
	onSet := c.onSet
	isSet := !first && c.isSet(leap{from, by})
	c.mu.Unlock()
	if isSet && onSet != nil {
		onSet(by)
	}
	return now
}

// note takes by how much the clock of a store that is shared has moved more than time
// has passed. What read returns has no part of a monotonic clock then, which would tell.
func (c *clock) note(l leap) {
	c.mu.Lock()
	isSet, onSet := c.isSet(l), c.onSet
	c.mu.Unlock()
	if isSet && onSet != nil {
		onSet(l.by)
	}
}

// isSet reports whether a clock that moved so was set, and remembers it if that was
// forward. The caller holds the mutex.
func (c *clock) isSet(l leap) bool {
	isSet := l.by.Abs() >= smallestLeap
	if isSet && l.by > 0 && len(c.leaps) < mostLeaps {
		c.leaps = append(c.leaps, l)
	}
	return isSet
}

// after returns when d has passed since t.
func (c *clock) after(t time.Time, d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range slices.Backward(c.leaps) {
		if l.from.Before(t) {
			break
		}
		d += l.by
	}
	return t.Add(d)
}

// before returns the time since which d has passed at least.
func (c *clock) before(d time.Duration) time.Time {
	now := c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.leaps {
		d += l.by
	}
	return now.Add(-d)
}

// OnClockSet has f called with the time by which the machine's clock was set, or the
// store's where that is shared, whenever the ledger notices: forward, or back where it
// is negative. Call it before use.
func (l *Ledger) OnClockSet(f func(by time.Duration)) { l.clock.onSet = f }

// Before returns the time since which d has passed, not counting what the clock
// was set forward by: since then or longer.
func (l *Ledger) Before(d time.Duration) time.Time { return l.clock.before(d) }
