package ccpayment

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// eventView is an event in a list.
type eventView struct {
	ID            string       `json:"id"`
	Account       string       `json:"account"`
	Route         string       `json:"route"`
	Type          string       `json:"type"`
	RecordID      string       `json:"record_id,omitempty"`
	OrderID       string       `json:"order_id,omitempty"`
	ReferenceID   string       `json:"reference_id,omitempty"`
	UserID        string       `json:"user_id,omitempty"`
	Status        string       `json:"status"`
	Risky         ledger.Risk  `json:"risky"`
	State         ledger.State `json:"state"`
	Seq           uint64       `json:"seq,omitempty"`
	ReceivedAt    time.Time    `json:"received_at"`
	Attempts      int          `json:"attempts"`
	NextAttemptAt *time.Time   `json:"next_attempt_at,omitempty"`
	DeliveredAt   *time.Time   `json:"delivered_at,omitempty"`
	Confirmed     bool         `json:"confirmed"`
	OrderState    string       `json:"order_state,omitempty"`
	Fulfill       bool         `json:"fulfill"`
	Credit        bool         `json:"credit"`
	LastError     string       `json:"last_error,omitempty"`
}

func viewEvent(e ledger.Event) eventView {
	v := eventView{
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
	}
	return v
}

// eventDetails is all that the ledger has of an event.
type eventDetails struct {
	eventView
	Confirmation *ledger.Confirmation `json:"confirmation"`
	Request      ledger.Request       `json:"request"`
	// Body is null once it was pruned, and where it is damaged.
	Body        *string             `json:"body"`
	BodyDamaged bool                `json:"body_damaged,omitempty"`
	Transitions []ledger.Transition `json:"transitions"`
}

// eventList is one page of events.
type eventList struct {
	Events []eventView `json:"events"`
	Next   string      `json:"next,omitempty"`
}

const (
	defaultPage = 50
	largestPage = 500
)

// listEvents answers GET /ccpayment/events.
func listEvents(r *http.Request, _ *App, shared *sharedLedger) (any, error) {
	values := r.URL.Query()
	limit, err := readLimit(values)
	if err != nil {
		return nil, err
	}
	query, err := readFilter(values)
	if err != nil {
		return nil, err
	}
	query.Limit, query.Cursor = limit, values.Get("cursor")
	page, err := shared.List(r.Context(), query)
	if errors.Is(err, ledger.ErrCursor) {
		return nil, apiError(http.StatusBadRequest, "%w: use the `next` of the page before", err)
	}
	list := eventList{Events: []eventView{}, Next: page.Next}
	for _, e := range page.Events {
		list.Events = append(list.Events, viewEvent(e))
	}
	return list, explainLedger(err)
}

// readFilter reads the filters of a list, and refuses what is none.
func readFilter(values url.Values) (ledger.Query, error) {
	var f eventFilter
	fields := map[string]*string{
		"state": &f.State, "type": &f.Type, "status": &f.Status, "order_id": &f.OrderID, "record_id": &f.RecordID,
		"route": &f.Route, "since": &f.Since, "until": &f.Until,
	}
	for name, given := range values {
		field, ok := fields[name]
		switch {
		case name == "limit" || name == "cursor":
		case !ok:
			return ledger.Query{}, apiError(http.StatusBadRequest,
				"unknown filter %q: use state, type, status, order_id, record_id, route, since, until, limit, cursor", name)
		case len(given) > 1:
			return ledger.Query{}, apiError(http.StatusBadRequest, "%s is given twice", name)
		default:
			*field = given[0]
		}
	}
	return f.query()
}

// eventFilter selects events, in JSON as in a query.
type eventFilter struct {
	State    string `json:"state"`
	Type     string `json:"type"`
	Status   string `json:"status"`
	OrderID  string `json:"order_id"`
	RecordID string `json:"record_id"`
	Route    string `json:"route"`
	Since    string `json:"since"` // RFC 3339, or a duration back from now
	Until    string `json:"until"`
}

