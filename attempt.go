package ccpayment

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// handle takes an event through the ledger and, if it is due, to the app.
func (h *Webhook) handle(r *http.Request, next caddyhttp.Handler, d delivery) answer {
	shared, err := h.app.acquireLedger()
	if err != nil {
		return h.unavailable(err)
	}
	defer h.app.releaseLedger()

	if err := h.findOrder(r.Context(), &d.event, shared); err != nil {
		return h.unavailable(err)
	}
	ignore := h.ignore(&d.event)
	if h.delivery != nil {
		return h.accept(r.Context(), d, ignore, shared)
	}
	verdict, attempt, err := shared.Begin(r.Context(), d.event, ledger.Options{
		Ignore: ignore,
		Lease:  h.lease(),
		Wait:   time.Duration(h.Wait),
		Rank:   statusRank,
	})
	var failed *appError
	var unconfirmed *unconfirmedError
	switch {
	case errors.As(err, &unconfirmed):
		return notConfirmed("shared")
	case errors.As(err, &failed):
		return failed.answer("shared")
	case errors.Is(err, ledger.ErrInFlight), err != nil && r.Context().Err() != nil: // or the sender has stopped waiting
		return answer{status: http.StatusServiceUnavailable, outcome: "in_flight", text: "a copy of this event is being handed over", retryAfter: true}
	case err != nil:
		return h.unavailable(err)
	}
	if verdict == ledger.Deliver {
		return h.attempt(r, next, d.of(attempt.Event), attempt, new(ledger.Ending), shared)
	}
	return answerOf(verdict)
}

// findOrder gives the event of an order that our checkout made the app's own
// order id: CCPayment's may be that of a later generation.
func (h *Webhook) findOrder(ctx context.Context, e *ledger.Event, shared *sharedLedger) error {
	if e.GatewayOrderID == "" {
		return nil
	}
	order, err := shared.OrderOf(ctx, ledger.OrderID{AppID: e.AppID, ID: e.GatewayOrderID})
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil
	case err != nil:
		return err
	case order.Account == h.accountName && order.ID != e.GatewayOrderID:
		e.Order, e.OrderID = order.ID, order.ID
	}
	return nil
}

// ignore returns why an event is not for the app, or "". An order of the app
// has the account's prefix, which is removed.
func (h *Webhook) ignore(e *ledger.Event) string {
	if prefix := h.secrets.orderPrefix; prefix != "" && e.OrderID != "" {
		own, ok := strings.CutPrefix(e.OrderID, prefix)
		if !ok || own == "" {
			return "foreign: the order id is not one behind the account's prefix"
		}
		e.OrderID = own
	}
	if len(h.types) > 0 && !slices.Contains(h.types, e.Type) {
		return "filtered: the type is not among those forwarded"
	}
	isStatus := func(s string) bool { return strings.EqualFold(s, e.Status) }
	if len(h.statuses) > 0 && !slices.ContainsFunc(h.statuses, isStatus) {
		return "filtered: the status is not among those forwarded"
	}
	return ""
}

// answerOf is what CCPayment is told of an event that is not handed over now.
func answerOf(verdict ledger.Verdict) answer {
	switch verdict {
	case ledger.Accepted:
		return success("accepted")
	case ledger.Overtaken:
		return success("superseded")
	case ledger.Filtered:
		return success("ignored")
	case ledger.OnHold:
		return success("held")
	default:
		return success("duplicate")
	}
}

// of is the delivery of the ledger's own account of the event.
func (d delivery) of(event ledger.Event) delivery {
	d.event = event
	return d
}

// leaseMargin is how much longer a lease is than an attempt: time for the
// outcome to be committed. It is derived here, so that the two cannot drift.
const leaseMargin = 30 * time.Second

func (h *Webhook) lease() time.Duration {
	return time.Duration(h.Timeout) + h.secrets.apiBudget + leaseMargin
}

// attempt confirms the event, makes one attempt at the app and records its
// outcome, with what CCPayment said, which is left in end.
func (h *Webhook) attempt(r *http.Request, next caddyhttp.Handler, d delivery, attempt *ledger.Attempt, end *ledger.Ending, shared *sharedLedger) answer {
	failpoint.Reach("claimed")
	ctx, event := r.Context(), d.event
	if h.delivery == nil { // in the background, carry ends what panics
		defer func() {
			_, _ = attempt.Finish(ctx, ledger.Ending{Failure: &appError{cause: errors.New("handing over panicked")}})
		}()
	}

	var money *confirmation
	if h.Confirm == "on" || event.Request.Stale {
		var a answer
		end.AskedAt = h.app.now()
		if money, a = h.confirm(ctx, d, attempt, shared); money == nil {
			return a
		}
		end.Confirmation, end.Order = money.told, money.orderView(event, money.askedAt)
	} else if _, err := attempt.Sent(ctx, ledger.Sending{}); err != nil {
		return h.unavailable(err)
	}
	failpoint.Reach("bound")
	failure := h.handOver(r, next, attempt, money)
	if failure == nil {
		failpoint.Reach("answered")
		end.State = ledger.Delivered
		if _, err := attempt.Finish(ctx, *end); err != nil {
			return h.unavailable(err)
		}
		failpoint.Reach("delivered")
		h.tellDelivered(event, money)
		h.settleAgain(ctx, attempt, money, shared)
		return success(delivered)
	}
	if h.troubles.Allow() {
		h.logger.Warn("the app did not take the event",
			append(h.fields(event), zap.Int("attempt", attempt.Number), zap.Error(redacted(failure.cause)))...)
	}
	end.State, end.Failure, end.Again = ledger.Retrying, failure, failure.again
	became, err := attempt.Finish(ctx, *end)
	if err != nil {
		return h.unavailable(err)
	}
	h.tellIfDead(ctx, attempt, became, failure, shared)
	return failure.answer("failed")
}

// delivered is the outcome where the app said yes.
const delivered = "delivered"

// unavailable is the outcome while the ledger cannot be used.
const unavailable = "unavailable"

// unavailable is the answer while the ledger cannot be used.
func (h *Webhook) unavailable(err error) answer {
	if h.troubles.Allow() {
		h.logger.Error("the ledger cannot be used: nothing is acknowledged", zap.String("route", h.routeName), zap.Error(err))
	}
	return answer{status: http.StatusServiceUnavailable, outcome: unavailable, text: "the ledger is unavailable", retryAfter: true, cause: err}
}
