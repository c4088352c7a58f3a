package relay

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// CallError is why the app gave no response of its own.
type CallError struct {
	// Status is the HTTP status that a proxy would respond with.
	Status int
	Err    error
}

func (e *CallError) Error() string { return e.Err.Error() }
func (e *CallError) Unwrap() error { return e.Err }

// failure is why the app did not acknowledge an event.
type failure struct {
	cause    error
	timedOut bool
	// unreached: the app refused the connection or did not respond at all.
	unreached bool
	// again is when the event is retried, where the retries are ours.
	again ledger.Again
}

func (f *failure) Error() string { return f.cause.Error() }

// judge returns why a response does not acknowledge the event; nil: it does.
func (r *Route) judge(w Response, err error) *failure {
	var call *CallError
	switch {
	case errors.As(err, &call):
		unreached := call.Status >= http.StatusBadGateway && call.Status <= http.StatusGatewayTimeout
		return &failure{cause: call.Err, timedOut: call.Status == http.StatusGatewayTimeout, unreached: unreached, again: r.again(call.Status, nil)}
	case err != nil:
		return &failure{cause: err}
	case w.Status == 0:
		return &failure{cause: errors.New("no handler answered: is there a reverse_proxy?")}
	case w.Status == http.StatusUnauthorized || w.Status == http.StatusForbidden:
		return &failure{cause: fmt.Errorf("the app answered %d: has it the same token?", w.Status), again: r.again(w.Status, w.Header)}
	case w.Status < 200 || w.Status > 299:
		return &failure{cause: fmt.Errorf("the app answered %d", w.Status), again: r.again(w.Status, w.Header)}
	case r.Ack != "" && !bytes.Contains(w.Body, []byte(r.Ack)):
		return &failure{cause: fmt.Errorf("the app answered %d without the text that `ack` asks for", w.Status)}
	default:
		return nil
	}
}

// rejectedFor is how long an event is retried that the app rejects with a 3xx or 4xx:
// long enough to mend a token or a path.
const rejectedFor = time.Hour

// again returns what a response's status means for the next attempt.
func (r *Route) again(status int, header http.Header) ledger.Again {
	switch {
	case status == http.StatusConflict:
		return ledger.Again{Spared: true} // the app is still at work on an attempt before
	case status == http.StatusGone, status == http.StatusUnprocessableEntity:
		return ledger.Again{Never: true}
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return ledger.Again{After: readRetryAfter(header.Get("Retry-After"), r.Now())}
	case status >= 300 && status < 500:
		return ledger.Again{Rejected: rejectedFor}
	default:
		return ledger.Again{}
	}
}

// readRetryAfter reads the seconds or the date of a Retry-After header; 0 where it
// is neither.
func readRetryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