func (f eventFilter) query() (ledger.Query, error) {
	q := ledger.Query{Route: f.Route, Type: f.Type, Status: f.Status, OrderID: f.OrderID, RecordID: f.RecordID}
	if f.State != "" {
		if err := q.State.UnmarshalText([]byte(f.State)); err != nil || q.State == ledger.None {
			return q, apiError(http.StatusBadRequest, "unknown state %q", f.State)
		}
	}
	var err error
	if q.Since, err = readTime("since", f.Since); err != nil {
		return q, err
	}
	q.Until, err = readTime("until", f.Until)
	return q, err
}

func readTime(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-ago.Abs()), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, apiError(http.StatusBadRequest, "%s: %q is neither a time such as 2026-01-31T12:00:00Z nor a duration such as 3h", name, text)
	}
	return at, nil
}

func readLimit(values url.Values) (int, error) {
	if len(values["limit"]) > 1 {
		return 0, apiError(http.StatusBadRequest, "limit is given twice")
	}
	text := values.Get("limit")
	if text == "" {
		return defaultPage, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > largestPage {
		return 0, apiError(http.StatusBadRequest, "limit must be from 1 to %d", largestPage)
	}
	return limit, nil
}

// findEvent returns the key of the event that the path names. One id may stand
// for an event on several routes; then the query names the route.
func findEvent(r *http.Request, shared *sharedLedger) (ledger.Key, error) {
	keys, err := shared.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return ledger.Key{}, explainLedger(err)
	}
	route := r.URL.Query().Get("route")
	var found []ledger.Key
	for _, key := range keys {
		if route == "" || key.Route == route {
			found = append(found, key)
		}
	}
	switch len(found) {
	case 0:
		return ledger.Key{}, apiError(http.StatusNotFound, "the ledger knows no event %s", r.PathValue("id"))
	case 1:
		return found[0], nil
	default:
		return ledger.Key{}, apiError(http.StatusConflict, "the event came on %d routes: name one with ?route=%s", len(found), found[0].Route)
	}
}

// showEvent answers GET /ccpayment/events/{id}.
func showEvent(r *http.Request, _ *App, shared *sharedLedger) (any, error) {
	key, err := findEvent(r, shared)
	if err != nil {
		return nil, err
	}
	e, err := shared.Load(r.Context(), key)
	if err != nil {
		return nil, explainLedger(err)
	}
	details := eventDetails{eventView: viewEvent(e), Confirmation: e.Confirmation, Request: e.Request, BodyDamaged: e.BodyDamaged, Transitions: e.Transitions}
	if e.Body != nil {
		body := string(e.Body)
		details.Body = &body
	}
	return details, nil
}

// wish is what an operator says with a step.
type wish struct {
	Reason string `json:"reason"`
	Accept bool   `json:"accept"` // release only: although it is risky
	Force  bool   `json:"force"`  // discard only: although it carries a flag
}

// stepResult is what became of an event.
type stepResult struct {
	ID    string       `json:"id"`
	Route string       `json:"route"`
	State ledger.State `json:"state"`
	// Resent is how many webhooks CCPayment was asked to send again, where the
	// route hands over what CCPayment sends; Warning says why it could not be.
	Resent  *int   `json:"resent,omitempty"`
	Warning string `json:"warning,omitempty"`
}

func replayEvent(r *http.Request, app *App, shared *sharedLedger) (any, error) {
	return step(r, app, shared, func(ctx context.Context, key ledger.Key, w wish) error {
		return shared.Replay(ctx, key, w.Reason)
	})
}

func releaseEvent(r *http.Request, app *App, shared *sharedLedger) (any, error) {
	return step(r, app, shared, func(ctx context.Context, key ledger.Key, w wish) error {
		return shared.Release(ctx, key, w.Reason, w.Accept)
	})
}

func discardEvent(r *http.Request, app *App, shared *sharedLedger) (any, error) {
	return step(r, app, shared, func(ctx context.Context, key ledger.Key, w wish) error {
		return shared.Discard(ctx, key, w.Reason, w.Force)
	})
}

// stepWait is how long an operator's step waits for an attempt on its way.
const stepWait = 10 * time.Second

