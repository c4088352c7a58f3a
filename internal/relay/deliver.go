package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/ack"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// App is the app behind a route.
type App interface {
	// Deliver sends the message and returns the app's response. The error is a
	// [*CallError] where the app could not be reached or broke off. The context ends
	// when the attempt's time is over.
	Deliver(ctx context.Context, m Message) (Response, error)
}

// Message is one attempt to deliver an event, as the app gets it.
type Message struct {
	// Event is the event, with the body and content type that are sent.
	Event ledger.Event
	// Header is all that is sent beside the body, under canonical names.
	Header []Field
	// Facts are the same for Caddy's variables, by their names.
	Facts []Field
	// Capture is how many bytes of the response's body are needed.
	Capture int
	// Lives, if set, reports whether the attempt is still this process's.
	Lives func() bool
}

// Field is a name and a value, which is not empty.
type Field struct{ Name, Value string }

// deliver sends the event to the app and reads its response; nil: the app has
// acknowledged the event.
func (r *Route) deliver(ctx context.Context, app App, attempt *ledger.Attempt, o *Outcome) *failure {
	ctx, cancel := attempt.Within(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	m := Message{Event: attempt.Event, Lives: attempt.Lives}
	if f := o.Finding; f != nil {
		m.Event.Risk = f.Risk // by webhook and record; the event's id stays the webhook's
		m.Event.Status = cmp.Or(f.Status, m.Event.Status)
	}
	if r.Enrich {
		body, err := enrich(m.Event, o.EventID, o.Finding, o.Confirmation)
		if err != nil {
			return &failure{cause: err}
		}
		m.Event.Body, m.Event.Request.ContentType = body, "application/json"
	}
	confirmed := confirm.Headers(o.Confirmation)
	m.Header = r.header(o.EventID, m.Event, attempt, confirmed)
	m.Facts = r.facts(o.EventID, m.Event, attempt, confirmed)
	hidden := secretsOf(m.Header)
	if m.Capture = mostKept + hidden.longest(); r.Ack != "" {
		m.Capture = max(m.Capture, ack.Limit)
	}

	start := r.Now()
	response, err := app.Deliver(ctx, m)
	o.Called, o.Took = true, r.Now().Sub(start)

	o.Answer = answerOf(response, hidden)

	failed := r.judge(m.Event, response, err)
	o.IsPage = failed == nil && r.Ack == "" && strings.HasPrefix(http.DetectContentType(response.Body), "text/html")
	if failed != nil && failed.notAck {
		text := hidden.beginning(response.Body, mostLogged)
		o.NotAck = &text
	}
	if failed != nil && errors.Is(context.Cause(ctx), ledger.ErrNoSession) {
		return &failure{cause: fmt.Errorf("the call was cut off: %w", ledger.ErrNoSession), unreached: true}
	}
	if failed != nil && ctx.Err() != nil {
		return &failure{cause: fmt.Errorf("%s%s", noAnswer, r.Timeout), timedOut: true, unreached: true}
	}
	return failed
}

// noAnswer begins the cause of an attempt that timed out.
const noAnswer = "no answer within "

// failureElsewhere is the failure of an attempt that another process made, as the ledger has
// it; where the app was not called, the error itself.
func failureElsewhere(shared *ledger.SharedError) error {
	if !shared.Tried {
		return shared
	}
	return &failure{cause: shared, timedOut: strings.HasPrefix(shared.Cause, noAnswer)}
}

// mostLogged is how many bytes of an answer that is no acknowledgement the log has.
const mostLogged = 40

// header returns all headers of the request to the app: those that say what it is, and
// then what authorizes it, last the signature over the body.
func (r *Route) header(id string, e ledger.Event, attempt *ledger.Attempt, confirmed []confirm.Header) []Field {
	h := fields(Headers(r.accountOf(e), id, e, Try{attempt.Number, attempt.Reason, attempt.Seq}, confirmed))
	if r.Token != nil {
		if token := r.Token(); token != "" {
			h.add("Authorization", "Bearer "+token)
		}
	}
	if r.Sign != nil {
		h = append(h, r.Sign(id, r.Now(), e.Body)...)
	}
	return h
}

// Try is which of an event's attempts it is.
type Try struct {
	Number int
	Reason ledger.Reason
	Seq    uint64
}

// Headers returns the headers of the request to the app for an event of an account: two of
// the webhook's, then ours, and none that authorizes it. Of the event, whose id it is
// given, Status and Risk are what the app is told.
func Headers(of *gateway.Account, id string, e ledger.Event, try Try, confirmed []confirm.Header) []Field {
	h := make(fields, 0, 24+len(confirmed))
	h.add("Content-Type", e.Request.ContentType)
	h.add("User-Agent", e.Request.UserAgent)

	h.add("Idempotency-Key", id)
	t, _ := of.Info.Type(e.Type)
	h.add("Ccpayment-Gateway", HeaderText(of.Info.Name))
	h.add("Ccpayment-Kind", string(t.Kind))
	if of.Testing {
		h.add("Ccpayment-Testing", "true")
	}
	h.add("Ccpayment-Type", HeaderText(e.Type))
	h.add("Ccpayment-Status", HeaderText(e.Status))
	if e.HasID() {
		h.add("Ccpayment-Record-Id", HeaderText(e.Record.ID))
	}
	h.add("Ccpayment-Record-Seq", strconv.FormatUint(try.Seq, 10))
	h.add("Ccpayment-Order-Id", HeaderText(e.OrderID))
	h.add("Ccpayment-Reference-Id", HeaderText(e.ReferenceID))
	h.add("Ccpayment-User-Id", HeaderText(e.UserID))
	h.add("Ccpayment-Attempt", strconv.Itoa(try.Number))
	h.add("Ccpayment-Attempt-Reason", string(try.Reason))
	for _, f := range confirmed {
		h.add(f.Name, HeaderText(f.Value))
	}
	if e.Risk != ledger.NotRisky {
		h.add("Ccpayment-Risky", string(e.Risk))
	}
	return h
}

// facts returns what the handlers in front of the app can route by.
func (r *Route) facts(id string, e ledger.Event, attempt *ledger.Attempt, confirmed []confirm.Header) []Field {
	f := make(fields, 0, 16+len(confirmed))
	of := r.accountOf(e)
	t, _ := of.Info.Type(e.Type)
	f.add("ccpayment_gateway", of.Info.Name)
	f.add("ccpayment_kind", string(t.Kind))
	if of.Testing {
		f.add("ccpayment_testing", "true")
	}
	f.add("ccpayment_type", e.Type)
	f.add("ccpayment_status", e.Status)
	if e.HasID() {
		f.add("ccpayment_record_id", e.Record.ID)
	}
	f.add("ccpayment_order_id", e.OrderID)
	f.add("ccpayment_reference_id", e.ReferenceID)
	f.add("ccpayment_user_id", e.UserID)
	f.add("ccpayment_risky", string(e.Risk))
	for _, c := range confirmed {
		f.add(strings.ReplaceAll(strings.ToLower(c.Name), "-", "_"), c.Value)
	}
	f.add("ccpayment_event_id", id)
	f.add("ccpayment_seq", strconv.FormatUint(attempt.Seq, 10))
	f.add("ccpayment_attempt", strconv.Itoa(attempt.Number))
	f.add("ccpayment_attempt_reason", string(attempt.Reason))
	return f
}

// fields is a list that takes no empty values.
type fields []Field

func (f *fields) add(name, value string) {
	if value != "" {
		*f = append(*f, Field{name, value})
	}
}

// Response is the app's HTTP response.
type Response struct {
	// Status is 0 where no handler wrote a response.
	Status int
	Header http.Header
	// Body is the beginning of the response's body, up to [Message.Capture] bytes.
	Body []byte
}
