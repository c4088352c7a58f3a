package ccpayment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// appError is why the app did not say yes.
type appError struct {
	cause    error
	timedOut bool
	// unreached: the app refused the connection or did not answer at all.
	unreached bool
	// again is when the event is tried again, where the retries are ours.
	again ledger.Again
}

func (f *appError) Error() string { return f.cause.Error() }

// answer is what CCPayment gets: never the app's own words.
func (f *appError) answer(outcome string) answer {
	if f.timedOut {
		return answer{status: http.StatusGatewayTimeout, outcome: outcome, text: "the app did not answer in time", retryAfter: true, cause: f}
	}
	return answer{status: http.StatusBadGateway, outcome: outcome, text: "the app did not take the event", retryAfter: true, cause: f}
}

// handOver gives the event to the next handler and returns nil if the app said
// yes. The sender's hanging up does not end it: what the app has begun is
// finished and recorded.
func (h *Webhook) handOver(r *http.Request, next caddyhttp.Handler, attempt *ledger.Attempt, money *confirmation) *appError {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Duration(h.Timeout))
	defer cancel()
	event := attempt.Event
	id := event.EventID()
	var confirmed []headerField
	if money != nil {
		event.Risk = money.risk // what both sides say; the id stays that of the webhook
		confirmed = moneyHeaders(money.told)
	}
	if h.Body == bodyEnriched {
		body, err := enrich(event.Body, id, money)
		if err != nil {
			return &appError{cause: err}
		}
		event.Body, event.Request.ContentType = body, "application/json"
	}
	h.prepare(r, id, event, attempt, confirmed)
	setPlaceholders(ctx, id, event, attempt, confirmed)

	start := h.app.now()
	w := &appResponse{}
	if h.ackText != defaultAck {
		w.capture = ackLimit
	}
	err := callApp(next, w, r.WithContext(ctx))
	h.deliveryTime.Observe(h.app.now().Sub(start).Seconds())

	failure := h.judge(w, err)
	if failure != nil && ctx.Err() != nil {
		return &appError{cause: fmt.Errorf("no answer within %s", time.Duration(h.Timeout)), timedOut: true, unreached: true}
	}
	return failure
}

// judge reads the app's answer.
func (h *Webhook) judge(w *appResponse, err error) *appError {
	var handlerErr caddyhttp.HandlerError
	switch {
	case errors.As(err, &handlerErr):
		status := handlerErr.StatusCode
		unreached := status >= http.StatusBadGateway && status <= http.StatusGatewayTimeout
		if handlerErr.Err != nil {
			err = handlerErr.Err // without where in Caddy it came up
		}
		return &appError{cause: err, timedOut: status == http.StatusGatewayTimeout, unreached: unreached, again: h.again(status, nil)}
	case err != nil:
		return &appError{cause: err}
	case w.status == 0:
		return &appError{cause: errors.New("no handler answered: is there a reverse_proxy?")}
	case w.status == http.StatusUnauthorized || w.status == http.StatusForbidden:
		return &appError{cause: fmt.Errorf("the app answered %d: has it the same token?", w.status), again: h.again(w.status, w.header)}
	case w.status < 200 || w.status > 299:
		return &appError{cause: fmt.Errorf("the app answered %d", w.status), again: h.again(w.status, w.header)}
	case h.ackText != defaultAck && !bytes.Contains(w.body.Bytes(), []byte(h.ackText)):
		return &appError{cause: fmt.Errorf("the app answered %d without the text that `ack` asks for", w.status)}
	default:
		return nil
	}
}

// rejectedFor is how long an event is tried that the app says is wrong: long
// enough to mend a token or a path.
const rejectedFor = time.Hour

// again is what an app's status means for the next try.
func (h *Webhook) again(status int, header http.Header) ledger.Again {
	switch {
	case status == http.StatusConflict:
		return ledger.Again{Spared: true} // it is still at work on the one before
	case status == http.StatusGone, status == http.StatusUnprocessableEntity:
		return ledger.Again{Never: true}
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return ledger.Again{After: readRetryAfter(header.Get("Retry-After"), h.app.now())}
	case status >= 300 && status < 500:
		return ledger.Again{Rejected: rejectedFor}
	default:
		return ledger.Again{}
	}
}

