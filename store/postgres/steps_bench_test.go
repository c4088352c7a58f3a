package postgres

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// wire counts what a store sends to its server.
type wire struct{ statements, trips atomic.Int64 }

// messages counts those of one connection: an Execute or a Query is a statement, and a
// Sync or a Query is what the client waits for.
type messages struct {
	of      *wire
	rest    []byte
	started bool
}

func (m *messages) Write(p []byte) (int, error) {
	m.rest = append(m.rest, p...)
	for {
		head := 1
		if !m.started {
			head = 0 // the first has no letter
		}
		if len(m.rest) < head+4 {
			return len(p), nil
		}
		size := head + int(binary.BigEndian.Uint32(m.rest[head:]))
		if len(m.rest) < size {
			return len(p), nil
		}
		if m.started {
			letter := string(m.rest[:1])
			if strings.Contains("EQ", letter) {
				m.of.statements.Add(1)
			}
			if strings.Contains("SQ", letter) {
				m.of.trips.Add(1)
			}
		}
		m.started = true
		m.rest = m.rest[size:]
	}
}

// stepper takes events through the steps of a ledger, one step at a time, and keeps what
// each came to.
type stepper struct {
	b    *testing.B
	s    ledger.Store
	wire *wire // nil: nobody counts
	sums map[string]*sum
}

type sum struct {
	took              []time.Duration
	statements, trips int64
}

// median is of what the step took: one that met a checkpoint says nothing of the others.
func (s *sum) median() time.Duration {
	slices.Sort(s.took)
	return s.took[len(s.took)/2]
}

func (p *stepper) step(name string, run func() error) {
	p.b.Helper()
	if p.sums[name] == nil {
		p.sums[name] = new(sum)
	}
	all := p.sums[name]
	var statements, trips int64
	if p.wire != nil {
		statements, trips = p.wire.statements.Load(), p.wire.trips.Load()
	}
	began := time.Now()
	if err := run(); err != nil {
		p.b.Fatalf("%s: %v", name, err)
	}
	all.took = append(all.took, time.Since(began))
	if p.wire != nil {
		all.statements += p.wire.statements.Load() - statements
		all.trips += p.wire.trips.Load() - trips
	}
}

func (p *stepper) accept(name string, c ledger.Change) {
	p.step(name, func() error { return p.s.Accept(bg, c.Event.Key, acceptOnce(c)) })
}

func (p *stepper) claim(c ledger.Change) (claim ledger.Claim) {
	p.step("claim", func() (err error) {
		claim, err = p.s.Claim(bg, c.Event.Record, time.Minute)
		return err
	})
	return claim
}

// delivered is the end of an event's first attempt.
func delivered(c ledger.Change) ledger.Change {
	at := time.Now()
	return ledger.Change{Event: ledger.Event{Key: c.Event.Key}, Transitions: []ledger.Transition{
		{At: at, State: ledger.Delivering, Attempt: 1, Seq: 1}, {At: at, State: ledger.Delivered, Attempt: 1},
	}}
}

// each takes two events through all steps.
func (p *stepper) each(n int) {
	c := received(fmt.Sprintf("20240312%024d", n))
	p.accept("accept", c)
	p.accept("copy", c)
	p.step("load", func() error {
		_, err := p.s.Load(bg, c.Event.Key)
		return err
	})
	claim := p.claim(c)
	p.step("bind", func() error {
		begun := ledger.Change{Event: ledger.Event{Key: c.Event.Key}, Transitions: delivered(c).Transitions[:1]}
		_, err := p.s.Bind(bg, claim, begun, []ledger.Flag{ledger.FulfillOf("app-123", fmt.Sprint("order-", n))})
		return err
	})
	p.step("commit", func() error {
		done := delivered(c)
		done.Transitions = done.Transitions[1:]
		return p.s.Commit(bg, claim, []ledger.Change{done})
	})
	c = received(fmt.Sprintf("20240313%024d", n))
	p.accept("accept", c)
	claim = p.claim(c)
	p.step("order", func() error {
		done := delivered(c)
		done.Order = &ledger.Order{
			OrderID: ledger.OrderID{AppID: "app-123", ID: c.Event.GatewayOrderID}, OwnID: c.Event.OrderID, State: "paid", Due: "10", Paid: "10",
			Currency: "USD", ReadAt: time.Now(), FulfilledBy: c.Event.EventID(),
		}
		return p.s.Commit(bg, claim, []ledger.Change{done})
	})
}

