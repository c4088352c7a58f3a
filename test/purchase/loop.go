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
	lasts = flag.Duration("errors", 2*time.Second, "how long errors are tried in each way, 0: until all were tried")
	seed  = flag.Uint64("errors-seed", 0, "the order in which they are tried; 0: another each time")
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
// which it can, and with pairs of them. It tries every single error, however long that takes,
// where everySingle is set, which is for stores that are quick. The function ledgers is called
// for each [Way].
func Run(t *testing.T, everySingle bool, ledgers func(t testing.TB) Opener) {
	for _, way := range ways {
		t.Run(way.Name, func(t *testing.T) {
			t.Parallel()
			l := &loop{T: t, way: way, everySingle: everySingle, open: ledgers(t)}
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
	way         Way
	everySingle bool
	open        Opener
	began       time.Time
	random      *rand.Rand
	broken      int
	missed      int // runs in which a fault's operation never came
}

func (l *loop) all() {
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	l.began, l.random = time.Now(), rand.New(rand.NewPCG(from, 0))
	plain := l.try(nil)
	if l.Failed() {
		return
	}
	kinds := make(map[string]int)
	for _, done := range plain.done {
		kind, _, _ := strings.Cut(done.name, " ")
		kinds[kind]++
	}
	l.Logf("%d operations: %v; -errors-seed %d", len(plain.done), kinds, from)
	var singles, pairs []Plan
	for _, fault := range faultsOf(plain.done) {
		singles = append(singles, Plan{fault})
	}
	l.each("single errors", singles, l.everySingle, func(plan Plan, run *Faults) {
		for _, next := range faultsOf(since(run.done, plan[0])) {
			pairs = append(pairs, Plan{plan[0], next})
		}
	})
	l.each("pairs", pairs, false, func(Plan, *Faults) {})
}

// each tries plans, all of them or until the time is over.
func (l *loop) each(what string, plans []Plan, all bool, then func(Plan, *Faults)) {
	l.random.Shuffle(len(plans), func(i, j int) { plans[i], plans[j] = plans[j], plans[i] })
	tried := 0
	l.missed = 0
	for _, plan := range plans {
		if l.broken >= mostBroken || !all && *lasts > 0 && time.Since(l.began) > *lasts {
			break
		}
		then(plan, l.try(plan))
		tried++
	}
	l.Logf("tried %d of %d %s, in %d of which an error did not come; %s since the beginning",
		tried, len(plans), what, l.missed, time.Since(l.began).Round(time.Millisecond))
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
	if len(faults.hits) < len(plan) {
		l.missed++
	}
	if len(violations) > 0 {
		l.broken++
		l.Errorf("-faults '%s':\n%s", plan, strings.Join(violations, "\n"))
	}
	return faults
}
