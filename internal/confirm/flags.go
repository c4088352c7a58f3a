package confirm

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Sending is what the event takes with it to the app: its flag where it is the
// one that carries it, which is the first that earns it, or one that an earlier
// attempt has bound it to.
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

// Sent notes whether the event carries its flag to the app.
func (f *Finding) Sent(carries bool) {
	if f.flag == nil || carries {
		return
	}
	if f.earned && f.flag.Name == ledger.Fulfill {
		f.reason = "already_fulfilled"
	}
	f.flag = nil
}

// PaidMeanwhile is the cause of [Confirmer.Unsettled] where each payment of an
// order was on its way when the other was looked at.
const PaidMeanwhile = "the order was paid meanwhile"

// Unsettled says why a delivered event has to be settled again, or nothing: it
// went out without its order's flag, and the order is paid all the same, because
// its price was changed meanwhile, or each of its payments was on its way when
// the other was looked at.
func (c *Confirmer) Unsettled(ctx context.Context, f *Finding, e ledger.Event, l *ledger.Ledger) (cause string, err error) {
	if !f.mayFulfil || f.flag != nil {
		return "", nil
	}
	order, err := l.Order(ctx, e.InOrder())
	if err != nil {
		return "", err
	}
	bound, err := l.Bound(ctx, []ledger.Flag{ledger.FulfillOf(e.AppID, e.InOrder().ID)})
	if err != nil || bound[0] {
		return "", err
	}
	if f.terms != nil && order.Checkout != nil && !SameTerms(order.Checkout.Terms, *f.terms) {
		return "the order's price has changed meanwhile", nil
	}
	isNewer := order.ReadAt.After(f.AskedAt) && counts(order.Payments, e.ID) && settle.State(order.State).Fulfils()
	if !isNewer && f.LeftTo == "" {
		return "", nil
	}
	another, err := c.anotherToCome(ctx, e, order.Payments, l)
	if err != nil || another != "" {
		return "", err
	}
	return PaidMeanwhile, nil
}

// counts reports whether a record is one of the payments that count.
func counts(payments []ledger.OrderPayment, recordID string) bool {
	return slices.ContainsFunc(payments, func(p ledger.OrderPayment) bool {
		return p.RecordID == recordID && p.Verdict == string(settle.Counts)
	})
}

// leftTo returns the record of another payment that is to fulfil the order,
// because this one may have reached the app before without saying so: an app that
// took it then, and whose yes was lost, may ignore what a second delivery says.
// Where no other is still to come, it is this one all the same.
func (c *Confirmer) leftTo(ctx context.Context, f *Finding, e ledger.Event, l *ledger.Ledger) (recordID string, err error) {
	if e.Seq == 0 || f.Order == nil {
		return "", nil
	}
	bound, err := l.Bound(ctx, []ledger.Flag{*f.flag})
	if err != nil || bound[0] {
		return "", err // it is settled already who fulfils it
	}
	return c.anotherToCome(ctx, e, f.Order.Payments, l)
}

// anotherToCome returns the record of another of the order's payments that count
// of which the same status has still to be delivered for the first time. A payment
// of which no webhook came is to come.
func (c *Confirmer) anotherToCome(ctx context.Context, e ledger.Event, payments []ledger.OrderPayment, l *ledger.Ledger) (recordID string, err error) {
	order, err := l.Order(ctx, e.InOrder())
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return "", err
	}
	routes := c.Routes()
	for _, payment := range payments {
		if payment.Verdict != string(settle.Counts) || payment.RecordID == e.ID {
			continue
		}
		// What came there tells, also on a route that is not configured any more.
		for _, known := range order.Events {
			if _, isRoute := routes[known.Route]; !isRoute && known.RecordID == payment.RecordID {
				routes[known.Route] = false
			}
		}
		isToCome, err := isToCome(ctx, e.Key, payment.RecordID, routes, l)
		if err != nil {
			return "", err
		}
		if isToCome {
			return payment.RecordID, nil
		}
	}
	return "", nil
}

// isToCome reports whether a record's event has still to be delivered for the
// first time, on a route that confirms it. An event that the gateway flags as risky
// stays held until an operator releases it.
func isToCome(ctx context.Context, key ledger.Key, recordID string, routes map[string]bool, l *ledger.Ledger) (bool, error) {
	key.ID = recordID
	isKnown, isToCome := false, false
	for route, confirms := range routes {
		key.Route = route
		for _, key.Risk = range []ledger.Risk{ledger.Risky, ledger.RiskUnknown, ledger.NotRisky} {
			e, err := l.Load(ctx, key)
			switch {
			case errors.Is(err, ledger.ErrNotFound):
			case errors.Is(err, ledger.ErrDamaged):
				return false, nil // it cannot be delivered
			case err != nil || e.Seq > 0 || !e.State.Pending():
				return false, err
			default:
				isKnown, isToCome = true, isToCome || confirms && key.Risk != ledger.Risky
			}
		}
	}
	return isToCome || !isKnown, nil
}
