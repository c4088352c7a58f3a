package shop

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const (
	buyers = 4
	// copiers send once more what somebody else has sent.
	copiers = 4
)

// Load lets buyers pay and copiers copy until end is called.
func (s *Shop) Load() (end func()) {
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
		repeat(s.pace, func(n int) error {
			if _, open := s.Outbox.Count(); open > s.backlog {
				return nil
			}
			return s.buy(fmt.Sprintf("order-%d-%d", buyer, n))
		})
	}
	for range copiers {
		repeat(s.pace/2, func(int) error {
			if body := s.Outbox.Any(); body != nil {
				_ = s.Outbox.Copy(s.Hook, body) // Caddy may be down
			}
			return nil
		})
	}
	return func() {
		close(ending)
		all.Wait()
	}
}

// Flow waits until n more events were acknowledged. On a machine that is slow to
// start Caddy again CCPayment may have given up so many that buyers wait.
func (s *Shop) Flow(n int) {
	s.t.Helper()
	yes, _ := s.Outbox.Count()
	processtest.Until(s.t, "more events are acknowledged", s.resending(func() bool {
		now, _ := s.Outbox.Count()
		return now >= yes+n || s.t.Failed()
	}))
}

// Worked waits until the app got another delivery.
func (s *Shop) Worked() {
	s.t.Helper()
	size := func() int64 {
		info, err := os.Stat(s.Inbox)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	before := size()
	processtest.Until(s.t, "the app gets another delivery", func() bool { return size() > before || s.t.Failed() })
}

// purchases are the ways in which buyers pay.
var purchases = []struct {
	isPaid   bool
	payments []sandbox.Payment
}{
	{true, []sandbox.Payment{Whole}},
	{true, []sandbox.Payment{Whole, Whole}},
	{true, []sandbox.Payment{Half, Half}},
	{true, []sandbox.Payment{Half, Half, Half}},
	{true, []sandbox.Payment{{Amount: Whole.Amount, Status: "failed"}, Whole}},
	{true, []sandbox.Payment{{Amount: Whole.Amount, Risky: true}, Whole}},
	{false, []sandbox.Payment{Half}},
	{false, []sandbox.Payment{{Amount: Whole.Amount, Status: "failed"}, Half}},
}

// Whole is a payment of an order's price, and Half one of half of it.
var (
	Whole = sandbox.Payment{Amount: decimal.New(price, 0)}
	Half  = sandbox.Payment{Amount: decimal.New(price/2, 0)}
)

// buy makes an order and pays it in one of the ways that there are at the gateway.
func (s *Shop) buy(id string) error {
	purchase := purchases[rand.IntN(len(purchases))]
	for slices.ContainsFunc(purchase.payments, func(p sandbox.Payment) bool { return !s.gateway.pays(p) }) {
		purchase = purchases[rand.IntN(len(purchases))]
	}
	if err := s.Order(id, purchase.isPaid); err != nil {
		return err
	}
	for _, p := range purchase.payments {
		p.OrderID, p.Instant = id, rand.IntN(2) == 0
		if _, err := s.Pay(p); err != nil {
			return err
		}
	}
	return nil
}
