package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// IsDraft reports whether the gateway's answer to the call that makes the order is not
// known: it may have made the order or not, unless the draft has Ended. Only at a gateway
// that names orders itself are there drafts.
func (g GatewayOrder) IsDraft() bool { return g.Ref == "" && g.CheckoutURL == "" }

// Refused returns the draft as one that the gateway has refused to make: its id is free.
func (g GatewayOrder) Refused() GatewayOrder {
	g.Ended, g.CreatedAt = true, time.Time{}
	return g
}

// IsRefused reports whether a draft is one that the gateway has refused to make.
func (g GatewayOrder) IsRefused() bool { return g.IsDraft() && g.Ended && g.CreatedAt.IsZero() }

// Twin returns a further order at the gateway that came of the same call, or of a
// repeated one, under an id of its own: one that is no order's at the gateway.
func (g GatewayOrder) Twin() GatewayOrder {
	g.ID += "/" + g.Ref
	return g
}

// ErrChanged: an order has other orders at the gateway than the caller knew of.
var ErrChanged = errors.New("the order's checkout has changed meanwhile")

// SaveDraft stores an order as [Ledger.SaveCheckout] does, durably, before the gateway is
// asked to make the latest of its orders there, which is a draft and gets the time of
// now. known are the orders at the gateway that the caller has read: where there are
// others by now, the error is [ErrChanged], and where the order was closed meanwhile, it is
// [ErrOrderClosed], and nothing is stored.
func (l *Ledger) SaveDraft(ctx context.Context, order Order, known []GatewayOrder, cause string) (draft GatewayOrder, err error) {
	checkout := *order.Checkout
	checkout.Generations = slices.Clone(checkout.Generations)
	last := len(checkout.Generations) - 1
	checkout.Generations[last].CreatedAt = l.now()
	order.Checkout = &checkout
	isChanged := false
	isClosed, err := l.updateCheckout(ctx, order, cause, func(there Order) bool {
		isChanged = !sameOrders(there.GatewayOrders(), known)
		return !isChanged && there.Closed == nil
	})
	switch {
	case err != nil:
	case isClosed:
		err = ErrOrderClosed
	case isChanged:
		err = ErrChanged
	}
	return checkout.Generations[last], err
}

// sameOrders reports whether no order at the gateway has come or changed between two reads.
func sameOrders(a, b []GatewayOrder) bool {
	return slices.EqualFunc(a, b, func(a, b GatewayOrder) bool {
		return a.sameCall(b) && a.Ref == b.Ref && a.Ended == b.Ended && a.CreatedAt.Equal(b.CreatedAt)
	})
}

// MayBeMade reports whether a draft is younger than wait, so that the call that makes it
// may still be on its way.
func (l *Ledger) MayBeMade(draft GatewayOrder, wait time.Duration) bool {
	return draft.CreatedAt.After(l.Before(wait))
}

// updateCheckout stores how an order is to be paid, unless what the ledger has of it by then
// does not suit, and reports whether it is closed.
func (l *Ledger) updateCheckout(ctx context.Context, order Order, cause string, suits func(there Order) bool) (isClosed bool, err error) {
	err = l.store.UpdateOrder(context.WithoutCancel(ctx), order.OrderID, func(o *Order) {
		checkout := *order.Checkout
		if isClosed = o.Closed != nil; !suits(*o) {
			return
		}
		if o.Checkout != nil {
			checkout.EndAt = earlier(o.Checkout.EndAt, checkout.EndAt)
		}
		var twins int
		if checkout.Generations, twins = joined(o.GatewayOrders(), checkout.Generations); twins > 0 || isClosed {
			checkout.EndAt = l.now()
		}
		o.OrderID, o.Account, o.OwnID, o.Checkout = order.OrderID, order.Account, order.OwnID, &checkout
		o.step(l.now(), cause)
	})
	if err != nil {
		return false, fmt.Errorf("saving the checkout: %w", err)
	}
	l.changed(order.OrderID)
	return isClosed, nil
}
