package ledger_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// stored is the event of a success that went through the steps, as a store has it.
func stored(t *testing.T, steps ...ledger.Transition) *ledger.Event {
	t.Helper()
	e := event("Success")
	if err := e.Apply(steps); err != nil {
		t.Fatal(err)
	}
	e.Body = nil
	return &e
}

func has(body bool) func() (bool, error) { return func() (bool, error) { return body, nil } }

// unasked is for a change for which it does not matter whether there is a body.
func unasked(t *testing.T) func() (bool, error) {
	return func() (bool, error) { t.Error("the body is asked for"); return false, nil }
}

func TestWriteOfANewEvent(t *testing.T) {
	e := event("Success")
	w, err := ledger.Change{Event: e, Transitions: []ledger.Transition{{At: at, State: ledger.Received, Next: at}}}.Write(nil, unasked(t))
	if err != nil {
		t.Fatal(err)
	}
	if !w.IsNew || string(w.Body) != string(e.Body) || w.Before != ledger.None || w.Event.State != ledger.Received || w.Event.Key != e.Key {
		t.Errorf("it is written as %+v", w)
	}
	if w.DueBefore != nil || w.DueAfter == nil || !w.DueAfter.Equal(at) {
		t.Errorf("it was due at %v and is due at %v", w.DueBefore, w.DueAfter)
	}
	if got := w.Counts(); !slices.Equal(got, []ledger.CountChange{{State: ledger.Received, By: 1}}) {
		t.Errorf("the counts change by %v", got)
	}
}

func TestWriteOfAKnownEvent(t *testing.T) {
	known := stored(t, ledger.Transition{At: at, State: ledger.Received, Next: at})
	later := at.Add(time.Hour)
	confirmed := &ledger.Confirmation{Coin: "USDT"}
	change := ledger.Change{
		Event: ledger.Event{Key: known.Key, Account: "other", ReceivedAt: later}, Confirmation: confirmed,
		Transitions: []ledger.Transition{{At: at, State: ledger.Delivering, Attempt: 1}, {At: at, State: ledger.Retrying, Attempt: 1, Next: later}},
	}
	w, err := change.Write(known, unasked(t))
	if err != nil {
		t.Fatal(err)
	}
	if w.IsNew || w.Body != nil || w.Before != ledger.Received || w.Event.State != ledger.Retrying || w.Event.Confirmation != confirmed {
		t.Errorf("it is written as %+v", w)
	}
	if w.Event.Account != known.Account || !w.Event.ReceivedAt.Equal(known.ReceivedAt) {
		t.Errorf("of an event that is known more than its key counts: %+v", w.Event)
	}
	if w.DueBefore == nil || !w.DueBefore.Equal(at) || w.DueAfter == nil || !w.DueAfter.Equal(later) {
		t.Errorf("it was due at %v and is due at %v", w.DueBefore, w.DueAfter)
	}
	if got := w.Counts(); !slices.Equal(got, []ledger.CountChange{{State: ledger.Received, By: -1}, {State: ledger.Retrying, By: 1}}) {
		t.Errorf("the counts change by %v", got)
	}
	if known.State != ledger.Received || known.Confirmation != nil || !known.NextAttemptAt.Equal(at) {
		t.Errorf("the known event has changed to %+v", known)
	}

	again := ledger.Change{Event: ledger.Event{Key: known.Key}, Transitions: []ledger.Transition{{At: later, State: ledger.Retrying}}}
	if w, err = again.Write(&w.Event, unasked(t)); err != nil || w.DueAfter != nil || w.Event.Confirmation != confirmed {
		t.Errorf("it is written as %+v, %v", w, err)
	}
	if got := w.Counts(); len(got) != 0 {
		t.Errorf("in the same state the counts change by %v", got)
	}
}

func TestWriteRefused(t *testing.T) {
	known := stored(t, ledger.Transition{At: at, State: ledger.Received}, ledger.Transition{At: at, State: ledger.Discarded})
	change := ledger.Change{Event: event("Success"), Transitions: []ledger.Transition{{At: at, State: ledger.Retrying}}}
	if w, err := change.Write(known, unasked(t)); err == nil {
		t.Errorf("what is final is written as %+v", w)
	}
	if w, err := change.Write(nil, unasked(t)); err == nil {
		t.Errorf("what was never received is written as %+v", w)
	}
}

