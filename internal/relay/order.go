package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var (
	// errForeign is why an event of another shop's order is ignored.
	errForeign = errors.New("foreign: the order id is not one behind the account's prefix")
	// errLost: the order's id at the gateway is one of ours, and the ledger does not know
	// which of the app's orders it was made for.
	errLost = errors.New("the ledger has lost which of the app's orders it is")
)

// nameOrder sets the event's order id to the app's own. That of an order which a checkout
// made is the one that the ledger has, whatever account and prefix are called by now. The
// id of a payout is always the app's. The error is errForeign where the order is another
// shop's. It is errLost or a [*confirm.HeldError], and the event has no order id, where it
// is not known whose the order is.
func (r *Route) nameOrder(ctx context.Context, e *ledger.Event, l *ledger.Ledger) error {
	e.OrderID, e.Order, e.OrderAppID = "", "", ""
	a := r.Account
	t, _ := a.Info.Type(e.Type)
	order, err := orderOf(ctx, e, t, l)
	if err != nil || e.GatewayOrderID == "" {
		return err
	}
	own, isBehind := strings.CutPrefix(e.GatewayOrderID, a.OrderPrefix)
	isForeign := !isBehind || own == ""
	_, mayBeLater := a.FirstOf(e.GatewayOrderID)
	switch {
	case order.Checkout != nil:
		return r.nameByCheckout(e, order, isForeign)
	case isForeign:
		return errForeign
	case t.Kind != gateway.Payout && (a.IsStandIn(e.GatewayOrderID) || mayBeLater && order.OwnID == ""):
		return errLost
	}
	e.OrderID = own
	return r.share(ctx, e, t, l)
}

// share names the order of an event by what it is at all accounts of the group, unless the
// ledger has the order, or its flag, from before they shared it. It does nothing where the
// account shares none.
func (r *Route) share(ctx context.Context, e *ledger.Event, t gateway.Type, l *ledger.Ledger) error {
	if r.Account.Orders == "" || t.Kind != gateway.Payment || e.OrderID == "" || e.OrderAppID != "" {
		return nil
	}
	ids := r.Account.OrderIDs(e.OrderID)
	switch known, err := l.Order(ctx, ids...); {
	case err == nil:
		e.SetOrder(known.OrderID)
		return nil
	case !errors.Is(err, ledger.ErrNotFound):
		return err
	}
	i, err := confirm.Fulfilled(ctx, ids, l)
	if err != nil {
		return err
	}
	e.SetOrder(ids[max(i, 0)])
	return nil
}

// orderOf returns what the ledger has of the event's order; nothing where it does not know
// the order. The gateway's own id of an order comes before what else the webhook says, and
// names the order where the webhook does not.
func orderOf(ctx context.Context, e *ledger.Event, t gateway.Type, l *ledger.Ledger) (order ledger.Order, err error) {
	if t.IsOrder {
		order, err = l.OrderOf(ctx, ledger.OrderID{AppID: e.AppID, ID: ledger.RefID(e.ID)})
		if err == nil && order.Checkout != nil {
			i := slices.IndexFunc(order.Checkout.Generations, func(g ledger.GatewayOrder) bool { return g.Ref == e.ID && order.AppOf(g.AppID) == e.AppID })
			if i >= 0 && !isMadeFor(order, *e) {
				e.GatewayOrderID = order.Checkout.Generations[i].ID
			}
			return order, nil
		}
		order = ledger.Order{}
	}
	if (err == nil || errors.Is(err, ledger.ErrNotFound)) && e.GatewayOrderID != "" && t.Kind != gateway.Payout {
		order, err = l.OrderOf(ctx, ledger.OrderID{AppID: e.AppID, ID: e.GatewayOrderID})
	}
	if errors.Is(err, ledger.ErrNotFound) {
		err = nil
	}
	return order, err
}

// isMadeFor reports whether a checkout made the order at the gateway that an event names for
// this order.
func isMadeFor(order ledger.Order, e ledger.Event) bool {
	return slices.Contains(order.GatewayIDs(), ledger.OrderID{AppID: e.AppID, ID: e.GatewayOrderID})
}

// nameByRecord asks the gateway which order an event belongs to whose webhook does not say
// it. The error is an unconfirmedError.
func (r *Route) nameByRecord(ctx context.Context, n gateway.Notice, e *ledger.Event, l *ledger.Ledger) error {
	t, _ := r.Account.Info.Type(e.Type)
	if e.GatewayOrderID != "" || !t.IsOrder || !r.confirms(*e) {
		return nil
	}
	if err := r.nameOrder(ctx, e, l); err != nil || e.GatewayOrderID != "" {
		return err // the ledger knows by now
	}
	record, err := r.Account.Gateway.Record(ctx, n)
	if err != nil {
		return &unconfirmedError{err}
	}
	e.GatewayOrderID = record.OrderID
	return nil
}

