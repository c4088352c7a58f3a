package power

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

var (
	states = flag.Int("states", 100, "how many states of the disk after a power cut are judged, in each mode")
	flow   = flag.Int("flow", 20, "how many webhooks a Caddy has acknowledged when its record ends")
	seed   = flag.Uint64("seed", 0, "draws the states of a record; 0: another in each run")
)

func TestMain(m *testing.M) { os.Exit(shop.Main(m.Run)) }

// TestPowerCuts records a Caddy under load from the making of its ledger to its end, and
// cuts the power at every sync, or at some of them where few states are to be judged.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	for _, m := range shop.Modes {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			r := record(t, m)
			if broken, first := r.cut(t, r.operations, *states); broken > 0 {
				t.Errorf("%d states are broken; the first:\n%s", broken, first)
			}
		})
	}
}

// TestUnsynced is a Caddy that acknowledges what it has not synced: the record without
// its syncs. The judge must notice.
func TestUnsynced(t *testing.T) {
	t.Parallel()
	r := record(t, shop.Modes[1])
	made, syncs := 0, 0
	var without []operation
	for _, op := range r.operations {
		if made++; op.kind == sync && made > len(r.operations)/2 {
			if syncs++; syncs%10 != 0 {
				continue
			}
		}
		without = append(without, op)
	}
	if broken, _ := r.cut(t, without, 1000); broken == 0 {
		t.Error("nine of ten syncs were left out, and nothing is missing after a power cut")
	}
}

// recording is what a Caddy did to its ledger, and what others saw of it.
type recording struct {
	*judge
	folder     string
	operations []operation
}

// record lets buyers pay at a Caddy, and ends it.
func record(t *testing.T, m shop.Mode) recording {
	t.Helper()
	recorder, folder := newRecorder(t), t.TempDir()
	file := filepath.Join(folder, ledgerName)
	s := shop.New(t, shop.Options{Mode: m, Under: recorder.command(), Ledger: shop.Ledger{
		Store: "store bolt {\n path {$LEDGER}\n }",
		Env:   func(int) []string { return []string{"LEDGER=" + file} },
		Open: func() (ledger.Store, error) {
			return bolt.Open(file, bolt.Options{LockTimeout: 5 * time.Second})
		},
	}})
	s.Caddy.Start()
	end := s.Load()
	s.Flow(*flow)
	end()
	s.Settle()
	process := s.Caddy.Cmd.Process.Pid
	h := s.History()
	shop.Check(t, h)
	return recording{judge: newJudge(h), folder: folder, operations: recorder.read(t, process, folder)}
}

// cut cuts the power at every sync of the operations, and after the last, and judges about n
// states: where each sync's first parts alone are more, at some of the syncs. It returns how
// many are broken, and what is wrong in the first.
func (r recording) cut(t *testing.T, operations []operation, n int) (broken int, first string) {
	t.Helper()
	drawn := cmp.Or(*seed, rand.Uint64())
	random := rand.New(rand.NewPCG(drawn, 0)) //nolint:gosec // it can be drawn again
	syncs := 1
	for _, op := range operations {
		if op.kind == sync {
			syncs++
		}
	}
	var (
		workers = newWorkers(t, r.judge)
		d       = newDisk(r.folder)
		share   = min(float64(n)/float64(2*len(operations)), 1) // a first part of each, and a torn one
		each    = int(float64(n)/share)/syncs + 1
	)
	for i, op := range operations {
		if op.kind == sync && random.Float64() < share {
			workers.cut(d, op.ended, fmt.Sprintf("during the sync that is operation %d", i), each, random)
		}
		if err := d.do(op); err != nil {
			t.Fatalf("operation %d: %v", i, err)
		}
	}
	workers.cut(d, operations[len(operations)-1].ended, "at the end", each, random)
	broken, first = workers.end()
	t.Logf("seed %d: %d operations, %d syncs, %d webhooks, %d attempts: %d states, %d broken",
		drawn, len(operations), syncs-1, len(r.Sent), len(r.Attempts), workers.judged.Load(), broken)
	return broken, first
}

// workers judge states.
type workers struct {
	t      *testing.T
	all    gosync.WaitGroup
	tasks  chan task
	judged atomic.Int64

	mu     gosync.Mutex
	broken int
	first  string
}

type task struct {
	state
	at   time.Time
	when string
}

func newWorkers(t *testing.T, j *judge) *workers {
	w := &workers{t: t, tasks: make(chan task, runtime.GOMAXPROCS(0))}
	for range runtime.GOMAXPROCS(0) {
		folder := t.TempDir()
		w.all.Go(func() {
			for task := range w.tasks {
				w.judged.Add(1)
				complaints, err := j.check(task.state, task.at, folder)
				if err != nil {
					w.t.Error(err)
				}
				if len(complaints) > 0 {
					w.mu.Lock()
					if w.broken++; w.broken == 1 {
						w.first = fmt.Sprintf("%s, with the changes%s:\n%s", task.when, task.kept, strings.Join(complaints, "\n"))
					}
					w.mu.Unlock()
				}
			}
		})
	}
	return w
}

// cut has some states of the disk be judged: all in which the first changes are there,
// one with a torn change after each of these, and scattered ones.
func (w *workers) cut(d *disk, at time.Time, when string, n int, random *rand.Rand) {
	judge := func(f fates) { w.tasks <- task{state: d.after(f), at: at, when: when}; n-- }
	for i := range len(d.pending) + 1 {
		judge(prefix(i))
		if i < len(d.pending) && len(d.pending[i].data) > sector {
			judge(torn(i, random))
		}
	}
	for n > 0 && len(d.pending) > 1 {
		judge(scattered(random))
	}
}

func (w *workers) end() (broken int, first string) {
	close(w.tasks)
	w.all.Wait()
	return w.broken, w.first
}
