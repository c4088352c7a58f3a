package crash

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// point is a line of the crash table: where Caddy dies, and what is seen of it.
type point struct {
	name string
	// spec is what the fail point does; empty: there is none.
	spec string
	// until is how Caddy comes to its end.
	until func(*testing.T, *shop)
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
func dies(_ *testing.T, s *shop) { s.caddy.Wait(s.t) }

func killedAfter(t *testing.T, s *shop) {
	processtest.Until(t, "the sender has its answer", func() bool { _, open := s.outbox.count(); return open == 0 })
	s.caddy.kill()
}

// killedInside kills Caddy while the app has the event.
func killedInside(t *testing.T, s *shop) {
	processtest.Until(t, "the app has the event", func() bool { return len(s.successes(t)) > 0 })
	s.caddy.kill()
	s.app.kill()
	s.app.start()
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
	for _, m := range modes[:2] {
		for _, p := range points {
			want := p.storing
			if m.passesThrough {
				want = p.passing
			}
			if want == "" {
				continue
			}
			t.Run(m.name+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				s := newShop(t, m)
				s.crashAt(t, p, s.processing(t, "order-1", whole))
				mustWait := p.unanswered || m.passesThrough && (p.spec != "" || p.stalls)
				if _, open := s.outbox.count(); open == 0 && mustWait {
					t.Error("the sender has its 200 already")
				}
				before := s.successes(t)
				s.caddy.start()
				s.settle()
				if got := describe(before) + "|" + describe(s.successes(t)[len(before):]); got != want {
					t.Errorf("the app got %s, want %s", got, want)
				}
				// A further payment must not fulfil the order once more.
				if _, err := s.pay(sandbox.Payment{OrderID: "order-1", Amount: whole.Amount}); err != nil {
					t.Fatal(err)
				}
				s.settle()
				check(t, s.history())
			})
		}
	}
}

// processing makes an order, and a payment of which the app knows that it is on
// its way. Then Caddy is stopped.
func (s *shop) processing(t *testing.T, order string, p sandbox.Payment) (record string) {
	t.Helper()
	s.caddy.start()
	if err := s.order(order, true); err != nil {
		t.Fatal(err)
	}
	p.OrderID, p.Status = order, "processing"
	record, err := s.pay(p)
	if err != nil {
		t.Fatal(err)
	}
	key := s.await(record, p)
	processtest.Until(t, "the payment's Processing was sent", func() bool { return s.outbox.isSent(key) })
	s.settle()
	s.caddy.stop()
	return record
}

// crashAt lets the payment succeed in a Caddy that comes to its end.
func (s *shop) crashAt(t *testing.T, p point, record string) {
	t.Helper()
	if p.stalls {
		s.app.kill()
		s.app.start(stallVariable + "=1")
	}
	s.caddy.start(failpoint.Variable + "=" + p.spec)
	if err := s.box.Finish(record, "success"); err != nil {
		t.Fatal(err)
	}
	key := s.await(record, sandbox.Payment{})
	processtest.Until(t, "the payment's Success was sent", func() bool { return s.outbox.isSent(key) })
	p.until(t, s)
}

// successes returns the attempts of a Success that the app got.
func (s *shop) successes(t *testing.T) []history.Attempt {
	t.Helper()
	attempts, _, err := readApp(s.inbox)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(attempts, func(a history.Attempt) bool { return a.Status != "Success" })
}

// describe names attempts as the table does.
func describe(attempts []history.Attempt) string {
	var texts []string
	for _, a := range attempts {
		texts = append(texts, fmt.Sprintf("%d %s", a.Number, a.Reason))
	}
	return strings.Join(texts, ", ")
}
