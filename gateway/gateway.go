// Package gateway is the seam between payment gateways and everything else: what
// is asked of a gateway, and the words in which it answers.
//
// A gateway tells. What an answer is worth, whether an event is held, what the
// payments of an order come to, and which event tells the app to fulfil it, is
// decided elsewhere, in the same way for every gateway.
package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Gateway is one merchant account at a payment gateway. It is safe for
// concurrent use. What else it can do, it says by implementing [Checkouts],
// [Resender], [Schemer] or [Signer].
type Gateway interface {
	// Info tells what never changes about the gateway and the account.
	Info() Info

	// Key derives a secret key for one purpose from the account's secret: the same
	// for the same purpose, whatever process asks; see [DeriveKey].
	Key(purpose string) []byte

	Webhooks
	Records
}

// Webhooks are how the gateway tells of events.
type Webhooks interface {
	// Verify checks that the gateway signed the request, and returns when. How old
	// a webhook may be is the caller's business. The error wraps [ErrMalformed]
	// where the request has no signature of the gateway's form, and [ErrSignature]
	// where the signature is wrong or another account's.
	Verify(r Request, now time.Time) (signedAt time.Time, err error)

	// Read reads the notice in a verified body, and in a body that the ledger has
	// kept. The error wraps [ErrUnreadable].
	Read(body []byte) (Notice, error)
}

// Request is a webhook before anything in it is believed.
type Request struct {
	Method string
	// URL is the webhook's public address as the configuration has it, which some
	// gateways sign; empty where it has none.
	URL    string
	Header http.Header
	Body   []byte
}

// Notice is what a webhook says, in the gateway's words. A text is empty where
// the webhook does not have it.
type Notice struct {
	// Ping: the gateway tests the URL; there is no event.
	Ping bool
	// Type and Status are as the gateway writes them.
	Type, Status string
	// RecordID names what the webhook is about. A webhook that names nothing has a
	// Digest of what it says instead.
	RecordID, Digest string
	// OrderID is the order's id at the gateway, with the account's prefix.
	OrderID string
	// ReferenceID and UserID say whose deposit it is.
	ReferenceID, UserID string
	CoinID              string
	// Risk is whether the gateway flags the payment as risky. A gateway that never
	// flags any says [ledger.NotRisky].
	Risk ledger.Risk
}

// Info is what never changes about a gateway and an account.
type Info struct {
	// Name is what configurations call the gateway, such as ccpayment.
	Name string
	// Title is what people call it, such as CCPayment.
	Title string
	// AccountID names the account at the gateway: an app id, a client id. Orders,
	// records and flags belong to it.
	AccountID string

	// Types and Statuses are those that the gateway documents. Others are recorded
	// and forwarded, but never confirmed.
	Types    []Type
	Statuses []Status

	// Addresses are the IP addresses that the gateway sends webhooks from.
	Addresses []string
	// PageHosts are the hosts of its checkout pages; one with a dot in front stands
	// for its subdomains.
	PageHosts []string

	// Ack is the answer that the gateway takes for a yes; PingAck answers a ping.
	Ack, PingAck Ack

	Limits Limits
}

// Ack is an answer to a webhook, with status 200.
type Ack struct{ ContentType, Body string }

// Type is a type of webhook.
type Type struct {
	Name string
	Kind Kind
	// BookedBy is the id that the money is booked by.
	BookedBy Booking
}

// Kind is what a webhook is about, whatever its gateway calls it.
type Kind string

// The kinds of webhooks.
const (
	Payment Kind = "payment" // of an order
	Deposit Kind = "deposit" // to an address of a customer
	Payout  Kind = "payout"
	Other   Kind = "other"
)

// Booking is which of its ids a payment is booked by.
type Booking uint8

// The ids that money is booked by.
const (
	ByRecord Booking = iota
	ByOrder
	ByReference
	ByUser
)

// Status is a status of records.
type Status struct {
	// Name is compared without case.
	Name string
	// Rank orders the statuses of a record, from 1: an event of a higher rank
	// supersedes those of lower ones.
	Rank  int
	Stage Stage
}

// Stage is what a status means for the money.
type Stage uint8

// The stages of a record's life. Of the final ones no other follows.
const (
	Unknown Stage = iota
	Open
	Success
	Failed
	Rejected
)

// Final reports whether the money's fate is known.
func (s Stage) Final() bool { return s >= Success }

// Type returns what is known of a type, and false where the gateway does not
// document it.
func (i Info) Type(name string) (Type, bool) {
	for _, t := range i.Types {
		if t.Name == name {
			return t, true
		}
	}
	return Type{Name: name, Kind: Other}, false
}

// Rank returns a status's rank; 0 where the status is unknown, which supersedes
// nothing and is never superseded.
func (i Info) Rank(status string) int { return i.status(status).Rank }

// Stage returns what a status means.
func (i Info) Stage(status string) Stage { return i.status(status).Stage }

func (i Info) status(name string) Status {
	for _, s := range i.Statuses {
		if strings.EqualFold(s.Name, name) {
			return s
		}
	}
	return Status{}
}

// Schemer is a gateway that signs webhooks in more than one way.
type Schemer interface {
	// Scheme returns the webhooks that are signed in the way of this name. The
	// error says which ways there are, or what the account lacks for this one.
	Scheme(name string) (Webhooks, error)
}

// Signer is a gateway whose signature on webhooks the account's secret can make,
// for apps that verify by themselves.
type Signer interface {
	// Sign returns the headers that the gateway would have sent with the body.
	Sign(now time.Time, body []byte) [][2]string
}
