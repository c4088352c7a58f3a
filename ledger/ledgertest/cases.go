package ledgertest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// acceptGuesses: decide may be run on nil although the store has the event, and only
// its last run counts.
func acceptGuesses(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	e.OrderID = "first"
	s.acceptNew(t, e, start)
	for range 2 {
		var last *ledger.Event
		runs := 0
		err := s.Accept(bg, e.Key, func(known *ledger.Event) *ledger.Change {
			runs++
			if last = known; known != nil {
				return nil
			}
			guessed := e
			guessed.OrderID = "guessed"
			return &ledger.Change{Event: guessed, Transitions: []ledger.Transition{{At: start, State: ledger.Received}, {At: start, State: ledger.Held}}}
		})
		if err != nil || last == nil || last.State != ledger.Received || last.OrderID != "first" {
			t.Errorf("after %d runs decide was last run on %+v: %v", runs, last, err)
		}
	}
	s.wantState(t, e.Key, ledger.Received)

	// A guess that is refused, or that changes nothing, is one all the same.
	err := s.Accept(bg, e.Key, func(known *ledger.Event) *ledger.Change {
		c := ledger.Change{Event: e, Transitions: []ledger.Transition{{At: start, State: ledger.Superseded}}}
		return &c
	})
	if err != nil {
		t.Error(err)
	}
	s.wantState(t, e.Key, ledger.Superseded)
	unknown := event(record("2"), "Success")
	if err := s.Accept(bg, unknown.Key, func(*ledger.Event) *ledger.Change { return nil }); err != nil {
		t.Error(err)
	}
	if err := s.Accept(bg, unknown.Key, func(*ledger.Event) *ledger.Change {
		return &ledger.Change{Event: unknown, Transitions: []ledger.Transition{{At: start, State: ledger.Superseded}}}
	}); err == nil {
		t.Error("a change that the state machine does not know was accepted of a new event")
	}
	s.wantState(t, unknown.Key, ledger.None)
}

