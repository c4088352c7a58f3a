// Package gateway is the interface between payment gateways and the rest of the
// project: the methods of a gateway, and the types of what it returns.
//
// A gateway only reports what its webhooks and records say. Whether an event is
// held, what the payments of an order come to, and which event tells the app to
// fulfil it, is decided elsewhere, in the same way for every gateway.
package gateway

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Gateway is one merchant account at a payment gateway. It must be safe for concurrent
// use. Optional abilities are the interfaces [Checkouts], [Finder], [Canceler], [Resender],
// [Lister], [Rotating], [Schemer], [Signer] and [API], and those for people's tools: [Explainer],
// [Sampler] and [Checker].
type Gateway interface {
	// Info returns what never changes about the gateway and the account.
	Info() Info

	// Key derives a secret key for one purpose from the account's secret. It depends
	// on nothing else, so that all processes derive the same; see [DeriveKey].
	Key(purpose string) []byte

	Webhooks
	Records
}

// Rotating is a gateway whose secrets change while the account is in use, and that
// honours replaced ones for a while.
type Rotating interface {
	// Keys derives keys for one purpose as Key does: first the same, and then those of
	// replaced secrets that webhooks may be signed with now.
	Keys(purpose string) [][]byte

	// Succeed takes from an account of the configuration before this one, if it is the
	// same account, which replaced secrets are still honoured. It is called before the
	// account is in use; the other may be in use all the time.
	Succeed(before Gateway)
}

// Keys returns the keys of a gateway for one purpose: the first makes what others may
// have made with one of the rest.
func Keys(g Gateway, purpose string) [][]byte {
	if rotating, ok := g.(Rotating); ok {
		return rotating.Keys(purpose)
	}
	return [][]byte{g.Key(purpose)}
}

// Webhooks verifies and reads the gateway's webhooks.
type Webhooks interface {
	// Verify checks that the gateway signed the request, and returns the time of the
	// signature, whose age the caller checks. The error wraps [ErrMalformed]
	// where the request has no signature of the gateway's form, and [ErrSignature]
	// where the signature is wrong or another account's.
	Verify(r Request, now time.Time) (signedAt time.Time, err error)

	// Read reads the notice in a verified body, and in a body that the ledger has
	// kept, with nothing but the body to go by. The error wraps [ErrUnreadable], also
	// where another reader could understand the body in another way, such as one
	// with a key that stands twice.
	Read(body []byte) (Notice, error)
}

// Request is the HTTP request of a webhook that is not verified yet.
type Request struct {
	Method string
	// URL is the webhook's public address as the configuration has it, which some
	// gateways sign; empty where it has none. PreviousURLs are those that it had.
	URL          string
	PreviousURLs []PreviousURL
	Header       http.Header
	Body         []byte
}

// PreviousURL is a public address of webhooks that was replaced, and that webhooks under
// way are still signed for.
type PreviousURL struct {
	URL   string
	Until time.Time // zero: no end
}

// Notice is the content of a webhook, in the gateway's words. A field is empty where the
// webhook does not have it.
type Notice struct {
	// Ping: the gateway tests the URL; there is no event.
	Ping bool
	// Type and Status are as the gateway writes them.
	Type, Status string
	// RecordID names what the webhook is about, among those of its type. A webhook
	// that names nothing has a Digest of what it says instead: without either, all
	// such webhooks would be one event.
	RecordID, Digest string
	// OrderID is the order's id at the gateway, with the account's prefix.
	OrderID string
	// ReferenceID and UserID are the app's ids of the customer whose deposit it is.
	ReferenceID, UserID string
	CoinID              string
	// WalletID is where the gateway keeps the record, if it must be told to find it.
	WalletID string
	// Risk is whether the gateway flags the payment as risky. A gateway that never
	// flags any says [ledger.NotRisky]. It is part of the event's id, and never empty.
	Risk ledger.Risk
}

