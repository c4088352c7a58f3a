package relay

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/ack"
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
	// notAck: the app responded with a 2xx that is not what [Route.Ack] asks for.
	notAck bool
}

func (f *failure) Error() string { return f.cause.Error() }

// judge returns why a response does not acknowledge the event; nil: it does.
func (r *Route) judge(e ledger.Event, w Response, err error) *failure {
	var call *CallError
	switch {
	case errors.As(err, &call):
		unreached := call.Status >= http.StatusBadGateway && call.Status <= http.StatusGatewayTimeout
		cause := call.Err
		if errors.Is(cause, io.EOF) {
			cause = errors.New("the app closed the connection without an answer")
		}
		return &failure{cause: cause, timedOut: call.Status == http.StatusGatewayTimeout, unreached: unreached, again: r.again(call.Status, nil)}
	case err != nil:
		return &failure{cause: err}
	case w.Status == 0:
		return &failure{cause: errors.New("no handler answered: is there a reverse_proxy?")}
	case w.Status < 200 || w.Status > 299:
		return &failure{cause: refusal(w, e.Request.URI), again: r.again(w.Status, w.Header)}
	case r.Ack == "":
		return nil
	}
	var denied *ack.DeniedError
	switch err := ack.Judge(w.Body, r.Ack); {
	case err == nil:
		return nil
	case errors.As(err, &denied):
		return &failure{cause: fmt.Errorf("the app answered %d, and its JSON says no: %w", w.Status, denied), notAck: true}
	default:
		return &failure{cause: fmt.Errorf("the app answered %d without the text that `ack` asks for", w.Status), notAck: true}
	}
}

// refusal returns what a response that is no 2xx says, and what that mostly means.
func refusal(w Response, uri string) error {
	hint := ""
	switch w.Status {
	case http.StatusBadRequest:
		hint = ": is the host that Caddy asks for on its list (Django: ALLOWED_HOSTS)?"
	case http.StatusUnauthorized:
		hint = ": has it the same token?"
	case http.StatusForbidden:
		hint = ": has it the same token? Does it ask for no CSRF token at this path? And does it let this host by (Rails: config.hosts)?"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		hint = ": has it a POST route at this path?"
	case statusPageExpired:
		hint = ": that is Laravel's word for a missing CSRF token: except the path from the check"
	case http.StatusUnprocessableEntity:
		hint = ": mostly a missing CSRF token (Rails: skip the check for this path) or a validation error (FastAPI, Laravel: take the body as it is)"
	default:
		if location := w.Header.Get("Location"); location != "" && w.Status >= 300 && w.Status < 400 {
			hint = redirect(location, uri)
		}
	}
	return fmt.Errorf("the app answered %d%s", w.Status, hint)
}

// statusPageExpired is what Laravel responds with to a request without a CSRF token.
const statusPageExpired = 419

// redirect says where a redirect leads to, without its query, and what to enter so that
// there is none.
func redirect(location, uri string) string {
	to, err := url.Parse(location)
	asked, askedErr := url.ParseRequestURI(uri)
	if err != nil || askedErr != nil {
		return " with a Location that cannot be read"
	}
	to = asked.ResolveReference(to)
	samePath := to.Path == asked.Path
	sameButSlash := strings.EqualFold(strings.Trim(to.Path, "/"), strings.Trim(asked.Path, "/"))
	shown := HeaderText((&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}).String())
	if longest := 200; len(shown) > longest {
		shown = shown[:longest] + "…"
	}
	switch {
	case samePath && to.Scheme == "https":
		return fmt.Sprintf(" to %s: it wants https: set `header_up X-Forwarded-Proto https` in reverse_proxy", shown)
	case samePath && to.Host != "":
		return fmt.Sprintf(" to %s: it wants this host: set `header_up Host %s` in reverse_proxy", shown, HeaderText(to.Host))
	case sameButSlash:
		return fmt.Sprintf(" to %s: enter that path", shown)
	default:
		return fmt.Sprintf(" to %s: enter that path, or except this one from the login", shown)
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
	case status == http.StatusGone:
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
