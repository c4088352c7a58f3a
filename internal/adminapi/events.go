package adminapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// ViewEvent is an event as a list has it.
func ViewEvent(e ledger.Event) Event {
	v := Event{
		ID: e.EventID(), Account: e.Account, Route: e.Route, Type: e.Type, OrderID: e.OrderID,
		ReferenceID: e.ReferenceID, UserID: e.UserID, Status: e.Status, Risky: e.Risk, State: e.State, Seq: e.Seq,
		ReceivedAt: e.ReceivedAt, Attempts: e.Attempts, NextAttemptAt: e.NextAttemptAt, DeliveredAt: e.DeliveredAt,
		LastError: e.LastError,
	}
	if e.HasID() {
		v.RecordID = e.ID
	}
	if c := e.Confirmation; c != nil {
		v.Confirmed, v.OrderState, v.Fulfill, v.Credit = true, c.OrderState, c.Fulfill, c.Credit
		v.Payout = c.Payout
	}
	return v
}

// listEvents answers GET events.
func listEvents(r *http.Request, o *operator.Operator) (any, error) {
	values := r.URL.Query()
	limit, err := readLimit(values)
	if err != nil {
		return nil, err
	}
	query, err := queryOf(values, "limit", "cursor")
	if err != nil {
		return nil, err
	}
	query.Limit, query.Cursor = limit, values.Get("cursor")
	page, err := o.List(r.Context(), query)
	list := EventList{Events: []Event{}, Next: page.Next}
	for _, e := range page.Events {
		list.Events = append(list.Events, ViewEvent(e))
	}
	return list, err
}

// queryOf reads what a list's filter selects; others are further parameters.
func queryOf(values url.Values, others ...string) (ledger.Query, error) {
	filter, err := ReadFilter(values, others...)
	if err != nil {
		return ledger.Query{}, err
	}
	return filter.Query(time.Now().UTC())
}

// findEvent returns the key of the event that the path names.
func findEvent(r *http.Request, o *operator.Operator) (ledger.Key, error) {
	return FindEvent(r.Context(), o, r.PathValue("id"), r.URL.Query().Get("route"))
}

// FindEvent returns the key of the event with an id. An id may be that of an event on
// several routes; then route, which may be empty, names one.
func FindEvent(ctx context.Context, o *operator.Operator, id, route string) (ledger.Key, error) {
	keys, err := o.Ledger.Find(ctx, id)
	if err != nil {
		return ledger.Key{}, err
	}
	var found []ledger.Key
	for _, key := range keys {
		if route == "" || key.Route == route {
			found = append(found, key)
		}
	}
	switch len(found) {
	case 0:
		return ledger.Key{}, fail(http.StatusNotFound, "the ledger knows no event %s", id)
	case 1:
		return found[0], nil
	default:
		return ledger.Key{}, fail(http.StatusConflict, "the event came on %d routes: name one with ?route=%s", len(found), found[0].Route)
	}
}

// showEvent answers GET events/{id}.
func showEvent(r *http.Request, o *operator.Operator) (any, error) {
	key, err := findEvent(r, o)
	if err != nil {
		return nil, err
	}
	e, err := o.Ledger.Load(r.Context(), key)
	if err != nil {
		return nil, err
	}
	return DescribeEvent(r.Context(), o, e)
}

// DescribeEvent is all that the ledger has of an event.
func DescribeEvent(ctx context.Context, o *operator.Operator, e ledger.Event) (EventDetails, error) {
	answers, err := o.Ledger.Answers(ctx, e.Key)
	details := EventDetails{
		Event: ViewEvent(e), Confirmation: e.Confirmation, Request: e.Request, BodyDamaged: e.BodyDamaged, Transitions: e.Transitions,
		Sent: sent(o, e), Answers: answers,
	}
	if e.Body != nil {
		body := string(e.Body)
		details.Body = &body
	}
	return details, err
}

// sent is the request of an event's latest attempt; nil: there was none, or its account is
// not configured any more.
func sent(o *operator.Operator, e ledger.Event) *Sent {
	account, err := o.AccountOf(e)
	if err != nil { // the app id may have changed under the name, and not the gateway
		account, err = o.Account(e.Account)
	}
	try := relay.Try{Seq: e.Seq}
	reason := ledger.Reason("")
	for _, t := range e.Transitions {
		switch {
		case t.Reason != "":
			reason = t.Reason
		case t.State == ledger.Delivering && t.Attempt > 0:
			if reason == "" && try.Number == 0 {
				reason = ledger.Initial
			}
			try.Number, try.Reason, reason = t.Attempt, cmp.Or(reason, ledger.Retry), ""
		}
	}
	if err != nil || try.Number == 0 {
		return nil
	}
	scheme := "http"
	if e.Request.TLS {
		scheme = "https"
	}
	s := &Sent{Method: e.Request.Method, URL: scheme + "://" + e.Request.Host + e.Request.URI, Headers: make(map[string]string)}
	id := e.EventID()
	if c := e.Confirmation; c != nil {
		e.Risk = c.Risk
	}
	for _, h := range relay.Headers(account, id, e, try, confirm.Headers(e.Confirmation)) {
		s.Headers[h.Name] = h.Value
	}
	return s
}

// replayEvent answers POST events/{id}/replay.
func replayEvent(r *http.Request, o *operator.Operator) (any, error) {
	return step(r, o, func(key ledger.Key, s Step) (operator.Result, error) {
		return o.Replay(r.Context(), key, s.Reason)
	})
}

// releaseEvent answers POST events/{id}/release.
func releaseEvent(r *http.Request, o *operator.Operator) (any, error) {
	return step(r, o, func(key ledger.Key, s Step) (operator.Result, error) {
		return o.Release(r.Context(), key, s.Reason, s.Accept)
	})
}

// discardEvent answers POST events/{id}/discard.
func discardEvent(r *http.Request, o *operator.Operator) (any, error) {
	return step(r, o, func(key ledger.Key, s Step) (operator.Result, error) {
		return o.Discard(r.Context(), key, s.Reason, s.Force)
	})
}

// step takes the event that the path names through an operator's step.
func step(r *http.Request, o *operator.Operator, do func(ledger.Key, Step) (operator.Result, error)) (any, error) {
	var s Step
	if err := readJSON(r, &s); err != nil {
		return nil, err
	}
	key, err := findEvent(r, o)
	if err != nil {
		return nil, err
	}
	result, err := do(key, s)
	return StepResult{
		ID: key.EventID(), Route: key.Route, State: result.State, Resent: result.Resent, Warning: result.Warning,
	}, err
}

// replayEvents answers POST events/replay.
func replayEvents(r *http.Request, o *operator.Operator) (any, error) {
	var all ReplayAll
	if err := readJSON(r, &all); err != nil {
		return nil, err
	}
	if all.State == "" {
		all.State = ledger.Dead.String()
	}
	query, err := all.Query(time.Now().UTC())
	if err != nil {
		return nil, err
	}
	result, err := o.ReplayAll(r.Context(), query, all.Reason, all.DryRun)
	return Replayed(result), err
}
