package adminapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

func (h *Handler) viewOrder(o ledger.Order, now time.Time) Order {
	stands := h.config.OrderStatus(o, now)
	v := Order{
		OrderID: o.OwnID, Account: o.Account, State: stands.State, Due: stands.Due, Paid: stands.Paid,
		Currency: stands.Currency, Late: o.Late, Fulfilled: o.Fulfilled(), FulfilledBy: o.FulfilledBy,
	}
	if !o.ReadAt.IsZero() {
		v.ReadAt = &o.ReadAt
	}
	return v
}

// listOrders answers GET orders.
func (h *Handler) listOrders(r *http.Request, o *operator.Operator) (any, error) {
	values := r.URL.Query()
	limit, err := readLimit(values)
	if err != nil {
		return nil, err
	}
	for name, given := range values {
		switch {
		case !slices.Contains([]string{"state", "account", "limit", "cursor"}, name):
			return nil, badRequest("unknown filter %q: use state, account, limit, cursor", name)
		case len(given) > 1:
			return nil, badRequest("%s is given twice", name)
		}
	}
	if state := settle.State(values.Get("state")); state != "" && !slices.Contains(settle.States, state) {
		return nil, badRequest("unknown state %q: use one of %v", state, settle.States)
	}
	page, err := o.Ledger.Orders(r.Context(), ledger.OrderQuery{
		State: values.Get("state"), Account: values.Get("account"), AnyAccount: !values.Has("account"),
		Limit: limit, Cursor: values.Get("cursor"),
	})
	list := OrderList{Orders: []Order{}, Next: page.Next}
	for _, order := range page.Orders {
		list.Orders = append(list.Orders, h.viewOrder(order, o.Now()))
	}
	return list, err
}

// showOrder answers GET orders/{id...}: an id may have a slash in it.
func (h *Handler) showOrder(r *http.Request, o *operator.Operator) (any, error) {
	account, err := o.Account(r.URL.Query().Get("account"))
	if err != nil {
		return nil, badRequest("%w", err)
	}
	order, err := o.Ledger.Order(r.Context(), account.OrderIDs(r.PathValue("id"))...)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, fail(http.StatusNotFound, "the ledger knows no order %s of this account", r.PathValue("id"))
	}
	if err != nil {
		return nil, err
	}
	details := OrderDetails{Order: h.viewOrder(order, o.Now()), GatewayOrderID: order.ID, Payments: order.Payments}
	if c := order.Checkout; c != nil {
		details.Terms = &c.Terms
		for _, g := range c.Generations {
			made := Generation{g, order.Account}
			if g.AppID != "" {
				made.Account = g.AppID // where it is not configured any more
				if at := account.Member(g.AppID); at != nil {
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
		e, err := o.Ledger.Load(r.Context(), known.Key(order.AppID))
		if err != nil {
			return nil, err
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
