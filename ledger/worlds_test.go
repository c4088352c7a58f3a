package ledger_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// A world is several processes over one store in virtual time, with faults: processes
// that are killed, stopped or cut off, a database that crashes, steps that fail, and steps
// that happen though nobody hears of it. A seed decides all of it, so that one which
// breaks an invariant is the bug report: WORLD=<seed> shows its history.
const (
	worldLease   = 70 * time.Second
	sharedLease  = time.Hour        // longer than the world: it has to end with its session, or be given back
	worldHeals   = 5 * time.Minute  // no faults from then on
	worldEnds    = 20 * time.Minute // all is to be delivered by then
	worldRecords = 16
)

var worldPlan = ledger.Plan{First: 5 * time.Second, Max: time.Minute, GiveUp: 72 * time.Hour}

// world is everything that one seed decides.
type world struct {
	simstore.Seed
	begun     time.Time
	lease     time.Duration
	database  *database
	waits     bool // the sender waits for the app; else events are delivered in the background
	direct    bool
	processes []*process

	mu     sync.Mutex
	drawn  map[string]int
	calls  []*appCall
	acked  map[ledger.Key]bool
	broken []string
	trace  simstore.Trace
}

// process is a Caddy of the world, through all its lives.
type process struct {
	*world
	name  string
	skew  time.Duration
	stops simstore.Spans
	cuts  simstore.Spans
	kills []time.Duration

	mu     sync.Mutex
	life   int
	isDead bool
	ledger *ledger.Ledger
	stop   context.CancelFunc
	heard  func(ledger.Hint)
}

// appCall is one call of the app.
type appCall struct {
	process    string
	key        ledger.Key
	number     int
	seq        uint64
	fulfil     bool
	start, end time.Duration
	yes        bool
	spared     bool          // it is not to count
	excused    bool          // its process was disturbed, or could not write the outcome
	frozen     bool          // its process was stopped or killed, so that it could not be cut off
	known      time.Duration // when the outcome was durable; 0: never
}

// nth counts how often something was asked for.
func (w *world) nth(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drawn[what]++
	return w.drawn[what]
}

func (w *world) since() time.Duration { return time.Since(w.begun) }

func (w *world) log(format string, args ...any) { w.trace.Log(w.since(), format, args...) }

