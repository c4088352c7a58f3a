package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestGenerationsAreKept: two configurations that overlap in a reload may save
// the same order, and neither takes from it what the other made.
func TestGenerationsAreKept(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		id := ledger.OrderID{AppID: "app-123", ID: "order-1"}
		for _, generation := range []string{"order-1", "order-1-new", "order-1"} {
			order := ledger.Order{OrderID: id, OwnID: "order-1", Checkout: &ledger.Checkout{
				Generations: []ledger.GatewayOrder{{ID: generation}},
			}}
			if err := b.SaveCheckout(bg, order, "a checkout"); err != nil {
				t.Fatal(err)
			}
		}
		order, err := b.Order(bg, id)
		if err != nil || len(order.Checkout.Generations) != 2 || order.Checkout.Latest().ID != "order-1" {
			t.Errorf("the order is %+v, %v", order.Checkout, err)
		}
		if of, err := b.OrderOf(bg, ledger.OrderID{AppID: "app-123", ID: "order-1-new"}); err != nil || of.ID != "order-1" {
			t.Errorf("its generation belongs to %+v, %v", of, err)
		}
	})
}

// TestAnOrderStaysItsMakers: an event on another account does not take it over.
func TestAnOrderStaysItsMakers(t *testing.T) {
	made := ledger.Order{Account: "shop", OwnID: "1", Checkout: &ledger.Checkout{}}
	made.Merge(ledger.Order{Account: "other", OwnID: "shop-1", State: "paid"}, time.Now())
	if made.Account != "shop" || made.OwnID != "1" || made.State != "paid" {
		t.Errorf("the order is %+v", made)
	}
}

// TestLostGeneration: an order at the gateway that the ledger had lost is added to its
// order once, beside what is to be paid, and never to a second one.
func TestLostGeneration(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		id := func(id string) ledger.OrderID { return ledger.OrderID{AppID: "app-123", ID: id} }
		for _, order := range []string{"one", "two"} {
			if err := b.SaveCheckout(bg, ledger.Order{OrderID: id(order), OwnID: order, Checkout: &ledger.Checkout{
				Terms: ledger.Terms{Price: "10"}, Generations: []ledger.GatewayOrder{{ID: order}},
			}}, "a checkout"); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := b.AddGeneration(bg, id("one"), ledger.GatewayOrder{ID: "one-2"}, "found"); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.AddGeneration(bg, id("two"), ledger.GatewayOrder{ID: "one-2"}, "found"); !errors.Is(err, ledger.ErrTaken) {
			t.Errorf("added to a second order: %v", err)
		}
		order, err := b.OrderOf(bg, id("one-2"))
		if err != nil || order.ID != "one" || len(order.GatewayIDs()) != 2 || order.Checkout.Latest().ID != "one" || order.Checkout.Terms.Price != "10" || len(order.Steps) != 2 {
			t.Errorf("the order is %+v, %+v, %v", order, order.Checkout, err)
		}
	})
}

// TestReleaseOfALostOrder: releasing an event makes no order of it while nobody knows which
// one it is.
func TestReleaseOfALostOrder(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		for own, want := range map[string]error{"": ledger.ErrNotFound, "1": nil} {
			e := event("Success")
			e.Key.Record.ID, e.OrderID, e.GatewayOrderID = "record-"+own, own, "shop-"+own
			b.hold(e, "late: lost")
			if err := b.Release(bg, e.Key, "a test", false); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Order(bg, ledger.OrderID{AppID: e.AppID, ID: e.GatewayOrderID}); !errors.Is(err, want) {
				t.Errorf("order %q: %v, want %v", own, err, want)
			}
		}
	})
}
