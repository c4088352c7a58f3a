package relay_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestExpiryIsOneEvent: of an order at the gateway that has expired there is one event on each
// route that names the type, however often it is told, as after a crash, and whatever the
// status has become meanwhile.
func TestExpiryIsOneEvent(t *testing.T) {
	account := &gateway.Account{Info: gateway.Info{AccountID: "app-123"}}
	tells, l := newMoneyRoute(t, account, confirm.Policy{})
	tells.App, tells.Types = new(answering), []string{"ApiDeposit", gateway.OrderExpired}
	named := func(name string, change func(*relay.Route)) *relay.Route {
		other := *tells
		if other.Name = name; change != nil {
			change(&other)
		}
		return &other
	}
	routes := []*relay.Route{
		tells, named("second", nil),
		named("passes through", func(r *relay.Route) { r.App = nil }),
		named("of all types", func(r *relay.Route) { r.Types = nil }),
		named("of another account", func(r *relay.Route) { r.Account = &gateway.Account{Info: gateway.Info{AccountID: "other"}} }),
		named("of another shop", func(r *relay.Route) {
			r.Account = &gateway.Account{Name: "b", OrderPrefix: "b-", Info: account.Info}
		}),
	}
	x := relay.Expiries{
		Routes: func() []*relay.Route { return routes },
		Hook:   func(string, string) string { return "https://shop.example/hook?a=1" },
	}
	expires := time.Now().Add(-time.Minute)
	order := ledger.Order{
		OrderID: ledger.OrderID{AppID: "app-123", ID: "shop-1"}, OwnID: "1",
		Checkout: &ledger.Checkout{Terms: ledger.Terms{Price: "10"}, Symbol: "USD", Generations: []ledger.GatewayOrder{{ID: "shop-1", ExpiresAt: expires}}},
	}
	if !x.Wants(order, "app-123") || x.Wants(order, "nobody") {
		t.Error("who is told is another")
	}
	for _, status := range []string{confirm.ExpiredUnpaid, confirm.ExpiredUnpaid, confirm.ExpiredPartial} {
		if isTold, err := x.Tell(t.Context(), order, status, l); err != nil || !isTold {
			t.Fatalf("%t, %v", isTold, err)
		}
	}
	page, err := l.List(t.Context(), ledger.Query{Limit: 10})
	if err != nil || len(page.Events) != 2 {
		t.Fatalf("there are %+v, %v", page.Events, err)
	}
	e, err := l.Load(t.Context(), page.Events[1].Key)
	if err != nil || e.Route != "webhook" || e.Status != "Unpaid" || e.OrderID != "1" || e.State != ledger.Received || e.InOrder() != order.OrderID ||
		e.Request.Host != "shop.example" || e.Request.URI != "/hook?a=1" || !e.Request.TLS || e.Request.Method != "POST" {
		t.Errorf("%+v, %v", e, err)
	}
	if !json.Valid(e.Body) {
		t.Errorf("its body is %q", e.Body)
	}
	order.Checkout.Generations[0].AppID = "other"
	if isTold, err := x.Tell(t.Context(), order, confirm.ExpiredUnpaid, l); err != nil || !isTold {
		t.Errorf("at the other account: %t, %v", isTold, err)
	}
	order.Checkout.Generations[0].AppID = "nobody"
	if isTold, err := x.Tell(t.Context(), order, confirm.ExpiredUnpaid, l); err != nil || isTold {
		t.Errorf("where nobody wants it: %t, %v", isTold, err)
	}
}
