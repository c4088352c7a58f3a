package ledgertest

import (
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// generationsStay: an order at the gateway stays the order's that it was first written
// with. An update that would take it from there changes nothing.
func generationsStay(t *testing.T, s *store) {
	id := func(id string) ledger.OrderID { return ledger.OrderID{AppID: "app-123", ID: id} }
	save := func(order ledger.OrderID, state string, generations ...string) error {
		return s.UpdateOrder(bg, order, func(o *ledger.Order) {
			o.OrderID, o.State, o.Checkout = order, state, new(ledger.Checkout)
			for _, g := range generations {
				o.Checkout.Generations = append(o.Checkout.Generations, ledger.GatewayOrder{ID: g})
			}
		})
	}
	wantOf := func(generation, want string) {
		t.Helper()
		if order, err := s.OrderOf(bg, id(generation)); err != nil || order.ID != want {
			t.Errorf("%s belongs to %q, %v, want %q", generation, order.ID, err, want)
		}
	}
	for _, generations := range [][]string{{"one"}, {"one", "one-2"}, {"one-2", "one"}} {
		if err := save(id("one"), "unpaid", generations...); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, "taking an order's generation for a new order", save(id("one-2"), "paid", "one-2"), ledger.ErrTaken)
	_, err := s.LoadOrder(bg, id("one-2"))
	wantErr(t, "the new order", err, ledger.ErrNotFound)

	if err := save(id("two"), "unpaid", "two"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "taking it for an order that is there", save(id("two"), "paid", "two", "two-2", "one-2"), ledger.ErrTaken)
	wantErr(t, "taking the order itself", save(id("two"), "paid", "one", "two"), ledger.ErrTaken)
	order, err := s.LoadOrder(bg, id("two"))
	if err != nil || order.State != "unpaid" || len(order.Checkout.Generations) != 1 {
		t.Errorf("the order is %+v, %v", order, err)
	}
	wantOf("one", "one")
	wantOf("one-2", "one")
	wantOf("two", "two")
	_, err = s.OrderOf(bg, id("two-2"))
	wantErr(t, "a generation of the update that was refused", err, ledger.ErrNotFound)

	// Another account's order of the same id is another order.
	other := ledger.OrderID{AppID: "app-456", ID: "one-2"}
	if err := save(other, "unpaid", "one-2"); err != nil {
		t.Error(err)
	}
	wantOf("one-2", "one")
	if err := save(id("one"), "paid", "one", "one-2", "one-3"); err != nil {
		t.Error(err)
	}
	wantOf("one-3", "one")
}

// sharedOrders: an order that two accounts share is found by the ids that it has at each,
// which may be the same, and an event and a flag of either are its own.
func sharedOrders(t *testing.T, s *store) {
	id := ledger.SharedOrder("shop", "order-1")
	at := func(appID, id string) ledger.OrderID { return ledger.OrderID{AppID: appID, ID: id} }
	save := func(order ledger.OrderID, generations ...ledger.GatewayOrder) error {
		return s.UpdateOrder(bg, order, func(o *ledger.Order) {
			o.OrderID, o.OwnID = order, order.ID
			o.Checkout = &ledger.Checkout{Terms: ledger.Terms{Price: "10", Unit: "fiat:USD"}, Generations: generations}
		})
	}
	first, second := ledger.GatewayOrder{AppID: "app-123", ID: "order-1"}, ledger.GatewayOrder{AppID: "app-456", ID: "order-1", Ref: "ref"}
	for _, generations := range [][]ledger.GatewayOrder{{first}, {first, second}} {
		if err := save(id, generations...); err != nil {
			t.Fatal(err)
		}
	}
	for _, found := range []ledger.OrderID{at("app-123", "order-1"), at("app-456", "order-1"), at("app-456", ledger.RefID("ref")), id} {
		order, err := s.OrderOf(bg, found)
		if err != nil || order.OrderID != id || len(order.Checkout.Generations) != 2 || order.Checkout.Generations[1] != second || order.Checkout.Terms.Unit != "fiat:USD" {
			t.Errorf("the order of %v is %+v, %v", found, order, err)
		}
	}
	_, err := s.OrderOf(bg, at("app-123", ledger.RefID("ref")))
	wantErr(t, "the order of a ref at the other account", err, ledger.ErrNotFound)
	wantErr(t, "taking it for an order of one account", save(at("app-456", "order-1"), ledger.GatewayOrder{ID: "order-1"}), ledger.ErrTaken)
	if err := save(at("app-789", "order-1"), ledger.GatewayOrder{ID: "order-1"}); err != nil {
		t.Errorf("a third account's: %v", err)
	}

	e := event(record("1"), "Success")
	e.GatewayOrderID, e.OrderID = "order-1", "order-1"
	e.SetOrder(id)
	c := change(e, delivered...)
	c.Order = &ledger.Order{
		OrderID: e.InOrder(), OwnID: "order-1", State: "paid", ReadAt: start,
		Events:   []ledger.OrderEvent{{Route: e.Route, AppID: e.AppID, Type: e.Type, RecordID: e.ID, Status: e.Key.Status, Risk: e.Risk}},
		Payments: []ledger.OrderPayment{{AppID: e.AppID, RecordID: e.ID, Verdict: "counts", Amount: "10"}},
	}
	s.commit(t, s.claim(t, e.Record), c)
	if bound := s.bind(t, e.Key, e.InOrder().Fulfill()); !bound[0] {
		t.Error("the order's flag is not bound")
	}
	other := event(record("2"), "Success")
	if bound := s.bind(t, other.Key, id.Fulfill()); bound[0] {
		t.Error("the order's flag is bound twice")
	}
	order, err := s.LoadOrder(bg, id)
	if err != nil || order.State != "paid" || len(order.Events) != 1 || order.Events[0].Key(order.AppID) != e.Key || order.Payments[0] != c.Order.Payments[0] {
		t.Errorf("the order is %+v, %v", order, err)
	}
	if kept, err := s.Load(bg, e.Key); err != nil || kept.InOrder() != id {
		t.Errorf("its event is of %v, %v", kept.InOrder(), err)
	}
}
