package confirm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// ErrPointless: an event is not to be delivered any more, because what it tells is over.
var ErrPointless = errors.New("there is nothing to tell any more")

func pointless(why string) error { return fmt.Errorf("%w: %s", ErrPointless, why) }

// The statuses of events that an order has expired.
const (
	ExpiredUnpaid  = "Unpaid"
	ExpiredPartial = "Partial"
)

// stillExpired returns an error unless the order at the gateway of which an event tells that it
// has expired is the latest of an order that is neither paid nor closed, as it was read.
func stillExpired(ctx context.Context, a *gateway.Account, e ledger.Event, known *ledger.Order, l *ledger.Ledger) error {
	if known == nil || known.Checkout == nil {
		return mismatch("the ledger has no checkout of the order that has expired")
	}
	mayReopen, err := l.MayReopen(ctx, *known)
	if err != nil {
		return err
	}
	latest := known.Checkout.LatestMade()
	isFulfilled, err := Fulfilled(ctx, []ledger.OrderID{known.OrderID}, l)
	switch {
	case !a.MayOwn(*known):
		return pointless("the order is another account's")
	case mayReopen:
		return ErrClosing
	case known.Closed != nil:
		return pointless("the order was closed")
	case err != nil:
		return err
	case isFulfilled >= 0:
		return pointless("the order is paid")
	case latest.IsDraft() && latest.ID != e.ID:
		return behind(a.Info, "a checkout of the order is being made")
	case latest.ID != e.ID || known.AppOf(latest.AppID) != e.AppID:
		return pointless("the order was opened again")
	case latest.ExpiresAt.After(l.Now()): // the clock was ahead when it was told
		return behind(a.Info, "the order has not expired yet")
	}
	return nil
}

// expired confirms an event that tells of an order which has expired. It is pointless once
// the order is paid, was closed, or has another order at the gateway; and it is put off while
// a payment may still come to count.
func (c *Confirmer) expired(ctx context.Context, a *gateway.Account, f *Finding, known *ledger.Order, l *ledger.Ledger) error {
	e := f.event
	f.kind, f.Risk = gateway.Payment, ledger.NotRisky // it is one of the order's events
	if err := stillExpired(ctx, a, e, known, l); err != nil {
		return err
	}
	order, err := Whole(ctx, a, known)
	if err != nil {
		return err
	}
	result := Settle(order, c.Policy.Policy, f.AskedAt)
	isUnderWay := slices.ContainsFunc(order.Payments, func(p gateway.OrderPayment) bool { return !p.Finished })
	switch f.Status = ExpiryStatus(result, isUnderWay); {
	case result.State.Fulfils():
		return pointless("the order is paid")
	case f.Status == "":
		return behind(a.Info, "a payment of the order is under way, or waits for an operator")
	}
	if f.Asked = true; f.Status == ExpiredUnpaid {
		result.State = settle.Expired
	}
	f.Order = &Settlement{Result: result, Currency: order.Currency, Payments: Judged(a, e.InOrder(), order, result), Raw: order.Raw}
	return nil
}

// ExpiryStatus is the status of the event that an order which has come to this has expired;
// empty: it is paid, or a payment may still come to count. One that is sent back does not,
// however long the buyer takes to claim it.
func ExpiryStatus(r settle.Result, isUnderWay bool) string {
	switch state := r.State; {
	case isUnderWay:
		return ""
	case state == settle.Unpaid, state == settle.Expired, state == settle.Processing && r.Paid.IsZero():
		return ExpiredUnpaid
	case state == settle.Partial:
		return ExpiredPartial
	default:
		return ""
	}
}

// HasExpired reports whether an order at the gateway can no longer be paid in time.
func HasExpired(g ledger.GatewayOrder, now time.Time) bool {
	return !g.ExpiresAt.IsZero() && !now.Before(g.ExpiresAt)
}
