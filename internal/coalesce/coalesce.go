// Package coalesce lets concurrent callers that read the same thing share one read.
package coalesce

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// Group shares reads, by id, among concurrent callers. Unlike with singleflight, no
// caller gets a result whose read began before the call, because that may be older than
// what the caller knows: a caller that comes while a read is in flight waits for the
// next read, with all others that do. So each id has one read in flight, and at most
// one waiting to begin. Callers share the value and must not change it.
type Group[T any] struct {
	read func(ctx context.Context, id string) (T, error)

	mu sync.Mutex
	// next has an entry for each id with a read in flight: the read that follows, or
	// nil while no caller waits for one.
	next map[string]*flight[T]
}

// flight is one read, and how many callers wait for it.
type flight[T any] struct {
	ctx     context.Context // ends when no caller waits any more
	cancel  context.CancelFunc
	waiting int // guarded by the mutex of the group

	done  chan struct{} // closed when the two below are set
	value T
	err   error
}

// New returns a group that reads with read. The context of a read ends when no caller
// waits for it any more.
func New[T any](read func(ctx context.Context, id string) (T, error)) *Group[T] {
	return &Group[T]{read: read, next: make(map[string]*flight[T])}
}

// Get returns the result of a read that began after Get was called. Where the caller's
// context ends first, Get returns its cause; the read goes on for the other callers,
// and is canceled when the last one leaves. A read that panics is an error.
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

// join returns a read that has not begun: a new one, or the one that other callers wait
// for.
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
		r.next[id] = nil // the read has not begun, and need not
	}
}

// run makes a read, and then the reads that callers have begun to wait for meanwhile.
func (r *Group[T]) run(id string, s *flight[T]) {
	for s != nil {
		s.value, s.err = once(func() (T, error) { return r.read(s.ctx, id) })
		close(s.done)
		s.cancel()
		s = r.following(id)
	}
}

// following returns the read that is to begin now, or nil. From now on no caller joins
// it.
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

// once makes one read and turns a panic into an error, because callers must not wait
// for ever and one read must not end the process.
func once[T any](read func() (T, error)) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading the answer panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return read()
}
