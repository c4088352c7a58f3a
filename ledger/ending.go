package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// draftTime is how long after a call that makes an order its draft is looked up, if
// nobody has asked for the order meanwhile.
const draftTime = 5 * time.Minute

// NextEnd returns the earliest time, behind one, at which an order at the gateway is to be
// ended: when it expires, and at once where it was replaced by a later one. A draft is to
// be looked up before. The latest is due when it expires also where it has Ended, if the app is
// to be told of it. Zero: never.
func (c *Checkout) NextEnd(behind time.Time) (at time.Time) {
	latest := c.latestMade()
	for i, g := range c.Generations {
		end := g.ExpiresAt
		switch {
		case g.Ended && (i != latest || !g.Tells || g.IsDraft()):
			continue
		case g.Ended:
		case g.IsDraft():
			end = g.CreatedAt.Add(draftTime)
		case i < latest:
			end = g.CreatedAt
		}
		if end.After(behind) {
			at = earlier(at, end)
		}
	}
	return at
}

// earlier returns the earlier of two times; zero stands for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// EndingNow returns at most limit of the orders whose [Checkout.EndAt] has come, the earliest
// first, and the time that it is by the ledger's clock.
func (l *Ledger) EndingNow(ctx context.Context, limit int) (orders []Order, now time.Time, err error) {
	now = l.now()
	orders, err = l.store.Ending(ctx, now, limit)
	if err != nil {
		err = fmt.Errorf("reading the orders that end: %w", err)
	}
	return orders, now, err
}

// SaveEnding stores, durably, what was found out of the orders at the gateway of an order,
// as the ledger had it at the time now when they were looked at: each in its place, unless
// it has changed since, and one that the ledger does not have yet in front of the others.
// The order is due again when the next of them ends, and at the time again (zero: never)
// for what could not be ended, and a closed order at that time only; at once where the
// ledger has other orders at the gateway by now than those that were looked at, or the order
// was closed meanwhile.
func (l *Ledger) SaveEnding(ctx context.Context, order Order, found []GatewayOrder, now, again time.Time, cause string) error {
	err := l.store.UpdateOrder(context.WithoutCancel(ctx), order.OrderID, func(o *Order) {
		if o.Checkout == nil {
			return
		}
		checkout := *o.Checkout
		isChanged := !sameOrders(checkout.Generations, order.Checkout.Generations) || (o.Closed == nil) != (order.Closed == nil)
		checkout.Generations = slices.Clone(checkout.Generations)
		for _, g := range found {
			i := slices.IndexFunc(checkout.Generations, g.sameCall)
			switch {
			case i < 0:
				checkout.Generations = slices.Insert(checkout.Generations, 0, g)
			case checkout.Generations[i].Ref == g.Ref && checkout.Generations[i].CreatedAt.Equal(g.CreatedAt),
				checkout.Generations[i].IsDraft() && !g.IsDraft():
				checkout.Generations[i] = g
			}
		}
		switch checkout.EndAt = again; {
		case isChanged:
			checkout.EndAt = l.now()
		case o.Closed == nil:
			checkout.EndAt = earlier(checkout.NextEnd(now), again)
		}
		o.Checkout = &checkout
		if cause != "" {
			o.step(l.now(), cause)
		}
	})
	if err != nil {
		return fmt.Errorf("saving what has ended of the order: %w", err)
	}
	l.changed(order.OrderID)
	return nil
}
