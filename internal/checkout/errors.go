package checkout

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// Error is why there is no checkout, as it is answered over HTTP.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is for programs, in one word.
	Code string
	// Text is for people. It names no secret.
	Text string
	// Cause is for the log; nil: the text says it all.
	Cause error
	// GatewayCode is the gateway's own code, where it refused; empty: none.
	GatewayCode string
	// RetryAfter is when it is worth asking again; 0: not said.
	RetryAfter time.Duration
}

// Error is the text and the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Text + ": " + e.Cause.Error()
	}
	return e.Text
}
func (e *Error) Unwrap() error { return e.Cause }

// retrySoon is when it is worth asking again where the reason is a short one.
const retrySoon = 5 * time.Second

// Unavailable is the [*Error] of a request that the machine cannot serve now, as
// where the ledger cannot be used.
func Unavailable(err error) error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "unavailable", Text: "orders cannot be taken at the moment",
		Cause: err, RetryAfter: retrySoon,
	}
}

// BadTerms is the [*Error] of a request that cannot be used, whatever the buyer
// does about it.
func BadTerms(err error) error {
	return &Error{Status: http.StatusBadGateway, Code: "bad_terms", Text: "the order's terms cannot be used", Cause: err}
}

func conflict(code, text string) error {
	return &Error{Status: http.StatusConflict, Code: code, Text: text}
}

// explain turns an error of the gateway into an [*Error]. One that is or wraps
// an [*Error] stays as it is.
func explain(title string, err error) error {
	var known *Error
	var field *gateway.FieldError
	var refused *gateway.RefusedError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &field):
		return BadTerms(err)
	case errors.Is(err, gateway.ErrOutcomeUnknown):
		return &Error{
			Status: http.StatusGatewayTimeout, Code: "unreachable",
			Text: title + " did not answer: asked again, the order is found or made", Cause: err,
		}
	case errors.Is(err, gateway.ErrBusy):
		busy := &Error{
			Status: http.StatusServiceUnavailable, Code: "busy", Text: title + " is busy: try again in a moment",
			Cause: err, RetryAfter: retrySoon,
		}
		if errors.As(err, &refused) {
			busy.GatewayCode = refused.Code
		}
		return busy
	case errors.As(err, &refused):
		return &Error{
			Status: http.StatusBadGateway, Code: "refused", Text: "the order could not be made at " + title,
			Cause: fmt.Errorf("%w (%s)", err, refused.Hint), GatewayCode: refused.Code,
		}
	default:
		return &Error{Status: http.StatusGatewayTimeout, Code: "unreachable", Text: title + " could not be reached", Cause: err}
	}
}