// TestWriteOfTheBody: a copy brings back the body that the store has no more, of
// an event that is not finished.
func TestWriteOfTheBody(t *testing.T) {
	received := ledger.Transition{At: at, State: ledger.Received}
	delivering := ledger.Transition{At: at, State: ledger.Delivering, Attempt: 1}
	replayed := ledger.Transition{At: at, State: ledger.Retrying, Next: at}
	delivered := ledger.Transition{At: at, State: ledger.Delivered, Attempt: 1}
	unreadable := errors.New("the database is away")
	for name, c := range map[string]struct {
		step    ledger.Transition
		body    string
		has     func() (bool, error)
		written bool
		err     error
	}{
		"Lost":       {replayed, "copy", has(false), true, nil},
		"Kept":       {replayed, "copy", has(true), false, nil},
		"NoCopy":     {replayed, "", unasked(t), false, nil},
		"Finished":   {delivered, "copy", unasked(t), false, nil},
		"Unreadable": {replayed, "copy", func() (bool, error) { return false, unreadable }, false, unreadable},
	} {
		t.Run(name, func(t *testing.T) {
			e := event("Success")
			if e.Body = nil; c.body != "" {
				e.Body = []byte(c.body)
			}
			w, err := ledger.Change{Event: e, Transitions: []ledger.Transition{c.step}}.Write(stored(t, received, delivering), c.has)
			if !errors.Is(err, c.err) || (w.Body != nil) != c.written || c.written && string(w.Body) != c.body {
				t.Errorf("the body is written as %q, %v", w.Body, err)
			}
		})
	}
}

func TestWriteOfAnOrder(t *testing.T) {
	id := ledger.OrderID{AppID: "app-123", ID: "order-1"}
	change := ledger.Change{
		Event: event("Success"), Transitions: []ledger.Transition{{At: at, State: ledger.Received}},
		Order: &ledger.Order{OrderID: id, State: "paid", ReadAt: at, Released: []string{"1"}},
	}
	w, err := change.Write(nil, unasked(t))
	if err != nil || w.Order != change.Order {
		t.Fatalf("it is written as %+v, %v", w, err)
	}
	if got := w.MergeOrder(ledger.Order{}, at); got.OrderID != id || got.State != "paid" {
		t.Errorf("a new order is %+v", got)
	}
	known := ledger.Order{OrderID: id, State: "overpaid", ReadAt: at.Add(time.Second), Released: []string{"2"}}
	if got := w.MergeOrder(known, at); got.State != "overpaid" || !slices.Equal(got.Released, []string{"2", "1"}) {
		t.Errorf("merged into what was read later it is %+v", got)
	}
	change.Order = nil
	if w, err := change.Write(nil, unasked(t)); err != nil || w.Order != nil {
		t.Errorf("it is written as %+v, %v", w, err)
	}
}

// TestWriteSharesTheOrder: an event that was stored before its account shared its orders
// belongs to the order that it then turns out to be of, and to no other later.
func TestWriteSharesTheOrder(t *testing.T) {
	first, second := ledger.SharedOrder("shop", "1"), ledger.SharedOrder("other", "1")
	for _, test := range []struct{ known, found, want ledger.OrderID }{
		{ledger.OrderID{}, first, first},
		{first, second, first},
		{first, ledger.OrderID{}, first},
	} {
		known := stored(t, ledger.Transition{At: at, State: ledger.Received, Next: at})
		known.GatewayOrderID, known.OrderID = "shop-1", "1"
		e := *known
		if test.known.ID != "" {
			known.SetOrder(test.known)
		}
		if test.found.ID != "" {
			e.SetOrder(test.found)
		}
		w, err := ledger.Change{Event: e, Transitions: []ledger.Transition{{At: at, State: ledger.Confirming}}}.Write(known, unasked(t))
		if err != nil || w.Event.InOrder() != test.want {
			t.Errorf("%+v: written as one of %v, %v", test, w.Event.InOrder(), err)
		}
	}
}

// TestWriteNamesTheOrder: which order an event belongs to may be found after it was
// stored, and is then kept.
func TestWriteNamesTheOrder(t *testing.T) {
	for _, test := range []struct{ name, known, knownOwn, found, want, wantOwn string }{
		{"by the record", "", "", "shop-1", "shop-1", "1"},
		{"by the ledger", "shop-1", "", "shop-1", "shop-1", "1"},
		{"known", "shop-1", "1", "shop-2", "shop-1", "1"},
		{"by a change of the key alone", "shop-1", "1", "", "shop-1", "1"},
		{"nobody knows", "", "", "", "", ""},
	} {
		known := stored(t, ledger.Transition{At: at, State: ledger.Received, Next: at})
		known.GatewayOrderID, known.OrderID = test.known, test.knownOwn
		change := ledger.Change{
			Event:       ledger.Event{Key: known.Key, GatewayOrderID: test.found, OrderID: strings.TrimPrefix(test.found, "shop-")},
			Transitions: []ledger.Transition{{At: at, State: ledger.Confirming}},
		}
		w, err := change.Write(known, unasked(t))
		if err != nil || w.Event.GatewayOrderID != test.want || w.Event.OrderID != test.wantOwn {
			t.Errorf("%s: written as %q of %q, %v", test.name, w.Event.GatewayOrderID, w.Event.OrderID, err)
		}
	}
}