// rounds is how often each step is made at least: the first ones prepare statements.
const rounds = 300

// backlog is how many events wait where they are taken.
const backlog, takenAtOnce = 500, 100

// take takes a backlog, a hundred at a time, with all that attempts need.
func (p *stepper) take(n int) {
	for i := range backlog {
		c := received(fmt.Sprintf("20240314%012d%012d", n, i))
		c.Event.Route = fmt.Sprint("backlog-", n)
		if err := p.s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
			p.b.Fatal(err)
		}
	}
	route := fmt.Sprint("backlog-", n)
	for before := 0; before < backlog; before += takenAtOnce {
		p.step("take", func() error {
			cluster, ok := p.s.(ledger.Cluster)
			if !ok {
				return p.takeAlone(route, before)
			}
			all, err := cluster.Take(bg, route, time.Minute, takenAtOnce)
			if err == nil && len(all) != takenAtOnce {
				err = fmt.Errorf("%d were taken", len(all))
			}
			return err
		})
	}
}

// takeAlone is what stands for Take where processes do not share the store, when so many
// were taken before.
func (p *stepper) takeAlone(route string, before int) error {
	due, err := p.s.Due(bg, route, time.Time{}, before+takenAtOnce)
	if err != nil {
		return err
	}
	for _, d := range due[before:] {
		if _, err := p.s.Claim(bg, d.Key.Record, time.Minute); err != nil {
			return err
		}
		if _, err := p.s.Load(bg, d.Key); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkSteps is each step of a ledger by itself: how long it takes where nothing else
// goes on, and in how many statements and round trips.
func BenchmarkSteps(b *testing.B) {
	run := func(b *testing.B, p *stepper) {
		for n := range b.N * rounds {
			p.each(n)
		}
		p.take(b.N)
		b.ReportMetric(0, "ns/op") // it would be that of all together
		for name, all := range p.sums {
			b.ReportMetric(float64(all.median().Nanoseconds())/1000, "µs/"+name)
		}
	}
	b.Run("bolt", func(b *testing.B) {
		s, err := bolt.Open(b.TempDir()+"/ledger.db", bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		run(b, &stepper{b: b, s: s, sums: make(map[string]*sum)})
	})
	b.Run("postgres", func(b *testing.B) {
		server := postgrestest.Shared(b)
		run(b, &stepper{b: b, s: member(b, Options{URL: server.URL(), Schema: server.Schema(b)}), sums: make(map[string]*sum)})
		w, p := new(wire), newProxy(b, server)
		p.tell(func() io.Writer { return &messages{of: w} })
		s := member(b, Options{URL: p.url(), Schema: server.Schema(b), NoListen: true, MaxConns: leastConns})
		warm := &stepper{b: b, s: s, sums: make(map[string]*sum)}
		for n := range 20 { // each connection prepares each statement once
			warm.each(n)
		}
		warm.take(20)
		counted := &stepper{b: b, s: s, wire: w, sums: make(map[string]*sum)}
		for n := range 20 {
			counted.each(100 + n)
		}
		counted.take(200)
		for name, all := range counted.sums {
			b.ReportMetric(float64(all.statements)/float64(len(all.took)), "statements/"+name)
			b.ReportMetric(float64(all.trips)/float64(len(all.took)), "trips/"+name)
		}
	})
}
