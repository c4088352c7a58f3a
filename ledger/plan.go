package ledger

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// Plan is when an event is delivered again after a failure, on routes that retry in
// the background.
type Plan struct {
	// First is the longest wait after the first failure. It doubles with each
	// further one, up to Max. The wait is random below that, so that events which
	// failed together do not come back together. Nothing waits for longer than Max,
	// even where the clock is set back meanwhile.
	First, Max time.Duration
	// GiveUp is how long after its receipt, or after it was made due once more, the
	// last attempt at an event is made.
	GiveUp time.Duration
}

// Again says how a failure differs from what the plan has. The zero value: not
// at all.
type Again struct {
	// Never: the event is dead at once.
	Never bool
	// After is how long to wait at least; the plan's Max caps it.
	After time.Duration
	// Rejected, if set: the app rejects the event as wrong, and the event is given up
	// when the app has done nothing else for this long.
	Rejected time.Duration
	// Spared: the attempt does not count.
	Spared bool
}

// next returns when an event that has failed now is due again; zero: never.
func (p Plan) next(e Event, now time.Time, again Again, c *clock) time.Time {
	last := c.after(e.ReceivedAt, p.GiveUp)
	if e.DueSince != nil {
		last = c.after(*e.DueSince, p.GiveUp)
	}
	if again.Rejected > 0 && e.RejectedSince != nil {
		if end := c.after(*e.RejectedSince, again.Rejected); end.Before(last) {
			last = end
		}
	}
	if again.Never || !now.Before(last) {
		return time.Time{}
	}
	next := now.Add(max(p.wait(e), min(again.After, p.Max)))
	if next.After(last) {
		return last
	}
	return next
}

// due reports whether an event's time has come. One that is farther away than
// any wait was planned by a clock that has been set back since.
func (p Plan) due(at, now time.Time) bool { return !at.After(now) || at.Sub(now) > p.Max }

// wait is up to a bound that doubles with each failure. Where below is a hash of the
// event and the failure, so that it is the same for whoever asks.
func (p Plan) wait(e Event) time.Duration {
	bound := p.First
	for range e.Failures {
		if bound >= p.Max {
			break
		}
		bound *= 2
	}
	id := e.UUID()
	source := rand.NewPCG(binary.BigEndian.Uint64(id[8:]), uint64(e.Failures))
	return time.Duration(rand.New(source).Int64N(int64(max(min(bound, p.Max), 1)))) + 1 //nolint:gosec // nobody gains by guessing a wait
}
