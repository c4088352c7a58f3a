package ledger

import "sync"

// places gives events their place in the record before the record's other
// events are looked at: later ones of this process get later places, also where
// they were received in the same millisecond. After a crash two events with one
// place could not be told apart.
type places struct {
	mu sync.Mutex
	// last and before have the latest place of the records that got one lately:
	// of mostPlaces at least, which is more than come within a millisecond.
	last, before map[Record]uint64
}

const mostPlaces = 4096

// next returns a place for an event: when it was received, in milliseconds, or
// one more than the last of its record.
func (p *places) next(e Event) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	place := max(firstSeq(e), p.last[e.Record]+1, p.before[e.Record]+1)
	if p.last == nil || len(p.last) >= mostPlaces {
		p.last, p.before = make(map[Record]uint64), p.last
	}
	p.last[e.Record] = place
	return place
}
