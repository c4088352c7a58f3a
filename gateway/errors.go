package gateway

import (
	"errors"
	"strings"
)

// The errors that a gateway answers with. Any other error means that the gateway
// could not be reached, or that its answer made no sense: it is asked again later.
var (
	// ErrMalformed: a webhook has no signature of the gateway's form. Whoever sent it
	// is answered with the text of this error, or of ErrUnreadable, and all that
	// wraps it.
	ErrMalformed = errors.New("the signature headers are not the gateway's")
	// ErrSignature: a webhook's signature is wrong, or another account's.
	ErrSignature = errors.New("signature does not match")
	// ErrUnreadable: a webhook's body is not in the gateway's form.
	ErrUnreadable = errors.New("the body is not a webhook")

	// ErrNotFound: the gateway has no such record or order.
	ErrNotFound = errors.New("the gateway knows no such thing")
	// ErrDuplicate: an order's id is taken.
	ErrDuplicate = errors.New("the order id is taken at the gateway")
	// ErrOutcomeUnknown: the gateway may have performed the call, or not.
	ErrOutcomeUnknown = errors.New("the gateway's answer was lost")
	// ErrPaying: an order is paid, or a payment of it is under way.
	ErrPaying = errors.New("a payment of the order is under way")
	// ErrBusy: the gateway takes no more calls now, and will in a moment.
	ErrBusy = errors.New("the gateway is busy")
)

// RefusedError is an error response of the gateway's to a call.
type RefusedError struct {
	// Code is the gateway's own code for the error, and Name what its reference calls that;
	// empty: there is none.
	Code, Name string
	// Hint says in a sentence what to do about it.
	Hint string
	// Err has the gateway's message. It may wrap one of the errors above.
	Err error
}

// Error returns the gateway's message.
func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// Label returns the code with its name; empty: there is none.
func (e *RefusedError) Label() string { return strings.TrimSpace(e.Code + " " + e.Name) }

// Tag returns an error with the text of err that is also kind, one of the errors above.
func Tag(kind, err error) error { return &taggedError{kind, err} }

type taggedError struct{ kind, err error }

func (e *taggedError) Error() string        { return e.err.Error() }
func (e *taggedError) Unwrap() error        { return e.err }
func (e *taggedError) Is(target error) bool { return target == e.kind }
