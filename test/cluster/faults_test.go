//go:build cluster

package cluster

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/store/postgres"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

const (
	// poll is how soon a Caddy sees by itself what is due.
	poll = time.Second
	// slack is for a machine that has much else to do.
	slack = 15 * time.Second
)

// inbox returns what the app got.
func inbox(t *testing.T, s *shop.Shop) []history.Attempt {
	t.Helper()
	attempts, _, err := shop.ReadApp(s.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	return attempts
}

// events reads the ledger.
func events(t *testing.T, database *postgrestest.Server) map[ledger.Key]ledger.Event {
	t.Helper()
	store, err := postgres.Open(postgres.Options{URL: database.URL(), Schema: schema, NoListen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	page, err := store.List(t.Context(), ledger.Query{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[ledger.Key]ledger.Event)
	for _, e := range page.Events {
		all[e.Key] = e
	}
	return all
}

// TestStopped stops a Caddy for 20 s while the app has events of its. The others go on
// with them once its session has run out. When it wakes it writes nothing but a yes.
func TestStopped(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for _, m := range shop.Modes[:2] {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			database := postgrestest.Start(t)
			s := newShop(t, m, database)
			s.App.Kill()
			s.App.Start(shop.TakesVariable + "=1s")
			s.Start()
			stopped := s.Caddys[0]
			s.SendTo(stopped)
			pays(t, s, "order", 10)
			processtest.Until(t, "the app has events of the first Caddy's", func() bool {
				return slices.ContainsFunc(inbox(t, s), func(a history.Attempt) bool { return a.Caddy == stopped.Run && !a.Yes })
			})
			began := time.Now()
			resume := stopped.Pause(true)
			s.SendTo(s.Caddys[1:]...)
			pays(t, s, "other", 5)
			s.Settle()
			took := time.Since(began)
			again, last := 0, time.Duration(0)
			for _, a := range inbox(t, s) {
				if a.Caddy != stopped.Run {
					again++
					last = max(last, a.At.Sub(began))
				}
			}
			t.Logf("the others made %d attempts, the last %s after the stop; all was settled after %s", again, last, took)
			if most := ledger.SessionTTL + poll + slack; last > most {
				t.Errorf("the others went on after %s, want at most %s", last, most)
			}
			if rest := 20*time.Second - time.Since(began); rest > 0 {
				<-time.After(rest)
			}
			before := events(t, database)
			asleep := len(inbox(t, s))
			resume()
			s.SendTo(stopped)
			pays(t, s, "awake", 2) // it works again
			s.Settle()
			for key, e := range events(t, database) {
				old, is := before[key]
				if !is || len(e.Transitions) == len(old.Transitions) {
					continue
				}
				for _, step := range e.Transitions[min(len(old.Transitions), len(e.Transitions)):] {
					if step.State != ledger.Delivered {
						t.Errorf("after it woke %s of %s went from %s to %s", key.Status, key.ID, old.State, step.State)
					}
				}
			}
			for _, a := range inbox(t, s)[asleep:] {
				if _, is := before[keyOf(before, a)]; is {
					t.Errorf("after it woke the app got %+v", a)
				}
			}
			shop.Check(t, s.History())
		})
	}
}

// keyOf returns the key of an attempt's event.
func keyOf(all map[ledger.Key]ledger.Event, a history.Attempt) (found ledger.Key) {
	for key := range all {
		if key.EventID() == a.EventID {
			return key
		}
	}
	return found
}

// TestAcceptedAndDead: what a Caddy has accepted, and dies, others hand over: at once
// what it has not begun, and after its session what it has.
func TestAcceptedAndDead(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for spec, most := range map[string]time.Duration{
		"hold:due:1,kill:accepted:1": poll + slack,
		"kill:claimed:1":             ledger.SessionTTL + poll + slack,
		"kill:bound:1":               ledger.SessionTTL + poll + slack,
		"kill:answered:1":            ledger.SessionTTL + poll + slack,
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			database := postgrestest.Start(t)
			s := newShop(t, shop.Modes[1], database)
			s.Start()
			record := s.Processing("order-1", shop.Whole)
			dying := s.Caddys[0]
			dying.Stop()
			dying.Start(failpoint.Variable + "=" + spec)
			s.SendTo(dying)
			var resumes []func() // the others are not to be quicker
			for _, c := range s.Caddys[1:] {
				resumes = append(resumes, c.Pause(false))
			}
			s.Succeed(record)
			dying.Died()
			died := time.Now()
			before := len(s.Attempts("Success"))
			for _, resume := range resumes {
				resume()
			}
			s.SendTo(s.Caddys[1:]...)
			processtest.Until(t, "another hands it over", func() bool { return len(s.Attempts("Success")) > before })
			took := s.Attempts("Success")[before].At.Sub(died)
			t.Logf("another handed it over %s after the death", took)
			if took > most {
				t.Errorf("another handed it over after %s, want at most %s", took, most)
			}
			s.Settle()
			dying.Start()
			shop.Check(t, s.History())
		})
	}
}

