package ledger

import (
	"cmp"
	"slices"
	"time"
)

// OrderID names an order: the account that has it, and its id at the gateway, with
// any prefix. An order that several accounts share is named by [SharedOrder].
type OrderID struct {
	AppID string `json:"app_id"`
	ID    string `json:"gateway_order_id"`
}

// SharedOrder names an order that the accounts of a group share, by the app's own id.
func SharedOrder(group, ownID string) OrderID { return OrderID{AppID: "orders:" + group, ID: ownID} }

// Order is what the ledger knows of an order. It is written in one commit with the
// event that changes it.
type Order struct {
	OrderID
	// Account is the name of the configured merchant account; of several, that at which
	// the order was opened last.
	Account string `json:"account"`
	// OwnID is the app's own order id, without the account's prefix.
	OwnID string `json:"order_id"`

	// Checkout is how the order is to be paid; nil where it was made elsewhere.
	Checkout *Checkout `json:"checkout,omitempty"`

	// State, and the following, are as the gateway's records had them at ReadAt.
	State    string    `json:"state,omitempty"`
	Due      string    `json:"amount_due,omitempty"`
	Paid     string    `json:"amount_paid,omitempty"`
	Currency string    `json:"currency,omitempty"`
	Late     bool      `json:"late,omitempty"`
	ReadAt   time.Time `json:"read_at,omitzero"`
	// Payments are the order's payments, each with the verdict on it.
	Payments []OrderPayment `json:"payments,omitempty"`
	// Released are the ids of records that an operator lets count although they are
	// late.
	Released []string `json:"released,omitempty"`
	// FulfilledBy is the id of the event that carries Fulfill.
	FulfilledBy string `json:"fulfilled_by,omitempty"`
	// Abandoned: that event was discarded, so that the app will not fulfil the order.
	Abandoned bool `json:"abandoned,omitempty"`
	// Closed is why nothing more is to be paid of the order; nil: it is open.
	Closed *Closing `json:"closed,omitempty"`

	// Events are the keys of the order's events, in the order of their first
	// commit, and Steps the order's own history. Both keep the latest.
	Events []OrderEvent `json:"events,omitempty"`
	Steps  []OrderStep  `json:"steps,omitempty"`
}

// OrderPayment is one payment of an order, with the verdict on it.
type OrderPayment struct {
	// AppID is the gateway's id of the account that has the payment; empty: the order's.
	AppID    string `json:"app_id,omitempty"`
	RecordID string `json:"record_id"`
	Verdict  string `json:"verdict"`
	Amount   string `json:"amount"`
}

// OrderEvent names an event of an order.
type OrderEvent struct {
	Route string `json:"route"`
	// AppID is as in [OrderPayment].
	AppID    string `json:"app_id,omitempty"`
	Type     string `json:"type"`
	RecordID string `json:"record_id"`
	Status   string `json:"status"`
	Risk     Risk   `json:"risky"`
}

// OrderStep is one step of an order's history.
type OrderStep struct {
	At    time.Time `json:"at"`
	State string    `json:"state"`
	Paid  string    `json:"amount_paid,omitempty"`
	// Cause says why, in a few words for people.
	Cause string `json:"cause,omitempty"`
}

// longestOrder bounds what an order keeps of each kind.
const longestOrder = 200

// Key returns the event's key, by the AppID of its order.
func (e OrderEvent) Key(appID string) Key {
	return Key{Record: Record{Route: e.Route, AppID: cmp.Or(e.AppID, appID), Type: e.Type, ID: e.RecordID}, Status: e.Status, Risk: e.Risk}
}

// AppOf returns the gateway's id of the account that has one of the order's orders at the
// gateway, or a payment of them, by the AppID that it has.
func (o Order) AppOf(appID string) string { return cmp.Or(appID, o.AppID) }

// Apart returns an account's AppID as the order's parts have it: empty where it is the
// order's own.
func (id OrderID) Apart(appID string) string {
	if appID == id.AppID {
		return ""
	}
	return appID
}

// Merge adds to the order what was seen of it by an event that is committed now.
// What was read earlier never overwrites what was read later, however long its
// commit took. Where the order seems to be read in the future, the clock has been
// set back since, and does not say which of the two is later: then what is committed
// later stands.
func (o *Order) Merge(seen Order, now time.Time) {
	if o.Checkout == nil { // else the account that made the order keeps it
		o.OrderID, o.Account, o.OwnID = seen.OrderID, seen.Account, seen.OwnID
	}
	for _, e := range seen.Events {
		if !slices.Contains(o.Events, e) {
			o.Events = latest(append(o.Events, e))
		}
	}
	for _, record := range seen.Released {
		if !slices.Contains(o.Released, record) {
			o.Released = append(o.Released, record)
		}
	}
	if seen.FulfilledBy != "" {
		o.FulfilledBy = seen.FulfilledBy
	}
	o.Abandoned = o.Abandoned || seen.Abandoned
	isSetBack := o.ReadAt.Sub(now) >= smallestLeap
	if seen.State == "" || seen.ReadAt.Before(o.ReadAt) && !isSetBack {
		return
	}
	if seen.State != o.State || seen.Paid != o.Paid {
		o.Steps = latest(append(o.Steps, OrderStep{At: seen.ReadAt, State: seen.State, Paid: seen.Paid}))
	}
	o.State, o.Due, o.Paid, o.Currency, o.Late = seen.State, seen.Due, seen.Paid, seen.Currency, seen.Late
	o.ReadAt, o.Payments = seen.ReadAt, latest(seen.Payments)
}

// Fulfilled reports whether an event tells the app to fulfil the order.
func (o Order) Fulfilled() bool { return o.FulfilledBy != "" && !o.Abandoned }

func latest[T any](list []T) []T { return list[max(0, len(list)-longestOrder):] }
