package ccpayment

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// The events that Caddy's option `events` can react to.
const (
	eventDelivered = "ccpayment_delivered"
	eventHeld      = "ccpayment_held"
	eventDead      = "ccpayment_dead"
	eventOrderPaid = "ccpayment_order_paid"
	eventRejected  = "ccpayment_rejected"
)

// announcer emits Caddy's events for a handler. Caddy starts its apps in no
// particular order, and the ledger's events may be handed over before whoever
// listens is ready: what is announced until all have started is kept until then.
type announcer struct {
	ctx    caddy.Context
	app    *caddyevents.App
	logger *zap.Logger

	mu      sync.Mutex
	started bool
	early   []announcement
}

type announcement struct {
	name string
	data map[string]any
}

func newAnnouncer(ctx caddy.Context) (*announcer, error) {
	module, err := ctx.App("events")
	if err != nil {
		return nil, fmt.Errorf("getting events app: %v", err)
	}
	a := &announcer{ctx: ctx, app: module.(*caddyevents.App), logger: ctx.Logger()}
	if err := a.app.On("started", a); err != nil { // Caddy's own, once all apps have
		return nil, fmt.Errorf("listening for the start: %v", err)
	}
	return a, nil
}

// Handle implements caddyevents.Handler: the configuration runs.
func (a *announcer) Handle(context.Context, caddy.Event) error {
	a.mu.Lock()
	early := a.early
	a.started, a.early = true, nil
	a.mu.Unlock()
	for _, e := range early {
		a.emit(e)
	}
	return nil
}

func (a *announcer) announce(name string, data map[string]any) {
	if a.ctx.Err() != nil { // a reload has ended our configuration meanwhile
		if next := successor(data["route"]); next != nil && next != a {
			next.announce(name, data)
			return
		}
	}
	e := announcement{name, data}
	a.mu.Lock()
	started := a.started
	if !started {
		a.early = append(a.early, e)
	}
	a.mu.Unlock()
	if started {
		a.emit(e)
	}
}

// successor is the announcer of a route in the configuration that runs; nil:
// there is none.
func successor(route any) *announcer {
	running.Lock()
	defer running.Unlock()
	for _, app := range slices.Backward(running.apps) {
		app.mu.Lock()
		i := slices.IndexFunc(app.handlers, func(h *Webhook) bool { return h.routeName == route })
		app.mu.Unlock()
		if i >= 0 {
			return app.handlers[i].events
		}
	}
	return nil
}

// emit has the listeners run. Whatever they do, what they are told of has
// happened, and their mistake is not the event's.
func (a *announcer) emit(e announcement) {
	defer func() {
		if p := recover(); p != nil {
			a.logger.Error("a handler of Caddy's events panicked", zap.String("event", e.name), zap.Any("panic", p))
		}
	}()
	a.app.Emit(a.ctx, e.name, e.data)
}

// facts are what is told of an event: who it is, and nothing of the buyer.
func (h *Webhook) facts(e ledger.Event) map[string]any {
	record := ""
	if e.HasID() {
		record = e.Record.ID
	}
	return map[string]any{
		"event_id": e.EventID(), "account": h.accountName, "route": h.routeName,
		"type": e.Type, "status": e.Status, "record_id": record, "order_id": redact(e.OrderID),
	}
}

// fields are the same facts for the log.
func (h *Webhook) fields(e ledger.Event) []zap.Field {
	fields := []zap.Field{
		zap.String("route", h.routeName), zap.String("account", h.accountName), zap.String("event_id", e.EventID()),
		zap.String("type", e.Type), zap.String("status", e.Status),
	}
	if e.HasID() {
		fields = append(fields, zap.String("record_id", e.Record.ID))
	}
	if e.OrderID != "" {
		fields = append(fields, zap.String("order_id", redact(e.OrderID)))
	}
	return fields
}

// tellDelivered tells that the app has taken an event.
func (h *Webhook) tellDelivered(e ledger.Event, money *confirmation) {
	h.deliveryLag.Observe(h.app.now().Sub(e.ReceivedAt).Seconds())
	data := h.facts(e)
	told := new(ledger.Confirmation)
	if money != nil && money.told != nil {
		told = money.told
	}
	data["order_state"] = told.OrderState
	h.events.announce(eventDelivered, data)
	if told.Fulfill {
		h.events.announce(eventOrderPaid, h.facts(e))
	}
}

// tellHeld tells that an event waits for an operator, and why.
func (h *Webhook) tellHeld(e ledger.Event, held *heldError) {
	cause := redact(held.cause)
	h.logger.Error("holding an event", append(h.fields(e), zap.String("cause", cause))...)
	metrics.held.WithLabelValues(h.routeName, held.kind()).Inc()
	data := h.facts(e)
	data["cause"] = cause
	h.events.announce(eventHeld, data)
}

// tellIfDead tells that an event was given up, if that is what the attempt's end
// made of it. What then waits most is an order that only this event fulfils.
func (h *Webhook) tellIfDead(ctx context.Context, attempt *ledger.Attempt, became ledger.State, failure error, shared *sharedLedger) {
	if became != ledger.Dead {
		return
	}
	e, cause, fulfills := attempt.Event, redact(failure.Error()), false
	if e.GatewayOrderID != "" {
		holds, err := shared.Holds(context.WithoutCancel(ctx), e.Key, []ledger.Flag{ledger.FulfillOf(e.AppID, e.InOrder().ID)})
		if err != nil {
			cause = fmt.Sprintf("%s (and whether it fulfils its order cannot be read: %v)", cause, err)
		}
		fulfills = err == nil && holds[0]
	}
	h.logger.Error("an event is dead: replay it, once what is wrong is mended",
		append(h.fields(e), zap.Int("attempts", attempt.Number), zap.Bool("fulfill", fulfills), zap.String("cause", cause))...)
	data := h.facts(e)
	data["cause"], data["fulfill"] = cause, fulfills
	h.events.announce(eventDead, data)
}

// tellRejected tells that a delivery was refused, once a second at most.
func (h *Webhook) tellRejected(reason, clientIP string) {
	if h.app.rejectionsOf(h.routeName).Allow() {
		h.events.announce(eventRejected, map[string]any{
			"account": h.accountName, "route": h.routeName, "reason": reason, "client_ip": clientIP,
		})
	}
}

// rejectionsOf limits how often a route's rejections are announced, at however
// many places the route stands.
func (a *App) rejectionsOf(route string) *rate.Limiter {
	limiter, _ := a.rejections.LoadOrStore(route, rate.NewLimiter(rate.Every(time.Second), 1))
	return limiter.(*rate.Limiter)
}

// kind is the first word of why an event is held: risky, mismatch or late.
func (e *heldError) kind() string {
	kind, _, _ := strings.Cut(e.cause, ":")
	return kind
}

// heldKinds are all that kind returns.
var heldKinds = []string{"risky", "mismatch", "late"}

var emailAddress = regexp.MustCompile(`[^\s"'<>(),;:=\\]+@[^\s"'<>(),;:=\\]+`)

// redact takes e-mail addresses out of a text that quotes others. Ids are a
// shop's own choice, and some shops choose the buyer's address.
func redact(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	return emailAddress.ReplaceAllLiteralString(text, "REDACTED")
}

// redacted is an error as the log may show it.
func redacted(err error) error {
	if err == nil || !strings.Contains(err.Error(), "@") {
		return err
	}
	return errors.New(redact(err.Error()))
}

var _ caddyevents.Handler = (*announcer)(nil)
