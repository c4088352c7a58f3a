package adminapi

import (
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Event is an event in a list.
type Event struct {
	ID            string       `json:"id"`
	Account       string       `json:"account"`
	Route         string       `json:"route"`
	Type          string       `json:"type"`
	RecordID      string       `json:"record_id,omitempty"`
	OrderID       string       `json:"order_id,omitempty"`
	ReferenceID   string       `json:"reference_id,omitempty"`
	UserID        string       `json:"user_id,omitempty"`
	Status        string       `json:"status"`
	Risky         ledger.Risk  `json:"risky"`
	State         ledger.State `json:"state"`
	Seq           uint64       `json:"seq,omitempty"`
	ReceivedAt    time.Time    `json:"received_at"`
	Attempts      int          `json:"attempts"`
	NextAttemptAt *time.Time   `json:"next_attempt_at,omitempty"`
	DeliveredAt   *time.Time   `json:"delivered_at,omitempty"`
	Confirmed     bool         `json:"confirmed"`
	OrderState    string       `json:"order_state,omitempty"`
	Fulfill       bool         `json:"fulfill"`
	Credit        bool         `json:"credit"`
	Payout        string       `json:"payout,omitempty"`
	LastError     string       `json:"last_error,omitempty"`
}

// EventDetails is all that the ledger has of an event.
type EventDetails struct {
	Event
	Confirmation *ledger.Confirmation `json:"confirmation"`
	Request      ledger.Request       `json:"request"`
	// Body is null once it was pruned, and where it is damaged.
	Body        *string             `json:"body"`
	BodyDamaged bool                `json:"body_damaged,omitempty"`
	Transitions []ledger.Transition `json:"transitions"`
	// Sent is the request of the latest attempt; absent where there was none.
	Sent *Sent `json:"sent,omitempty"`
	// Answers are the app's, of the latest attempts, for as long as there is a body. A plain
	// yes is not kept.
	Answers []ledger.Answer `json:"answers,omitempty"`
}

// Sent is a request to the app, as the handlers in front of it get it.
type Sent struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	// Headers are ours and those of the webhook that are passed on, without what authorizes
	// the request.
	Headers map[string]string `json:"headers"`
}

// EventList is one page of events.
type EventList struct {
	Events []Event `json:"events"`
	// Next is the cursor of the next page; empty at the list's end.
	Next string `json:"next,omitempty"`
}

// How many entries a page has: without the parameter limit, and at most.
const (
	DefaultPage = 50
	LargestPage = 500
)

// Step is the body of a request for an operator's step.
type Step struct {
	Reason string `json:"reason"`
	Accept bool   `json:"accept"` // release only: deliver it as it is, without a flag
	Force  bool   `json:"force"`  // discard only: although it carries a flag
}

// StepResult is how an event stands after a step.
type StepResult struct {
	ID    string       `json:"id"`
	Route string       `json:"route"`
	State ledger.State `json:"state"`
	// Resent is how many webhooks the gateway will send again, where the route is
	// pass-through; Warning says why the gateway will not.
	Resent  *int   `json:"resent,omitempty"`
	Warning string `json:"warning,omitempty"`
}

// ReplayAll is the body of a request for a replay of many events.
type ReplayAll struct {
	Filter
	Reason string `json:"reason"`
	DryRun bool   `json:"dry_run"`
}

// Replayed is what a replay of many events did.
type Replayed struct {
	Matched  int      `json:"matched"`
	Replayed int      `json:"replayed"`
	Warnings []string `json:"warnings,omitempty"`
}

