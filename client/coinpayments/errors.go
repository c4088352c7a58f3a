package coinpayments

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// StatusError is an HTTP status as a sentinel for [errors.Is]. CoinPayments has no
// codes of its own.
type StatusError int

// Error is the status with its name.
func (s StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", int(s), http.StatusText(int(s))))
}

// The statuses that CoinPayments refuses a call with (reference, Common API Errors).
// Nothing has happened after any of them.
const (
	ErrBadRequest    StatusError = http.StatusBadRequest
	ErrUnauthorized  StatusError = http.StatusUnauthorized
	ErrForbidden     StatusError = http.StatusForbidden
	ErrNotFound      StatusError = http.StatusNotFound
	ErrConflict      StatusError = http.StatusConflict
	ErrUnprocessable StatusError = http.StatusUnprocessableEntity
	ErrRateLimit     StatusError = http.StatusTooManyRequests
)

// hints say what to do about a status. A status that is here is a refusal.
var hints = map[StatusError]string{
	ErrBadRequest:    "correct what the detail or the fields name; a currency, an address or a balance may be the reason as well",
	ErrUnauthorized:  "check four things: the instance (credentials work on one of a, b and c only), this machine's clock, the client secret, and the integration's list of IP addresses",
	ErrForbidden:     "give the integration the permission for this call in CoinPayments' dashboard, and see whether its list of IP addresses has this machine",
	ErrNotFound:      "check the id: there is nothing under it, or it belongs to another integration",
	ErrConflict:      "it exists or has changed meanwhile: look it up",
	ErrUnprocessable: "correct what the detail or the fields name",
	ErrRateLimit:     "call less often: CoinPayments allows 70 requests per second",

	http.StatusMethodNotAllowed:      "this is not a route of CoinPayments: check the base URL and what stands in front of it",
	http.StatusGone:                  "it is not there any more",
	http.StatusRequestEntityTooLarge: "send less",
	http.StatusUnsupportedMediaType:  "this is not a route of CoinPayments: check the base URL and what stands in front of it",
}

// Error is CoinPayments' refusal of a call, or an answer to a read that is none of
// CoinPayments'. [errors.Is] compares it with the sentinel of its status,
// [ErrUnauthorized] and the like.
type Error struct {
	Status int    // HTTP
	Route  string // such as POST /api/v2/merchant/invoices
	// Type, Title, Detail and Instance are those of the ProblemDetails in the answer;
	// empty where it has none.
	Type, Title, Detail, Instance string
	// Fields are what is wrong with which field of the request.
	Fields map[string][]string
	// RetryAfter is how long to wait, where the answer says so.
	RetryAfter time.Duration
}

// Error never holds a secret; its words are CoinPayments' own, cut to a line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "coinpayments %s: %s", e.Route, StatusError(e.Status))
	if e.Title != "" && e.Title != http.StatusText(e.Status) {
		fmt.Fprintf(&b, ": %s", e.Title)
	}
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		fmt.Fprintf(&b, "; %s: %s", name, strings.Join(e.Fields[name], ", "))
	}
	return b.String()
}

// Is reports whether target is the sentinel of this error's status.
func (e *Error) Is(target error) bool {
	status, ok := target.(StatusError)
	return ok && int(status) == e.Status
}

// Hint says what to do about it, in a sentence for a developer or an operator.
func (e *Error) Hint() string {
	if hint, ok := hints[StatusError(e.Status)]; ok {
		return hint
	}
	switch {
	case e.Status >= 500:
		return "CoinPayments or something in front of it is in trouble: try again later"
	case e.Status >= 400:
		return "read the detail, and ask CoinPayments' support"
	default:
		return "this is not CoinPayments' API answering: check the base URL and what stands in front of it"
	}
}

// ArgumentError: a request that was not sent, because it breaks a rule of the
// reference. It is also an [ErrBadRequest], as CoinPayments would have said.
type ArgumentError struct {
	Route   string
	Field   string // the field's name in the reference, such as items[0].amount
	Problem string
}

func (e *ArgumentError) Error() string {
	return fmt.Sprintf("coinpayments %s: %s %s", e.Route, e.Field, e.Problem)
}

// Is makes an ArgumentError an [ErrBadRequest].
func (e *ArgumentError) Is(target error) bool { return target == error(ErrBadRequest) }

// ErrOutcomeUnknown is what [errors.Is] finds in an [OutcomeUnknownError].
var ErrOutcomeUnknown = errors.New("the outcome is unknown")

// OutcomeUnknownError: the call changes something at CoinPayments, and whether it
// did is not known: the response was lost, came too late, or made no sense. Never
// make the call again before you have looked: for an invoice with
// [Client.Invoices] and its Query, twice and with a pause, as CoinPayments has no
// idempotency key; for a confirmed spend request with [Client.Transaction] and
// [BySpendRequest]; for a cancelled invoice with [Client.Invoice].
type OutcomeUnknownError struct {
	Route string
	// Reference is what to look up: an invoice's poNumber, else its invoiceId; a spend
	// request's, an invoice's or a wallet's id; or see [Route.Reference]. Empty where the
	// call has none.
	Reference string
	// Status is the answer's HTTP status; 0: there was none.
	Status int
	Err    error // what went wrong
}

func outcomeUnknown(r *request, err error) *OutcomeUnknownError {
	unknown := &OutcomeUnknownError{Route: r.route.String(), Reference: r.reference, Err: err}
	var answered *Error
	if errors.As(err, &answered) {
		unknown.Status = answered.Status
	}
	return unknown
}

func (e *OutcomeUnknownError) Error() string {
	return fmt.Sprintf("%v of %q: look it up before anything else: %v",
		ErrOutcomeUnknown, cmp.Or(e.Reference, e.Route), e.Err)
}

// Unwrap gives [ErrOutcomeUnknown] and what went wrong.
func (e *OutcomeUnknownError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Err} }

// AnswerError: CoinPayments agreed, but its response to a read cannot be read: it is no
// JSON, a field has the wrong kind, stands there twice, or is not what was asked for,
// or a number is beyond 40 digits.
type AnswerError struct {
	Route string
	Err   error
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("coinpayments %s: the answer cannot be read: %v", e.Route, e.Err)
}

// Unwrap returns what is wrong with the response.
func (e *AnswerError) Unwrap() error { return e.Err }
