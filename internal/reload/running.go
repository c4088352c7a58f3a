package reload

import (
	"slices"
	"sync"
)

// Running is a list of what has started and has not ended, in the order of the start. Of
// configurations the first is the one that works; a later one is about to take over, or to
// fail. The zero value is empty. It is safe for concurrent use.
type Running[T comparable] struct {
	mu   sync.Mutex
	list []T
}

// Enter adds what has started.
func (r *Running[T]) Enter(c T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, c)
}

// Leave removes what has ended; it may have left before.
func (r *Running[T]) Leave(c T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = slices.DeleteFunc(r.list, func(other T) bool { return other == c })
}

// Working returns the first, and false where there is none.
func (r *Running[T]) Working() (c T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 {
		return c, false
	}
	return r.list[0], true
}

// Latest returns all, the latest first.
func (r *Running[T]) Latest() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.Clone(r.list)
	slices.Reverse(list)
	return list
}
