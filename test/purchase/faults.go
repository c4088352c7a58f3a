package purchase

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// How is a way in which an operation fails.
type How string

const (
	// Fails: nothing has happened.
	Fails How = "fails"
	// Lost: it has happened, and its answer is lost.
	Lost How = "lost"
)

// errFault is what a caller is told of a fault.
var errFault = errors.New("a fault of the test's")

// Fault has one operation of a run fail: the N-th of its name, from 1. What is done at
// once comes in any order, but seldom more or less often.
type Fault struct {
	Name string
	N    int
	How  How
}

func (f Fault) String() string { return fmt.Sprintf("%s %d %s", f.Name, f.N, f.How) }

// Plan is the faults of a run.
type Plan []Fault

func (p Plan) String() string {
	texts := make([]string, len(p))
	for i, f := range p {
		texts[i] = f.String()
	}
	return strings.Join(texts, ", ")
}

// parsePlan reads what [Plan.String] has written.
func parsePlan(text string) (p Plan, err error) {
	for one := range strings.SplitSeq(text, ",") {
		words := strings.Fields(one)
		if len(words) < 3 {
			return nil, fmt.Errorf("%q is no fault: write store Commit 3 lost", one)
		}
		last := len(words) - 2
		n, err := strconv.Atoi(words[last])
		if err != nil {
			return nil, fmt.Errorf("%q is no fault: %q is no number", one, words[last])
		}
		p = append(p, Fault{strings.Join(words[:last], " "), n, How(words[last+1])})
	}
	return p, nil
}

// operation is one that was counted: the n-th of its name, and how it can fail.
type operation struct {
	name string
	n    int
	hows []How
}

// Faults counts the operations of a run, and has those of a plan fail. It is safe for
// concurrent use, inside a bubble and outside.
type Faults struct {
	mu         sync.Mutex
	plan       Plan
	isCounting bool
	done       []operation
	counts     map[string]int // by name
	// ticks are the run's own time, in which no two things happen at once: virtual time
	// stands still while things happen.
	ticks int
	hits  []history.Cut
}

// tick is how far apart two things are that happen one after the other. A fault can keep
// an answer from being recorded that came up to ten seconds before it: a few operations.
const tick = time.Second / 2

// Next counts an operation that can fail in these ways, and returns how it is to fail;
// empty: it does not.
func (f *Faults) Next(name string, hows ...How) How {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.isCounting {
		return ""
	}
	f.counts[name]++
	f.done = append(f.done, operation{name, f.counts[name], slices.Clone(hows)})
	at := f.tickLocked()
	i := slices.IndexFunc(f.plan, func(p Fault) bool {
		return p.Name == name && p.N == f.counts[name] && slices.Contains(hows, p.How)
	})
	if i < 0 {
		return ""
	}
	f.hits = append(f.hits, history.Cut{Caddy: theRun, From: at, To: at})
	return f.plan[i].How
}

// now returns the run's own time, at which nothing else happens.
func (f *Faults) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tickLocked()
}

func (f *Faults) tickLocked() time.Time {
	f.ticks++
	return time.Unix(0, 0).Add(time.Duration(f.ticks) * tick)
}

// count has operations counted, and fail, or not.
func (f *Faults) count(is bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isCounting = is
}
