package ccpayment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/metrics"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reconcile"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// The names of the Caddy events that the option `events` can subscribe to.
const (
	eventDelivered = "ccpayment_delivered"
	eventHeld      = "ccpayment_held"
	eventDead      = "ccpayment_dead"
	eventOrderPaid = "ccpayment_order_paid"
	eventRejected  = "ccpayment_rejected"
	eventMissed    = "ccpayment_missed"
)

// provisionMetrics creates the route's series, at zero, so that an alert sees even
// the first increase.
func (h *Webhook) provisionMetrics() {
	h.webhookTime = metrics.WebhookTime.WithLabelValues(h.route.Name)
	h.deliveryTime = metrics.DeliveryTime.WithLabelValues(h.route.Name)
	h.deliveryLag = metrics.DeliveryLag.WithLabelValues(h.route.Name)
	h.clockSkew = metrics.ClockSkew.WithLabelValues(h.route.Account.Name)
	for _, kind := range confirm.HeldKinds {
		metrics.Held.WithLabelValues(h.route.Name, kind)
	}
}

// emitter emits Caddy events for a handler. Caddy starts its apps in no particular
// order, so an event may be delivered before its listeners are ready: Caddy events
// from before the start are kept, and emitted once all apps have started.
type emitter struct {
	ctx    caddy.Context
	app    *caddyevents.App
	logger *zap.Logger

	mu      sync.Mutex
	started bool
	early   []caddyEvent
}

type caddyEvent struct {
	name string
	data map[string]any
}

func newEmitter(ctx caddy.Context) (*emitter, error) {
	module, err := ctx.App("events")
	if err != nil {
		return nil, fmt.Errorf("getting events app: %v", err)
	}
	a := &emitter{ctx: ctx, app: module.(*caddyevents.App), logger: ctx.Logger()}
	if err := a.app.On("started", a); err != nil { // Caddy's own, once all apps have
		return nil, fmt.Errorf("listening for the start: %v", err)
	}
	return a, nil
}

// Handle implements caddyevents.Handler: the configuration runs.
func (a *emitter) Handle(context.Context, caddy.Event) error {
	a.mu.Lock()
	early := a.early
	a.started, a.early = true, nil
	a.mu.Unlock()
	for _, e := range early {
		a.run(e)
	}
	return nil
}

// emit emits a Caddy event, now or once Caddy has started.
func (a *emitter) emit(name string, data map[string]any) {
	if a.ctx.Err() != nil { // a reload has ended our configuration meanwhile
		if next := successor(data["route"]); next != nil && next != a {
			next.emit(name, data)
			return
		}
	}
	e := caddyEvent{name, data}
	a.mu.Lock()
	started := a.started
	if !started {
		a.early = append(a.early, e)
	}
	a.mu.Unlock()
	if started {
		a.run(e)
	}
}

// isObserved reports whether anybody may get a Caddy event of this name.
func (a *emitter) isObserved(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.started || a.ctx.Err() != nil || a.app.ShouldEmit(name)
}

// successor returns the emitter of a route in the latest running configuration that
// has the route; nil: none has.
func successor(route any) *emitter {
	name, _ := route.(string)
	for _, app := range running.Latest() {
		if h := app.handlerOf(name); h != nil {
			return h.events
		}
	}
	return nil
}

// run calls the listeners. It logs a listener's panic and does not pass it on: what
// the Caddy event reports is recorded already.
func (a *emitter) run(e caddyEvent) {
	defer func() {
		if p := recover(); p != nil {
			a.logger.Error("a handler of Caddy's events panicked", zap.String("event", e.name), zap.Any("panic", p))
		}
	}()
	a.app.Emit(a.ctx, e.name, e.data)
}

// facts returns the data of a Caddy event: what identifies the ledger's event, and
// nothing of the buyer.
func (h *Webhook) facts(e ledger.Event) map[string]any {
	record := ""
	if e.HasID() {
		record = e.Record.ID
	}
	return map[string]any{
		"event_id": e.EventID(), "account": h.route.Account.Name, "route": h.route.Name,
		"type": e.Type, "status": e.Status, "record_id": record, "order_id": redact.Emails(e.OrderID),
	}
}