// Order is an order in a list.
type Order struct {
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

// OrderStatus is how an order stands.
type OrderStatus struct{ State, Due, Paid, Currency string }

// OrderDetails is all that the ledger has of an order.
type OrderDetails struct {
	Order
	// Accepted: the app has accepted the event that FulfilledBy names.
	Accepted bool `json:"accepted"`
	// Closed is why nothing more is to be paid of it; absent: it is open.
	Closed         *ledger.Closing       `json:"closed,omitempty"`
	GatewayOrderID string                `json:"gateway_order_id"`
	Terms          *ledger.Terms         `json:"terms"`
	Generations    []Generation          `json:"generations"`
	Payments       []ledger.OrderPayment `json:"payments"`
	Timeline       []Moment              `json:"timeline"`
}

// Close is the body of a request to close an order.
type Close struct {
	Reason string `json:"reason"`
	Force  bool   `json:"force"` // whatever is paid of it, or under way
}

// Generation is one of the order's orders at the gateway.
type Generation struct {
	ledger.GatewayOrder
	// Account is the name of the account that has it; empty: the default one. Of one that is
	// not configured any more it is the gateway's id of it.
	Account string `json:"account"`
}

// Moment is one thing that happened to an order.
type Moment struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	// EventID is that of the event which it happened to; empty: the order itself.
	EventID  string `json:"event_id,omitempty"`
	RecordID string `json:"record_id,omitempty"`
}

// OrderList is one page of orders, in the order of their ids.
type OrderList struct {
	Orders []Order `json:"orders"`
	// Damaged says of each order among them that cannot be read why.
	Damaged []string `json:"damaged,omitempty"`
	// Next is the cursor of the next page; empty at the list's end.
	Next string `json:"next,omitempty"`
}

// Status is how the routes and the ledger stand.
type Status struct {
	Routes []RouteStatus `json:"routes"`
	// LedgerBytes is the size of the ledger; 0 where the store cannot tell.
	LedgerBytes int64 `json:"ledger_bytes"`
	// Store is how what the ledger is kept in stands; absent where the store cannot tell.
	Store *Condition `json:"store,omitempty"`
	// Members are the Caddys that share the ledger, the one that answers first, and last
	// those that did within the last hour; absent where it cannot be shared.
	Members []Member `json:"members,omitempty"`
	// LastConfirmedAt is when the gateway's API last confirmed an event; null if it
	// has not since the configuration was loaded.
	LastConfirmedAt *time.Time `json:"last_confirmed_at"`
	// Secrets are those that are read from files; absent: there are none.
	Secrets []Secret `json:"secrets,omitempty"`
}

// Member is a Caddy that shares the ledger.
type Member struct {
	// Name is its machine's name and its process id.
	Name   string   `json:"name"`
	Routes []string `json:"routes"`
	// Differs are the options that it has not alike with the one that answers.
	Differs []string `json:"differs,omitempty"`
	// SeenAt is when it last renewed its session, which it does every three seconds. Gone:
	// that has ended, within the last hour.
	SeenAt time.Time `json:"seen_at,omitzero"`
	Gone   bool      `json:"gone,omitempty"`
}

// Condition is how what a ledger is kept in stands, in sentences: what is good to know,
// and what somebody should change.
type Condition struct {
	Facts []string `json:"facts"`
	Care  []string `json:"care,omitempty"`
}

// Secret is how a secret stands that is read from files. It says nothing of the
// secret itself.
type Secret struct {
	Name  string   `json:"name"`
	Files []string `json:"files"`
	// Generation counts what was in use since the configuration was loaded, from 1.
	Generation int        `json:"generation"`
	ChangedAt  *time.Time `json:"changed_at,omitempty"`
	// Error is why what the files hold now is not in use.
	Error string `json:"error,omitempty"`
}

// RouteStatus is how the events of a route stand.
type RouteStatus struct {
	Account string `json:"account"`
	Route   string `json:"route"`
	// Mode is deliver, pass-through, elsewhere: another Caddy that shares the ledger
	// serves it, or unconfigured: nothing delivers what is pending there.
	Mode    operator.Mode `json:"mode"`
	Pending uint64        `json:"pending"`
	// OldestPendingSeconds is for how long the oldest of the pending events that are
	// due first has waited.
	OldestPendingSeconds float64 `json:"oldest_pending_seconds"`
	Held                 uint64  `json:"held"`
	Dead                 uint64  `json:"dead"`
	Delivered            uint64  `json:"delivered"`
	// Refused is how many events this Caddy has refused that only the gateway's own retries
	// bring back, and RetriesLeftSeconds for how long it goes on trying the oldest of them;
	// absent: there is none, or that is not known.
	Refused            int      `json:"refused,omitempty"`
	RetriesLeftSeconds *float64 `json:"retries_left_seconds,omitempty"`
}

// Unconfigured is the mode of a route that is not configured.
const Unconfigured = operator.Unconfigured
