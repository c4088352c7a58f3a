package ledger_test

import (
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
