package checkout

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// Error is why there is no checkout session, with the HTTP response that says so.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is the error in one word, for programs.
	Code string
	// Text is the error in a sentence, for people. It names no secret.
	Text string
	// Cause is the error behind it, for the log; nil: there is no more to say.
	Cause error
	// GatewayCode is the gateway's own code, where it gave one; empty: none.
	GatewayCode string
	// RetryAfter is after how long a retry may succeed; 0: not known.
	RetryAfter time.Duration
}

// Error returns the text and the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Text + ": " + e.Cause.Error()
	}
	return e.Text
}
func (e *Error) Unwrap() error { return e.Cause }

// ErrorView is an [Error] as programs get it, in JSON.
type ErrorView struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// ViewOfError returns the view of an error: what it says to people, without its cause.
func ViewOfError(e *Error) (v ErrorView) {
	v.Error.Code, v.Error.Message = e.Code, e.Text
	return v
}

// OutcomeOf returns what became of a request for a session, in one word: new, again for an
// order that was made before, or the code of its [*Error].
func OutcomeOf(s Session, err error) string {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Code
	case err != nil:
		return "internal"
	case s.IsNew:
		return "new"
	default:
		return "again"
	}
}

// retrySoon is the RetryAfter of errors that pass by themselves in a moment.
const retrySoon = 5 * time.Second

// Unavailable returns the [*Error] of a request that cannot be served now, as where the
// ledger cannot be used.
func Unavailable(err error) error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "unavailable", Text: "orders cannot be taken at the moment",
		Cause: err, RetryAfter: retrySoon,
	}
}

// BadTerms returns the [*Error] of a request with terms that cannot be used, which is
// the shop's mistake and not the buyer's.
func BadTerms(err error) error {
	return &Error{Status: http.StatusBadGateway, Code: "bad_terms", Text: "the order's terms cannot be used", Cause: err}
}

func conflict(code, text string) error {
	return &Error{Status: http.StatusConflict, Code: code, Text: text}
}

// explain turns an error of the gateway into an [*Error]. It returns an error that is
// or wraps an [*Error] as it is. title is what people call the gateway.
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
		lost := &Error{
			Status: http.StatusGatewayTimeout, Code: "unreachable",
			Text: title + " did not answer: asked again, the order is found or made", Cause: err,
		}
		// A code that nobody knows proves nothing, and still says more than no answer.
		if errors.As(err, &refused) && refused.Code != "" {
			lost.Text = title + " gave no clear answer: asked again, the order is found or made"
			lost.Cause, lost.GatewayCode = fmt.Errorf("%w (%s)", err, refused.Hint), refused.Code
		}
		return lost
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
