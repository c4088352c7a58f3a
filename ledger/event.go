package ledger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Risk is whether the gateway flags a payment as risky. A flag that a webhook does
// not have is unknown, which is not the same as false.
type Risk string

// The three values of a Risk.
const (
	Risky       Risk = "true"
	NotRisky    Risk = "false"
	RiskUnknown Risk = "unknown"
)

// Record names all events of one record of the gateway on one route. At most one
// attempt of a record is in flight at a time.
type Record struct {
	// Route is the name of the route that forwards the event.
	Route string `json:"route"`
	// AppID is the gateway's id of the account that has the record.
	AppID string `json:"app_id"`
	// Type is the webhook's type, such as ApiDeposit.
	Type string `json:"type"`
	// ID is the gateway's id of the record. An event without one is a record of its
	// own, named by a digest of its webhook; see [OwnRecord].
	ID string `json:"record_id"`
}

const ownRecord = "#"

// OwnRecord returns the id of a record for an event whose webhook names none. The
// mark in front keeps it apart from the gateway's ids.
func OwnRecord(digest string) string { return ownRecord + digest }

// HasID reports whether the record's id is the gateway's own.
func (r Record) HasID() bool { return !strings.HasPrefix(r.ID, ownRecord) }

// Key names one event, that is one business transition of a record: a
// Processing and the Success that follows are two events, and so are a Success
// and the same Success flagged as risky. Events are claimed by key.
type Key struct {
	Record
	// Status is the status in lower case; empty where the webhook has none.
	Status string `json:"-"`
	// Risk is the webhook's risk flag.
	Risk Risk `json:"risky"`
}

// idNamespace makes the ids of events. It is part of the public contract: an
// app's inbox knows the ids, so it never changes.
var idNamespace = uuid.MustParse("6ec7c2a6-55be-5c1e-9d5a-2f0c7c9a4b1e")

// EventID returns the event's id, which the app sees as its Idempotency-Key: a
// version 5 UUID over the JSON array of app id, type, record id, status and
// risk. It depends on nothing that is stored, so it survives the loss of the
// ledger. The same event on two routes has one id.
func (k Key) EventID() string { return k.UUID().String() }

// UUID is the event's id; see [Key.EventID].
func (k Key) UUID() uuid.UUID {
	name := make([]byte, 0, 192)
	for _, text := range [...]string{k.AppID, k.Type, k.ID, k.Status, string(k.Risk)} {
		name = appendJSON(append(name, ','), text)
	}
	name[0] = '['
	return uuid.NewSHA1(idNamespace, append(name, ']'))
}

// appendJSON appends a text as encoding/json writes it. Most are written as they are.
func appendJSON(to []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			escaped, err := json.Marshal(text)
			if err != nil {
				panic("a text is always JSON: " + err.Error())
			}
			return append(to, escaped...)
		}
	}
	return append(append(append(to, '"'), text...), '"')
}

// Event is one business transition and what became of it.
type Event struct {
	Key
	// Account is the name of the configured merchant account.
	Account string `json:"account"`
	// Status is the status as the gateway wrote it.
	Status string `json:"status"`
	// OrderID is the app's own order id, without the account's prefix; empty where the
	// event has no order, or the ledger does not know which of the app's it is.
	OrderID string `json:"order_id,omitempty"`
	// GatewayOrderID is the order's id at the gateway, with any prefix.
	GatewayOrderID string `json:"gateway_order_id,omitempty"`
	// Order is the id of the order in the ledger, where the one at the gateway is a
	// later [GatewayOrder] of it.
	Order string `json:"order,omitempty"`
	// OrderAppID is the AppID of the order in the ledger; empty: it is the event's own.
	OrderAppID  string `json:"order_app_id,omitempty"`
	ReferenceID string `json:"reference_id,omitempty"`
	UserID      string `json:"user_id,omitempty"`
	// ReceivedAt is when the first webhook of the event arrived.
	ReceivedAt time.Time `json:"received_at"`

	// State and the following change with every transition; see [Event.Apply].
	State State `json:"state"`
	// Seq orders the events of one record; 0 until the first attempt.
	Seq uint64 `json:"seq,omitempty"`
	// Attempts counts the attempts at the app.
	Attempts int `json:"attempts"`
	// NextAttemptAt is when the event is due; nil where nothing is planned.
	NextAttemptAt *time.Time `json:"next_attempt_at,omitempty"`
	// NextReason says why the next attempt is made, unless it is a retry.
	NextReason Reason `json:"next_reason,omitempty"`
	// DueSince is when the event was last made due by an operator or by another copy.
	// The time until it is given up counts from there; nil: from its receipt.
	DueSince *time.Time `json:"due_since,omitempty"`
	// CountedBy names the process whose commit that accepted the event also
	// counted its first attempt.
	CountedBy string `json:"counted_by,omitempty"`
	// Failures counts the attempts since DueSince that failed and planned a retry.
	Failures int `json:"failures,omitempty"`
	// RejectedSince is when the app began to reject the event as wrong; nil: its last
	// response was another.
	RejectedSince *time.Time `json:"rejected_since,omitempty"`
	// Released: an operator has released the event from being held. RiskAccepted: and the last
	// time as it is, so that it goes to the app and what held it fulfils and credits nothing.
	Released     bool `json:"released,omitempty"`
	RiskAccepted bool `json:"accepted,omitempty"`
	// Confirmation is what the gateway's records said when they last agreed with the
	// webhook; nil if they never did.
	Confirmation *Confirmation `json:"confirmation,omitempty"`
	DeliveredAt  *time.Time    `json:"delivered_at,omitempty"`
	LastError    string        `json:"last_error,omitempty"`
	// Transitions is the event's history, oldest first.
	Transitions []Transition `json:"transitions"`

	// Request is the HTTP request that brought the event.
	Request Request `json:"request"`
	// Body is the request's body as it was received. It is kept for the store's
	// retention time only.
	Body []byte `json:"-"`
	// BodyDamaged: the body in the store is not what was received any more, so that
	// Body is nil.
	BodyDamaged bool `json:"-"`
}

