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
