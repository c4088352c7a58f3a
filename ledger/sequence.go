package ledger

import "sync"

// sequence gives events their sequence numbers before the other events of the
// record are read: later events of this process get higher numbers, also where they
// were received in the same millisecond. After a crash two events with one number
// could not be told apart.
type sequence struct {
	mu sync.Mutex
	// last and before have the latest number of the records that got one lately:
	// of mostSequences at least, which is more than come within a millisecond.
	last, before map[Record]uint64
}

const mostSequences = 4096

// next returns a sequence number for an event: when it was received, in
// milliseconds, or one more than the last of its record.
func (s *sequence) next(e *Event) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := max(firstSeq(*e), s.last[e.Record]+1, s.before[e.Record]+1)
	if s.last == nil || len(s.last) >= mostSequences {
		s.last, s.before = make(map[Record]uint64), s.last
	}
	s.last[e.Record] = seq
	return seq
}
