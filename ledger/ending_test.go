package ledger_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestTwinFoundMeanwhile: where two calls turn out to have made two orders while one
// process looks up what has ended, the second is still ended at once.
func TestTwinFoundMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		a, b := join(t, d.Connect("a")), join(t, d.Connect("b"))
		time.Sleep(time.Second)
		draft := ledger.GatewayOrder{ID: "o-1", Terms: ledger.Terms{Price: "10"}, CreatedAt: a.Now()}
		made := func(ref string) ledger.GatewayOrder {
			g := draft
			g.Ref, g.CheckoutURL = ref, "https://pay.example/"+ref
			return g
		}
		save := func(g ledger.GatewayOrder) {
			t.Helper()
			c := ledger.Checkout{Terms: g.Terms, Generations: []ledger.GatewayOrder{g}}
			c.EndAt = c.NextEnd(time.Time{})
			if err := a.SaveCheckout(bg, ledger.Order{OrderID: ledger.OrderID{AppID: "app", ID: "o-1"}, OwnID: "o-1", Checkout: &c}, "a checkout"); err != nil {
				t.Fatal(err)
			}
		}
		save(draft)
		time.Sleep(6 * time.Minute)
		read := func() (ledger.Order, time.Time) {
			t.Helper()
			order, err := b.Order(bg, ledger.OrderID{AppID: "app", ID: "o-1"})
			if err != nil {
				t.Fatal(err)
			}
			return order, b.Now()
		}
		order, now := read()
		time.Sleep(time.Second)
		save(made("r1"))
		save(made("r2"))
		if err := b.SaveEnding(bg, order, []ledger.GatewayOrder{made("r1")}, now, time.Time{}, "looked up"); err != nil {
			t.Fatal(err)
		}
		order, now = read()
		if end := order.Checkout.EndAt; len(order.Checkout.Generations) != 2 || end.IsZero() || end.After(now) {
			t.Fatalf("%+v is not looked at again", order.Checkout)
		}
		if err := b.SaveEnding(bg, order, nil, now, time.Time{}, ""); err != nil {
			t.Fatal(err)
		}
		if order, _ = read(); !order.Checkout.EndAt.IsZero() {
			t.Errorf("what was looked at ends again at %s", order.Checkout.EndAt)
		}
	})
}
