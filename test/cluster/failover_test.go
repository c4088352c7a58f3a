//go:build cluster && linux

package cluster

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

var failovers = flag.Int("failovers", 3, "how often a standby takes the database's place, in each way of handing over")

// pair is a primary with a standby, which takes its place.
type pair struct {
	primary, standby *postgrestest.Server
	url              string
}

func newPair(t *testing.T, isSynchronous bool) *pair {
	t.Helper()
	p := &pair{primary: postgrestest.Start(t)}
	p.standby = p.primary.Standby(t, isSynchronous)
	p.url = fmt.Sprintf("postgres://test@127.0.0.1:%s,127.0.0.1:%s/postgres?sslmode=disable&target_session_attrs=read-write&connect_timeout=2",
		p.primary.Port, p.standby.Port)
	return p
}

// URL names both, whichever is the primary.
func (p *pair) URL() string { return p.url }

// Value asks the primary.
func (p *pair) Value(t testing.TB, sql string, args ...any) string {
	t.Helper()
	return p.primary.Value(t, sql, args...)
}

// takeOver makes the standby the primary.
func (p *pair) takeOver(t *testing.T) {
	t.Helper()
	p.standby.Promote(t)
	p.primary, p.standby = p.standby, p.primary
}

// warning is what Caddy says of a ledger that a failover can take back.
const warning = "a failover can lose what was acknowledged"

func withReplica(o *shop.Options) {
	o.Store = strings.Replace(o.Store, "url", "replicas 1\n url", 1)
}

// TestFailover kills the primary under load and has its synchronous standby take its
// place, again and again. Nothing that was acknowledged is lost.
func TestFailover(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for _, m := range shop.Modes[:2] {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			pair := newPair(t, true)
			s := newShop(t, m, pair, withReplica)
			s.Start()
			end := s.Load()
			var away time.Duration // until something was acknowledged again
			for range *failovers {
				s.Flow(1 + rand.IntN(50))
				<-time.After(rand.N(20 * time.Millisecond)) // anywhere
				from := time.Now()
				pair.primary.Crash(t)
				<-time.After(rand.N(time.Second))
				pair.takeOver(t)
				pair.standby.Follow(t, pair.primary) // until then nothing is acknowledged
				s.Flow(1)
				away += time.Since(from)
				s.Cut(0, from, time.Now().Add(afterwards))
			}
			end()
			s.Settle()
			h := s.History()
			report := shop.Check(t, h)
			t.Logf("%d failovers, in each of which nothing was acknowledged for %s: %d orders of which %d paid, %d deliveries of %d events, "+
				"%d attempts of which %d made again, %d in the untraced way", *failovers, away/time.Duration(max(*failovers, 1)),
				len(h.Orders), len(h.Paid), len(h.Sent), len(h.Events), len(h.Attempts), report.Again, report.Untraced)
			for _, c := range s.Caddys {
				if strings.Contains(c.Output.String(), warning) {
					t.Errorf("run %d warns that %s", c.Run, warning)
				}
			}
		})
	}
}

// TestStandbyIsLost: while the standby does not take commits nothing is acknowledged,
// also where their wait was cut short or ended with the primary, so that Caddys see
// what the standby does not have. Then that takes over, without it.
func TestStandbyIsLost(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for name, cut := range map[string]func(t *testing.T, p *pair){
		"wait is cut short": func(t *testing.T, p *pair) {
			p.Value(t, `select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'`)
		},
		"primary restarts": func(t *testing.T, p *pair) {
			p.primary.Crash(t)
			if err := p.primary.Run(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for _, m := range shop.Modes[:2] {
			t.Run(name+"/"+m.Name, func(t *testing.T) {
				t.Parallel()
				pair := newPair(t, true)
				s := newShop(t, m, pair, withReplica)
				s.Start()
				end := s.Load()
				s.Flow(100)
				from := time.Now()
				pair.standby.Kill()
				for range 10 { // about as long as a session lives that cannot be renewed
					processtest.Until(t, "commits wait for the standby", func() bool {
						return pair.Value(t, `select count(*) > 1 from pg_stat_activity where wait_event = 'SyncRep'`) == "true"
					})
					cut(t, pair)
					<-time.After(time.Second) // in which copies come to all Caddys
				}
				pair.primary.Crash(t)
				lost := time.Now()
				if err := pair.standby.Run(); err != nil {
					t.Fatal(err)
				}
				pair.takeOver(t)
				pair.standby.Follow(t, pair.primary)
				s.Flow(20)
				s.Cut(0, from, time.Now().Add(afterwards))
				end()
				s.Settle()
				h := s.History()
				shop.Check(t, h)
				t.Logf("without a standby for %s; %d deliveries of %d events, %d attempts", lost.Sub(from), len(h.Sent), len(h.Events), len(h.Attempts))
			})
		}
	}
}

// TestStandbyHangs: while the standby hangs nothing is acknowledged, and when it goes on
// all does.
func TestStandbyHangs(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for _, m := range shop.Modes[:2] {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			pair := newPair(t, true)
			s := newShop(t, m, pair, withReplica)
			s.Start()
			end := s.Load()
			s.Flow(100)
			resume := pair.standby.Pause(t)
			from := time.Now()
			<-time.After(3 * time.Second) // until what it had taken is acknowledged
			before, _ := s.Outbox.Count()
			var all sync.WaitGroup
			var mu sync.Mutex
			answers := make(map[string]int)
			for _, body := range s.Outbox.Unacknowledged()[:10] {
				for _, c := range s.Caddys {
					all.Go(func() {
						status, _, err := s.Outbox.Send(c.Hook, body)
						mu.Lock()
						defer mu.Unlock()
						answers[fmt.Sprint(status, " ", err)]++
					})
				}
			}
			all.Wait()
			after, _ := s.Outbox.Count()
			if answers["503 <nil>"] != 30 || after != before {
				t.Errorf("while the standby hung %d events were acknowledged, and copies got %v", after-before, answers)
			}
			t.Logf("for %s copies got %v", time.Since(from), answers)
			resume()
			s.Flow(20)
			s.Cut(0, from, time.Now().Add(afterwards))
			end()
			s.Settle()
			h := s.History()
			shop.Check(t, h)
			t.Logf("%d deliveries of %d events, %d attempts", len(h.Sent), len(h.Events), len(h.Attempts))
		})
	}
}

