package coalesce

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// source is something to read, whose results are under the test's control.
type source struct {
	version atomic.Int64 // what a read finds when it begins
	begun   atomic.Int64
	answer  chan error // ends one read
}

func (s *source) read(ctx context.Context, _ string) (int64, error) {
	s.begun.Add(1)
	found := s.version.Load()
	select {
	case err := <-s.answer:
		return found, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// asked is what one caller got.
type asked struct {
	value int64
	err   error
}

// ask calls Get in the background, and returns when it waits.
func ask(ctx context.Context, r *Group[int64]) <-chan asked {
	got := make(chan asked, 1)
	go func() {
		value, err := r.Get(ctx, "id")
		got <- asked{value, err}
	}()
	synctest.Wait()
	return got
}

// TestLatecomersShareTheNextRead: callers that come while a read is in flight get the
// result of the one read that follows.
func TestLatecomersShareTheNextRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: make(chan error)}
		r := New(s.read)
		first := ask(t.Context(), r)
		s.version.Store(1)
		var late []<-chan asked
		for range 10 {
			late = append(late, ask(t.Context(), r))
		}
		if n := s.begun.Load(); n != 1 {
			t.Fatalf("%d reads are in flight at once", n)
		}
		s.answer <- nil
		if got := <-first; got.value != 0 || got.err != nil {
			t.Errorf("the first got %+v", got)
		}
		synctest.Wait()
		s.version.Store(2)
		later := ask(t.Context(), r)
		s.answer <- nil
		for _, got := range late {
			if got := <-got; got.value != 1 || got.err != nil {
				t.Errorf("a latecomer got %+v", got)
			}
		}
		s.answer <- errors.New("out of order")
		if got := <-later; got.err == nil {
			t.Errorf("the last got %+v, and not the error of its read", got)
		}
		synctest.Wait()
		if n := s.begun.Load(); n != 3 || len(r.next) != 0 {
			t.Errorf("%d reads, and %d ids are remembered", n, len(r.next))
		}
	})
}

// TestLeavingARead: a caller that leaves takes nothing from the others, and a read that
// no caller waits for ends, or does not begin.
func TestLeavingARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: make(chan error)}
		r := New(s.read)
		gone := errors.New("gone")
		leaving, leave := context.WithCancelCause(t.Context())
		first := ask(leaving, r)
		second, third := ask(leaving, r), ask(t.Context(), r) // both wait for the next
		leave(gone)
		for _, got := range []<-chan asked{first, second} {
			if got := <-got; !errors.Is(got.err, gone) {
				t.Errorf("one that left got %+v", got)
			}
		}
		synctest.Wait()
		if n := s.begun.Load(); n != 2 {
			t.Fatalf("%d reads have begun: the first was to end, and the next to begin", n)
		}
		leaving, leave = context.WithCancelCause(t.Context())
		fourth := ask(leaving, r)
		leave(gone)
		<-fourth
		fifth := ask(t.Context(), r)
		s.answer <- nil
		s.answer <- nil
		for _, got := range []<-chan asked{third, fifth} {
			if got := <-got; got.err != nil {
				t.Errorf("one that stayed got %+v", got)
			}
		}
		sixth := ask(t.Context(), r)
		leaving, leave = context.WithCancelCause(t.Context())
		seventh := ask(leaving, r)
		leave(gone)
		<-seventh
		s.answer <- nil
		<-sixth
		synctest.Wait()
		if n := s.begun.Load(); n != 4 || len(r.next) != 0 {
			t.Errorf("%d reads, and %d ids are remembered: one was left before it began", n, len(r.next))
		}
		if _, err := r.Get(leaving, "id"); !errors.Is(err, gone) || s.begun.Load() != 4 {
			t.Errorf("one that had left before it came got %v", err)
		}
	})
}

// TestPanickingRead: nobody waits for ever, and the next read is a new one.
func TestPanickingRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strange := make(chan bool)
		r := New(func(context.Context, string) (int64, error) {
			if <-strange {
				panic("a strange answer")
			}
			return 7, nil
		})
		first, second := ask(t.Context(), r), ask(t.Context(), r)
		strange <- true
		strange <- false
		if got := <-first; got.err == nil || !strings.Contains(got.err.Error(), "a strange answer") {
			t.Errorf("the first got %+v", got)
		}
		if got := <-second; got.value != 7 || got.err != nil {
			t.Errorf("the second got %+v", got)
		}
	})
}

// TestReadsAreFresh: under load, with callers that leave, no caller gets a result from
// before its call, and no id is read twice at once.
func TestReadsAreFresh(t *testing.T) {
	var truth, begun atomic.Int64
	var inFlight [2]atomic.Int64
	r := New(func(_ context.Context, id string) (int64, error) {
		begun.Add(1)
		n := &inFlight[id[0]-'a']
		if n.Add(1) > 1 {
			t.Error("an id is read twice at once")
		}
		defer n.Add(-1)
		return truth.Load(), nil
	})
	const callers, calls = 32, 500
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range calls {
				ctx, cancel := context.WithCancel(t.Context())
				if rand.IntN(8) == 0 {
					go cancel()
				}
				before := truth.Add(1)
				got, err := r.Get(ctx, string(rune('a'+rand.IntN(2))))
				if err == nil && got < before {
					t.Errorf("got %d, and asked at %d", got, before)
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Wait()
	t.Logf("%d reads for %d calls", begun.Load(), callers*calls)
}
