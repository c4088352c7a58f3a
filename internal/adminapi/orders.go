package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// ReadOrder returns how an order stands, also before the gateway has told of any
// payment.
type ReadOrder func(o ledger.Order, now time.Time) OrderStatus

// View is an order as a list has it.
func (read ReadOrder) View(o ledger.Order, now time.Time) Order {
	stands := read(o, now)
	v := Order{
		OrderID: o.OwnID, Account: o.Account, State: stands.State, Due: stands.Due, Paid: stands.Paid,
		Currency: stands.Currency, Late: o.Late, Fulfilled: o.Fulfilled(), FulfilledBy: o.FulfilledBy,
	}
	if !o.ReadAt.IsZero() {
		v.ReadAt = &o.ReadAt
	}
	return v
}

// StateAt returns the state that orders are in at a time, by which a query selects them.
func (read ReadOrder) StateAt(now time.Time) func(ledger.Order) string {
	return func(o ledger.Order) string { return read(o, now).State }
}

// listOrders answers GET orders.
func (h *Handler) listOrders(r *http.Request, o *operator.Operator) (any, error) {
	values := r.URL.Query()
	limit, err := readLimit(values)
	if err != nil {
		return nil, err
	}
	query, err := ReadOrderFilter(values, "limit", "cursor")
	if err != nil {
		return nil, err
	}
	now := o.Now()
	query.Limit, query.Cursor, query.StateOf = limit, values.Get("cursor"), h.config.OrderStatus.StateAt(now)
	page, err := o.Ledger.Orders(r.Context(), query)
	list := OrderList{Orders: []Order{}, Next: page.Next}
	for _, order := range page.Orders {
		list.Orders = append(list.Orders, h.config.OrderStatus.View(order, now))
	}
	for _, damaged := range page.Damaged {
		list.Damaged = append(list.Damaged, damaged.Error())
	}
	return list, err
}

// ReadOrderFilter reads which orders a list's query selects. It refuses a parameter that
// such a list does not have; others are those that the caller reads itself.
func ReadOrderFilter(values url.Values, others ...string) (ledger.OrderQuery, error) {
	allowed := append([]string{"state", "account"}, others...)
	for name, given := range values {
		switch {
		case !slices.Contains(allowed, name):
			return ledger.OrderQuery{}, badRequest("unknown filter %q: use %s", name, strings.Join(allowed, ", "))
		case len(given) > 1:
			return ledger.OrderQuery{}, badRequest("%s is given twice", name)
		}
	}
	if state := settle.State(values.Get("state")); state != "" && !slices.Contains(settle.States, state) {
		return ledger.OrderQuery{}, badRequest("unknown state %q: use one of %v", state, settle.States)
	}
	return ledger.OrderQuery{State: values.Get("state"), Account: AccountNamed(values.Get("account")), AnyAccount: !values.Has("account")}, nil
}

// AccountNamed returns the name of an account from how it is shown: the one without a name
// is the default one.
func AccountNamed(shown string) string {
	if shown == ledger.DefaultAccount {
		return ""
	}
	return shown
}

// showOrder answers GET orders/{id...}: an id may have a slash in it.
func (h *Handler) showOrder(r *http.Request, o *operator.Operator) (any, error) {
	account := AccountNamed(r.URL.Query().Get("account"))
	order, err := FindOrder(r.Context(), o, r.PathValue("id"), account)
	if err != nil {
		return nil, err
	}
	return h.config.OrderStatus.Describe(r.Context(), o, order, account)
}

// closeOrder answers POST orders/{id}/close.
func (h *Handler) closeOrder(r *http.Request, o *operator.Operator) (any, error) {
	var c Close
	if err := readJSON(r, &c); err != nil {
		return nil, err
	}
	if c.Reason = strings.TrimSpace(c.Reason); c.Reason == "" {
		return nil, badRequest("say why, for the order's history: {\"reason\":\"sold out\"}")
	}
	account := AccountNamed(r.URL.Query().Get("account"))
	order, err := FindOrder(r.Context(), o, r.PathValue("id"), account)
	if err != nil {
		return nil, err
	}
	if order, err = o.Close(r.Context(), order, account, c.Reason, c.Force); err != nil {
		return nil, err
	}
	return h.config.OrderStatus.Describe(r.Context(), o, order, account)
}

// FindOrder returns the order that the app calls id at an account; empty: the default one.
func FindOrder(ctx context.Context, o *operator.Operator, id, account string) (ledger.Order, error) {
	at, err := o.Account(account)
	if err != nil {
		return ledger.Order{}, badRequest("%w", err)
	}
	order, err := o.Ledger.Order(ctx, at.OrderIDs(id)...)
	if errors.Is(err, ledger.ErrNotFound) {
		return order, fail(http.StatusNotFound, "the ledger knows no order %s of this account", id)
	}
	return order, err
}

// Describe is all that the ledger has of an order of an account, or of its group. The
// account need not be configured any more.
func (read ReadOrder) Describe(ctx context.Context, o *operator.Operator, order ledger.Order, account string) (OrderDetails, error) {
	of, unknown := o.Account(account)
	details := OrderDetails{Order: read.View(order, o.Now()), Closed: order.Closed, GatewayOrderID: order.ID, Payments: order.Payments}
	if c := order.Checkout; c != nil {
		details.Terms = &c.Terms
		for _, g := range c.Generations {
			made := Generation{g, order.AppOf(g.AppID)} // its id where it is not configured any more
			if unknown == nil {
				if at := of.Member(made.Account); at != nil {
					made.Account = at.Name
				}
			}
			details.Generations = append(details.Generations, made)
		}
	}
	for _, s := range order.Steps {
		what := s.Cause
		if what == "" {
			what = fmt.Sprintf("order %s, %s of %s %s", s.State, s.Paid, order.Due, order.Currency)
		}
		details.Timeline = append(details.Timeline, Moment{At: s.At, What: what})
	}
	for _, known := range order.Events {
		e, err := o.Ledger.Load(ctx, known.Key(order.AppID))
		if err != nil {
			return details, err
		}
		details.Timeline = append(details.Timeline, moments(e)...)
		details.Accepted = details.Accepted || e.EventID() == order.FulfilledBy && wasDelivered(e)
	}
	slices.SortStableFunc(details.Timeline, func(a, b Moment) int { return a.At.Compare(b.At) })
	return details, nil
}

// wasDelivered reports whether the app has accepted the event, whatever became of it since.
func wasDelivered(e ledger.Event) bool {
	return slices.ContainsFunc(e.Transitions, func(t ledger.Transition) bool { return t.State == ledger.Delivered })
}

// moments are an event's history, as a part of its order's.
func moments(e ledger.Event) []Moment {
	list := make([]Moment, 0, len(e.Transitions))
	for _, t := range e.Transitions {
		what := strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Type, e.Status, t.State))
		if t.Cause != "" {
			what += ": " + t.Cause
		}
		list = append(list, Moment{At: t.At, What: what, EventID: e.EventID(), RecordID: e.ID})
	}
	return list
}
