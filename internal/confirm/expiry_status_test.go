package confirm

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// TestExpiryStatus: an order of which everything is sent back has expired unpaid, whether the
// buyer claims it or not; one with money that counts, or on its way, has not.
func TestExpiryStatus(t *testing.T) {
	one := decimal.New(1, 0)
	for name, test := range map[string]struct {
		result     settle.Result
		isUnderWay bool
		want       string
	}{
		"nothing paid":         {settle.Result{State: settle.Unpaid}, false, ExpiredUnpaid},
		"being sent back":      {settle.Result{State: settle.Processing}, false, ExpiredUnpaid},
		"on its way":           {settle.Result{State: settle.Processing}, true, ""},
		"a part that is kept":  {settle.Result{State: settle.Processing, Paid: one}, false, ""},
		"a part":               {settle.Result{State: settle.Partial, Paid: one}, false, ExpiredPartial},
		"waits for a decision": {settle.Result{State: settle.Review}, false, ""},
		"paid":                 {settle.Result{State: settle.Paid, Paid: one}, false, ""},
	} {
		if got := ExpiryStatus(test.result, test.isUnderWay); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestExpiryBeforeItsTime: that an order has expired is not told where it was noted by a clock
// that was ahead, until it has.
func TestExpiryBeforeItsTime(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC)
	l := ledger.New(store, func() time.Time { return now })
	t.Cleanup(func() { _ = l.Close() })
	a := &gateway.Account{Info: gateway.Info{AccountID: "app-123"}}
	order := ledger.Order{
		OrderID: ledger.OrderID{AppID: "app-123", ID: "order-1"}, OwnID: "order-1",
		Checkout: &ledger.Checkout{Generations: []ledger.GatewayOrder{{ID: "order-1", Ref: "1", Tells: true, ExpiresAt: now.Add(time.Hour)}}},
	}
	e := ledger.Event{Key: ledger.Key{Record: ledger.Record{Route: "shop", AppID: "app-123", Type: gateway.OrderExpired, ID: "order-1"}}}
	if err := stillExpired(t.Context(), a, e, &order, l); !errors.Is(err, ErrBehind) {
		t.Errorf("an hour before: %v", err)
	}
	now = now.Add(time.Hour)
	if err := stillExpired(t.Context(), a, e, &order, l); err != nil {
		t.Errorf("once it has: %v", err)
	}
}
