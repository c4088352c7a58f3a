package operator_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// manyRoutes is an operator with a held event on each of so many routes that deliver.
func manyRoutes(t *testing.T, n int) *operator.Operator {
	t.Helper()
	var routes []operator.Route
	for i := range n {
		routes = append(routes, operator.Route{Name: fmt.Sprintf("r%d", i), Delivers: true})
	}
	o, _ := newOperator(t, nil, routes...)
	return o
}

func released() *operator.Many {
	return &operator.Many{
		By: "alice", Query: ledger.Query{State: ledger.Held}, Request: operator.Request{Step: operator.StepRelease, Reason: "fine"},
	}
}

// ended waits until the work has ended.
func ended(t *testing.T, m *operator.Many) operator.Progress {
	t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(time.Millisecond); ; {
		if p := m.Progress(); !p.Ended.IsZero() {
			return p
		}
		select {
		case <-deadline:
			t.Fatal("it does not end")
		case <-tick.C:
		}
	}
}

// TestManyIsStopped: while a work runs no other begins; it stops after the event that it
// is at, and what it left is done when it is asked for again.
func TestManyIsStopped(t *testing.T) {
	o := manyRoutes(t, 5)
	var works operator.Works
	at := make(chan struct{})
	uses := 0
	use := func(do func(*operator.Operator) error) error {
		if uses++; uses > 1 { // the first is the list
			at <- struct{}{}
		}
		return do(o)
	}
	first := released()
	if err := works.Begin(use, first); err != nil {
		t.Fatal(err)
	}
	<-at
	if err := works.Begin(use, released()); !errors.Is(err, operator.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	<-at
	first.Stop()
	if p := ended(t, first); !p.Stopped || p.Err != nil || p.Matched != 5 || p.Done == 0 || p.Done > 2 {
		t.Errorf("stopped: %+v", p)
	}
	again := released()
	if err := works.Begin(func(do func(*operator.Operator) error) error { return do(o) }, again); err != nil {
		t.Fatal(err)
	}
	done := first.Progress().Done
	if p := ended(t, again); p.Stopped || p.Err != nil || p.Matched != 5-done || p.Done != 5-done {
		t.Errorf("asked for again: %+v", p)
	}
	page, err := o.Ledger.List(t.Context(), ledger.Query{Limit: 9})
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Events[1:] { // the newest is first in the list, and last in the work
		if newer, older := page.Events[i], page.Events[i+1]; !newer.DueSince.After(*older.DueSince) {
			t.Errorf("%s was released at %s, before %s at %s", newer.Route, newer.DueSince, older.Route, older.DueSince)
		}
	}
	if works.Last() != again {
		t.Error("the last one is another")
	}
}

// TestManyLeavesOut: what cannot be done to an event is told, and keeps none of the others
// from theirs; what is another event by now is left alone; and where no configuration
// works any more, all ends.
func TestManyLeavesOut(t *testing.T) {
	o := manyRoutes(t, 3)
	var works operator.Works
	replay := released()
	replay.Request.Step = operator.StepReplay
	if err := works.Begin(func(do func(*operator.Operator) error) error { return do(o) }, replay); err != nil {
		t.Fatal(err)
	}
	if p := ended(t, replay); p.Left != 3 || p.Done != 0 || len(p.Warnings) != 3 || !strings.Contains(p.Warnings[0], "release it") {
		t.Errorf("held ones are not replayed: %+v", p)
	}

	gone := errors.New("no configuration works")
	uses, discard := 0, released()
	discard.Request.Step = operator.StepDiscard
	err := works.Begin(func(do func(*operator.Operator) error) error {
		switch uses++; uses {
		case 2: // another operator is faster
			page, err := o.Ledger.List(t.Context(), ledger.Query{Limit: 9})
			if err != nil {
				return err
			}
			for _, e := range page.Events {
				if _, err := o.Release(t.Context(), e.Key, "mine", false); err != nil {
					return err
				}
			}
		case 4:
			return gone
		}
		return do(o)
	}, discard)
	if err != nil {
		t.Fatal(err)
	}
	if p := ended(t, discard); p.Left != 2 || p.Done != 0 || !errors.Is(p.Err, gone) || !strings.Contains(p.Warnings[0], "it is retrying by now") {
		t.Errorf("after another's steps: %+v", p)
	}
}

// TestManyAfterOneCount: a work begins once after a count, also where another began meanwhile.
func TestManyAfterOneCount(t *testing.T) {
	o := manyRoutes(t, 1)
	var works operator.Works
	for _, step := range []struct {
		counted string
		want    error
	}{{"a", nil}, {"a", operator.ErrBegun}, {"b", nil}, {"a", operator.ErrBegun}} {
		m := released()
		m.Counted = step.counted
		if err := works.Begin(func(do func(*operator.Operator) error) error { return do(o) }, m); !errors.Is(err, step.want) {
			t.Errorf("after the count %s: %v, want %v", step.counted, err, step.want)
		} else if err == nil {
			ended(t, m)
		}
	}
}

// TestManyInTwoProcesses: what another process's work has dealt with since ours began is left,
// although it is in the same state again.
func TestManyInTwoProcesses(t *testing.T) {
	o := manyRoutes(t, 3)
	var works operator.Works
	uses, ours := 0, released()
	err := works.Begin(func(do func(*operator.Operator) error) error {
		if uses++; uses == 2 { // the first is the list
			page, err := o.Ledger.List(t.Context(), ledger.Query{Limit: 9})
			if err != nil {
				return err
			}
			for _, e := range page.Events {
				if _, err := o.Release(t.Context(), e.Key, "theirs", false); err != nil {
					return err
				}
				_, attempt, err := o.Ledger.Begin(t.Context(), e, ledger.Options{Lease: time.Minute})
				if err != nil {
					return err
				}
				if _, err := attempt.Finish(t.Context(), ledger.Ending{State: ledger.Held, Failure: errors.New(ledger.Late + ": it came late")}); err != nil {
					return err
				}
			}
		}
		return do(o)
	}, ours)
	if err != nil {
		t.Fatal(err)
	}
	if p := ended(t, ours); p.Done != 0 || p.Left != 3 || p.Err != nil {
		t.Errorf("%+v", p)
	}
}

// TestHour: minutes that are past are forgotten, and trouble until the gateway answers.
func TestHour(t *testing.T) {
	var h operator.Hour
	now := time.Date(2026, 1, 31, 12, 0, 30, 0, time.UTC)
	h.Attempt("a", now.Add(-time.Hour), true, time.Second)
	h.Attempt("a", now.Add(-time.Minute), true, 2*time.Second)
	h.Attempt("a", now, false, 0)
	h.Attempt("a", now, true, time.Second)
	minutes := h.Route("a", now)
	if m := minutes[59]; m.Delivered != 1 || m.Failed != 1 || m.Slowest != time.Second {
		t.Errorf("this minute is %+v", m)
	}
	if m := minutes[58]; m.Delivered != 1 || m.Slowest != 2*time.Second {
		t.Errorf("the one before is %+v", m)
	}
	if m := h.Route("a", now.Add(59*time.Minute))[0]; m.Delivered != 1 || m.Failed != 1 {
		t.Errorf("an hour later it is %+v", m)
	}
	if m := minutes[0]; m.Delivered != 0 {
		t.Errorf("an hour ago was %+v", m)
	}
	h.API("shop", &operator.Trouble{Text: "refused"})
	if trouble, _ := h.Accounts(); trouble["shop"].Text != "refused" {
		t.Errorf("the trouble is %+v", trouble)
	}
	h.API("shop", nil)
	if trouble, _ := h.Accounts(); len(trouble) > 0 {
		t.Errorf("the trouble lasts: %+v", trouble)
	}
}
