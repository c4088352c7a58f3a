package ccpayment

import (
	"errors"
	"strings"

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
	refusal.Code, refusal.Name = codeOf(refused.Code)
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

// codeOf is a code of CCPayment's with the name that its reference has for it; 0: there is
// none.
func codeOf(code int) (text, name string) {
	if code == 0 {
		return "", ""
	}
	text, name, _ = strings.Cut(client.CodeError(code).Error(), " ")
	return text, name
}
