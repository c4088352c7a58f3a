// Package relay takes verified events through the ledger to the app behind a
// route, and says what the gateway is to be answered.
package relay

import (
	"context"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Route is where a webhook's events go. It is safe for concurrent use and must
// not be changed once it is used.
type Route struct {
	// Name is the route's name in the ledger.
	Name string
	// Account is whose webhooks the route takes.
	Account *gateway.Account
	// AccountOf returns the account that an event of the ledger came for, and false
	// where none is configured any more.
	AccountOf func(ledger.Event) (*gateway.Account, bool)

	Confirm *confirm.Confirmer
	// Trust: only events that were signed too long ago are confirmed.
	Trust bool

	// Types and Statuses are those that are forwarded; empty: all.
	Types, Statuses []string

	// App is where events are delivered in the background; nil: to the next handler,
	// while the gateway waits.
	App   App
	Retry ledger.Plan
	// Timeout is how long one attempt at the app may take, Wait how long a copy of an
	// event waits for the attempt that is in flight.
	Timeout, Wait time.Duration

	// Enrich sends the records that confirmed an event with it.
	Enrich bool
	// Token, if set, is sent to the app as a bearer token.
	Token string
	// Sign, if set, signs what is sent to the app.
	Sign Signer
	// Ack is the text that the app's answer must have; empty: any 2xx will do.
	Ack string

	// Replay makes a delivered event due once more.
	Replay func(ctx context.Context, e ledger.Event, cause string) error
	// Report is called with the outcome of every attempt, and of what went wrong
	// between them.
	Report func(Outcome)
	Now    func() time.Time
}

// Event is the event of a notice, which came in a request at a time.
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
