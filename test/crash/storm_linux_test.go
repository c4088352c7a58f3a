package crash

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/test/fault"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

var (
	stormKills = flag.Int("storm", 1, "how often Caddy is killed in the storm, in each mode")
	clock      = flag.Bool("clock", false, "sets Caddy's clock in the storm, too; the Caddy for that takes minutes to build")
	seed       = flag.Uint64("seed", 0, "draws the storm; 0: another in each run")
)

// TestStorm kills Caddy at random moments under load, while faults of its disk, of the app
// and of the gateway's API begin and end, several at once. The disk's faults end with the
// Caddy that is killed; the next one may find its ledger damaged.
func TestStorm(t *testing.T) {
	t.Parallel()
	var timed string
	if *clock {
		var err error
		if timed, err = fault.TimedCaddy(t.TempDir(), "nobadger,nomysql,nopgx"); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range shop.AllModes() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "ledger.db")
			s := newShopAt(t, file, m, "api_timeout 2s")
			faults := []shop.Fault{s.BrokenApp(), s.BrokenAPI(), s.BrokenDisk(file)}
			if timed != "" {
				s.Caddy.Becomes(timed)
				faults = append(faults, s.WrongClock(clockOf(file)))
			}
			storm := s.NewStorm(*seed, faults...)
			s.Caddy.Start()
			end := s.Load()
			began, damages := time.Now(), 0
			for range *stormKills {
				storm.Step()
				s.Caddy.Kill()
				storm.Killed()
				if storm.IntN(10) == 0 {
					from := time.Now()
					damages++
					damaged(t, s, file, storm.Rand)
					s.Note("damage", from, time.Now())
				}
				s.Caddy.Start()
			}
			took := time.Since(began)
			storm.Calm()
			end()
			figures := s.Judge()
			t.Logf("%d kills, %d ms each, %d times damaged, %s: %s", *stormKills, took.Milliseconds()/int64(max(*stormKills, 1)), damages, storm, figures)
		})
	}
}
