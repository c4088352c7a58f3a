package checkout

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Expiries tells apps of orders that have expired.
type Expiries interface {
	// Wants reports whether an app is to be told where this one expires at the account with
	// this id at its gateway.
	Wants(order ledger.Order, accountID string) bool

	// Tell has the apps be told that the latest order at the gateway of an order has
	// expired, each once, however often it is called. It reports false where no route here
	// tells of the account's.
	Tell(ctx context.Context, order ledger.Order, status string, l *ledger.Ledger) (isTold bool, err error)
}

// tells reports whether the app is to be told when an order that is made now expires.
func (s *Sessions) tells(order ledger.Order) bool {
	return s.expiries != nil && s.expiries.Wants(order, s.account.Info.AccountID)
}

// cannotTell reports whether the app is to be told when an order expires, and no route here
// does.
func (s *Sessions) cannotTell(order ledger.Order) bool {
	latest := order.Checkout.LatestMade()
	at := s.at(order, latest)
	return latest.Tells && order.Closed == nil && at != nil && !at.tells(order)
}

// tellsFor is how long an order waits at least for a Caddy whose routes tell of it.
const tellsFor = 24 * time.Hour

// tell has the app be told that the order has expired, if it is to be: once nobody can pay
// it in time any more, and no payment of it is under way.
func (e *ender) tell(ctx context.Context, l *ledger.Ledger) {
	order := e.withFound()
	latest := order.Checkout.LatestMade()
	if !latest.Tells || latest.IsDraft() || order.Closed != nil || !confirm.HasExpired(latest, e.now) {
		return
	}
	at := e.at(order, latest)
	if at == nil || at.canceler != nil && !latest.Ended { // it was looked at above, and is again
		return
	}
	isOver, err := at.tellOf(ctx, order, l)
	if err != nil && ctx.Err() == nil {
		e.logger.Warn("the app cannot be told yet that an order has expired", zap.String("order_id", redact.Emails(order.OwnID)), zap.Error(err))
	}
	switch {
	case isOver, err == nil && latest.ExpiresAt.Before(l.Before(tellsFor)) && !at.tells(order):
		latest.Tells = false
		e.find(latest)
		if err == nil && e.cause == "" {
			e.cause = "expired"
		}
	default:
		e.later(latest)
	}
}

// tellOf tells of an order's expiry, and reports whether there is nothing more to tell: an
// order that is paid tells of it by its payment.
func (s *Sessions) tellOf(ctx context.Context, order ledger.Order, l *ledger.Ledger) (isOver bool, err error) {
	i, err := confirm.Fulfilled(ctx, []ledger.OrderID{order.OrderID}, l)
	if err != nil || i >= 0 || isPaid(order) {
		return err == nil, err
	}
	if !s.tells(order) {
		return false, nil
	}
	found, err := s.ask(ctx, order)
	if err != nil || found.State.Fulfils() {
		return err == nil, err
	}
	status := confirm.ExpiryStatus(found.Result, found.unfinished)
	if status == "" {
		return false, nil
	}
	return s.expiries.Tell(ctx, order, status, l)
}

// withFound is the order with what was found out of its orders at gateways.
func (e *ender) withFound() ledger.Order {
	order, checkout := e.order, *e.order.Checkout
	checkout.Generations = slices.Clone(checkout.Generations)
	for i, g := range checkout.Generations {
		if at := e.indexOf(g); at >= 0 {
			checkout.Generations[i] = e.found[at]
		}
	}
	order.Checkout = &checkout
	return order
}

// find notes what was found out of an order at the gateway.
func (e *ender) find(g ledger.GatewayOrder) {
	if at := e.indexOf(g); at >= 0 {
		e.found[at] = g
		return
	}
	e.found = append(e.found, g)
}

func (e *ender) indexOf(g ledger.GatewayOrder) int {
	return slices.IndexFunc(e.found, func(f ledger.GatewayOrder) bool { return f.AppID == g.AppID && f.ID == g.ID })
}
