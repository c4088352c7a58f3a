package crash

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// point is a line of the crash table: where Caddy dies, and what is seen of it.
type point struct {
	name string
	// spec is what the fail point does; empty: there is none.
	spec string
	// until is how Caddy comes to its end.
	until func(*testing.T, *shop.Shop)
	// stalls: the app takes the event and does not respond.
	stalls bool
	// unanswered: also in store-and-forward the sender has no 200 yet.
	unanswered bool
	// passing and storing are the attempts at the app before and after the
	// crash, in the two modes. Empty: the mode has no such line.
	passing, storing string
}

// dies waits until Caddy has ended itself, and killedAfter kills it when the
// sender has its 200.
func dies(_ *testing.T, s *shop.Shop) { s.Caddy.Died() }

func killedAfter(t *testing.T, s *shop.Shop) {
	processtest.Until(t, "the sender has its answer", func() bool { _, open := s.Outbox.Count(); return open == 0 })
	s.Caddy.Kill()
}

// killedInside kills Caddy while the app has the event.
func killedInside(t *testing.T, s *shop.Shop) {
	processtest.Until(t, "the app has the event", func() bool { return len(s.Attempts("Success")) > 0 })
	s.Caddy.Kill()
	s.App.Kill()
	s.App.Start()
}

var points = []point{
	{name: "bytes read", spec: "kill:read:1", until: dies, unanswered: true, passing: "|1 initial", storing: "|1 initial"},
	// The background is held, which else may hand it over before the process is dead.
	{name: "committed, before the 200", spec: "hold:due:1,kill:accepted:1", until: dies, unanswered: true, storing: "|1 initial"},
	{name: "200, before the claim", spec: "hold:due:1", until: killedAfter, storing: "|1 initial"},
	{name: "claimed", spec: "kill:claimed:1", until: dies, passing: "|1 initial", storing: "|1 initial"},
	{name: "confirmed, not bound", spec: "kill:confirmed:1", until: dies, passing: "|1 initial", storing: "|1 initial"},
	// From the commit that binds Fulfill the next run knows that the event may have been sent.
	{name: "bound, not sent", spec: "kill:bound:1", until: dies, passing: "|1 retry", storing: "|2 retry"},
	{name: "during the send", stalls: true, until: killedInside, passing: "1 initial|1 retry", storing: "1 initial|2 retry"},
	{name: "the app's yes, not committed", spec: "kill:answered:1", until: dies, passing: "1 initial|1 retry", storing: "1 initial|2 retry"},
	{name: "committed as delivered", spec: "kill:delivered:1", until: dies, passing: "1 initial|", storing: "1 initial|"},
	{name: "delivered and acknowledged", until: killedAfter, passing: "1 initial|"},
}

// TestCrashTable ends Caddy at each line of the crash table, while it handles
// the Success that pays an order.
func TestCrashTable(t *testing.T) {
	t.Parallel()
	for _, m := range shop.Modes[:2] {
		for _, p := range points {
			want := p.storing
			if m.PassesThrough {
				want = p.passing
			}
			if want == "" {
				continue
			}
			t.Run(m.Name+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				s := newShop(t, m)
				crashAt(t, s, p, processing(s, "order-1", shop.Whole))
				mustWait := p.unanswered || m.PassesThrough && (p.spec != "" || p.stalls)
				if _, open := s.Outbox.Count(); open == 0 && mustWait {
					t.Error("the sender has its 200 already")
				}
				before := s.Attempts("Success")
				s.Caddy.Start()
				s.Settle()
				if got := describe(before) + "|" + describe(s.Attempts("Success")[len(before):]); got != want {
					t.Errorf("the app got %s, want %s", got, want)
				}
				// A further payment must not fulfil the order once more.
				if _, err := s.Pay(sandbox.Payment{OrderID: "order-1", Amount: shop.Whole.Amount}); err != nil {
					t.Fatal(err)
				}
				s.Settle()
				shop.Check(t, s.History())
			})
		}
	}
}

// processing makes an order, and a payment of which the app knows that it is on
// its way. Then Caddy is stopped.
func processing(s *shop.Shop, order string, p sandbox.Payment) (record string) {
	s.Caddy.Start()
	record = s.Processing(order, p)
	s.Caddy.Stop()
	return record
}

// crashAt lets the payment succeed in a Caddy that comes to its end.
func crashAt(t *testing.T, s *shop.Shop, p point, record string) {
	t.Helper()
	if p.stalls {
		s.App.Kill()
		s.App.Start(shop.StallVariable + "=1")
	}
	s.Caddy.Start(failpoint.Variable + "=" + p.spec)
	s.Succeed(record)
	p.until(t, s)
}

// describe names attempts as the table does.
func describe(attempts []history.Attempt) string {
	var texts []string
	for _, a := range attempts {
		texts = append(texts, fmt.Sprintf("%d %s", a.Number, a.Reason))
	}
	return strings.Join(texts, ", ")
}