// Request is what the ledger keeps of a webhook's HTTP request, so that it can be
// made again for a delivery in the background.
type Request struct {
	Method      string `json:"method"`
	URI         string `json:"uri"`
	Host        string `json:"host"`
	RemoteAddr  string `json:"remote_addr"`
	TLS         bool   `json:"tls,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	UserAgent   string `json:"user_agent,omitempty"`
	// Stale: the request was signed too long ago, or too far ahead, to be believed
	// unless the gateway confirms it.
	Stale bool `json:"stale,omitempty"`
	// Forwarded is what a trusted proxy said of the client; empty: no such proxy did.
	Forwarded Forwarded `json:"forwarded,omitzero"`
}

// Forwarded is what a proxy that is trusted says of the client it asks for.
type Forwarded struct {
	// For is the list of X-Forwarded-For, Proto and Host the values of the headers of
	// these names; empty: the proxy sent none.
	For   string `json:"for,omitempty"`
	Proto string `json:"proto,omitempty"`
	Host  string `json:"host,omitempty"`
	// ClientIP is the client's address by the server's trusted_proxies; empty: those do
	// not trust the proxy.
	ClientIP string `json:"client_ip,omitempty"`
}

// Transition is one step of an event's history.
type Transition struct {
	At    time.Time `json:"at"`
	State State     `json:"state"`
	// Cause says why, in a few words for people.
	Cause string `json:"cause,omitempty"`
	// Attempt is the number of the attempt the step belongs to, from 1.
	Attempt int `json:"attempt,omitempty"`
	// Seq is the record's sequence number, given at an event's first attempt.
	Seq uint64 `json:"seq,omitempty"`
	// Next is when the event is due again; zero: nothing is planned.
	Next time.Time `json:"next,omitzero"`
	// Reason is why the event was made due; empty for a retry.
	Reason Reason `json:"reason,omitempty"`
	// Accept: the operator who released the event accepts the risk.
	Accept bool `json:"accept,omitempty"`
	// Spared: the attempt does not count, because the app is still at work on the one
	// before.
	Spared bool `json:"spared,omitempty"`
	// Rejected: the app rejects the event as wrong.
	Rejected bool `json:"rejected,omitempty"`
}

// longestHistory bounds an event's history, which would grow with every copy of a
// webhook that the app refuses. It is twice what three days of retries make of an
// event that is confirmed, three steps for each. Beyond it, steps in the middle are left
// out; Attempts still counts them.
const longestHistory = 1000

// Apply takes the event through the transitions, in order. A transition that
// the state machine does not know is an error, and the event is not to be used
// then. Only an outcome that is Delivered is always possible, because the app has
// the event whatever was recorded meanwhile: steps on the way to it that have become
// impossible are left out. A delivered event stays as it is whatever another attempt
// came to that was made at the same time, because its process had lost the lease or
// this one has; only one that is asked for makes it due again.
func (e *Event) Apply(transitions []Transition) error {
	delivers := false
	if n := len(transitions); n > 0 {
		last := transitions[n-1]
		delivers = last.State == Delivered
		failed := last.Attempt > 0 && (last.State == Retrying && last.Reason == "" || last.State == Dead)
		if e.State == Delivered && (delivers || failed) {
			return nil
		}
	}
	e.Transitions = slices.Grow(e.Transitions, len(transitions))
	for _, t := range transitions {
		isAsked := e.State != Delivered || t.Reason != ""
		if (!e.State.canBecome(t.State) || !isAsked) && t.State != Delivered {
			if delivers {
				continue
			}
			return fmt.Errorf("event %s cannot become %s: it is %s", e.EventID(), t.State, e.State)
		}
		e.State = t.State
		e.Transitions = append(e.Transitions, t)
		if len(e.Transitions) > longestHistory {
			e.Transitions = slices.Delete(e.Transitions, longestHistory/2, longestHistory/2+1)
		}
		e.Attempts = max(e.Attempts, t.Attempt)
		e.Seq = max(e.Seq, t.Seq)
		e.plan(t)
		switch t.State {
		case Delivered:
			at := t.At
			e.DeliveredAt, e.LastError = &at, ""
		case Retrying, Held, Dead:
			e.LastError = t.Cause
		}
	}
	return nil
}

// isAskedFor reports whether the event, since it was as an attempt had it, was asked for
// once more, by an operator, a changed order or a wider filter. Times are not compared:
// they are of several clocks.
func (e Event) isAskedFor(was Event) bool {
	if e.DueSince == nil || was.DueSince != nil && was.DueSince.Equal(*e.DueSince) {
		return false
	}
	for _, t := range slices.Backward(e.Transitions) {
		if t.Reason != "" {
			return t.Reason != Retry
		}
	}
	return false
}

// plan notes when and why the next attempt is made. While an attempt runs, the plan
// before it stands: it is what is left if the process dies.
func (e *Event) plan(t Transition) {
	if t.State == Confirming || t.State == Delivering {
		return
	}
	e.NextAttemptAt = nil
	if !t.Next.IsZero() {
		next := t.Next
		e.NextAttemptAt = &next
	}
	switch {
	case t.State == Received:
		e.NextReason = t.Reason // it was not asked for since
	case t.Reason != "":
		at := t.At
		e.NextReason, e.DueSince, e.Failures = t.Reason, &at, 0
		if t.Reason == Release { // the latest decides
			e.Released, e.RiskAccepted = true, t.Accept
		}
	case t.State == Retrying:
		e.Failures++
	}
	if t.Spared {
		e.Attempts = t.Attempt - 1
	}
	if !t.Rejected {
		e.RejectedSince = nil
	} else if e.RejectedSince == nil {
		at := t.At
		e.RejectedSince = &at
	}
	if t.Attempt > 0 {
		e.NextReason = "" // it was for this attempt
	}
}

// HeldAs is why the event is held, in a word that its cause begins with: risky, mismatch, late
// or closed. Empty: it is not held.
func (e Event) HeldAs() string {
	if e.State != Held {
		return ""
	}
	return firstWord(e.LastError)
}

// firstWord is the word that a cause of being held begins with.
func firstWord(cause string) string {
	word, _, _ := strings.Cut(cause, ":")
	return word
}

// AcceptedAs is what the event was held as, in the word of [Event.HeldAs], when it was released
// the last time. Empty: it was not accepted then.
func (e Event) AcceptedAs() string {
	if !e.RiskAccepted {
		return ""
	}
	isReleased := false
	for _, t := range slices.Backward(e.Transitions) {
		if isReleased = isReleased || t.Reason == Release; isReleased && t.State == Held {
			return firstWord(t.Cause)
		}
	}
	return ""
}

// Flags are the flags that may be bound to the event.
func (e Event) Flags() []Flag {
	flags := []Flag{CreditOf(e.Record), PayoutOf(e.Record)}
	if e.GatewayOrderID != "" {
		flags = append(flags, e.InOrder().Fulfill())
	}
	return flags
}

// InOrder names the order that the event belongs to.
func (e Event) InOrder() OrderID {
	return OrderID{cmp.Or(e.OrderAppID, e.AppID), cmp.Or(e.Order, e.GatewayOrderID)}
}

// SetOrder says which order of the ledger the event belongs to.
func (e *Event) SetOrder(id OrderID) {
	e.OrderAppID, e.Order = "", ""
	if id.AppID != e.AppID {
		e.OrderAppID = id.AppID
	}
	if id.ID != e.GatewayOrderID {
		e.Order = id.ID
	}
}
