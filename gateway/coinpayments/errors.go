package coinpayments

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// explain turns an error of the API into one of package gateway's.
func explain(err error) error {
	var argument *coinpayments.ArgumentError
	var unknown *coinpayments.OutcomeUnknownError
	var refused *coinpayments.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &argument):
		return &gateway.FieldError{Field: argument.Field, Problem: argument.Problem}
	case errors.As(err, &unknown):
		return lost(unknown)
	case !errors.As(err, &refused):
		return err
	}
	refusal := &gateway.RefusedError{Code: strconv.Itoa(refused.Status), Hint: refused.Hint(), Err: err}
	switch {
	case errors.Is(err, coinpayments.ErrNotFound):
		refusal.Err = gateway.Tag(gateway.ErrNotFound, err)
	case errors.Is(err, coinpayments.ErrRateLimit):
		refusal.Err = gateway.Tag(gateway.ErrBusy, err)
	case errors.Is(err, coinpayments.ErrConflict), names(refused, "poNumber"):
		refusal.Err = gateway.Tag(gateway.ErrDuplicate, err)
	}
	return refusal
}

// names reports whether a refusal is about a field of the request.
func names(refused *coinpayments.Error, field string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(refused.Fields)), func(name string) bool { return strings.EqualFold(name, field) })
}