func (w *world) violated(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

func (p *process) wasDisturbed(from, until time.Duration) bool {
	killed := func(at time.Duration) bool { return at >= from && at <= until }
	return p.stops.Touch(from, until) || p.cuts.Touch(from, until) || slices.ContainsFunc(p.kills, killed)
}

// wasFrozen reports whether the process could not end what it did when it had to.
func (p *process) wasFrozen(from, until time.Duration) bool {
	killed := func(at time.Duration) bool { return at >= from && at <= until }
	return p.stops.Touch(from, until) || slices.ContainsFunc(p.kills, killed)
}

// pause sleeps, and for longer where the process is stopped meanwhile.
func (p *process) pause(d time.Duration, about ...any) {
	for range 2 {
		if until, is := p.stops.Within(p.since()); is {
			time.Sleep(until - p.since() + p.DrawTime(time.Millisecond, "resumed", p.name, about))
		}
		time.Sleep(d)
		d = 0
	}
}

// run lets the world happen.
func (w *world) run() {
	isShared := len(w.processes) > 1
	for k := range 2 {
		if isShared {
			go func() {
				time.Sleep(w.DrawTime(worldHeals, "crash", k))
				w.database.Crash()
				w.log("the database crashes")
			}()
		}
	}
	for i, p := range w.processes {
		for k := range 3 {
			from := w.DrawTime(worldHeals, "fault", i, k)
			until := from + w.DrawTime(2*time.Minute, "for", i, k)
			switch w.Draw(3, "kind", i, k) {
			case 0:
				p.stops = append(p.stops, simstore.Span{From: from, Until: until})
			case 1:
				p.cuts = append(p.cuts, simstore.Span{From: from, Until: until})
			default:
				p.kills = append(p.kills, from)
				go func() {
					time.Sleep(from)
					p.kill()
					time.Sleep(w.DrawTime(20*time.Second, "down", i, k) + 1)
					p.start(isShared)
				}()
			}
		}
		p.start(isShared)
	}
	var sent sync.WaitGroup
	for r := range worldRecords {
		at := w.DrawTime(worldHeals, "record", r)
		for s, status := range []string{"processing", "success"} {
			key := ledger.Key{
				Record: ledger.Record{Route: "webhook", AppID: "app-123", Type: "ApiDeposit", ID: fmt.Sprintf("%x%d", r/2, r%2)},
				Status: status, Risk: ledger.NotRisky,
			}
			gap := w.DrawTime(20*time.Second, "gap", r, s)
			if w.Draw(3, "close", r) == 0 {
				gap = w.DrawTime(2*time.Millisecond, "gap", r, s)
			}
			for which := range 2 {
				sent.Go(func() {
					time.Sleep(at + gap + time.Duration(which)*w.DrawTime(3*time.Second, "copy", r, s))
					w.send(key, which)
				})
			}
			for which := range 2 {
				if w.Draw(4, "replay", r, s, which) > 0 {
					continue
				}
				sent.Go(func() {
					time.Sleep(at + gap + w.DrawTime(40*time.Second, "replay", r, s, which))
					w.replay(key, which)
				})
			}
		}
	}
	sent.Wait()
	time.Sleep(worldEnds - w.since())
	for _, p := range w.processes {
		p.kill()
	}
	time.Sleep(2 * worldLease) // until nothing is in flight
}

type worldOptions struct {
	processes int
	skewed    bool
	mistake   simstore.Mistake
}

func live(t *testing.T, seed int, o worldOptions) *world {
	var w *world
	synctest.Test(t, func(*testing.T) {
		w = &world{
			Seed: simstore.Seed(seed), begun: time.Now(), database: newDatabase(), waits: seed%4 < 2, direct: seed%2 == 1,
			lease: worldLease, drawn: make(map[string]int), acked: make(map[ledger.Key]bool),
		}
		w.trace.Shows = os.Getenv("WORLD") != ""
		w.database.Mistake = o.mistake
		if o.processes > 1 {
			w.lease = sharedLease
		}
		for i := range o.processes {
			p := &process{world: w, name: string(rune('A' + i))}
			if o.skewed {
				most := []time.Duration{2 * time.Second, 2 * time.Hour}[w.Draw(2, "much", i)]
				p.skew = w.DrawTime(2*most, "skew", i) - most
			}
			w.processes = append(w.processes, p)
		}
		w.run()
		w.check()
	})
	return w
}

// TestWorlds: whatever happens to processes that share a ledger, what they acknowledged
// arrives, once, in order and counted, and each order is fulfilled once.
func TestWorlds(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the same seed is the same world
	for name, o := range map[string]worldOptions{
		"one":    {processes: 1},
		"three":  {processes: 3},
		"skewed": {processes: 3, skewed: true},
	} {
		t.Run(name, func(t *testing.T) {
			first, n := simstore.Seeds(t, 8)
			calls, broken := 0, 0
			for seed := first; seed < first+n; seed++ {
				w := live(t, seed, o)
				if calls += len(w.calls); len(w.broken) == 0 {
					continue
				}
				if broken++; broken <= 5 {
					t.Errorf("WORLD=%d: %s", seed, strings.Join(w.broken, "\n"))
				}
			}
			t.Logf("%d of %d worlds broken; the app was called %d times", broken, n, calls)
		})
	}
}

// TestWorldsAreEqual: a seed decides all that happens. On a busy machine the scheduler may
// still take a goroutine off in the middle of an instant, so a world has many tries, of
// which an idle machine needs two.
func TestWorldsAreEqual(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for seed := 1; seed <= 6; seed++ {
		o := worldOptions{processes: 3, skewed: seed%2 == 0}
		seen := make(map[uint64]bool)
		isEqual := false
		for try := 0; try < 40 && !isEqual; try++ {
			trace := live(t, seed, o).trace.Digest()
			isEqual = seen[trace]
			seen[trace] = true
		}
		if !isEqual {
			t.Fatalf("the world of seed %d is another each time", seed)
		}
	}
}

// TestWorldsFindMistakes: a store that does not do what it promises breaks a world.
func TestWorldsFindMistakes(t *testing.T) {
	for _, m := range []simstore.Mistake{
		simstore.NoLeases, simstore.NoFences, simstore.Endless, simstore.FlagsTwice, simstore.Forgetful, simstore.Blind, simstore.Hasty,
	} {
		t.Run(string(m), func(t *testing.T) {
			for seed := 1; seed <= 1000; seed++ {
				if w := live(t, seed, worldOptions{processes: 3, mistake: m}); len(w.broken) > 0 {
					t.Logf("found by seed %d: %s", seed, w.broken[0])
					return
				}
			}
			t.Error("no world finds it")
		})
	}
}
