package ledger

import (
	"strings"
	"time"
)

// Query selects events. What is empty selects all.
type Query struct {
	State    State
	Route    string
	Type     string
	Status   string // in any case
	OrderID  string // the app's own, or that at CCPayment
	RecordID string
	// Since and Until bound when the event was received: Since is within, Until
	// without.
	Since, Until time.Time
	// Limit is the most events that are returned; at least 1.
	Limit int
	// Cursor is [Page.Next] of the page before.
	Cursor string
}

// Matches reports whether the query selects the event, its time aside.
func (q Query) Matches(e Event) bool {
	return (q.State == None || q.State == e.State) &&
		(q.Route == "" || q.Route == e.Route) &&
		(q.Type == "" || q.Type == e.Type) &&
		(q.Status == "" || strings.EqualFold(q.Status, e.Status)) &&
		(q.OrderID == "" || q.OrderID == e.OrderID || q.OrderID == e.GatewayOrderID) &&
		(q.RecordID == "" || q.RecordID == e.ID)
}

// Page is one part of a list.
type Page struct {
	Events []Event
	// Next continues the list; empty at its end.
	Next string
}

// Due is an event that is due.
type Due struct {
	Key Key
	At  time.Time
}

// Count is how many events a route has in a state.
type Count struct {
	Route string
	State State
	N     uint64
}
