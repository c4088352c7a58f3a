package ccpayment

import (
	"errors"
	"strconv"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// taggedError is an error of the API that also is one of package gateway's errors. It
// has the former's text.
type taggedError struct{ kind, err error }

func (e *taggedError) Error() string        { return e.err.Error() }
func (e *taggedError) Unwrap() error        { return e.err }
func (e *taggedError) Is(target error) bool { return target == e.kind }

// explain turns an error of the API into one of package gateway's.
func explain(err error) error {
	var argument *client.ArgumentError
	var refused *client.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &argument):
		return &gateway.FieldError{Field: argument.Field, Problem: argument.Problem}
	case errors.As(err, &refused):
	case errors.Is(err, client.ErrOutcomeUnknown):
		return &taggedError{gateway.ErrOutcomeUnknown, err}
	default:
		return err
	}
	refusal := &gateway.RefusedError{Hint: refused.Hint(), Err: err}
	if refused.Code != 0 {
		refusal.Code = strconv.Itoa(refused.Code)
	}
	switch {
	case errors.Is(err, client.ErrOutcomeUnknown) && !errors.Is(err, client.ErrOrderDuplicate): // which says enough
		refusal.Err = &taggedError{gateway.ErrOutcomeUnknown, err}
	case errors.Is(err, client.ErrNotFound):
		refusal.Err = &taggedError{gateway.ErrNotFound, err}
	case errors.Is(err, client.ErrOrderDuplicate):
		refusal.Err = &taggedError{gateway.ErrDuplicate, err}
	case errors.Is(err, client.ErrRateLimit), errors.Is(err, client.ErrFrequentOperation):
		refusal.Err = &taggedError{gateway.ErrBusy, err}
	}
	return refusal
}
