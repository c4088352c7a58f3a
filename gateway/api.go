package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// API is a gateway whose API programs can call through us, without the account's secret:
// apps by ccpayment_api, and people by `caddy ccpayment call`.
type API interface {
	// Endpoints returns the endpoints, each once.
	Endpoints() []Endpoint

	// FindEndpoint returns the endpoint that a request is for, and false where there is
	// none. The path is escaped as in a URL, and begins with a slash. A path that another
	// reader could take for another endpoint's is none.
	FindEndpoint(method, path string) (Endpoint, bool)

	// Call makes a call of an endpoint, and returns the gateway's answer: what was asked
	// for, or a refusal. One that changes something is sent once. An error means that there
	// is no answer: it is a [*FieldError] where the call was not sent because of its
	// parameters, and a [*LostError] where it may have been performed. After any other
	// error the call may be made again.
	Call(ctx context.Context, c APICall) (APIAnswer, error)
}

// Group says what the calls of an endpoint can do. Operators allow groups.
type Group string

// The groups of endpoints.
const (
	GroupRead     Group = "read"     // asks only
	GroupDeposit  Group = "deposit"  // makes and ends orders and addresses
	GroupWithdraw Group = "withdraw" // moves money out, or lets it be
	GroupSwap     Group = "swap"
	GroupWallet   Group = "wallet"  // moves money between wallets, or makes them
	GroupWebhook  Group = "webhook" // about webhooks
)

// Groups returns the groups in the order of the documentation.
func Groups() []Group {
	return []Group{GroupRead, GroupDeposit, GroupWithdraw, GroupSwap, GroupWallet, GroupWebhook}
}

// Endpoint is an endpoint of a gateway's API.
type Endpoint struct {
	// Name is what it is called by: getCoinList, or the method and the path, with names
	// in the place of ids, as in GET /invoices/{id}.
	Name string
	// Method is the HTTP method that it is called with. With GET and DELETE it takes no body.
	Method string
	Group  Group
	// Lists: its answer is a list of the gateway's that seldom changes.
	Lists bool
	// WebhookKeys are the keys of a call's body that say where webhooks are sent to, and
	// PayoutKeys those that say where money goes. The case does not count.
	WebhookKeys, PayoutKeys []string
}

// Methods returns the methods of endpoints, each once, in the order of the endpoints.
func Methods(endpoints []Endpoint) []string {
	var methods []string
	for _, e := range endpoints {
		if !slices.Contains(methods, e.Method) {
			methods = append(methods, e.Method)
		}
	}
	return methods
}

// APICall is a call of a gateway's API.
type APICall struct {
	// Method, Path and Query are those of the request. Path and Query are escaped as in a
	// URL.
	Method, Path, Query string
	// Body is a JSON object; empty: there is none.
	Body json.RawMessage
	// NotifyURL, if set, is where webhooks about what the call makes are sent to. Body
	// then has none of the endpoint's WebhookKeys.
	NotifyURL string
	// Making, if set, is called by [APICall.Begin].
	Making func(marks []string)
}

// Begin is to be called right before the call is sent, with the marks of what it makes, as
// far as the call has them: those in [APIAnswer.Makes], or others that what it makes has in
// [Listed]. Where the answer is lost, they say what was made.
func (c APICall) Begin(marks []string) {
	if c.Making != nil && len(marks) > 0 {
		c.Making(marks)
	}
}

// APIAnswer is the answer to an API call.
type APIAnswer struct {
	// Refusal is why the gateway refused the call; nil: it performed the call. It has a
	// Code.
	Refusal *RefusedError
	// Status, ContentType and Body are what a program gets that called through us, as the
	// gateway writes it; 0: there was no answer.
	Status      int
	ContentType string
	Body        []byte
	// Data is the part of Body without what the gateway wraps around it.
	Data []byte
	// RetryAfter is how long the gateway asks to wait; 0: it does not say.
	RetryAfter time.Duration

	// About is the order, or the like, that the call named; may be empty. It is set
	// whatever came of the call.
	About string
	// Makes are the marks of what the call makes or has made, by which [Listed] has it
	// again. They are set whatever came of the call.
	Makes []string
}

// LostError: the gateway may have performed a call, or not. It is an [ErrOutcomeUnknown].
type LostError struct {
	// OrderID is the order that the call named, and Reference what else can be looked up;
	// empty: there is none.
	OrderID, Reference string
	// Code and Name are as in [RefusedError], Msg is the gateway's message, and Body its
	// answer, where it answered with something that proves nothing; empty: it did not.
	Code, Name, Msg string
	Body            []byte
	// Hint says in a sentence what to do.
	Hint string
	// NoCall: no call of the API tells the outcome, and the hint says what does.
	NoCall bool
	Err    error
}

// Error returns the text of Err.
func (e *LostError) Error() string { return e.Err.Error() }
func (e *LostError) Unwrap() error { return e.Err }

// Label returns the code with its name; empty: there is none.
func (e *LostError) Label() string { return strings.TrimSpace(e.Code + " " + e.Name) }

// Is makes a LostError an [ErrOutcomeUnknown].
func (e *LostError) Is(target error) bool { return target == ErrOutcomeUnknown }
