package crash

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// kills is how often Caddy is killed; more find more.
var kills = flag.Int("kills", 10, "how often Caddy is killed under load, in each mode")

// TestKillsUnderLoad kills Caddy at random moments, and now and then the app,
// while buyers pay and copies of their webhooks come from elsewhere.
func TestKillsUnderLoad(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, m)
			s.caddy.start()
			end := s.load()
			began := time.Now()
			for n := range *kills {
				s.flow(1 + rand.IntN(30))
				<-time.After(rand.N(20 * time.Millisecond)) // anywhere
				if n%5 == 4 {
					s.app.kill()
					if n%10 == 4 {
						s.app.start()
						s.flow(1 + rand.IntN(10))
					}
				}
				s.caddy.kill()
				if s.app.Gone() {
					s.app.start()
				}
				s.caddy.start()
			}
			took := time.Since(began)
			end()
			s.settle()
			h := s.history()
			report := check(t, h)
			t.Logf("%d kills, %d ms each: %d orders of which %d paid, %d deliveries of %d events, %d attempts of which %d made again, %d in the untraced way",
				*kills, took.Milliseconds()/int64(max(*kills, 1)), len(h.Orders), len(h.Paid), len(h.Sent), len(h.Events),
				len(h.Attempts), report.Again, report.Untraced)
		})
	}
}

const (
	buyers = 4
	// copiers send once more what somebody else has sent.
	copiers = 4
	// backlog is how many events may wait for an acknowledgement before buyers wait.
	backlog = 40
)

// load lets buyers pay and copiers copy until end is called.
func (s *shop) load() (end func()) {
	var all sync.WaitGroup
	ending := make(chan struct{})
	repeat := func(pause time.Duration, act func(n int) error) {
		all.Go(func() {
			ticker := time.NewTicker(pause)
			defer ticker.Stop()
			for n := 0; ; n++ {
				select {
				case <-ending:
					return
				case <-ticker.C:
				}
				if err := act(n); err != nil {
					s.t.Error(err)
					return
				}
			}
		})
	}
	for buyer := range buyers {
		repeat(10*time.Millisecond, func(n int) error {
			if _, open := s.outbox.count(); open > backlog {
				return nil
			}
			return s.buy(fmt.Sprintf("order-%d-%d", buyer, n))
		})
	}
	for range copiers {
		repeat(5*time.Millisecond, func(int) error {
			if body := s.outbox.any(); body != nil {
				_ = s.outbox.copy(s.hook, body) // Caddy may be down
			}
			return nil
		})
	}
	return func() {
		close(ending)
		all.Wait()
	}
}

// flow waits until n more events were acknowledged. On a machine that is slow to
// start Caddy again CCPayment may have given up so many that buyers wait.
func (s *shop) flow(n int) {
	s.t.Helper()
	yes, _ := s.outbox.count()
	processtest.Until(s.t, "more events are acknowledged", s.resending(func() bool {
		now, _ := s.outbox.count()
		return now >= yes+n || s.t.Failed()
	}))
}

// purchases are the ways in which buyers pay.
var purchases = []struct {
	isPaid   bool
	payments []sandbox.Payment
}{
	{true, []sandbox.Payment{whole}},
	{true, []sandbox.Payment{whole, whole}},
	{true, []sandbox.Payment{half, half}},
	{true, []sandbox.Payment{half, half, half}},
	{true, []sandbox.Payment{{Amount: whole.Amount, Status: "failed"}, whole}},
	{true, []sandbox.Payment{{Amount: whole.Amount, Risky: true}, whole}},
	{false, []sandbox.Payment{half}},
	{false, []sandbox.Payment{{Amount: whole.Amount, Status: "failed"}, half}},
}

var (
	whole = sandbox.Payment{Amount: decimal.New(price, 0)}
	half  = sandbox.Payment{Amount: decimal.New(price/2, 0)}
)

// buy makes an order and pays it in one of the ways.
func (s *shop) buy(id string) error {
	purchase := purchases[rand.IntN(len(purchases))]
	if err := s.order(id, purchase.isPaid); err != nil {
		return err
	}
	for _, p := range purchase.payments {
		p.OrderID, p.Instant = id, rand.IntN(2) == 0
		if _, err := s.pay(p); err != nil {
			return err
		}
	}
	return nil
}
