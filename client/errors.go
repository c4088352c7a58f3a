package client

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error is CCPayment's refusal of a call, or an answer that is not one of
// CCPayment's at all (Code 0). [errors.Is] compares it with the sentinel of its
// code, [ErrRateLimit] and the like.
type Error struct {
	Code       int    // API reference, Status Codes & Error Codes; 0: the answer had none
	Msg        string // what the answer said, in CCPayment's words
	Endpoint   string
	HTTPStatus int // 0: the request was not sent
}

// Error never holds a secret; Msg is CCPayment's own text, cut to a line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "ccpayment %s: ", e.Endpoint)
	if e.Code == 0 {
		fmt.Fprintf(&b, "HTTP %d: %s", e.HTTPStatus, e.Msg)
		return b.String()
	}
	fmt.Fprintf(&b, "%d", e.Code)
	if known, ok := codes[CodeError(e.Code)]; ok {
		fmt.Fprintf(&b, " %s", known.name)
	}
	if e.Msg != "" {
		fmt.Fprintf(&b, ": %s", e.Msg)
	}
	return b.String()
}

// Is reports whether target is the sentinel of this error's code.
func (e *Error) Is(target error) bool {
	code, ok := target.(CodeError)
	return ok && int(code) == e.Code
}

// Hint says what to do about it, in a sentence for a developer or an operator.
func (e *Error) Hint() string {
	if known, ok := codes[CodeError(e.Code)]; ok {
		return known.hint
	}
	if e.Code != 0 {
		return "CCPayment documents no such code: read msg, and ask CCPayment's support"
	}
	switch {
	case e.HTTPStatus >= 500:
		return "CCPayment or something in front of it is in trouble: try again later"
	case e.HTTPStatus >= 300:
		return "this is not CCPayment's API answering: check the base URL and what stands in front of it"
	default:
		return "the answer is not CCPayment's: check the base URL and what stands in front of it"
	}
}

// ArgumentError: a request that was not sent, because it breaks a rule of the
// reference. It is also an [ErrInvalidArgument], as CCPayment would have said.
type ArgumentError struct {
	Endpoint string
	Field    string // the parameter's name in the reference
	Problem  string
}

func (e *ArgumentError) Error() string {
	return fmt.Sprintf("ccpayment %s: %s %s", e.Endpoint, e.Field, e.Problem)
}

// Is makes an ArgumentError an [ErrInvalidArgument].
func (e *ArgumentError) Is(target error) bool { return target == error(ErrInvalidArgument) }

// ErrOutcomeUnknown is what [errors.Is] finds in an [OutcomeUnknownError].
var ErrOutcomeUnknown = errors.New("the outcome is unknown")

// OutcomeUnknownError: the call changes something at CCPayment, and whether it
// did is not known: the response was lost, came too late, or made no sense.
// Never make the call again under another order id. Look OrderID up first, with
// [Client.WithdrawalRecord], [Client.SwapRecord] or the like. [ErrNotFound]
// there proves that nothing happened only from ProvenAfter on: a request that is
// stuck on its way may still be performed as long as its timestamp is valid.
type OutcomeUnknownError struct {
	Endpoint string
	OrderID  string // empty where the endpoint takes none
	// ProvenAfter is when CCPayment's records are final about the call.
	ProvenAfter time.Time
	// Code and Msg are CCPayment's own, where it answered with a code that proves
	// nothing: one that nobody knows, [ErrFailed] or [ErrInternal]. 0 and empty:
	// it gave none.
	Code int
	Msg  string
	Err  error // what went wrong
}

// requestLife is how long a signed request can be performed: two minutes by
// its timestamp, and as much again for clocks that differ, and a margin.
const requestLife = 5 * time.Minute

func outcomeUnknown(endpoint, orderID string, err error) *OutcomeUnknownError {
	unknown := &OutcomeUnknownError{Endpoint: endpoint, OrderID: orderID, ProvenAfter: time.Now().Add(requestLife), Err: err}
	var answered *Error
	if errors.As(err, &answered) && answered.Code != 0 && answered.Code != codeOK {
		unknown.Code, unknown.Msg = answered.Code, answered.Msg
	}
	return unknown
}

func (e *OutcomeUnknownError) Error() string {
	return fmt.Sprintf("%v for order %q: look it up before anything else: %v",
		ErrOutcomeUnknown, cmp.Or(e.OrderID, "(none)"), e.Err)
}

// Unwrap gives [ErrOutcomeUnknown] and what went wrong.
func (e *OutcomeUnknownError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Err} }

// AnswerError: CCPayment agreed (code 10000), but its response cannot be read:
// a field has the wrong kind, stands there twice, or a number is beyond 40
// digits.
type AnswerError struct {
	Endpoint string
	Err      error
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("ccpayment %s: the answer cannot be read: %v", e.Endpoint, e.Err)
}

// Unwrap returns what is wrong with the response.
func (e *AnswerError) Unwrap() error { return e.Err }
