// Package coalesce lets those who want to read the same thing at the same time
// share one read.
package coalesce

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// Group shares the reads of one kind of thing, by id, among those who want the
// same at the same time. Nobody gets an answer that was asked for before they
// came, for it may be older than what they know: whoever comes while a read is
// in flight waits for the next one, with all others who do. So there is one
// read in flight for an id, and at most one to come. What is read is shared and
// must not be changed.
type Group[T any] struct {
	read func(ctx context.Context, id string) (T, error)

	mu sync.Mutex
	// next has an entry for each id with a read in flight: the one that follows
	// it, or nil while nobody waits for one.
	next map[string]*flight[T]
}

// flight is one read, and those who wait for it.
type flight[T any] struct {
	ctx     context.Context // ends when nobody waits any more
	cancel  context.CancelFunc
	waiting int // guarded by the mutex of the group

	done  chan struct{} // closed when the two below are set
	value T
	err   error
}

// New returns a group that reads with read, whose context ends when nobody waits
// for the answer any more.
func New[T any](read func(ctx context.Context, id string) (T, error)) *Group[T] {
	return &Group[T]{read: read, next: make(map[string]*flight[T])}
}

// Get returns an answer that was asked for after Get was called, or why there
// is none. A caller whose context ends leaves the read to the others; the last
// one to leave ends it.
func (r *Group[T]) Get(ctx context.Context, id string) (T, error) {
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	s := r.join(ctx, id)
	select {
	case <-s.done:
		return s.value, s.err
	case <-ctx.Done():
		r.leave(id, s)
		return none, context.Cause(ctx)
	}
}

// join returns a read that has not begun: a new one, or the one that others
// wait for already.
func (r *Group[T]) join(ctx context.Context, id string) *flight[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, inFlight := r.next[id]
	if s == nil {
		s = &flight[T]{done: make(chan struct{})}
		s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx)) //nolint:gosec // run calls it, and leave
		if inFlight {
			r.next[id] = s
		} else {
			r.next[id] = nil
			go r.run(id, s)
		}
	}
	s.waiting++
	return s
}

func (r *Group[T]) leave(id string, s *flight[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.waiting--; s.waiting > 0 {
		return
	}
	s.cancel()
	if r.next[id] == s {
		r.next[id] = nil // it has not begun, and need not
	}
}

// run reads, and again while there is somebody who came meanwhile.
func (r *Group[T]) run(id string, s *flight[T]) {
	for s != nil {
		s.value, s.err = r.once(s.ctx, id)
		close(s.done)
		s.cancel()
		s = r.following(id)
	}
}

// following returns the read that is to begin now, or nil. From here on nobody
// joins it.
func (r *Group[T]) following(id string) *flight[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.next[id]
	if s == nil {
		delete(r.next, id)
	} else {
		r.next[id] = nil
	}
	return s
}

// once makes a panic an error: nobody may wait for ever, and one event's answer
// must not end the server.
func (r *Group[T]) once(ctx context.Context, id string) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading the answer panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return r.read(ctx, id)
}
