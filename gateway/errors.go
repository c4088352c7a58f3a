package gateway

import "errors"

// The errors that a gateway answers with. Any other error means that the gateway
// could not be reached, or that its answer made no sense.
var (
	// ErrMalformed: a webhook has no signature of the gateway's form.
	ErrMalformed = errors.New("the signature headers are not the gateway's")
	// ErrSignature: a webhook's signature is wrong, or another account's.
	ErrSignature = errors.New("signature does not match")
	// ErrUnreadable: a webhook's body says nothing that can be understood.
	ErrUnreadable = errors.New("the body is not a webhook")

	// ErrNotFound: the gateway has no such record or order.
	ErrNotFound = errors.New("the gateway knows no such thing")
	// ErrDuplicate: an order's id is taken.
	ErrDuplicate = errors.New("the order id is taken at the gateway")
	// ErrOutcomeUnknown: the gateway may or may not have done what it was asked for.
	ErrOutcomeUnknown = errors.New("the gateway's answer was lost")
	// ErrBusy: the gateway takes nothing more now, and will in a moment.
	ErrBusy = errors.New("the gateway is busy")
)

// RefusedError is the gateway's refusal of a call.
type RefusedError struct {
	// Code is the gateway's own, for those who read its reference.
	Code string
	// Hint says what to do about it, in a sentence.
	Hint string
	// Err is the refusal in the gateway's words; it may wrap one of the errors above.
	Err error
}

// Error is the refusal in the gateway's words.
func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }
