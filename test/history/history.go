// Package history judges what happened to webhooks between a sender, Caddy's
// ledger and an app, from the logs of the three. It runs nothing. Of one machine it
// orders what happened by the run of Caddy that did it, and not by a clock. The runs of
// several machines overlap: there the app's order counts, and of a cut its time.
package history

import (
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// History is what the three have recorded, once all has settled.
type History struct {
	// PassesThrough: the route passes through, and does not store and forward.
	PassesThrough bool
	// Shared: several machines share the ledger. An attempt may be repeated only where
	// one of the cuts explains it.
	Shared bool
	// ClockSet: Caddy's clock was set meanwhile, forward and back.
	ClockSet bool
	// Cuts are what cut runs of Caddy off.
	Cuts []Cut
	// Sent are the webhooks that senders sent.
	Sent []Sent
	// Events and Orders are those of the ledger.
	Events []ledger.Event
	Orders []ledger.Order
	// Attempts are the deliveries that the app got, in their order.
	Attempts []Attempt
	// Applied are the ids of the events that the app applied, one for each time.
	Applied []string
	// Paid are the app's ids of the orders that buyers have paid in full.
	Paid []string
}

// Sent is one webhook that was sent to Caddy.
type Sent struct {
	Key   ledger.Key // without a route
	Order string
	// Digest is that of the body.
	Digest string
	// Acknowledged is the run of Caddy that acknowledged it, from 1; 0: none did.
	Acknowledged int
	// At is when the sender had the acknowledgement.
	At time.Time
}

// Cut is a time in which a run of Caddy could not record how its attempts ended, or
// could not tell that they were no longer its own: it was killed, stopped beyond its
// session, or cut from the ledger.
type Cut struct {
	Caddy int // the run; 0: all that ran then
	From  time.Time
	// To is when it was over; zero: the run has ended.
	To time.Time
}

// Attempt is one request that the app got.
type Attempt struct {
	// Caddy and App count the runs of the two programs, from 1: a kill ends one. Each
	// run has a number of its own, whichever machine it is on.
	Caddy int
	App   int
	// At is when the app got it, and Answered when it was about to respond; zero: it
	// did not.
	At, Answered time.Time

	EventID string
	Record  string
	Status  string // as CCPayment writes it
	Order   string
	Digest  string // that of the body
	Seq     uint64
	Number  int
	Reason  string // of the attempt
	Fulfill bool
	// Yes: the app was about to respond 200. No: it was about to respond 500, so that the
	// event comes again, whether it has applied it or not.
	Yes, No bool
}

// Violation is a promise that was broken.
type Violation struct {
	Promise Promise
	Text    string
}

// Promise is one of those that are checked.
type Promise string

// The promises.
const (
	// Kept: what was acknowledged is in the ledger.
	Kept Promise = "what is acknowledged is in the ledger"
	// Settles: no event is left on its way.
	Settles Promise = "every event settles"
	// Arrives: what was acknowledged was applied by the app, unless a later status
	// of its record was, or it waits for an operator.
	Arrives Promise = "what is acknowledged is applied"
	// Once: the app applies an event once.
	Once Promise = "an event is applied once"
	// Spared: an event is delivered again only if a crash cut the attempt before off, or
	// another cut did, or the app said no.
	Spared Promise = "an event is handed over again only after a crash"
	// Alone: among machines that share a ledger, one works on a record at a time.
	Alone Promise = "a record has one attempt at a time"
	// Counted: the ledger has the attempts and sequence numbers that the app got.
	Counted Promise = "attempts and their sequence are as the ledger says"
	// InOrder: of a record nothing follows a later status.
	InOrder Promise = "a record's events come in their order"
	// FulfilsOnce: an order has at most one event that fulfils it, which says so
	// on every attempt.
	FulfilsOnce Promise = "one event fulfils an order, on all its attempts"
	// Fulfils: a paid order has an event that fulfils it, and no other order has.
	Fulfils Promise = "a paid order is fulfilled, and no other"
	// Nothing: no event is in the ledger or at the app that was not sent.
	Nothing Promise = "nothing is invented"
)