// step takes the event that the path names through an operator's step.
func step(r *http.Request, app *App, shared *sharedLedger, do func(context.Context, ledger.Key, wish) error) (any, error) {
	var w wish
	if err := readJSON(r, &w); err != nil {
		return nil, err
	}
	key, err := findEvent(r, shared)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), stepWait)
	defer cancel()
	if err := do(ctx, key, w); err != nil {
		return nil, explainLedger(err)
	}
	return app.afterStep(r.Context(), key, shared)
}

// afterStep has CCPayment send the record again where an event that is due now
// came on a route that has no courier: there is no request to hand it over on.
func (a *App) afterStep(ctx context.Context, key ledger.Key, shared *sharedLedger) (stepResult, error) {
	e, err := shared.Load(ctx, key)
	result := stepResult{ID: key.EventID(), Route: key.Route, State: e.State}
	if err != nil || e.State != ledger.Retrying || a.hasCourier(key.Route) {
		return result, explainLedger(err)
	}
	count, err := a.resend(ctx, e)
	if err != nil {
		result.Warning = "the event is due, and waits for its next copy: CCPayment could not be asked to send it again: " + err.Error()
		return result, nil
	}
	result.Resent = &count
	return result, nil
}

// resend asks CCPayment for the webhooks of an event's record.
func (a *App) resend(ctx context.Context, e ledger.Event) (int, error) {
	if !e.HasID() {
		return 0, errors.New("it has no record id")
	}
	c, err := a.credentials(e.Account)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.apiBudget)
	defer cancel()
	// The hour that is asked for is that of the record's making, which is about
	// that of its first webhook or of the payment's arrival.
	made := []time.Time{e.ReceivedAt}
	if record, err := c.api.DepositRecord(ctx, e.ID); err == nil && !record.ArrivedAt.IsZero() {
		made = append(made, record.ArrivedAt)
	}
	for _, at := range made {
		from := at.Add(-50 * time.Minute)
		count, err := c.api.ResendWebhooks(ctx, client.ResendRequest{
			From: from, To: from.Add(time.Hour), RecordIDs: []string{e.ID}, All: true, Type: e.Type,
		})
		if err != nil {
			return 0, explainAPI("webhooks", err)
		}
		if count > 0 {
			return count, nil
		}
	}
	return 0, errors.New("CCPayment finds no such webhook: send it again from its console")
}

// replayAll is a bulk replay.
type replayAll struct {
	eventFilter
	Reason string `json:"reason"`
	DryRun bool   `json:"dry_run"`
}

// replayed is what a bulk replay comes to.
type replayed struct {
	Matched  int      `json:"matched"`
	Replayed int      `json:"replayed"`
	Warnings []string `json:"warnings,omitempty"`
}

// replayEvents answers POST /ccpayment/events/replay.
func replayEvents(r *http.Request, app *App, shared *sharedLedger) (any, error) {
	var all replayAll
	if err := readJSON(r, &all); err != nil {
		return nil, err
	}
	if all.State == "" {
		all.State = ledger.Dead.String()
	}
	query, err := all.query()
	if err != nil {
		return nil, err
	}
	query.Limit = largestPage
	var result replayed
	for {
		page, err := shared.List(r.Context(), query)
		if err != nil {
			return nil, explainLedger(err)
		}
		result.Matched += len(page.Events)
		for _, e := range page.Events {
			if all.DryRun {
				continue
			}
			if err := app.replay(r.Context(), e, all.Reason, shared); err != nil {
				result.Warnings = append(result.Warnings, e.EventID()+": "+err.Error())
				continue
			}
			result.Replayed++
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			return result, nil
		}
	}
}

func (a *App) replay(ctx context.Context, e ledger.Event, reason string, shared *sharedLedger) error {
	ctx, cancel := context.WithTimeout(ctx, stepWait)
	defer cancel()
	if err := shared.Replay(ctx, e.Key, reason); err != nil {
		return err
	}
	result, err := a.afterStep(ctx, e.Key, shared)
	if err == nil && result.Warning != "" {
		return errors.New(result.Warning)
	}
	return err
}
