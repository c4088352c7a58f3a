// Package relay records verified events in the ledger, delivers them to the app
// behind a route, and returns the replies to the gateway.
package relay

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Route delivers the events of an account's webhooks to an app. It is safe for
// concurrent use and must not be changed once it is used.
type Route struct {
	// Name is the route's name in the ledger.
	Name string
	// Account is the account whose webhooks come in on the route.
	Account *gateway.Account
	// AccountOf returns the account that an event of the ledger came for, and false
	// where none is configured any more.
	AccountOf func(ledger.Event) (*gateway.Account, bool)

	Confirm *confirm.Confirmer
	// Trust: only events that were signed too long ago are confirmed.
	Trust bool

	// Types and Statuses are those whose events are delivered; empty: all.
	Types, Statuses []string

	// App is where events are delivered in the background; nil: to the next handler,
	// while the gateway waits.
	App   App
	Retry ledger.Plan
	// Timeout is how long one attempt at the app may take, Wait how long a copy of an
	// event waits for the attempt that is in flight.
	Timeout, Wait time.Duration

	// Enrich: the body that is sent has the records that confirmed the event, too.
	Enrich bool
	// Token returns the bearer token that is sent to the app; empty: none. It may
	// change.
	Token func() string
	// Sign, if set, signs what is sent to the app.
	Sign Signer
	// Ack is a text that the body of the app's 2xx response must have as a whole word to
	// acknowledge an event; see [ack.Judge]. Empty: any 2xx acknowledges it.
	Ack string

	// Replay makes a delivered event due again.
	Replay func(ctx context.Context, e ledger.Event, cause string) error
	// Report is called with the outcome of every attempt, and with what went wrong
	// between attempts.
	Report func(Outcome)
	Now    func() time.Time
}

// Options returns by their names the options that decide what becomes of an event, which
// are to be alike wherever the route is. Secrets are not among them.
func (r *Route) Options() map[string]any {
	return map[string]any{
		"account":          r.Account.Info.AccountID,
		"orders":           r.Account.Orders,
		"deliver":          r.App != nil,
		"retry":            r.Retry,
		"types":            slices.Sorted(slices.Values(r.Types)),
		"statuses":         slices.Sorted(slices.Values(r.Statuses)),
		"body":             r.Enrich,
		"ack":              r.Ack,
		"confirm":          r.Trust,
		"risky":            r.Confirm.Policy.HoldRisky,
		"late":             r.Confirm.Policy.HoldLate,
		"accept_underpaid": r.Confirm.Policy.AcceptUnderpaid,
	}
}

// Event returns the ledger's event for a notice that came in a request at a time.
func (r *Route) Event(n gateway.Notice, request ledger.Request, body []byte, at time.Time) ledger.Event {
	e := ledger.Event{
		Key: ledger.Key{
			Record: ledger.Record{Route: r.Name, AppID: r.Account.Info.AccountID, Type: n.Type, ID: n.RecordID},
			Status: strings.ToLower(n.Status), Risk: n.Risk,
		},
		Account: r.Account.Name, Status: n.Status, OrderID: n.OrderID, GatewayOrderID: n.OrderID,
		ReferenceID: n.ReferenceID, UserID: n.UserID, ReceivedAt: at.UTC(), Request: request, Body: body,
	}
	if n.RecordID == "" {
		e.Record.ID = ledger.OwnRecord(n.Digest)
	}
	return e
}

// leaseMargin is how much longer a lease is than an attempt: time for the
// outcome to be committed. It is derived here, so that the two cannot drift.
const leaseMargin = 30 * time.Second

func (r *Route) lease() time.Duration { return r.Timeout + r.Account.Budget + leaseMargin }

// confirms reports whether the route asks the gateway about an event.
func (r *Route) confirms(e ledger.Event) bool {
	return !r.Trust || e.Request.Stale || e.Type == gateway.OrderExpired
}

// accountOf returns the account that an event came for; the route's own, where that is not
// configured any more.
func (r *Route) accountOf(e ledger.Event) *gateway.Account {
	if e.AppID != r.Account.Info.AccountID {
		if of, ok := r.AccountOf(e); ok {
			return of
		}
	}
	return r.Account
}

// rank is the rank of a status at the account's gateway.
func (r *Route) rank(status string) int { return r.Account.Info.Rank(status) }
