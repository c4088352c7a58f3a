//go:build cluster

package cluster

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// More kills find more.
var (
	kills   = flag.Int("kills", 6, "how often a Caddy is killed under load, in each mode")
	dbKills = flag.Int("dbkills", 1, "how often the database is killed meanwhile, in each mode")
)

// TestKillsUnderLoad kills Caddys at random moments, and now and then the database and
// the app, while buyers pay and their webhooks and copies of them come to all Caddys.
func TestKillsUnderLoad(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for _, m := range shop.AllModes() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			database := postgrestest.Start(t)
			s := newShop(t, m, database)
			s.Start()
			end := s.Load()
			began := time.Now()
			downs := 0
			for n := range *kills {
				s.Flow(1 + rand.IntN(30))
				s.Worked()                                  // after a crash of the database that takes a while
				<-time.After(rand.N(20 * time.Millisecond)) // anywhere
				if n%10 == 4 {
					s.App.Kill()
					s.App.Begin()
				}
				victims := []*shop.Caddy{s.AnyUp()}
				if rand.IntN(8) == 0 {
					victims = s.Caddys // a power cut, also of those that are starting
				}
				s.Kill(victims...)
				for _, c := range victims {
					c.Begin() // and the next one is killed meanwhile
				}
				if downs*max(*kills, 1) < *dbKills*(n+1) {
					downs++
					s.Flow(1 + rand.IntN(30))
					from := time.Now()
					database.Kill()
					if err := database.Run(); err != nil {
						t.Fatal(err)
					}
					s.Cut(0, from, time.Now().Add(afterwards))
				}
			}
			took := time.Since(began)
			s.AllUp()
			end()
			figures := s.Judge()
			t.Logf("%d kills of a Caddy and %d of the database, %d ms each: %s", *kills, downs, took.Milliseconds()/int64(max(*kills+downs, 1)), figures)
		})
	}
}

// afterwards is how long statements may still fail because of what is over: as long as
// a Caddy waits for one.
const afterwards = 10 * time.Second