// fields returns the facts of an event as log fields, and more after them.
func (h *Webhook) fields(e ledger.Event, more ...zap.Field) []zap.Field {
	fields := []zap.Field{
		zap.String("route", h.route.Name), zap.String("account", h.route.Account.Name), zap.String("event_id", e.EventID()),
		zap.String("type", e.Type), zap.String("status", e.Status),
	}
	if e.HasID() {
		fields = append(fields, zap.String("record_id", e.Record.ID))
	}
	if e.OrderID != "" {
		fields = append(fields, zap.String("order_id", redact.Emails(e.OrderID)))
	}
	return append(fields, more...)
}

// report turns an outcome into log lines, metrics and Caddy events.
func (h *Webhook) report(o relay.Outcome) {
	if o.Called {
		lastHour.Attempt(h.route.Name, h.app.now(), o.Kind == relay.Delivered, o.Age)
		h.deliveryTime.Observe(o.Took.Seconds())
	}
	if f := o.Finding; f != nil {
		if f.Asked {
			at := f.AskedAt // and not the finding, which has the event
			h.app.confirmedAt.Store(&at)
			lastHour.API(h.route.Account.Name, nil)
		}
		if f.LeftTo != "" {
			h.logger.Info("another payment of the order, which is still to come, will tell the app to fulfil it",
				h.fields(o.Event, zap.String("other_record_id", f.LeftTo))...)
		}
	}
	route := zap.String("route", h.route.Name)
	switch o.Kind {
	case relay.Delivered:
		h.reportDelivered(o)
	case relay.Failed:
		h.reportNotAck(o)
		h.trouble(zap.WarnLevel, "the app did not take the event", h.fields(o.Event, zap.Int("attempt", o.Attempt), zap.Error(redacted(o.Err)))...)
	case relay.Held:
		h.reportHeld(o)
	case relay.Unconfirmed:
		lastHour.API(h.route.Account.Name, operator.TroubleOf(o.Err, h.app.now()))
		h.trouble(zap.WarnLevel, "an event cannot be confirmed now", route,
			zap.String("event_id", o.EventID), zap.String("type", o.Event.Type), zap.Error(redacted(o.Err)))
	case relay.Panicked:
		h.logger.Error("handing over panicked", route, zap.String("event_id", o.EventID), zap.Error(o.Err), zap.ByteString("stack", o.Stack))
	case relay.Unavailable:
		h.trouble(zap.ErrorLevel, "the ledger cannot be used: nothing is acknowledged", route, zap.Error(o.Err))
	case relay.Stalled:
		h.trouble(zap.ErrorLevel, "the ledger cannot be used: events wait", route, zap.Error(o.Err))
	case relay.Damaged:
		h.logger.Error("an event waits because the ledger has something of it that cannot be read: others go on",
			route, zap.String("event_id", o.EventID), zap.Error(o.Err))
	case relay.Unsettled:
		h.logger.Error("the event's order may be paid without a word to the app: replay the event",
			h.fields(o.Event, zap.Error(redacted(o.Err)))...)
	}
	if o.Became == ledger.Dead {
		h.reportDead(o)
	}
}

// trouble logs what may come in a flood, at most [linesPerSecond] lines a second.
func (h *Webhook) trouble(level zapcore.Level, message string, fields ...zap.Field) {
	if h.troubles.Allow() {
		h.logger.Log(level, message, fields...)
	}
}

func (h *Webhook) reportDelivered(o relay.Outcome) {
	h.deliveryLag.Observe(o.Age.Seconds())
	if o.IsPage {
		h.warnAck.Do(func() {
			h.logger.Warn("the app's 2xx is a web page, and counts as a yes: has it a route for POST at this path? `ack` asks for a word that no page has", h.fields(o.Event)...)
		})
	}
	var confirmed ledger.Confirmation
	if o.Confirmation != nil {
		confirmed = *o.Confirmation
	}
	if h.events.isObserved(eventDelivered) {
		data := h.facts(o.Event)
		data["order_state"], data["reason"] = confirmed.OrderState, confirmed.Reason
		h.events.emit(eventDelivered, data)
	}
	if confirmed.Fulfill {
		h.events.emit(eventOrderPaid, h.facts(o.Event))
	}
}