// TestAsynchronousFailover: a standby for which nothing waits takes over, and lacks what
// was acknowledged since it fell behind. Caddy has warned of that. What it lacks is lost,
// and no more; of each payment the last webhook comes again where CCPayment is asked for
// it. Of the orders to which nothing happened meanwhile every promise is kept.
func TestAsynchronousFailover(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for _, m := range shop.Modes[:2] {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			pair := newPair(t, false)
			s := newShop(t, m, pair)
			began := time.Now()
			s.Start()
			processtest.Until(t, "each Caddy has warned", func() bool {
				return !slices.ContainsFunc(s.Caddys, func(c *shop.Caddy) bool { return strings.Count(c.Output.String(), warning) != 1 })
			})
			end := s.Load()
			s.Flow(100)
			behind := time.Now().Add(-lag)
			pair.standby.Kill()
			s.Flow(50)
			pair.primary.Crash(t)
			if err := pair.standby.Run(); err != nil {
				t.Fatal(err)
			}
			had := ids(t, pair.standby)
			pair.takeOver(t)
			took := time.Now()
			s.Flow(50)
			end()
			s.Acknowledged()
			has, lost := ids(t, pair.primary), make(map[string]history.Sent)
			for _, sent := range s.Outbox.Log() {
				id := sent.Key.EventID()
				if sent.Acknowledged == 0 || has[id] {
					continue
				}
				lost[id] = sent
				if had[id] || sent.At.Before(behind) || sent.At.After(took) {
					t.Errorf("%s of %s is lost, which was acknowledged at %s; the standby had it: %t", sent.Key.Status, sent.Key.ID,
						sent.At.Format(time.StampMilli), had[id])
				}
			}
			if len(lost) == 0 {
				t.Error("nothing was lost, so that nothing was tried")
			}
			if _, err := s.API.ResendWebhooks(t.Context(), client.ResendRequest{From: began, All: true}); err != nil {
				t.Fatal(err)
			}
			processtest.Until(t, "the last webhook of each payment of which something was lost has come again", func() bool {
				has := ids(t, pair.primary)
				for _, sent := range lost {
					if !has[s.Outbox.Last(sent.Key.Record).EventID()] {
						return false
					}
				}
				return true
			})
			s.Cut(0, behind, time.Now().Add(afterwards))
			s.Settle()
			h := s.History()
			touched, rest := split(h, behind, took)
			shop.Check(t, rest)
			broken := make(map[history.Promise]int)
			for _, v := range history.Check(touched).Violations {
				if broken[v.Promise]++; v.Promise == history.Once || v.Promise == history.Settles {
					t.Errorf("not kept: %s: %s", v.Promise, v.Text)
				}
			}
			if n := broken[history.Kept]; n > len(lost) {
				t.Errorf("%d acknowledged events are not in the ledger, and %d were lost", n, len(lost))
			}
			t.Logf("%d events that were acknowledged were lost; %d deliveries of %d events, %d attempts; of %d of %d orders, which something happened to meanwhile, is not kept: %v",
				len(lost), len(h.Sent), len(h.Events), len(h.Attempts), len(touched.Orders), len(h.Orders), broken)
		})
	}
}

// lag is more than a standby that streams is behind.
const lag = 5 * time.Second

// ids returns the ids of the events that a server has.
func ids(t *testing.T, server *postgrestest.Server) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for id := range strings.FieldsSeq(server.Value(t, `select string_agg(event_id::text, ' ') from ccpayment.events`)) {
		all[id] = true
	}
	return all
}

// split separates what became of the orders to which something happened in this time
// from the rest.
func split(h history.History, from, to time.Time) (touched, rest history.History) {
	within := func(at time.Time) bool { return !at.Before(from) && !at.After(to) }
	is, orderOf := make(map[string]bool), make(map[string]string)
	for _, sent := range h.Sent {
		orderOf[sent.Key.EventID()] = sent.Order
		is[sent.Order] = is[sent.Order] || within(sent.At)
	}
	for _, a := range h.Attempts {
		is[a.Order] = is[a.Order] || within(a.At) || within(a.Answered)
	}
	touched, rest = h, h
	touched.Sent, rest.Sent = parted(h.Sent, func(s history.Sent) bool { return is[s.Order] })
	touched.Attempts, rest.Attempts = parted(h.Attempts, func(a history.Attempt) bool { return is[a.Order] })
	touched.Events, rest.Events = parted(h.Events, func(e ledger.Event) bool { return is[orderOf[e.EventID()]] })
	touched.Applied, rest.Applied = parted(h.Applied, func(id string) bool { return is[orderOf[id]] })
	touched.Orders, rest.Orders = parted(h.Orders, func(o ledger.Order) bool { return is[o.OwnID] })
	touched.Paid, rest.Paid = parted(h.Paid, func(id string) bool { return is[id] })
	return touched, rest
}

// parted separates those of which it is true from the others.
func parted[T any](all []T, is func(T) bool) (those, others []T) {
	for _, one := range all {
		if is(one) {
			those = append(those, one)
		} else {
			others = append(others, one)
		}
	}
	return those, others
}
