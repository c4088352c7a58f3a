package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Expiries tells apps of orders that have expired, on the routes of a configuration whose
// Types name it.
type Expiries struct {
	// Routes returns the routes.
	Routes func() []*Route
	// Hook returns the URL that the webhooks of an account's route are sent to, or its path.
	Hook func(account, route string) string
}

// TellsExpiry reports whether the route's app is told of orders that have expired.
func (r *Route) TellsExpiry() bool {
	return r.App != nil && slices.Contains(r.Types, gateway.OrderExpired)
}

// Wants reports whether an app is told where an order expires at the account with this id at
// its gateway.
func (x Expiries) Wants(order ledger.Order, accountID string) bool {
	return len(x.of(order, accountID)) > 0
}

// of returns the routes that tell of an order. Accounts with one id may be those of different
// shops: an order is told of on the routes of the account that made it, or of its group; where
// that has no route here, as after it got another name, on those whose account may own it.
func (x Expiries) of(order ledger.Order, accountID string) []*Route {
	all := slices.DeleteFunc(slices.Clone(x.Routes()), func(r *Route) bool { return r.Account.Info.AccountID != accountID })
	isOfMaker := func(r *Route) bool {
		return slices.ContainsFunc(r.Account.Group(), func(a *gateway.Account) bool { return a.Name == order.Account })
	}
	isHere := slices.ContainsFunc(all, isOfMaker)
	return slices.DeleteFunc(all, func(r *Route) bool {
		return !r.TellsExpiry() || !r.Account.MayOwn(order) || isHere && !isOfMaker(r)
	})
}

// Tell records, on each route that tells of it, the event that the latest order at the
// gateway of an order has expired; where there is one, nothing. It reports false where no
// route does.
func (x Expiries) Tell(ctx context.Context, order ledger.Order, status string, l *ledger.Ledger) (isTold bool, err error) {
	routes := x.of(order, order.AppOf(order.Checkout.LatestMade().AppID))
	for _, r := range routes {
		if err := r.expire(ctx, order, status, x.Hook(r.Account.Name, r.Name), l); err != nil {
			return false, err
		}
	}
	return len(routes) > 0, nil
}

// expiry is the body of an event that an order has expired.
type expiry struct {
	Type string    `json:"type"`
	Msg  expiryMsg `json:"msg"`
}

type expiryMsg struct {
	OrderID   string    `json:"orderId"`
	Status    string    `json:"status"`
	Price     string    `json:"price"`
	Currency  string    `json:"currency"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// expire records the event that an order has expired, unless the ledger has it. It is one for
// each order at the gateway, whatever its status is, so that the app is told once.
func (r *Route) expire(ctx context.Context, order ledger.Order, status, hook string, l *ledger.Ledger) error {
	latest := order.Checkout.LatestMade()
	e := ledger.Event{
		Key: ledger.Key{
			Record: ledger.Record{Route: r.Name, AppID: order.AppOf(latest.AppID), Type: gateway.OrderExpired, ID: latest.ID}, Risk: ledger.NotRisky,
		},
		Account: r.Account.Name, Status: status, OrderID: order.OwnID, GatewayOrderID: latest.ID, ReceivedAt: r.Now().UTC(),
	}
	e.SetOrder(order.OrderID)
	switch _, err := l.Load(ctx, e.Key); {
	case err == nil:
		return nil
	case !errors.Is(err, ledger.ErrNotFound):
		return err
	}
	var err error
	if e.Request, err = r.usualRequest(ctx, hook, l); err != nil {
		return err
	}
	e.Body, err = json.Marshal(expiry{gateway.OrderExpired, expiryMsg{
		order.OwnID, status, order.Checkout.Terms.Price, order.Checkout.Symbol, latest.ExpiresAt.UTC(),
	}})
	if err != nil {
		return fmt.Errorf("writing that an order has expired: %w", err)
	}
	_, err = l.Accept(ctx, e, "")
	failpoint.Reach("expired")
	return err
}
