package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var risks = []ledger.Risk{ledger.NotRisky, ledger.RiskUnknown, ledger.Risky}

// standing is what the ledger has of a record. Of events with the same status, which say in
// other ways whether it is risky, the highest counts.
type standing int

const (
	unknown   standing = iota // no event
	ended                     // one that does not come to the app as it is, such as one that is held
	givenUp                   // one that the app has not taken, and that the gateway does not send any more
	beingSent                 // one that the gateway may still send, and that comes in no other way
	recorded                  // one that the app has, or that comes to it by itself
)

// isKnown reports whether there is nothing to do for the record.
func (s standing) isKnown() bool { return s == ended || s == recorded }

// unsaidRetries is for how long after the last try a webhook is waited for of which the gateway
// does not say for how long it sends it.
const unsaidRetries = 24 * time.Hour

// standingOf returns how an event on a route stands.
func (k *look) standingOf(route Route, e ledger.Event) standing {
	retries := k.account.Info.RetriesOf(e.Type)
	if retries == 0 && route.Tell == nil {
		retries = unsaidRetries
	}
	switch n := len(e.Transitions); {
	case e.State == ledger.Delivered:
		return recorded
	case !e.State.Pending():
		return ended
	case route.Tell != nil && e.NextAttemptAt != nil:
		return recorded
	case n == 0:
		return recorded
	case !isOver(e.Transitions[n-1].At, max(retries, k.graceAt(k.lister))+1, k.ledger.Now()):
		return beingSent
	default:
		return givenUp
	}
}

// hit is an event of a record, where it stands, and the route that it is on; nil: there is none.
type hit struct {
	route  *Route
	event  ledger.Event
	stands standing
}

// eventOf returns the event of a record with one of the statuses that stands highest on the
// routes.
func (k *look) eventOf(ctx context.Context, n gateway.Notice, routes []Route, statuses ...string) (best hit, err error) {
	for i, route := range routes {
		record := ledger.Record{Route: route.Name, AppID: k.account.Info.AccountID, Type: n.Type, ID: n.RecordID}
		for _, status := range statuses {
			for nth, risk := range append([]ledger.Risk{n.Risk}, risks...) { // most often it is the first
				if nth > 0 && risk == n.Risk {
					continue
				}
				event, err := k.ledger.Load(ctx, ledger.Key{Record: record, Status: strings.ToLower(status), Risk: risk})
				this := hit{&routes[i], event, recorded}
				switch {
				case errors.Is(err, ledger.ErrNotFound):
					continue
				case err == nil:
					this.stands = k.standingOf(route, event)
				case !errors.Is(err, ledger.ErrDamaged):
					return hit{}, err
				}
				if this.stands > best.stands {
					best = this
				}
				if best.stands == recorded {
					return best, nil
				}
			}
		}
	}
	return best, nil
}

// stuck returns an event of a record, whatever its status, that the app has not taken and that
// does not come by itself: it may carry what the record is worth, which no other event of it
// carries then.
func (k *look) stuck(ctx context.Context, n gateway.Notice) (hit, error) {
	isSaid := k.account.Info.RetriesOf(n.Type) > 0 // else nobody knows whether it comes again
	for _, status := range k.account.Info.Statuses {
		h, err := k.eventOf(ctx, n, k.account.Routes, status.Name)
		if err != nil || h.stands == givenUp || h.stands == beingSent && (isSaid || h.route.Tell != nil) {
			return h, err
		}
	}
	return hit{}, nil
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
			return e.Type == n.Type && e.RecordID == n.RecordID && strings.EqualFold(e.Status, n.Status) &&
				order.AppOf(e.AppID) == k.account.Info.AccountID && k.account.route(e.Route) == nil
		}), err
	}
	record := ledger.Record{AppID: k.account.Info.AccountID, Type: n.Type, ID: n.RecordID}
	bound, err := k.ledger.Bound(ctx, []ledger.Flag{ledger.CreditOf(record), ledger.PayoutOf(record)})
	return slices.Contains(bound, true), err
}

