package ccpayment

import (
	"errors"
	"strconv"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// explain turns an error of the API into one of package gateway's.
func explain(err error) error {
	var argument *client.ArgumentError
	var unknown *client.OutcomeUnknownError
	var refused *client.Error
	errors.As(err, &unknown)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &argument):
		return &gateway.FieldError{Field: argument.Field, Problem: argument.Problem}
	case errors.As(err, &refused):
	case unknown != nil:
		return lost(unknown)
	default:
		return err
	}
	refusal := &gateway.RefusedError{Hint: refused.Hint(), Err: err}
	if refused.Code != 0 {
		refusal.Code = strconv.Itoa(refused.Code)
	}
	switch {
	case unknown != nil && !errors.Is(err, client.ErrOrderDuplicate): // which says enough
		refusal.Err = lost(unknown)
	case errors.Is(err, client.ErrNotFound):
		refusal.Err = gateway.Tag(gateway.ErrNotFound, err)
	case errors.Is(err, client.ErrOrderDuplicate):
		refusal.Err = gateway.Tag(gateway.ErrDuplicate, err)
	case errors.Is(err, client.ErrRateLimit), errors.Is(err, client.ErrFrequentOperation):
		refusal.Err = gateway.Tag(gateway.ErrBusy, err)
	}
	return refusal
}