// reportNotAck shows, once, how a 2xx began that did not acknowledge an event: it tells
// whether the app said no, or says yes in other words.
func (h *Webhook) reportNotAck(o relay.Outcome) {
	if o.NotAck == nil {
		return
	}
	h.warnAck.Do(func() {
		h.logger.Warn("a 2xx of the app is no acknowledgement: if it is a yes, set `ack` to a word of it, or to 2xx",
			h.fields(o.Event, zap.String("ack", h.route.Ack), zap.String("response", redact.Emails(*o.NotAck)))...)
	})
}

func (h *Webhook) reportHeld(o relay.Outcome) {
	cause := redact.Emails(o.Err.Error())
	h.logger.Error("holding an event", h.fields(o.Event, zap.String("cause", cause))...)
	var held *confirm.HeldError
	if errors.As(o.Err, &held) {
		metrics.Held.WithLabelValues(h.route.Name, held.Kind()).Inc()
	}
	data := h.facts(o.Event)
	data["cause"] = cause
	h.events.emit(eventHeld, data)
}

// reportDead reports that an event is dead: it is not retried any more.
func (h *Webhook) reportDead(o relay.Outcome) {
	cause := redact.Emails(o.Err.Error())
	h.logger.Error("an event is dead: replay it, once what is wrong is mended",
		h.fields(o.Event, zap.Int("attempts", o.Attempt), zap.Bool("fulfill", o.Fulfills), zap.String("cause", cause))...)
	data := h.facts(o.Event)
	data["cause"], data["fulfill"] = cause, o.Fulfills
	h.events.emit(eventDead, data)
}

// reportRejected emits the Caddy event for a refused webhook, for each route once a
// second at most.
func (h *Webhook) reportRejected(reason, clientIP string) {
	if h.app.rejectionsOf(h.route.Name).Allow() {
		h.events.emit(eventRejected, map[string]any{
			"account": h.route.Account.Name, "route": h.route.Name, "reason": reason, "client_ip": clientIP,
		})
	}
}

// rejectionsOf returns the limit of a route's Caddy events for refused webhooks,
// which all handlers of the route share.
func (a *App) rejectionsOf(route string) *rate.Limiter {
	limiter, ok := a.rejections.Load(route)
	if !ok {
		limiter, _ = a.rejections.LoadOrStore(route, rate.NewLimiter(rate.Every(time.Second), 1))
	}
	return limiter.(*rate.Limiter)
}

// reportMissed reports a record that no webhook told the app of.
func (a *App) reportMissed(m reconcile.Missed) {
	metrics.Reconciled.Missing.WithLabelValues(m.Account).Inc()
	a.logger.Warn("the gateway has a record that no webhook told the app of", zap.Any("record", m.Facts()), zap.String("why_not_told", m.Record.Why))
	if i := slices.IndexFunc(a.handlers, func(h *Webhook) bool { return m.Route == "" || h.route.Name == m.Route }); i >= 0 {
		a.handlers[i].events.emit(eventMissed, m.Facts())
	}
}

// redacted returns an error as the log may show it: see [redact.Emails].
func redacted(err error) error {
	if err == nil || !strings.Contains(err.Error(), "@") {
		return err
	}
	return errors.New(redact.Emails(err.Error()))
}

var _ caddyevents.Handler = (*emitter)(nil)

// startWatcher listens for Caddy's event that the configuration has started. Its
// field is not exported, because Caddy logs listeners as JSON and an App has
// secrets.
type startWatcher struct{ app *App }

// Handle implements caddyevents.Handler.
func (w startWatcher) Handle(context.Context, caddy.Event) error {
	w.app.ledger.Ready()
	return nil
}
