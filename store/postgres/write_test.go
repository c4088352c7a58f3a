package postgres

import (
	"errors"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestGatheredSteps: of steps that come at the same time, one that cannot be committed
// keeps no other from it.
func TestGatheredSteps(t *testing.T) {
	server := postgrestest.Shared(t)
	s := member(t, Options{URL: server.URL(), Schema: server.Schema(t)})
	gathered := func(c change) *step[change, outcome] {
		return &step[change, outcome]{in: c, done: make(chan answer[outcome], 1)}
	}
	ordered := func(id string, generations ...digest) *step[change, outcome] {
		at := ledger.OrderID{AppID: "a", ID: id}
		w, err := encodeOrder(orderID(at), &order{order: ledger.Order{OrderID: at}})
		if err != nil {
			t.Fatal(err)
		}
		w.generations = generations
		return gathered(change{method: "UpdateOrder", orders: []orderWrite{w}})
	}
	accepted := func(id string) *step[change, outcome] {
		c := one(id)
		if err := s.knowKinds([]ledger.Change{c}); err != nil {
			t.Fatal(err)
		}
		w, err := s.prepare(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		return gathered(change{method: "Accept", events: []eventWrite{w}})
	}
	run := func(steps ...*step[change, outcome]) (answers []answer[outcome]) {
		s.runSteps(steps)
		for _, step := range steps {
			answers = append(answers, <-step.done)
		}
		return answers
	}

	same := digestOf("an order at the gateway")
	got := run(ordered("1", same), ordered("2", same), accepted("1"))
	if got[0].err != nil || !got[0].out.written || got[2].err != nil || !got[2].out.written {
		t.Errorf("the first and the event: %+v", got)
	}
	if got[1].err != nil || !got[1].out.owned || got[1].out.written {
		t.Errorf("the second with the same order at the gateway is to be tried again: %+v", got[1])
	}
	got = run(ordered("2", same), accepted("2"))
	if got[0].err != nil || got[0].out.written || !got[1].out.written {
		t.Errorf("then: %+v", got)
	}

	bad := accepted("bad")
	bad.in.events[0].data = nil // which the table refuses
	got = run(accepted("3"), bad, accepted("4"))
	if !got[0].out.written || !got[2].out.written || code(got[1].err) != "23502" || errors.Is(got[1].err, ledger.ErrUnknown) {
		t.Errorf("with one that is refused: %+v", got)
	}
	if n, err := s.Counts(bg); err != nil || len(n) != 1 || n[0].N != 4 {
		t.Errorf("counted %v, %v", n, err)
	}
}
