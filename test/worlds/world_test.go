package worlds

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

const (
	quiet    = 20 * time.Second // until all have begun: nothing happens before
	heals    = 5 * time.Minute  // where faults end, none is from then on
	ends     = 22 * time.Minute // all is to be done by then
	orders   = 7
	deposits = 4
	faultsOf = 3 // of each process
)

// world is all that one seed decides. Its parts have names: those that it is without are left
// out, so that what a violation needs can be found.
type world struct {
	simstore.Seed
	options
	begun     time.Time
	isSet     bool // the store's clock is set
	database  *simstore.Database
	gateway   *bank
	app       *app
	processes []*process

	mu       sync.Mutex
	parts    []string
	runs     []*process    // whose each run is
	cuts     []history.Cut // what kept something from being stored
	drawn    map[string]int
	hooks    []*hook
	steps    map[string]bool // the ids of orders and records that an operator took a step on, or that did not reach the app
	accepted map[string]bool // the ids of records that an operator let go although they are risky
	broken   []string
	trace    simstore.Trace
	seen     map[string]int // how often what has happened
}

// options are what is not the seed's.
type options struct {
	// endless: there are faults until the end, and only what must never happen is judged.
	endless bool
	// alone: there is one process, and nobody shares its store.
	alone bool
	// file, if set, is where its store is; else that is in memory.
	file string
	// traces: the history is written, and shows: people see it.
	traces, shows bool
	mistake       simstore.Mistake
	without       []string
}

// has reports whether the world has a part.
func (w *world) has(part string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.parts, part) {
		w.parts = append(w.parts, part)
	}
	return !slices.Contains(w.without, part)
}

// nth counts how often something was asked for.
func (w *world) nth(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drawn[what]++
	return w.drawn[what]
}

func (w *world) since() time.Duration { return time.Since(w.begun) }

// at waits until a time of the world.
func (w *world) at(at time.Duration) { time.Sleep(max(at-w.since(), 0)) }

// hasFaults reports whether there are faults now.
func (w *world) hasFaults() bool {
	at := w.since()
	return at >= quiet && at < w.healsAt()
}

// healsAt is when the last fault ends.
func (w *world) healsAt() time.Duration {
	if w.endless {
		return ends
	}
	return heals
}

// log adds a line to the history, if that is wanted.
func (w *world) log(format string, args ...any) {
	if w.traces {
		w.trace.Log(w.since(), format, args...)
	}
}

func (w *world) violated(promise, format string, args ...any) {
	w.broken = append(w.broken, promise+": "+fmt.Sprintf(format, args...))
}

// violatedLater is violated while the world is still happening.
func (w *world) violatedLater(promise, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violated(promise, format, args...)
}

// cutOff notes that something kept a run from storing what it did now; 0: all that ran.
func (w *world) cutOff(run int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts = append(w.cuts, history.Cut{Caddy: run, From: time.Now(), To: time.Now()})
}

// saw counts something that has happened.
func (w *world) saw(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[what]++
}

// stepped notes that an operator took a step on an order or a record, or that a call of the app
// about it did not get there.
func (w *world) stepped(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps[id] = true
}

// accept notes that an operator lets a record go although it is risky.
func (w *world) accept(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accepted[id] = true
}

// live lets the world of a seed happen, and judges it.
func live(t *testing.T, seed int, o options) (w *world) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, uint64(seed))
		w = &world{
			Seed: simstore.Seed(seed), options: o, begun: time.Now(),
			drawn: make(map[string]int), steps: make(map[string]bool), accepted: make(map[string]bool), seen: make(map[string]int),
		}
		w.trace.Shows = o.shows
		w.database = simstore.New(time.Now)
		w.database.Mistake = o.mistake
		w.gateway, w.app = newBank(w), &app{world: w}
		for i := range w.processesToRun() {
			w.processes = append(w.processes, newProcess(w, i))
		}
		w.run()
		if w.file != "" {
			if err := w.readFile(); err != nil {
				t.Fatal(err)
			}
		}
		w.check()
	})
	return w
}

// run lets the world happen.
func (w *world) run() {
	for _, p := range w.processes {
		p.suffer()
		p.start()
	}
	for k := range 2 {
		if !w.alone && w.has(fmt.Sprint("crash", k)) {
			go func() {
				w.at(quiet + w.DrawTime(w.healsAt()-quiet, "crash", k))
				w.database.Crash()
				w.cutOff(0)
				w.log("the database crashes")
			}()
		}
	}
	if !w.alone && w.Draw(3, "sets its clock") == 0 && w.has("clock") {
		w.isSet = true
		go func() {
			w.at(quiet + w.DrawTime(w.healsAt()-quiet, "clock"))
			// Each look lists an hour again; what is set back keeps the next one waiting.
			by := w.DrawTime(42*time.Minute, "clock set") - 2*time.Minute
			w.database.SetClock(by)
			w.cutOff(0)
			w.saw("clock set")
			w.log("the database's clock is set by %s", by)
		}()
	}
	var done sync.WaitGroup
	for i := range orders {
		if w.has(fmt.Sprint("order", i)) {
			done.Go(func() { w.buy(i) })
		}
	}
	for i := range deposits {
		if w.has(fmt.Sprint("deposit", i)) {
			done.Go(func() { w.deposit(i) })
		}
	}
	w.at(ends)
	for _, p := range w.processes {
		p.leave()
	}
	done.Wait()
	time.Sleep(10 * time.Minute) // until nothing is in flight
}

func (w *world) processesToRun() int {
	if w.alone {
		return 1
	}
	return 3
}

// pick is one of the processes.
func (w *world) pick(about ...any) *process {
	return w.processes[w.Draw(uint64(len(w.processes)), about...)]
}

// nameOf is an event's name in histories.
func nameOf(k ledger.Key) string { return simstore.NameOf(k) }

// promise is the beginning of a violation, which says what was broken.
func promise(violation string) string {
	before, _, _ := strings.Cut(violation, ":")
	return before
}