// nameByCheckout is nameOrder for an order that a checkout made. Where that was another
// account's, the order is this route's only if this account would call it the same: else
// the app may have another order of that name.
func (r *Route) nameByCheckout(e *ledger.Event, order ledger.Order, isForeign bool) error {
	a := r.Account
	if order.Account != a.Name && !slices.Contains(a.OrderIDs(order.OwnID), order.OrderID) {
		maker, ok := r.AccountOf(ledger.Event{Key: e.Key, Account: order.Account})
		if isConfigured := ok && maker.Name == order.Account; isConfigured && isForeign {
			return errForeign
		}
		return &confirm.HeldError{Cause: fmt.Sprintf(
			"mismatch: %.80q at %s was made by the checkout of account %q, and this route has another account", e.GatewayOrderID, a.Info.Title, order.Account)}
	}
	e.OrderID = order.OwnID
	e.SetOrder(order.OrderID)
	return nil
}

// sureOfOrder returns a [*confirm.HeldError] where it is not known which of the app's
// orders an event belongs to. It may have become known since the event was received.
func (r *Route) sureOfOrder(ctx context.Context, e *ledger.Event, l *ledger.Ledger) error {
	if e.GatewayOrderID == "" {
		return nil
	}
	if e.OrderID == "" {
		err := r.nameOrder(ctx, e, l)
		if first, ok := r.Account.FirstOf(e.GatewayOrderID); ok && errors.Is(err, errLost) {
			err = r.nameGeneration(ctx, e, first, l)
		}
		switch {
		case errors.Is(err, errLost):
			return &confirm.HeldError{Cause: fmt.Sprintf(
				"mismatch: the ledger has lost which of the app's orders is %.80q at %s: open its checkout once more, with the same terms, and release the event", e.GatewayOrderID, r.Account.Info.Title)}
		case errors.Is(err, errForeign): // since it was received
			return &confirm.HeldError{Cause: "mismatch: " + err.Error()}
		case err != nil:
			return err
		}
	}
	t, _ := r.Account.Info.Type(e.Type)
	if err := r.share(ctx, e, t, l); err != nil { // since it was received
		return err
	}
	ids := r.Account.OrderIDs(e.OrderID)
	if t.Kind != gateway.Payment || len(ids) == 0 || e.InOrder() == ids[0] && r.Account.Orders == "" {
		return nil
	}
	made, err := l.Order(ctx, ids...)
	switch {
	case errors.Is(err, ledger.ErrNotFound) || err == nil && (made.Checkout == nil || made.OwnID != e.OrderID):
		return nil
	case err != nil:
		return err
	case made.OrderID == e.InOrder() && (r.Account.Orders == "" || isMadeFor(made, *e)):
		return nil
	}
	return &confirm.HeldError{Cause: fmt.Sprintf(
		"mismatch: a checkout made the app's order %.80q as %s at %s, and the payment is of another order with its id",
		e.OrderID, made.Checkout.Latest().ID, r.Account.Info.Title)}
}

// nameGeneration is nameOrder for an order at the gateway that the ledger does not know,
// and whose id is that of a later generation of the first. Where the gateway has no such
// first order, it is none: the app made it elsewhere. An operator who has the first's
// checkout opened once more, and releases the event, says that it is one.
func (r *Route) nameGeneration(ctx context.Context, e *ledger.Event, first string, l *ledger.Ledger) error {
	a := r.Account
	order, err := l.OrderOf(ctx, ledger.OrderID{AppID: e.AppID, ID: first})
	switch {
	case err != nil && !errors.Is(err, ledger.ErrNotFound):
		return err
	case order.Checkout == nil && a.IsStandIn(first), order.Checkout != nil && !e.Released:
		return errLost
	}
	asked := e.GatewayOrderID
	if order.Checkout == nil {
		asked = first
	}
	found, isThere, err := confirm.FindOrder(ctx, a, asked)
	switch {
	case err != nil:
		return &unconfirmedError{err}
	case order.Checkout == nil && !isThere:
		e.OrderID = strings.TrimPrefix(e.GatewayOrderID, a.OrderPrefix)
		return nil
	case order.Checkout == nil || !isThere:
		return errLost
	}
	found.AppID, found.CreatedAt = order.Apart(e.AppID), r.Now()
	for _, g := range order.Checkout.Generations {
		if g.AppID == found.AppID && g.Terms.FiatID == found.Terms.FiatID && g.Terms.CoinID == found.Terms.CoinID {
			found.Terms.Unit = g.Terms.Unit
		}
	}
	switch err := l.AddGeneration(ctx, order.OrderID, found, "found at "+a.Info.Title+": "+found.ID); {
	case errors.Is(err, ledger.ErrTaken):
		return errLost
	case err != nil:
		return err
	}
	return r.nameOrder(ctx, e, l)
}
