package ccpayment

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// orderList is one page of orders, by their id.
type orderList struct {
	Orders []orderView `json:"orders"`
	Next   string      `json:"next,omitempty"`
}

// orderView is an order in a list.
type orderView struct {
	OrderID     string     `json:"order_id"`
	Account     string     `json:"account"`
	State       string     `json:"state"`
	Due         string     `json:"amount_due,omitempty"`
	Paid        string     `json:"amount_paid,omitempty"`
	Currency    string     `json:"currency,omitempty"`
	Late        bool       `json:"late"`
	Fulfilled   bool       `json:"fulfilled"`
	FulfilledBy string     `json:"fulfilled_by,omitempty"`
	ReadAt      *time.Time `json:"read_at,omitempty"`
}

func viewOrder(o ledger.Order, now time.Time) orderView {
	stands := viewStatus(o, now)
	v := orderView{
		OrderID: o.OwnID, Account: o.Account, State: stands.State, Due: stands.AmountDue, Paid: stands.AmountPaid,
		Currency: stands.Currency, Late: o.Late, Fulfilled: o.Fulfilled(), FulfilledBy: o.FulfilledBy,
	}
	if !o.ReadAt.IsZero() {
		v.ReadAt = &o.ReadAt
	}
	return v
}

// orderDetails is all that the ledger has of an order.
type orderDetails struct {
	orderView
	GatewayOrderID string                `json:"gateway_order_id"`
	Terms          *ledger.Terms         `json:"terms"`
	Generations    []ledger.GatewayOrder `json:"generations"`
	Payments       []ledger.OrderPayment `json:"payments"`
	Timeline       []moment              `json:"timeline"`
}

// moment is one thing that happened to an order.
type moment struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	// EventID is of the event that it happened to; empty for the order itself.
	EventID  string `json:"event_id,omitempty"`
	RecordID string `json:"record_id,omitempty"`
}

// listOrders answers GET /ccpayment/orders.
func listOrders(r *http.Request, app *App, shared *sharedLedger) (any, error) {
	values := r.URL.Query()
	limit, err := readLimit(values)
	if err != nil {
		return nil, err
	}
	for name, given := range values {
		switch {
		case !slices.Contains([]string{"state", "account", "limit", "cursor"}, name):
			return nil, apiError(http.StatusBadRequest, "unknown filter %q: use state, account, limit, cursor", name)
		case len(given) > 1:
			return nil, apiError(http.StatusBadRequest, "%s is given twice", name)
		}
	}
	if state := settle.State(values.Get("state")); state != "" && !slices.Contains(settle.States, state) {
		return nil, apiError(http.StatusBadRequest, "unknown state %q: use one of %v", state, settle.States)
	}
	page, err := shared.Orders(r.Context(), ledger.OrderQuery{
		State: values.Get("state"), Account: values.Get("account"), AnyAccount: !values.Has("account"),
		Limit: limit, Cursor: values.Get("cursor"),
	})
	if errors.Is(err, ledger.ErrCursor) {
		return nil, apiError(http.StatusBadRequest, "%w: use the `next` of the page before", err)
	}
	list := orderList{Orders: []orderView{}, Next: page.Next}
	for _, o := range page.Orders {
		list.Orders = append(list.Orders, viewOrder(o, app.now()))
	}
	return list, explainLedger(err)
}

// showOrder answers GET /ccpayment/orders/{order_id}.
func showOrder(r *http.Request, app *App, shared *sharedLedger) (any, error) {
	c, err := app.credentials(r.URL.Query().Get("account"))
	if err != nil {
		return nil, apiError(http.StatusBadRequest, "%w", err)
	}
	order, err := shared.Order(r.Context(), ledger.OrderID{AppID: c.appID, ID: c.orderPrefix + r.PathValue("id")})
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, apiError(http.StatusNotFound, "the ledger knows no order %s of this account", r.PathValue("id"))
	}
	if err != nil {
		return nil, explainLedger(err)
	}
	details := orderDetails{orderView: viewOrder(order, app.now()), GatewayOrderID: order.ID, Payments: order.Payments}
	if c := order.Checkout; c != nil {
		details.Terms, details.Generations = &c.Terms, c.Generations
	}
	for _, s := range order.Steps {
		what := s.Cause
		if what == "" {
			what = fmt.Sprintf("order %s, %s of %s %s", s.State, s.Paid, order.Due, order.Currency)
		}
		details.Timeline = append(details.Timeline, moment{At: s.At, What: what})
	}
	for _, known := range order.Events {
		e, err := shared.Load(r.Context(), known.Key(order.AppID))
		if err != nil {
			return nil, explainLedger(err)
		}
		for _, t := range e.Transitions {
			what := strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Type, e.Status, t.State))
			if t.Cause != "" {
				what += ": " + t.Cause
			}
			details.Timeline = append(details.Timeline, moment{At: t.At, What: what, EventID: e.EventID(), RecordID: e.ID})
		}
	}
	slices.SortStableFunc(details.Timeline, func(a, b moment) int { return a.At.Compare(b.At) })
	return details, nil
}
