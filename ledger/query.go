package ledger

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Query selects events. What is empty selects all.
type Query struct {
	State    State
	Route    string
	Type     string
	Status   string // in any case
	OrderID  string // the app's own, or that at the gateway
	RecordID string
	// EventID is that of [Key.EventID].
	EventID string
	// Account is the account's name; [DefaultAccount] is the one that has none.
	Account string
	// Text is a part, in any case, of an id, the type, the status or the last error.
	Text string
	// Since and Until bound when the event was received: Since is within, Until
	// without.
	Since, Until time.Time
	// Limit is the most events that are returned; at least 1.
	Limit int
	// Most is about how many events are looked at for one page, which may then have fewer
	// than Limit, or none, and a Next all the same; 0: as many as it takes.
	Most int
	// Cursor is [Page.Next] of the page before.
	Cursor string
}

// DefaultAccount stands for the account without a name in a [Query].
const DefaultAccount = "default"

// Matches reports whether the query selects the event, its time aside.
func (q Query) Matches(e Event) bool {
	return (q.State == None || q.State == e.State) &&
		(q.Route == "" || q.Route == e.Route) &&
		(q.Type == "" || q.Type == e.Type) &&
		(q.Status == "" || strings.EqualFold(q.Status, e.Status)) &&
		(q.OrderID == "" || q.OrderID == e.OrderID || q.OrderID == e.GatewayOrderID) &&
		(q.RecordID == "" || q.RecordID == e.ID) &&
		(q.Account == "" || q.Account == e.Account || q.Account == DefaultAccount && e.Account == "") &&
		(q.EventID == "" || strings.EqualFold(q.EventID, e.EventID())) &&
		(q.Text == "" || e.has(strings.ToLower(q.Text)))
}

// has reports whether what the event is known by has the text, which is in lower case.
func (e Event) has(text string) bool {
	return slices.ContainsFunc([]string{
		e.Type, e.Status, e.ID, e.OrderID, e.GatewayOrderID, e.ReferenceID, e.UserID, e.LastError,
	}, func(of string) bool { return strings.Contains(strings.ToLower(of), text) })
}

// Page is one part of a list.
type Page struct {
	Events []Event
	// Next continues the list; empty at its end.
	Next string
}

// ErrCursor: a cursor is not one of the list that it was given for.
var ErrCursor = errors.New("the cursor is not one of this list")

// OrderQuery selects orders.
type OrderQuery struct {
	State string // empty: any
	// StateOf is the state that an order is in, where that depends on more than what the
	// store has, such as the time; nil: [Order.State].
	StateOf func(Order) string
	// Account is the name of the account; empty: the default one.
	Account    string
	AnyAccount bool
	// Limit is the most orders that are returned; at least 1.
	Limit int
	// Cursor is [OrderPage.Next] of the page before.
	Cursor string
}

// Matches reports whether the query selects the order.
func (q OrderQuery) Matches(o Order) bool {
	if !q.AnyAccount && q.Account != o.Account {
		return false
	}
	switch {
	case q.State == "":
		return true
	case q.StateOf != nil:
		return q.State == q.StateOf(o)
	default:
		return q.State == o.standing()
	}
}

// OrderPage is one part of a list of orders.
type OrderPage struct {
	Orders []Order
	// Damaged says of each order among them that cannot be read why, by [ErrDamaged] or
	// [ErrLater].
	Damaged []error
	// Next continues the list; empty at its end.
	Next string
}

// Due is an event that is due.
type Due struct {
	Key Key
	At  time.Time
	// Err, if set, is why its key cannot be read. Key is then one that tells it
	// from the others, and no more.
	Err error
}

// Count is how many events a route has in a state.
type Count struct {
	Route string
	State State
	N     uint64
}