// Info is what never changes about a gateway and an account.
type Info struct {
	// Name is the gateway's name in configurations, such as ccpayment.
	Name string
	// Title is the gateway's name in messages, such as CCPayment.
	Title string
	// AccountID names the account at the gateway: an app id, a client id. Orders,
	// records and flags belong to it, whatever the gateway: it must not be that of an
	// account at another gateway. An id that could be has the gateway's name in front.
	AccountID string
	// ByDefault: the configuration has no credentials, so that they are the
	// environment's.
	ByDefault bool

	// Types and Statuses are those that the gateway documents. Events of other types
	// are recorded and delivered, but never confirmed.
	Types    []Type
	Statuses []Status

	// SignatureHeader is the header that has a webhook's signature, which no log shows.
	// AccountHeader and TimestampHeader have the account's id and the time that are signed
	// with it; empty: there is none.
	SignatureHeader, AccountHeader, TimestampHeader string
	// SignsURL: a webhook is signed for the URL that it is sent to.
	SignsURL bool
	// Addresses are the IP addresses that the gateway sends webhooks from.
	Addresses []string
	// PageHosts are the hosts of the gateway's checkout pages; a host with a dot in
	// front stands for its subdomains.
	PageHosts []string

	// Ack is the response that acknowledges a webhook, PingAck that to a ping.
	Ack, PingAck Ack

	Limits Limits

	// Retries is for how long after the first try the gateway tries a webhook again that was
	// not acknowledged, by its reference; 0: it does not say. See [Info.RetriesOf].
	Retries time.Duration
}

// Ack is a response to a webhook, with status 200. An empty ContentType stands for plain
// text.
type Ack struct{ ContentType, Body string }

// Type is a type of webhook.
type Type struct {
	Name string
	Kind Kind
	// BookedBy is the id by which the app books the money.
	BookedBy Booking
	// IsOrder: the records are orders, by the gateway's own ids of them, which are the
	// Ref of a [ledger.GatewayOrder]; see [Record.Order].
	IsOrder bool
	// Unconfirmed: there are no records to ask for, so that events of the type never
	// carry a flag.
	Unconfirmed bool
	// FailsSilently: the gateway sends no webhook when a payout fails. Whichever event
	// of a payout comes tells of it.
	FailsSilently bool
	// Retries is the type's own, where it is not that of [Info].
	Retries time.Duration
}

// OrderExpired is the type of the events by which the app is told that an order of our
// checkout has expired. No gateway sends them.
const OrderExpired = "OrderExpired"

// Kind is what a webhook is about, whatever its gateway calls it.
type Kind string

// The kinds of webhooks.
const (
	Payment Kind = "payment" // of an order
	Deposit Kind = "deposit" // to an address of a customer
	Payout  Kind = "payout"
	Other   Kind = "other"
)

// Booking says by which of a payment's ids the app books the money: its order's, a
// customer's, or its own.
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
	// Rank orders the statuses of a record, from 1: an event whose status has a higher
	// rank supersedes those of lower ranks, but for one that carries a flag.
	Rank  int
	Stage Stage
}

// Stage is what a status means for the money.
type Stage uint8

// The stages of a record. After Success, Failed or Rejected there is no other, but for a
// Success of a higher rank: a payment can win over the end of an invoice.
const (
	Unknown Stage = iota
	Open
	Success
	Failed
	Rejected
)

// Final reports whether no other stage follows.
func (s Stage) Final() bool { return s >= Success }

// Type returns the type with this name. Where the gateway does not document it, Type
// returns false, and a type of the kind Other.
func (i Info) Type(name string) (Type, bool) {
	for _, t := range i.Types {
		if t.Name == name {
			return t, true
		}
	}
	return Type{Name: name, Kind: Other}, false
}

// Confirms reports whether the gateway has records by which events of this type are
// confirmed.
func (i Info) Confirms(typ string) bool {
	t, isKnown := i.Type(typ)
	return isKnown && !t.Unconfirmed
}

// RetriesOf is for how long after the first try a webhook of this type is tried again; 0: not
// known.
func (i Info) RetriesOf(typ string) time.Duration {
	t, _ := i.Type(typ)
	return cmp.Or(t.Retries, i.Retries)
}

// Rank returns a status's rank; 0 where the gateway does not document the status, which
// then supersedes nothing and is never superseded.
func (i Info) Rank(status string) int { return i.status(status).Rank }

// Stage returns a status's stage; Unknown where the gateway does not document it.
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
	// Scheme returns the verifier and reader of webhooks that are signed in the way of
	// this name. The error says which ways there are, or what the account lacks.
	Scheme(name string) (Webhooks, error)
}

// Signer is a gateway whose webhooks are signed with a secret that the account has, so
// that deliveries can be signed in the same way for apps that verify by themselves.
type Signer interface {
	// Sign returns the names and values of the headers that the gateway would send with
	// the body.
	Sign(now time.Time, body []byte) [][2]string
}
