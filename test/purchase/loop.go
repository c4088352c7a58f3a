package purchase

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	pairs = flag.Int("pairs", 40, "how many pairs of operations fail, in each way; 0: all pairs")
	seed  = flag.Uint64("pairs-seed", 0, "which pairs; 0: others each time")
	only  = flag.String("faults", "", "the faults of a single run, as a failure shows them: store Commit 3 lost, app 1 fails")
)

// Way is what is played, and how events are handed over.
type Way struct {
	Name          string
	PassesThrough bool
	// TopsUp: a user pays to an address of his own, which is credited, in the place of a
	// purchase.
	TopsUp bool
}

var ways = []Way{
	{Name: "pass-through", PassesThrough: true},
	{Name: "store-and-forward"},
	{Name: "top-up, pass-through", PassesThrough: true, TopsUp: true},
	{Name: "top-up, store-and-forward", TopsUp: true},
}

// runs counts the purchases of this process. None shares its ids or its time with another,
// so that they may share a database: each begins when the one before is over.
var runs atomic.Int64

// firstYear is how long after a bubble's beginning timestamps have enough digits.
const firstYear = 10 * 365 * 24 * time.Hour

// patience is how long one run may take by the real clock.
const patience = 2 * time.Minute

// mostBroken is how many runs are shown in which a promise was broken.
const mostBroken = 5

// Opener makes a ledger for one run, in the run's bubble.
type Opener func(t testing.TB, faults *Faults) Ledger

// Run plays the purchase over a store with each of its operations failing, in each way in
// which it can, and with pairs of them. The function ledgers is called for each [Way].
func Run(t *testing.T, ledgers func(t testing.TB) Opener) {
	for _, way := range ways {
		t.Run(way.Name, func(t *testing.T) {
			t.Parallel()
			l := &loop{T: t, way: way, open: ledgers(t)}
			if *only != "" {
				plan, err := parsePlan(*only)
				if err != nil {
					t.Fatal(err)
				}
				for _, done := range l.try(plan).done {
					t.Logf("%s %d %v", done.name, done.n, done.hows)
				}
				return
			}
			l.all()
		})
	}
}

// loop is the runs of one way.
type loop struct {
	*testing.T
	way    Way
	open   Opener
	broken int
	runs   int
	missed int // runs in which a fault's operation never came
}

func (l *loop) all() {
	began := time.Now()
	plain := l.try(nil)
	if l.Failed() {
		return
	}
	l.missed = 0
	kinds := make(map[string]int)
	for _, done := range plain.done {
		kind, _, _ := strings.Cut(done.name, " ")
		kinds[kind]++
	}
	l.Logf("%d operations: %v", len(plain.done), kinds)
	var second []Plan
	for _, first := range faultsOf(plain.done) {
		run := l.try(Plan{first})
		for _, next := range faultsOf(since(run.done, first)) {
			second = append(second, Plan{first, next})
		}
		if l.broken >= mostBroken {
			return
		}
	}
	singles := l.runs - 1
	l.Logf("%d runs with one fault in %s", singles, time.Since(began).Round(time.Millisecond))
	all := len(second)
	if *pairs > 0 && *pairs < all {
		from := *seed
		if from == 0 {
			from = rand.Uint64()
		}
		l.Logf("-pairs-seed %d", from)
		rand.New(rand.NewPCG(from, 0)).Shuffle(all, func(i, j int) { second[i], second[j] = second[j], second[i] })
		second = second[:*pairs]
	}
	for _, plan := range second {
		if l.try(plan); l.broken >= mostBroken {
			return
		}
	}
	l.Logf("%d of %d pairs, in %d of which the second fault did not come; all in %s",
		len(second), all, l.missed, time.Since(began).Round(time.Millisecond))
}

// faultsOf returns every fault of operations.
func faultsOf(done []operation) (all []Fault) {
	for _, one := range done {
		for _, how := range one.hows {
			all = append(all, Fault{one.name, one.n, how})
		}
	}
	return all
}

// since returns the operations that came after that of a fault.
func since(done []operation, first Fault) []operation {
	i := slices.IndexFunc(done, func(one operation) bool { return one.name == first.Name && one.n == first.N })
	if i < 0 {
		return nil
	}
	return done[i+1:]
}

// try plays the purchase with the faults of a plan.
func (l *loop) try(plan Plan) *Faults {
	faults := &Faults{plan: plan, counts: make(map[string]int)}
	stuck := time.AfterFunc(patience, func() {
		panic(fmt.Sprintf("%s is stuck: -faults '%s'", l.Name(), plan))
	})
	defer stuck.Stop()
	defer func() {
		if p := recover(); p != nil {
			panic(fmt.Sprintf("%s, -faults '%s': %v", l.Name(), plan, p))
		}
	}()
	var violations []string
	synctest.Test(l.T, func(t *testing.T) {
		n := runs.Add(1)
		time.Sleep(firstYear + time.Duration(n)*2*longest)
		ledger := l.open(t, faults)
		s := newShop(t, n, l.way, faults, ledger)
		s.play()
		s.judge(ledger)
		violations = s.violations
	})
	l.runs++
	if len(faults.hits) < len(plan) {
		l.missed++
	}
	if len(violations) > 0 {
		l.broken++
		l.Errorf("-faults '%s':\n%s", plan, strings.Join(violations, "\n"))
	}
	return faults
}
