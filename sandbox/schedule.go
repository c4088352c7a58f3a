package sandbox

import (
	"container/heap"
	"context"
	"time"
)

// task is something that falls due at a moment of sandbox time. It runs
// without the lock.
type task struct {
	due time.Time
	seq uint64
	run func(ctx context.Context, due time.Time)
}

// agenda orders tasks by when they fall due, and by when they were added.
type agenda []*task

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if !a[i].due.Equal(a[j].due) {
		return a[i].due.Before(a[j].due)
	}
	return a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(*task)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// now is the sandbox's time: the wall clock's, moved by what was advanced.
func (s *Sandbox) now() time.Time { return time.Now().Add(s.ahead) }

// at schedules a task. The lock is held.
func (s *Sandbox) at(due time.Time, run func(ctx context.Context, due time.Time)) {
	s.st.seq++
	heap.Push(&s.st.agenda, &task{due: due, seq: s.st.seq, run: run})
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// sooner divides a waiting time by the sandbox's speed.
func (s *Sandbox) sooner(d time.Duration) time.Duration { return d / time.Duration(s.opts.Speed) }

// work starts what falls due until the sandbox is closed. Tasks run beside one
// another: a receiver that hangs delays nobody else.
func (s *Sandbox) work() {
	for {
		s.mu.Lock()
		wait := time.Hour
		for !s.advancing && s.st.agenda.Len() > 0 {
			if wait = s.st.agenda[0].due.Sub(s.now()); wait > 0 {
				break
			}
			next := heap.Pop(&s.st.agenda).(*task)
			s.inFlight.Add(1)
			s.background.Go(func() {
				defer s.inFlight.Done()
				next.run(s.ctx, next.due)
			})
			wait = time.Hour
		}
		s.mu.Unlock()

		timer := time.NewTimer(wait)
		select {
		case <-s.ctx.Done():
			timer.Stop()
			return
		case <-s.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Advance moves the sandbox's clock forward and does, in order, what falls due
// on the way: confirmations, deliveries and their retries. It returns when all
// of it is done, so a receiver must not call it while it handles a webhook.
// Timestamp headers keep wall time, so signatures do not grow stale.
func (s *Sandbox) Advance(d time.Duration) {
	s.advance.Lock()
	defer s.advance.Unlock()

	s.mu.Lock()
	s.advancing = true
	target := s.now().Add(max(d, 0))
	s.mu.Unlock()
	// Tries that have begun may yet schedule their retries.
	s.inFlight.Wait()

	s.mu.Lock()
	for s.ctx.Err() == nil && s.st.agenda.Len() > 0 && !s.st.agenda[0].due.After(target) {
		next := heap.Pop(&s.st.agenda).(*task)
		s.moveTo(next.due)
		s.mu.Unlock()
		next.run(s.ctx, next.due)
		s.mu.Lock()
	}
	s.moveTo(target)
	s.advancing = false
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// moveTo sets the clock to a moment, unless it is past it. The lock is held.
func (s *Sandbox) moveTo(moment time.Time) {
	if behind := moment.Sub(s.now()); behind > 0 {
		s.ahead += behind
	}
}