// owner is whose a record is.
type owner struct {
	// routes are those of its shop; all of the account where nothing says whose it is.
	routes []Route
	// route is the one that takes the webhooks of what was made, or had its order's latest
	// event; nil: none of these is known.
	route *Route
	// isOurs: it is of something that was made through this ledger, or of which that has an
	// event, or whose order has a shop's prefix.
	isOurs bool
	// isElsewhere: it was made for a route that is not configured here, or all events of its
	// order came on such.
	isElsewhere bool
}

// ownerOf returns whose a record is, by what was made, by its order, or by that one's id.
func (k *look) ownerOf(ctx context.Context, one gateway.Listed) (o owner, err error) {
	n, names := one.Notice, make([]string, 0, len(k.account.Routes))
	for _, r := range k.account.Routes {
		names = append(names, r.Name)
	}
	made, err := k.ledger.MadeHere(ctx, k.account.Info.AccountID, one.Marks, names)
	if err != nil {
		return o, err
	}
	if route := k.account.route(made.Route); route != nil {
		return owner{routes: k.account.of(func(shop *gateway.Account) bool { return shop == route.account }), route: route, isOurs: true}, nil
	}
	o = owner{routes: k.account.behind(n.OrderID), isOurs: made.IsMade, isElsewhere: made.IsElsewhere}
	t, _ := k.account.Info.Type(n.Type)
	if t.Kind != gateway.Payment {
		return o, nil
	}
	order, err := k.orderOf(ctx, n, t)
	if errors.Is(err, ledger.ErrNotFound) {
		hasPrefix := func(shop *gateway.Account) bool {
			return shop.OrderPrefix != "" && strings.HasPrefix(n.OrderID, shop.OrderPrefix)
		}
		o.isOurs = o.isOurs || slices.ContainsFunc(k.account.shops, hasPrefix)
		return o, nil
	}
	if err != nil {
		return o, err
	}
	o.routes, o.isOurs = k.account.making(order), true
	for _, e := range slices.Backward(order.Events) {
		if order.AppOf(e.AppID) != k.account.Info.AccountID {
			continue
		}
		if o.route = routeIn(o.routes, e.Route); o.route != nil {
			break
		}
		o.isElsewhere = o.isElsewhere || k.account.route(e.Route) == nil
	}
	return o, nil
}

// known returns the event of a record with a status on the routes of its shop. Another shop's may
// have ignored it, or held it.
func (k *look) known(ctx context.Context, one gateway.Listed, status string) (hit, error) {
	routes := k.account.Routes
	if len(k.account.shops) > 1 {
		o, err := k.ownerOf(ctx, one)
		if err != nil {
			return hit{}, err
		}
		routes = o.routes
	}
	return k.eventOf(ctx, one.Notice, routes, status)
}

// routeOf returns the route that is told of a record, and whether the record is of this
// ledger: of something that was made through it or of which it has an event, or with an
// event of its own. The route is the one that takes the webhooks of what was made, or
// which had the latest event, or its shop's only one; nil: nothing names one.
func (k *look) routeOf(ctx context.Context, one gateway.Listed) (route *Route, isOurs bool, err error) {
	o, err := k.ownerOf(ctx, one)
	if err != nil || o.route != nil {
		return o.route, o.isOurs, err
	}
	statuses := make([]string, 0, len(k.account.Info.Statuses))
	for _, s := range k.account.Info.Statuses {
		statuses = append(statuses, s.Name)
	}
	h, err := k.eventOf(ctx, one.Notice, o.routes, statuses...)
	if h.route != nil || err != nil {
		return h.route, true, err
	}
	return k.usual(o), o.isOurs, nil
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

// usual is the one of a shop's routes that is told where nothing names one; nil: there is none.
// Where another Caddy serves one that is not known here, that may be the one.
func (k *look) usual(o owner) *Route {
	switch {
	case o.isElsewhere:
		return nil
	case len(o.routes) == 1 && !serveMore(k.ledger.Others(), k.here):
		return &o.routes[0]
	}
	return routeIn(o.routes, k.Route)
}

// serveMore reports whether one of the processes serves a route that is none of these.
func serveMore(others []ledger.Session, here map[string]bool) bool {
	return slices.ContainsFunc(others, func(other ledger.Session) bool {
		return slices.ContainsFunc(other.Routes, func(r ledger.SessionRoute) bool { return !here[r.Name] })
	})
}