// readRetryAfter reads seconds or a date; what is neither is no wish at all.
func readRetryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// prepare makes the request that the app gets: the body and our headers, and
// of what the sender wrote only two headers.
func (h *Webhook) prepare(r *http.Request, id string, event ledger.Event, attempt *ledger.Attempt, confirmed []headerField) {
	// In place: requests made from this one, by tracing and the like, share it.
	header := r.Header
	clear(header)
	set := func(name, value string) {
		if value != "" {
			header[name] = []string{value}
		}
	}
	set("Content-Type", event.Request.ContentType)
	set("User-Agent", event.Request.UserAgent)

	set("Idempotency-Key", id)
	set("Ccpayment-Type", headerText(event.Type))
	set("Ccpayment-Status", headerText(event.Status))
	if event.HasID() {
		set("Ccpayment-Record-Id", headerText(event.Record.ID))
	}
	set("Ccpayment-Record-Seq", strconv.FormatUint(attempt.Seq, 10))
	set("Ccpayment-Order-Id", headerText(event.OrderID))
	set("Ccpayment-Reference-Id", headerText(event.ReferenceID))
	set("Ccpayment-User-Id", headerText(event.UserID))
	set("Ccpayment-Attempt", strconv.Itoa(attempt.Number))
	set("Ccpayment-Attempt-Reason", string(attempt.Reason))
	for _, field := range confirmed {
		set(field.name, headerText(field.value))
	}
	if event.Risk != ledger.NotRisky {
		set("Ccpayment-Risky", string(event.Risk))
	}
	if h.token != "" {
		set("Authorization", "Bearer "+h.token)
	}
	if h.sign != nil {
		for _, field := range h.sign(id, h.app.now(), event.Body) {
			set(field.name, field.value)
		}
	}

	r.Trailer = nil
	r.TransferEncoding = nil
	r.ContentLength = int64(len(event.Body))
	r.Body = newRewindingBody(event.Body)
	// With GetBody and an Idempotency-Key, Go's transport sends again by itself
	// what met a connection that the app had just closed.
	r.GetBody = func() (io.ReadCloser, error) { return newRewindingBody(event.Body), nil }
}

// rewindingBody is a body that can be read again after it was closed, which
// reverse_proxy does when it tries another upstream. A transport that was given
// up may still be reading then, hence the lock.
type rewindingBody struct {
	mu     sync.Mutex
	reader *bytes.Reader
}

func newRewindingBody(body []byte) *rewindingBody {
	return &rewindingBody{reader: bytes.NewReader(body)}
}

func (b *rewindingBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reader.Read(p)
}

func (b *rewindingBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.reader.Seek(0, io.SeekStart)
	return err
}

// What the event is, is told in variables that begin with varPrefix. The
// placeholders that begin with placeholderPrefix are the same.
const (
	varPrefix         = "ccpayment_"
	placeholderPrefix = "http.ccpayment."
)

// setPlaceholders tells the handlers that follow what the event is.
func setPlaceholders(ctx context.Context, id string, event ledger.Event, attempt *ledger.Attempt, confirmed []headerField) {
	set := func(name, value string) {
		if value != "" {
			caddyhttp.SetVar(ctx, name, value)
		}
	}
	set(varPrefix+"type", event.Type)
	set(varPrefix+"status", event.Status)
	if event.HasID() {
		set(varPrefix+"record_id", event.Record.ID)
	}
	set(varPrefix+"order_id", event.OrderID)
	set(varPrefix+"reference_id", event.ReferenceID)
	set(varPrefix+"user_id", event.UserID)
	set(varPrefix+"risky", string(event.Risk))
	for _, field := range confirmed {
		name := strings.TrimPrefix(field.name, "Ccpayment-")
		set(varPrefix+strings.ReplaceAll(strings.ToLower(name), "-", "_"), field.value)
	}
	set(varPrefix+"event_id", id)
	set(varPrefix+"seq", strconv.FormatUint(attempt.Seq, 10))
	set(varPrefix+"attempt", strconv.Itoa(attempt.Number))
	set(varPrefix+"attempt_reason", string(attempt.Reason))

	if repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(func(key string) (any, bool) {
			name, ok := strings.CutPrefix(key, placeholderPrefix)
			if !ok {
				return nil, false
			}
			value := caddyhttp.GetVar(ctx, varPrefix+name)
			return value, value != nil
		})
	}
}

// callApp runs the next handler. An upstream that dies in the middle of its
// answer ends in a panic that means to abort the connection; here it is one
// more way of not saying yes. Any other panic goes on.
func callApp(next caddyhttp.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			err = errors.New("the app's answer broke off")
		default:
			panic(p)
		}
	}()
	return next.ServeHTTP(w, r)
}

// ackLimit is how much of the app's answer is searched for the ack text.
const ackLimit = 64 << 10

// appResponse takes the app's answer, of which nothing may reach CCPayment. It
// has headers of its own, because a recorder would share the real ones.
type appResponse struct {
	header  http.Header
	status  int
	capture int // how many bytes of the body to keep
	body    bytes.Buffer
}

func (w *appResponse) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

func (w *appResponse) WriteHeader(status int) {
	// Informational answers come before the real one.
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

func (w *appResponse) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body.Write(p[:min(len(p), w.capture-w.body.Len())])
	return len(p), nil
}

// Flush does nothing: there is nobody to flush to. It keeps handlers that
// stream from failing.
func (w *appResponse) Flush() {}
