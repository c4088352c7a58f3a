package reconcile

import (
	"context"
	"slices"
	"strings"

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
	// shops are the accounts with this one's id at its gateway, itself among them: their
	// records are the same, so that they are compared at once, and Routes are those of all.
	shops []*gateway.Account
}

// Route is where the app is told.
type Route struct {
	Name string
	// account is the one whose route it is.
	account *gateway.Account
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

// join adds an account to those that are compared, or its routes to the one with the same id.
func join(all []Account, a Account) []Account {
	routes := slices.Clone(a.Routes)
	for i := range routes {
		routes[i].account = a.Account
	}
	i := slices.IndexFunc(all, func(one Account) bool { return one.Info.AccountID == a.Info.AccountID })
	if i < 0 {
		return append(all, Account{Account: a.Account, Routes: routes, shops: []*gateway.Account{a.Account}})
	}
	all[i].Routes, all[i].shops = append(all[i].Routes, routes...), append(all[i].shops, a.Account)
	return all
}

// names are those of the accounts with this one's id.
func (a Account) names() (names []string) {
	for _, shop := range a.shops {
		names = append(names, shop.Name)
	}
	return names
}

// route returns a route of the account by its name; nil: it has none of it.
func (a Account) route(name string) *Route { return routeIn(a.Routes, name) }

// of returns the routes of the shops that are these.
func (a Account) of(isIt func(*gateway.Account) bool) (routes []Route) {
	for _, r := range a.Routes {
		if isIt(r.account) {
			routes = append(routes, r)
		}
	}
	return routes
}

// making returns the routes of the account whose checkout made an order, or has it from its
// group; else of those that call it the same, because an account may have been renamed.
func (a Account) making(order ledger.Order) []Route {
	routes := a.of(func(shop *gateway.Account) bool {
		return slices.ContainsFunc(shop.Group(), func(one *gateway.Account) bool { return one.Name == order.Account })
	})
	if len(routes) > 0 {
		return routes
	}
	return a.of(func(shop *gateway.Account) bool { return slices.Contains(shop.OrderIDs(order.OwnID), order.OrderID) })
}

// behind returns the routes of the shops whose order_prefix an order's id at the gateway begins
// with, of the longest such prefix; all routes where none has one of it.
func (a Account) behind(id string) []Route {
	longest := -1
	for _, shop := range a.shops {
		if strings.HasPrefix(id, shop.OrderPrefix) && id != "" {
			longest = max(longest, len(shop.OrderPrefix))
		}
	}
	if longest < 0 {
		return a.Routes
	}
	return a.of(func(shop *gateway.Account) bool {
		return len(shop.OrderPrefix) == longest && strings.HasPrefix(id, shop.OrderPrefix)
	})
}

func routeIn(routes []Route, name string) *Route {
	i := slices.IndexFunc(routes, func(r Route) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &routes[i]
}