// TestTerminatedInFlight ends a Caddy while the app has an event of it. It waits for the
// app; and then its records are free at once.
func TestTerminatedInFlight(t *testing.T) {
	t.Parallel()
	s := newShop(t, shop.Modes[3], postgrestest.Start(t))
	s.App.Kill()
	s.App.Start(shop.TakesVariable + "=3s")
	s.Start()
	ending := s.Caddys[0]
	s.SendTo(ending)
	if err := s.Order("order-1", true); err != nil {
		t.Fatal(err)
	}
	record, err := s.Pay(sandbox.Payment{OrderID: "order-1", Amount: shop.Whole.Amount, Status: "processing"})
	if err != nil {
		t.Fatal(err)
	}
	processtest.Until(t, "the app has the Processing", func() bool { return len(s.Attempts("Processing")) > 0 })
	by := s.Attempts("Processing")[0].Caddy
	for _, c := range s.Caddys { // whoever was the quickest
		if c.Run == by {
			ending = c
		}
	}
	s.SendTo(slices.DeleteFunc(slices.Clone(s.Caddys), func(c *shop.Caddy) bool { return c == ending })...)
	s.Succeed(record)
	began := time.Now()
	ending.Stop()
	ended := time.Now()
	processtest.Until(t, "another goes on with the record", func() bool { return len(s.Attempts("Success")) > 0 })
	first, next := s.Attempts("Processing"), s.Attempts("Success")[0]
	took := next.At.Sub(ended)
	t.Logf("it ended %s after SIGTERM, and another went on %s after that, %s after the app's answer", ended.Sub(began), took, next.At.Sub(first[0].Answered))
	if took > poll+slack || len(first) != 1 || next.Caddy == by {
		t.Errorf("another went on after %s; the app got %+v and %+v", took, first, next)
	}
	s.Settle()
	ending.Start()
	shop.Check(t, s.History())
}

// fewerSQL is true where fewer sessions than these have not ended.
const fewerSQL = `select count(*) < $1 from ` + schema + `.sessions where until > extract(epoch from clock_timestamp()) * 1000000000`

// TestTerminated ends the Caddys one after the other under load, as a roll-out does.
// Nothing is handed over twice, and with the session of one that has ended its leases
// have, so that others go on at once with what it leaves.
func TestTerminated(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for _, m := range shop.Modes[:2] {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			database := postgrestest.Start(t)
			s := newShop(t, m, database, func(o *shop.Options) { o.Pace = 50 * time.Millisecond })
			s.App.Kill()
			s.App.Start(shop.TakesVariable + "=100ms")
			s.Start()
			enough := watchSpeed(t, s, database)
			end := s.Load()
			ends := make(map[int]time.Time) // of runs
			for range 2 {
				for i, c := range s.Caddys {
					s.Flow(20)
					others := slices.Delete(slices.Clone(s.Caddys), i, i+1)
					s.SendTo(others...)
					c.End(t, syscall.SIGTERM)
					if database.Value(t, fewerSQL, caddys) != "true" {
						t.Error("its session has not ended with it")
					}
					ends[c.Run] = time.Now()
					s.Flow(20)
					c.Start()
					s.SendTo(s.Caddys...)
				}
			}
			end()
			s.Settle()
			enough()
			h := s.History()
			report := shop.Check(t, h)
			first := make(map[string]time.Time)
			for _, a := range h.Attempts {
				if _, is := first[a.EventID]; !is {
					first[a.EventID] = a.At
				}
			}
			left, longest := 0, time.Duration(0)
			for _, sent := range h.Sent {
				ended, is := ends[sent.Acknowledged]
				if at := first[sent.Key.EventID()]; is && at.After(ended) {
					left++
					longest = max(longest, at.Sub(ended))
				}
			}
			t.Logf("%d events, %d attempts of which %d made again; %d acknowledged events were left to others, who handed the last over %s after the end",
				len(h.Events), len(h.Attempts), report.Again, left, longest)
		})
	}
}
