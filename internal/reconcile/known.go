package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var risks = []ledger.Risk{ledger.NotRisky, ledger.RiskUnknown, ledger.Risky}

// routeWith returns the route on which the ledger has an event of a record with one of the
// statuses; nil: none.
func (k *look) routeWith(ctx context.Context, n gateway.Notice, statuses ...string) (*Route, error) {
	for i, route := range k.account.Routes {
		record := ledger.Record{Route: route.Name, AppID: k.account.Info.AccountID, Type: n.Type, ID: n.RecordID}
		for _, status := range statuses {
			for _, risk := range append([]ledger.Risk{n.Risk}, risks...) { // most often it is the first
				_, err := k.ledger.Load(ctx, ledger.Key{Record: record, Status: strings.ToLower(status), Risk: risk})
				if err == nil || errors.Is(err, ledger.ErrDamaged) {
					return &k.account.Routes[i], nil
				}
				if !errors.Is(err, ledger.ErrNotFound) {
					return nil, err
				}
			}
		}
	}
	return nil, nil
}

// isTold reports whether the ledger has an event of a record's status on a route that is not
// configured any more: as its order has it, or by the flag that an event of the record
// carries.
func (k *look) isTold(ctx context.Context, n gateway.Notice) (bool, error) {
	t, _ := k.account.Info.Type(n.Type)
	if t.Kind == gateway.Payment {
		order, err := k.orderOf(ctx, n, t)
		if errors.Is(err, ledger.ErrNotFound) {
			err = nil
		}
		return slices.ContainsFunc(order.Events, func(e ledger.OrderEvent) bool {
			return e.Type == n.Type && e.RecordID == n.RecordID && strings.EqualFold(e.Status, n.Status) && order.AppOf(e.AppID) == k.account.Info.AccountID
		}), err
	}
	record := ledger.Record{AppID: k.account.Info.AccountID, Type: n.Type, ID: n.RecordID}
	bound, err := k.ledger.Bound(ctx, []ledger.Flag{ledger.CreditOf(record), ledger.PayoutOf(record)})
	return slices.Contains(bound, true), err
}

// routeOf returns the route that is told of a record, and whether the record is of this
// ledger: of something that was made through it or of which it has an event, or with an
// event of its own. The route is the one that takes the webhooks of what was made, or
// which had the latest event, or the account's only one; nil: nothing names one.
func (k *look) routeOf(ctx context.Context, one gateway.Listed) (route *Route, isOurs bool, err error) {
	n := one.Notice
	names := make([]string, 0, len(k.account.Routes))
	for _, r := range k.account.Routes {
		names = append(names, r.Name)
	}
	name, isOurs, err := k.ledger.MadeHere(ctx, k.account.Info.AccountID, one.Marks, names)
	if err != nil || name != "" {
		return k.account.route(name), isOurs, err
	}
	t, _ := k.account.Info.Type(n.Type)
	if t.Kind == gateway.Payment {
		order, err := k.orderOf(ctx, n, t)
		switch {
		case err == nil:
			for _, e := range slices.Backward(order.Events) {
				if route := k.account.route(e.Route); route != nil && order.AppOf(e.AppID) == k.account.Info.AccountID {
					return route, true, nil
				}
			}
			return k.usual(), true, nil
		case !errors.Is(err, ledger.ErrNotFound):
			return nil, false, err
		}
		isOurs = isOurs || k.account.OrderPrefix != "" && strings.HasPrefix(n.OrderID, k.account.OrderPrefix)
	}
	statuses := make([]string, 0, len(k.account.Info.Statuses))
	for _, s := range k.account.Info.Statuses {
		statuses = append(statuses, s.Name)
	}
	if route, err = k.routeWith(ctx, n, statuses...); route != nil || err != nil {
		return route, true, err
	}
	return k.usual(), isOurs, nil
}

// learn notes of a deposit that the ledger has an event of it, so that the next ones to the
// same address are known to be the app's.
func (k *look) learn(ctx context.Context, one gateway.Listed, route *Route) error {
	if t, _ := k.account.Info.Type(one.Notice.Type); t.Kind != gateway.Deposit || k.dryRun {
		return nil
	}
	return k.ledger.NoteMade(ctx, k.account.Info.AccountID, route.Name, one.Marks...)
}

// orderOf returns the order of a record: by the gateway's own id of it, or else by ours.
func (k *look) orderOf(ctx context.Context, n gateway.Notice, t gateway.Type) (order ledger.Order, err error) {
	err = ledger.ErrNotFound
	if t.IsOrder {
		order, err = k.ledger.OrderOf(ctx, ledger.OrderID{AppID: k.account.Info.AccountID, ID: ledger.RefID(n.RecordID)})
	}
	if errors.Is(err, ledger.ErrNotFound) && n.OrderID != "" {
		order, err = k.ledger.OrderOf(ctx, ledger.OrderID{AppID: k.account.Info.AccountID, ID: n.OrderID})
	}
	return order, err
}

// usual is the route that is told where nothing names one; nil: there is none.
func (k *look) usual() *Route {
	if len(k.account.Routes) == 1 {
		return &k.account.Routes[0]
	}
	return k.account.route(k.Route)
}

// route returns a route of the account by its name; nil: it has none of it.
func (a Account) route(name string) *Route {
	i := slices.IndexFunc(a.Routes, func(r Route) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &a.Routes[i]
}
