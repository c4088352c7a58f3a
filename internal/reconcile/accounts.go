package reconcile

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/hookpath"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Account is an account whose records are compared.
type Account struct {
	*gateway.Account
	// Routes are those of the account.
	Routes []Route
}

// Route is where the app is told.
type Route struct {
	Name string
	// Tell has the ledger accept the event of a record; nil: the route hands on each
	// webhook's own request, so that the gateway has to send it again.
	Tell func(ctx context.Context, l gateway.Listed, to *ledger.Ledger) (ledger.Verdict, error)
	// Again has an event confirmed and delivered once more. Policy says when an order is paid.
	Again  func(ctx context.Context, e ledger.Event, cause string) error
	Policy settle.Policy
}

// AccountsOf returns the accounts with the routes that each has. The site says where a
// route's webhooks are sent to.
func AccountsOf(accounts []*gateway.Account, routes []*relay.Route, site hookpath.Site) (all []Account) {
	for _, account := range accounts {
		one := Account{Account: account}
		mine := slices.DeleteFunc(slices.Clone(routes), func(r *relay.Route) bool { return r.Account != account })
		for _, route := range mine {
			to := Route{Name: route.Name, Again: route.Replay, Policy: route.Confirm.Policy.Policy}
			hook := site.Hook(account.Name, route.Name)
			if route.App != nil {
				to.Tell = func(ctx context.Context, listed gateway.Listed, l *ledger.Ledger) (ledger.Verdict, error) {
					return route.Backfill(ctx, listed, hook, l)
				}
			}
			one.Routes = append(one.Routes, to)
		}
		all = append(all, one)
	}
	return all
}

// warn warns of the routes on which nobody can be told, of an account whose gateway sends
// nothing again.
func (a Account) warn(logger *zap.Logger) {
	for _, route := range a.Routes {
		if route.Tell == nil {
			logger.Warn(a.Info.Title+" sends no webhook again, and the route hands on each webhook's own request, so that what gets lost is reported only: "+
				"give it an upstream, or `deliver`", zap.String("account", a.Name), zap.String("route", route.Name))
		}
	}
}
