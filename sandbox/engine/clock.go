package engine

import (
	"container/heap"
	"context"
	"time"
)

// task is something that falls due at a moment of the engine's time. It runs
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

// Now is the engine's time: the wall clock's, moved by what was advanced. Mu is held.
func (e *Engine) Now() time.Time {
	if e.advancing {
		return e.standing
	}
	return time.Now().Add(e.ahead)
}

// At schedules a task, which runs without the lock. Mu is held. A Reset forgets the
// task unless it has begun.
func (e *Engine) At(due time.Time, run func(ctx context.Context, due time.Time)) {
	e.seq++
	heap.Push(&e.agenda, &task{due: due, seq: e.seq, run: run})
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Sooner divides a waiting time by the speed.
func (e *Engine) Sooner(d time.Duration) time.Duration { return d / e.speed }

// work starts what falls due until the engine is closed. Tasks run beside one
// another: a receiver that hangs delays nobody else.
func (e *Engine) work() {
	for {
		e.Mu.Lock()
		wait := time.Hour
		for !e.advancing && e.agenda.Len() > 0 {
			if wait = e.agenda[0].due.Sub(e.Now()); wait > 0 {
				break
			}
			next := heap.Pop(&e.agenda).(*task)
			e.inFlight.Add(1)
			e.background.Go(func() {
				defer e.inFlight.Done()
				next.run(e.ctx, next.due)
			})
			wait = time.Hour
		}
		e.Mu.Unlock()

		timer := time.NewTimer(wait)
		select {
		case <-e.ctx.Done():
			timer.Stop()
			return
		case <-e.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Advance moves the clock forward and does, in order, what falls due
// on the way: confirmations, deliveries and their retries. It returns when all
// of it is done, so a receiver must not call it while it handles a webhook. Meanwhile the
// clock stands at what is being done, however long that takes.
// Timestamp headers keep wall time, so signatures do not grow stale.
func (e *Engine) Advance(d time.Duration) {
	e.advance.Lock()
	defer e.advance.Unlock()

	e.Mu.Lock()
	e.standing, e.advancing = e.Now(), true
	target := e.Now().Add(max(d, 0))
	e.Mu.Unlock()
	// Tries that have begun may yet schedule their retries.
	e.inFlight.Wait()

	e.Mu.Lock()
	for e.ctx.Err() == nil && e.agenda.Len() > 0 && !e.agenda[0].due.After(target) {
		next := heap.Pop(&e.agenda).(*task)
		if next.due.After(e.standing) {
			e.standing = next.due
		}
		e.Mu.Unlock()
		next.run(e.ctx, next.due)
		e.Mu.Lock()
	}
	e.ahead, e.advancing = time.Until(target), false
	e.Mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}
