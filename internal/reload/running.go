package reload

import (
	"slices"
	"sync"
)

// Running is the list of configurations that have started, in the order of their start.
// The first is the one that works; a later one is about to take over, or to fail. The
// zero value is empty. It is safe for concurrent use.
type Running[T comparable] struct {
	mu   sync.Mutex
	list []T
}

// Enter adds a configuration that has started.
func (r *Running[T]) Enter(c T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, c)
}

// Leave removes a configuration; it may have left before.
func (r *Running[T]) Leave(c T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = slices.DeleteFunc(r.list, func(other T) bool { return other == c })
}

// Working returns the configuration that works, and false where none does.
func (r *Running[T]) Working() (c T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 {
		return c, false
	}
	return r.list[0], true
}

// Latest returns the configurations, the latest first.
func (r *Running[T]) Latest() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.Clone(r.list)
	slices.Reverse(list)
	return list
}
