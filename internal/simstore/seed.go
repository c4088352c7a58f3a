package simstore

import (
	"fmt"
	"hash/fnv"
	"time"
)

// Seed decides all that happens in a world. No draw depends on which goroutine runs first:
// each is a hash of what it is for.
type Seed uint64

// Draw returns a number below n.
func (s Seed) Draw(n uint64, about ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, uint64(s), about)
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return (x ^ x>>33) % n
}

// DrawTime returns a time below most.
func (s Seed) DrawTime(most time.Duration, about ...any) time.Duration {
	return time.Duration(s.Draw(uint64(most), about...))
}

// Span is a time within a world, from its beginning.
type Span struct{ From, Until time.Duration }

// Spans are times in which something is wrong.
type Spans []Span

// Within reports whether a time is within one of them, and until when that lasts.
func (all Spans) Within(at time.Duration) (until time.Duration, is bool) {
	for _, s := range all {
		if at >= s.From && at < s.Until {
			return s.Until, true
		}
	}
	return 0, false
}

// Touch reports whether one of them has a moment of another time.
func (all Spans) Touch(from, until time.Duration) bool {
	for _, s := range all {
		if s.From <= until && from <= s.Until {
			return true
		}
	}
	return false
}
