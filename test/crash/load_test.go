package crash

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// kills is how often Caddy is killed; more find more.
var kills = flag.Int("kills", 3, "how often Caddy is killed under load, in each mode")

// TestKillsUnderLoad kills Caddy at random moments, and now and then the app,
// while buyers pay and copies of their webhooks come from elsewhere.
func TestKillsUnderLoad(t *testing.T) {
	t.Parallel()
	for _, m := range shop.AllModes() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, m)
			s.Caddy.Start()
			end := s.Load()
			began := time.Now()
			for range *kills {
				s.Flow(1 + rand.IntN(30))
				<-time.After(rand.N(20 * time.Millisecond)) // anywhere
				if rand.IntN(4) == 0 {
					s.Note("kill of the app", time.Now(), time.Time{})
					s.App.Kill()
					if rand.IntN(2) == 0 {
						s.App.Start()
						s.Flow(1 + rand.IntN(10))
					}
				}
				s.Caddy.Kill()
				if s.App.Gone() {
					s.App.Start()
				}
				s.Caddy.Start()
			}
			took := time.Since(began)
			end()
			figures := s.Judge()
			t.Logf("%d kills, %d ms each: %s", *kills, took.Milliseconds()/int64(max(*kills, 1)), figures)
		})
	}
}
