package coinpayments

import (
	"errors"
	"maps"
	"net/http"
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
	refusal := &gateway.RefusedError{Hint: refused.Hint(), Err: err}
	refusal.Code, refusal.Name = codeOf(refused.Status)
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

// codeOf is an HTTP status with its name: CoinPayments has no codes of its own. 0: there is
// none.
func codeOf(status int) (text, name string) {
	if status == 0 {
		return "", ""
	}
	return strconv.Itoa(status), http.StatusText(status)
}

// names reports whether a refusal is about a field of the request.
func names(refused *coinpayments.Error, field string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(refused.Fields)), func(name string) bool { return strings.EqualFold(name, field) })
}
