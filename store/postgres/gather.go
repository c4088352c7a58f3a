package postgres

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// gatherer lets the concurrent steps of a process share a statement and a commit. A
// step that comes while a lane is free goes at once. Else it waits for the next lane
// that is, which takes all that have come by then: there is no delay to tune.
type gatherer[I, O any] struct {
	// run runs the steps and answers each of them.
	run func(steps []*step[I, O])
	// lanes is how many statements run at a time, most how many steps one may have.
	lanes, most int
	// patience is how long a caller waits.
	patience time.Duration
	// active counts the lanes that run.
	active *sync.WaitGroup
	// writes: what became of a step that is not answered in time is unknown.
	writes bool

	mu      sync.Mutex
	began   []time.Time // of each lane that runs, when it began its statement
	waiting []*step[I, O]
}

// step is one caller's.
type step[I, O any] struct {
	in I
	// taken: a lane runs it, or its caller has left.
	taken atomic.Bool
	done  chan answer[O]
}

type answer[O any] struct {
	out O
	err error
}

func (s *step[I, O]) answer(out O, err error) { s.done <- answer[O]{out, err} }

// do runs a step and returns what became of it.
func (g *gatherer[I, O]) do(in I) (O, error) {
	s := &step[I, O]{in: in, done: make(chan answer[O], 1)}
	var none O
	if !g.add(s) {
		return none, errStuck
	}
	timer := time.NewTimer(g.patience)
	defer timer.Stop()
	select {
	case a := <-s.done:
		return a.out, a.err
	case <-timer.C:
		if s.taken.CompareAndSwap(false, true) || !g.writes {
			return none, errStuck // and it is never run, or what it takes runs out
		}
		return none, fmt.Errorf("%w: %w", ledger.ErrUnknown, errStuck)
	}
}

// add queues a step. It returns false where all lanes have been running for too long:
// the steps that wait would only become more.
func (g *gatherer[I, O]) add(s *step[I, O]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.began) == g.lanes && !slices.ContainsFunc(g.began, func(t time.Time) bool { return time.Since(t) < g.patience }) {
		return false
	}
	g.waiting = append(g.waiting, s)
	if len(g.began) < g.lanes {
		g.began = append(g.began, time.Now())
		g.active.Add(1)
		go g.lane(g.began[len(g.began)-1])
	}
	return true
}

// lane runs what waits until nothing does. Began is when it began, which is also its
// name.
func (g *gatherer[I, O]) lane(began time.Time) {
	defer g.active.Done()
	for {
		g.mu.Lock()
		at := slices.Index(g.began, began)
		var steps []*step[I, O]
		n := 0
		for ; n < len(g.waiting) && len(steps) < g.most; n++ {
			if s := g.waiting[n]; s.taken.CompareAndSwap(false, true) {
				steps = append(steps, s)
			}
		}
		g.waiting = slices.Delete(g.waiting, 0, n)
		if len(steps) == 0 {
			g.began = slices.Delete(g.began, at, at+1)
			g.mu.Unlock()
			return
		}
		began = time.Now()
		g.began[at] = began
		g.mu.Unlock()
		g.run(steps)
	}
}
