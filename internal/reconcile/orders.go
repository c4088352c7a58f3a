package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// ordersEvery is how often open orders are asked for one by one, at a gateway whose
	// records are orders: one may be paid long after it was made and listed.
	ordersEvery = 24 * time.Hour
	ordersPage  = 50
	// paidLate is for how long after its expiry an order may still be paid.
	paidLate = 7 * 24 * time.Hour
)

// askOrders asks for the account's open orders, if that is due. After each page it is stored
// how far that came.
func (k *look) askOrders(ctx context.Context) error {
	i := slices.IndexFunc(k.account.Info.Types, func(t gateway.Type) bool { return t.IsOrder })
	now := k.ledger.Now()
	if i < 0 || k.state.OrdersNext == "" && now.Sub(k.state.OrdersAt) < ordersEvery {
		return nil
	}
	for {
		page, err := k.ledger.Orders(ctx, ledger.OrderQuery{AnyAccount: true, Limit: ordersPage, Cursor: k.state.OrdersNext})
		if err != nil {
			k.state.OrdersNext = "" // from the beginning, the next time
			return fmt.Errorf("reading the open orders: %w", err)
		}
		for _, order := range page.Orders {
			if err := k.askOrder(ctx, order, k.account.Info.Types[i].Name, now); err != nil {
				return fmt.Errorf("the order %.60q: %w", order.ID, err)
			}
		}
		if k.state.OrdersNext = page.Next; page.Next == "" {
			k.state.OrdersAt = now
		}
		if err := k.save(ctx, nil); err != nil || page.Next == "" {
			return err
		}
	}
}

// askOrder asks for what an order that the app was not told to fulfil is at the gateway.
func (k *look) askOrder(ctx context.Context, order ledger.Order, typ string, now time.Time) error {
	if order.FulfilledBy != "" || order.Checkout == nil {
		return nil
	}
	for _, g := range order.Checkout.Generations {
		isOver := g.Ended || !g.ExpiresAt.IsZero() && now.Sub(g.ExpiresAt) > paidLate
		if g.Ref == "" || isOver || order.AppOf(g.AppID) != k.account.Info.AccountID {
			continue
		}
		if err := k.turn(ctx); err != nil {
			return err
		}
		found, err := k.lister.FindRecord(ctx, gateway.Notice{Type: typ, RecordID: g.Ref})
		if errors.Is(err, gateway.ErrNotFound) {
			continue
		}
		if err == nil {
			err = k.compare(ctx, found)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
