package ccpayment

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	defaultFirst  = 5 * time.Second
	defaultMax    = time.Hour
	defaultGiveUp = 72 * time.Hour

	// workers is how many events of a route are handed over at once.
	workers = 32
)

// Retry is how an event is tried again that the app has not taken.
type Retry struct {
	// The longest wait after the first failure. It doubles with each further
	// one; the wait is random below it. Default: 5s.
	First caddy.Duration `json:"first,omitempty"`

	// The longest wait of all, also where the app asks for a longer one with
	// Retry-After. Default: 1h.
	Max caddy.Duration `json:"max,omitempty"`

	// How long an event is tried before it is given up as dead, from which an
	// operator or another copy brings it back. Default: 72h.
	GiveUp caddy.Duration `json:"give_up,omitempty"`
}

// provisionDelivery sets up the handlers of store-and-forward.
func (h *Webhook) provisionDelivery(ctx caddy.Context) error {
	if h.Deliver == nil {
		if h.Retry != nil {
			return errors.New("retry needs deliver: without it, CCPayment's retries are the retries")
		}
		return nil
	}
	if err := h.Deliver.Provision(ctx); err != nil {
		return fmt.Errorf("provisioning deliver: %v", err)
	}
	h.delivery = h.Deliver.Compile(caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil }))
	var ok bool
	if h.server, ok = ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); !ok {
		return errors.New("deliver works in the routes of a server only")
	}
	return nil
}

// accept commits a delivery of an event, which is handed over later.
func (h *Webhook) accept(ctx context.Context, d delivery, ignore string, shared *sharedLedger) answer {
	verdict, err := shared.Accept(ctx, d.event, ignore)
	if err != nil {
		return h.unavailable(err)
	}
	failpoint.Reach("accepted")
	return answerOf(verdict)
}

// courier is the route as the ledger's dispatcher knows it.
func (h *Webhook) courier(shared *sharedLedger) ledger.Dispatcher {
	return ledger.Dispatcher{
		Route:   h.routeName,
		Plan:    ledger.Plan{First: time.Duration(h.Retry.First), Max: time.Duration(h.Retry.Max), GiveUp: time.Duration(h.Retry.GiveUp)},
		Lease:   h.lease(),
		Workers: workers,
		Rank:    statusRank,
		Direct:  h.Confirm == "off",
		Work:    func(attempt *ledger.Attempt) (ledger.Contact, error) { return h.carry(attempt, shared) },
		Failed: func(err error) {
			if h.troubles.Allow() {
				h.logger.Error("the ledger cannot be used: events wait", zap.String("route", h.routeName), zap.Error(err))
			}
		},
		Damaged: func(eventID string, err error) {
			h.logger.Error("an event waits because the ledger is damaged there: others go on",
				zap.String("route", h.routeName), zap.String("event_id", eventID), zap.Error(err))
		},
	}
}

// carry makes one attempt in the background.
func (h *Webhook) carry(attempt *ledger.Attempt, shared *sharedLedger) (sign ledger.Contact, err error) {
	var end ledger.Ending
	defer func() {
		if p := recover(); p != nil {
			h.logger.Error("handing over panicked", zap.String("route", h.routeName),
				zap.String("event_id", attempt.Event.EventID()), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			failure := fmt.Errorf("handing over panicked: %v", p)
			var became ledger.State
			end.State, end.Failure, end.Again = ledger.Retrying, failure, ledger.Again{}
			became, err = attempt.Finish(context.Background(), end)
			sign = ledger.Reached
			h.tellIfDead(context.Background(), attempt, became, failure, shared)
		}
	}()
	ctx := context.Background()
	if attempt.Event.BodyDamaged {
		failure := errors.New("its body is damaged in the ledger: ask CCPayment to send it again")
		return ledger.Untried, h.die(ctx, attempt, failure, shared)
	}
	if attempt.Event.Body == nil {
		failure := errors.New("its body was pruned after the retention time: ask CCPayment to send it again")
		return ledger.Untried, h.die(ctx, attempt, failure, shared)
	}
	d, err := h.gateway.read(attempt.Event.Body)
	if err != nil {
		return ledger.Untried, h.die(ctx, attempt, err, shared)
	}
	r, err := h.remake(ctx, attempt.Event)
	if err != nil {
		return ledger.Untried, h.die(ctx, attempt, err, shared)
	}
	out := h.attempt(r, h.delivery, d.of(attempt.Event), attempt, &end, shared)
	var failure *appError
	switch {
	case out.outcome == unavailable:
		return ledger.Untried, out.cause
	case errors.As(out.cause, &failure) && failure.unreached:
		return ledger.Unreached, nil
	case failure != nil, out.outcome == delivered:
		return ledger.Reached, nil
	default: // it was held, or could not be confirmed
		return ledger.Untried, nil
	}
}

// die gives an event up that can never be handed over.
func (h *Webhook) die(ctx context.Context, attempt *ledger.Attempt, failure error, shared *sharedLedger) error {
	if _, err := attempt.Sent(ctx, ledger.Sending{}); err != nil {
		return err
	}
	became, err := attempt.Finish(ctx, ledger.Ending{State: ledger.Retrying, Failure: failure, Again: ledger.Again{Never: true}})
	h.tellIfDead(ctx, attempt, became, failure, shared)
	return err
}

// remake makes the request that brought the event once more: its method, host,
// scheme, URI and client address.
func (h *Webhook) remake(ctx context.Context, e ledger.Event) (*http.Request, error) {
	target, err := url.ParseRequestURI(e.Request.URI)
	if err != nil {
		return nil, fmt.Errorf("the event's request cannot be made again: %w", err)
	}
	r := (&http.Request{
		Method: e.Request.Method, URL: target, RequestURI: e.Request.URI, Host: e.Request.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), RemoteAddr: e.Request.RemoteAddr,
	}).WithContext(ctx)
	if e.Request.TLS {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true} // else Caddy takes it for early data
	}
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), &appResponse{}, h.server), nil
}

// couriers are those of one configuration at work.
type couriers struct {
	app  *App
	stop context.CancelFunc
	done sync.WaitGroup
}

// startCouriers begins to hand over what is due on the App's routes. While the
// couriers are at work they hold the ledger.
func startCouriers(app *App, shared *sharedLedger) *couriers {
	ctx, stop := context.WithCancel(context.Background())
	c := &couriers{app: app, stop: stop}
	for _, h := range app.couriers() {
		if _, err := app.acquireLedger(); err != nil {
			app.logger.Error("events are not handed over", zap.String("route", h.routeName), zap.Error(err))
			continue
		}
		c.done.Go(func() {
			defer app.releaseLedger()
			shared.Dispatch(ctx, h.courier(shared))
		})
	}
	return c
}

// end begins nothing more. What is on its way is finished: before end returns
// where the process is about to exit, else while the next configuration works,
// because an app may be waiting for the reload that waits for it.
func (c *couriers) end() {
	c.stop()
	if caddy.Exiting() {
		c.done.Wait()
	}
}
