//go:build cluster && linux

package cluster

import (
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

var seed = flag.Uint64("seed", 0, "draws the storm; 0: another in each run")

// TestStorm kills Caddys at random moments under load, one of them or all, and the
// database, which a synchronous standby replaces or which is started again. Meanwhile
// faults of the app, of the gateway's API and of the network between the first Caddy and
// both databases begin and end, several at once.
func TestStorm(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for _, m := range shop.AllModes() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			pair := newPair(t, true)
			proxies := []*proxy{startProxy(t, pair.primary), startProxy(t, pair.standby)}
			s := newShop(t, m, pair, withReplica, func(o *shop.Options) {
				o.Store += "\napi_timeout 2s"
				o.Env = func(i int) []string {
					url := pair.URL()
					for _, p := range proxies {
						if i == 0 {
							url = strings.Replace(url, p.target, p.address, 1)
						}
					}
					return []string{"LEDGER=" + url}
				}
			})
			storm := s.NewStorm(*seed, s.BrokenApp(), s.BrokenAPI(), brokenNetwork(s, proxies))
			s.Start()
			end := s.Load()
			began, downs := time.Now(), 0
			for n := range *kills {
				storm.Step()
				s.Revive()          // those that had no database when they started
				victims := s.Caddys // a power cut, also of those that are starting
				if storm.IntN(8) > 0 {
					i := storm.IntN(len(s.Caddys))
					victims = s.Caddys[i : i+1]
				}
				s.Kill(victims...)
				for _, c := range victims {
					c.Begin() // and the next one is killed meanwhile
				}
				if downs*max(*kills, 1) < *dbKills*(n+1) {
					downs++
					ends(t, s, pair, storm.IntN(2) == 0)
				}
			}
			took := time.Since(began)
			storm.Calm()
			processtest.Until(t, "all Caddys have started", func() bool {
				s.Revive()
				return !slices.ContainsFunc(s.Caddys, func(c *shop.Caddy) bool { return !c.Responds() })
			})
			end()
			figures := s.Judge()
			t.Logf("%d kills of a Caddy and %d of the database, %d ms each, %s: %s",
				*kills, downs, took.Milliseconds()/int64(max(*kills+downs, 1)), storm, figures)
		})
	}
}

// ends kills the database's primary, and has the standby take its place or the primary
// started again.
func ends(t *testing.T, s *shop.Shop, pair *pair, isReplaced bool) {
	t.Helper()
	from, what := time.Now(), "the database dies"
	pair.primary.Crash(t)
	if isReplaced {
		what = "the standby takes over"
		pair.takeOver(t)
		pair.standby.Follow(t, pair.primary) // until then nothing is acknowledged
	} else {
		if err := pair.primary.Run(); err != nil {
			t.Fatal(err)
		}
		pair.primary.Streams(t)
	}
	s.Cut(0, from, time.Now().Add(afterwards))
	s.Note(what, from, time.Now())
}

// brokenNetwork is what can be wrong between the first Caddy and the databases.
func brokenNetwork(s *shop.Shop, proxies []*proxy) shop.Fault {
	each := func(act func(*proxy)) {
		for _, p := range proxies {
			act(p)
		}
	}
	var most int64 // bytes until the next cut
	ways := []struct {
		name       string
		begin, end func(*proxy)
	}{
		{"black hole", func(p *proxy) { p.silent.Store(true) }, func(p *proxy) { p.silent.Store(false) }},
		{"away", func(p *proxy) { p.refuses.Store(true); p.cutAll() }, func(p *proxy) { p.refuses.Store(false) }},
		{"reset", (*proxy).cutAll, (*proxy).cutAll},
		{"cut within what is sent", func(p *proxy) { p.budget.Store(1 + most) }, func(p *proxy) { p.budget.Store(0) }},
		{"slow", func(p *proxy) { p.delay.Store(int64(100 * time.Millisecond)) }, func(p *proxy) { p.delay.Store(0) }},
	}
	return shop.Fault{Name: "network", Begin: func(random *rand.Rand) (string, func()) {
		way, from, run := ways[random.IntN(len(ways))], time.Now(), s.Caddys[0].Run
		most = random.Int64N(5000)
		each(way.begin)
		return way.name, func() {
			each(way.end)
			over := time.Now().Add(afterwards)
			s.Cut(run, from, over)
			if now := s.Caddys[0].Run; now != run { // those in between were killed
				s.Cut(now, from, over)
			}
		}
	}}
}
