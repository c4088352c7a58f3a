package worlds

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
)

// TestWorlds: whatever happens to processes that share a ledger, each order that is paid is
// fulfilled once, each deposit credited once, and what no webhook told is found.
func TestWorlds(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the same seed is the same world
	for name, o := range map[string]options{"bounded": {}, "endless": {endless: true}, "alone": {alone: true}} {
		t.Run(name, func(t *testing.T) {
			if without := os.Getenv("WITHOUT"); without != "" {
				o.without = strings.Split(without, ",")
			}
			o.shows = os.Getenv("WORLD") != ""
			o.traces = o.shows
			first, n := simstore.Seeds(t, 8)
			broken, seen := 0, make(map[string]int)
			for seed := first; seed < first+n; seed++ {
				w := live(t, seed, o)
				for what, n := range w.seen {
					seen[what] += n
				}
				if len(w.broken) == 0 {
					continue
				}
				if broken++; broken <= 5 {
					w = shrink(t, w, seed)
					t.Errorf("WORLD=%d WITHOUT=%s: %s", seed, strings.Join(w.without, ","), strings.Join(w.broken, "\n"))
				}
			}
			t.Logf("%d of %d worlds broken; they have seen %v", broken, n, seen)
		})
	}
}

// TestWorldsInAFile: the same for a process whose store is a file. Its disk takes real time.
func TestWorldsInAFile(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	first, n := simstore.Seeds(t, 3)
	for seed := first; seed < first+n; seed++ {
		o := options{alone: true, file: filepath.Join(t.TempDir(), "ledger.db"), traces: os.Getenv("WORLD") != "", shows: os.Getenv("WORLD") != ""}
		if w := live(t, seed, o); len(w.broken) > 0 {
			t.Errorf("WORLD=%d: %s", seed, strings.Join(w.broken, "\n"))
		}
	}
}

// shrink leaves out parts of a broken world for as long as the same is broken.
func shrink(t *testing.T, w *world, seed int) *world {
	t.Helper()
	what := promise(w.broken[0])
	for _, part := range w.parts {
		if slices.Contains(w.without, part) {
			continue
		}
		o := w.options
		o.traces, o.shows = false, false
		o.without = append(slices.Clone(o.without), part)
		smaller := live(t, seed, o)
		if slices.ContainsFunc(smaller.broken, func(v string) bool { return promise(v) == what }) {
			w = smaller
		}
	}
	return w
}

// TestWorldsAreEqual: a seed decides all that happens. On a busy machine the scheduler may
// still take a goroutine off in the middle of an instant, so a world has many tries, of
// which an idle machine needs two.
func TestWorldsAreEqual(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for seed := 1; seed <= 4; seed++ {
		seen := make(map[uint64]bool)
		isEqual := false
		for try := 0; try < 40 && !isEqual; try++ {
			trace := live(t, seed, options{traces: true}).trace.Digest()
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
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, m := range []simstore.Mistake{simstore.NoFences, simstore.FlagsLate, simstore.WrongClock, deaf, unknownIsFailure} {
		t.Run(string(m), func(t *testing.T) {
			for seed := 1; seed <= 1000; seed++ {
				if w := live(t, seed, options{mistake: m}); len(w.broken) > 0 {
					t.Logf("found by seed %d: %s", seed, w.broken[0])
					return
				}
			}
			t.Error("no world finds it")
		})
	}
}
