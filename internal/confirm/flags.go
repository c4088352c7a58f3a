package confirm

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Sending returns what the event carries to the app: its flag, where the event is the
// first that earns the flag, or an earlier attempt has bound the flag to it.
func (c *Confirmer) Sending(ctx context.Context, f *Finding, e ledger.Event, l *ledger.Ledger) (ledger.Sending, error) {
	if f.earned {
		another, err := c.leftTo(ctx, f, e, l)
		if err != nil {
			return ledger.Sending{}, err
		}
		if another != "" {
			f.earned, f.LeftTo, f.reason = false, another, string(settle.Partial)
		}
	}
	return ledger.Sending{Flag: f.flag, Kept: !f.earned}, nil
}

// Sent records in the finding whether the event carries its flag to the app.
func (f *Finding) Sent(carries bool) {
	if f.flag == nil || carries {
		return
	}
	if f.earned && f.flag.Name == ledger.Fulfill {
		f.reason = "already_fulfilled"
	}
	f.flag = nil
}

// Fulfilled returns the index of the first of the ids whose order an event fulfils, or has
// fulfilled; -1: none. The ledger knows it by the flag before it has the order, which is
// written when the attempt ends.
func Fulfilled(ctx context.Context, ids []ledger.OrderID, l *ledger.Ledger) (int, error) {
	flags := make([]ledger.Flag, 0, len(ids))
	for _, id := range ids {
		flags = append(flags, id.Fulfill())
	}
	bound, err := l.Bound(ctx, flags)
	return slices.Index(bound, true), err
}

// PaidMeanwhile is the cause of [Confirmer.Unsettled] where two payments of an order
// were delivered at the same time, and each left the order's flag to the other.
const PaidMeanwhile = "the order was paid meanwhile"

// Unsettled returns why a delivered event has to be settled again; empty: it has not.
// It has where it was sent without its order's flag and the order is paid all the
// same: the order's price was changed meanwhile, or two of its payments were
// delivered at the same time, and each left the flag to the other.
func (c *Confirmer) Unsettled(ctx context.Context, f *Finding, e ledger.Event, l *ledger.Ledger) (cause string, err error) {
	if !f.mayFulfil || f.flag != nil {
		return "", nil
	}
	order, err := l.Order(ctx, e.InOrder())
	if err != nil {
		return "", err
	}
	bound, err := l.Bound(ctx, []ledger.Flag{e.InOrder().Fulfill()})
	if err != nil || bound[0] {
		return "", err
	}
	if f.terms != nil && order.Checkout != nil && !SamePrice(order.Checkout.Terms, *f.terms) {
		return "the order's price has changed meanwhile", nil
	}
	isNewer := order.ReadAt.After(f.AskedAt) && counts(order, e) && settle.State(order.State).Fulfils()
	if !isNewer && f.LeftTo == "" {
		return "", nil
	}
	another, err := c.anotherToCome(ctx, f, e, order.Payments, l)
	if err != nil || another != "" {
		return "", err
	}
	return PaidMeanwhile, nil
}

// counts reports whether an event's record is one of the payments that count for the order.
func counts(order ledger.Order, e ledger.Event) bool {
	return slices.ContainsFunc(order.Payments, func(p ledger.OrderPayment) bool {
		return HasRecord(order.OrderID, p, e.Record) && p.Verdict == string(settle.Counts)
	})
}

// HasRecord reports whether the webhooks of a record tell of a payment of the order with this id.
func HasRecord(id ledger.OrderID, p ledger.OrderPayment, r ledger.Record) bool {
	return gateway.RecordOf(p.RecordID) == r.ID && cmp.Or(p.AppID, id.AppID) == r.AppID
}

// leftTo returns the record id of another payment that is to fulfil the order, where
// an earlier attempt may have delivered this event without the flag: an app that took
// it then, and whose response was lost, may ignore a second delivery. It is empty
// where no other payment is still to be delivered: then this event carries the flag.
func (c *Confirmer) leftTo(ctx context.Context, f *Finding, e ledger.Event, l *ledger.Ledger) (recordID string, err error) {
	if e.Seq == 0 || f.Order == nil {
		return "", nil
	}
	bound, err := l.Bound(ctx, []ledger.Flag{*f.flag})
	if err != nil || bound[0] {
		return "", err // the flag is bound to an event already
	}
	return c.anotherToCome(ctx, f, e, f.Order.Payments, l)
}

// anotherToCome returns the record id of another payment that counts for the order,
// whose event of the same status has still to be delivered for the first time; empty:
// there is none. That holds for a payment whose webhook has not come, too. Payments of
// orders that are records themselves have the events of those.
func (c *Confirmer) anotherToCome(ctx context.Context, f *Finding, e ledger.Event, payments []ledger.OrderPayment, l *ledger.Ledger) (recordID string, err error) {
	routes, err := c.allRoutes(ctx, l)
	if err != nil {
		return "", err
	}
	for _, payment := range payments {
		recordID := gateway.RecordOf(payment.RecordID)
		if payment.Verdict != string(settle.Counts) || HasRecord(e.InOrder(), payment, e.Record) {
			continue
		}
		key, statuses := e.Key, f.successes
		if key.AppID = cmp.Or(payment.AppID, e.InOrder().AppID); key.AppID != e.AppID {
			of := f.account.Member(key.AppID)
			if of == nil {
				continue // nobody takes its webhooks
			}
			key.Type, statuses = paymentType(of.Info), successes(of.Info)
		}
		isToCome, err := isToCome(ctx, key, recordID, statuses, routes, l)
		if err != nil {
			return "", err
		}
		if isToCome {
			return recordID, nil
		}
	}
	return "", nil
}

// allRoutes returns the routes on which an event may have come or may come yet, and of
// each whether it confirms its events: those that are configured, those that others
// serve who share the ledger, and those that are not served any more. Where two differ
// about a route, it does not.
func (c *Confirmer) allRoutes(ctx context.Context, l *ledger.Ledger) (map[string]bool, error) {
	routes := c.Routes()
	for _, other := range l.Others() {
		for _, r := range other.Routes {
			here, isHere := routes[r.Name]
			routes[r.Name] = r.Confirms && (here || !isHere)
		}
	}
	counts, err := l.Counts(ctx)
	for _, count := range counts {
		if _, isServed := routes[count.Route]; !isServed {
			routes[count.Route] = false
		}
	}
	return routes, err
}

// isToCome reports whether a record's event, of one of the statuses, has still to be
// delivered for the first time, on a route that confirms it. An event that the gateway
// flags as risky stays held until an operator releases it.
func isToCome(ctx context.Context, key ledger.Key, recordID string, statuses []string, routes map[string]bool, l *ledger.Ledger) (bool, error) {
	key.ID = recordID
	isKnown, isToCome := false, false
	for route, confirms := range routes {
		key.Route = route
		for _, key.Status = range statuses {
			for _, key.Risk = range []ledger.Risk{ledger.Risky, ledger.RiskUnknown, ledger.NotRisky} {
				e, err := l.Load(ctx, key)
				switch {
				case errors.Is(err, ledger.ErrNotFound):
				case errors.Is(err, ledger.ErrDamaged):
					return false, nil // the event cannot be delivered
				case err != nil || e.Seq > 0 || !e.State.Pending():
					return false, err
				default:
					isKnown, isToCome = true, isToCome || confirms && key.Risk != ledger.Risky
				}
			}
		}
	}
	return isToCome || !isKnown, nil
}