// updateOrder: an order is made, and changed as it is stored.
func updateOrder(t *testing.T, s *store) {
	id := ledger.OrderID{AppID: "app-123", ID: "shop-order-1"}
	for i := range 3 {
		err := s.UpdateOrder(bg, id, func(o *ledger.Order) {
			if len(o.Steps) != i {
				t.Errorf("update %d gets %+v", i, o)
			}
			o.OrderID, o.OwnID = id, "order-1"
			o.Steps = append(o.Steps, ledger.OrderStep{At: start, State: fmt.Sprint(i)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	order, err := s.LoadOrder(bg, id)
	if err != nil || order.OrderID != id || order.OwnID != "order-1" || len(order.Steps) != 3 || order.Steps[2].State != "2" {
		t.Errorf("the order is %+v, %v", order, err)
	}
	if page, err := s.Orders(bg, ledger.OrderQuery{AnyAccount: true, Limit: 10}); err != nil || len(page.Orders) != 1 || !reflect.DeepEqual(page.Orders[0], order) {
		t.Errorf("the list has %+v, %v", page, err)
	}
	// What an event says of it is merged into the same order.
	e := event(record("1"), "Success")
	c := change(e, delivered...)
	c.Order = &ledger.Order{OrderID: id, State: "paid", Paid: "10", ReadAt: start}
	s.commit(t, s.claim(t, e.Record), c)
	if order, err := s.LoadOrder(bg, id); err != nil || order.State != "paid" || len(order.Steps) != 4 {
		t.Errorf("the order is %+v, %v", order, err)
	}

	// No update is lost.
	const n = 20
	done := make(chan error)
	for range n {
		go func() {
			done <- s.UpdateOrder(bg, id, func(o *ledger.Order) { o.Released = append(o.Released, "x") })
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if order, err := s.LoadOrder(bg, id); err != nil || len(order.Released) != n {
		t.Errorf("%d of %d updates are left: %v", len(order.Released), n, err)
	}
}

// orderOf: an order is found by each of its ids at the gateway, and by the gateway's own
// ids of them.
func orderOf(t *testing.T, s *store) {
	id := ledger.OrderID{AppID: "app-123", ID: "shop-order-1"}
	want := func(of string, is bool) {
		t.Helper()
		order, err := s.OrderOf(bg, ledger.OrderID{AppID: id.AppID, ID: of})
		if is && (err != nil || order.OrderID != id) || !is && !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("the order of %s is %+v, %v", of, order.OrderID, err)
		}
	}
	want(id.ID, false)
	var made []ledger.GatewayOrder
	for i := range 3 {
		made = append(made, ledger.GatewayOrder{ID: fmt.Sprint(id.ID, "-", i), Ref: fmt.Sprint("ref-", i), CreatedAt: start})
		err := s.UpdateOrder(bg, id, func(o *ledger.Order) {
			o.OrderID, o.Checkout = id, &ledger.Checkout{Symbol: "USD", Generations: slices.Clone(made)}
		})
		if err != nil {
			t.Fatal(err)
		}
		want(id.ID, true)
		for j := range 4 {
			want(fmt.Sprint(id.ID, "-", j), j <= i)
			want(ledger.RefID(fmt.Sprint("ref-", j)), j <= i)
		}
	}
	_, err := s.OrderOf(bg, ledger.OrderID{AppID: "app-124", ID: made[0].ID})
	wantErr(t, "another merchant's", err, ledger.ErrNotFound)
	other := ledger.OrderID{AppID: id.AppID, ID: "shop-order-2"}
	err = s.UpdateOrder(bg, other, func(o *ledger.Order) {
		o.OrderID, o.Checkout = other, &ledger.Checkout{Generations: []ledger.GatewayOrder{{ID: other.ID, Ref: made[1].Ref}}}
	})
	wantErr(t, "an order with the ref of another's", err, ledger.ErrTaken)
	order, err := s.LoadOrder(bg, id)
	if err != nil || order.Checkout == nil || !reflect.DeepEqual(order.Checkout.Generations, made) {
		t.Errorf("the order is %+v, %v", order, err)
	}
}

// closed: after Close every method fails with ErrClosed.
func closed(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	claim := s.claim(t, e.Record)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	is := func(what string, err error) { t.Helper(); wantErr(t, what, err, ledger.ErrClosed) }
	_, err := s.Store.Load(bg, e.Key)
	is("Load", err)
	_, err = s.LoadOrder(bg, ledger.OrderID{ID: "1"})
	is("LoadOrder", err)
	_, err = s.OrderOf(bg, ledger.OrderID{ID: "1"})
	is("OrderOf", err)
	_, err = s.Orders(bg, ledger.OrderQuery{Limit: 1})
	is("Orders", err)
	_, err = s.Ending(bg, start, 1)
	is("Ending", err)
	_, err = s.Find(bg, e.EventID())
	is("Find", err)
	_, err = s.List(bg, ledger.Query{Limit: 1})
	is("List", err)
	_, err = s.Due(bg, "webhook", time.Time{}, 1)
	is("Due", err)
	_, err = s.Counts(bg)
	is("Counts", err)
	_, err = s.Holds(bg, e.Key, e.Flags())
	is("Holds", err)
	_, err = s.Bound(bg, e.Flags())
	is("Bound", err)
	_, err = s.HoldsMany(bg, []ledger.Holding{{Key: e.Key, Flag: e.Flags()[0]}})
	is("HoldsMany", err)
	_, err = s.Answers(bg, e.Key)
	is("Answers", err)
	is("Commit", s.Commit(bg, claim, []ledger.Change{change(e, delivered...)}))
	is("Accept", s.Accept(bg, e.Key, func(*ledger.Event) *ledger.Change {
		c := change(e, ledger.Received)
		return &c
	}))
	is("UpdateOrder", s.UpdateOrder(bg, ledger.OrderID{ID: "1"}, func(*ledger.Order) {}))
	_, err = s.Bind(bg, claim, bare(e.Key), e.Flags())
	is("Bind", err)
	_, err = s.Store.Prune(bg, start, 1)
	is("Prune", err)
	_, err = s.Claim(bg, record("2"), ttl)
	is("Claim", err)
	if err := s.Close(); err != nil {
		t.Errorf("closing it again: %v", err)
	}
}
