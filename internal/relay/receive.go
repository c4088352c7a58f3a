package relay

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Receive records the event of a webhook in the ledger and returns the reply to the
// gateway. On a route without App it delivers the event to next before it returns.
func (r *Route) Receive(ctx context.Context, n gateway.Notice, e ledger.Event, next App, l *ledger.Ledger) Reply {
	failpoint.Reach("read")
	if r.App != nil {
		ignore, err := r.ignore(ctx, &e, l)
		if err != nil {
			return r.unavailable(err)
		}
		verdict, err := l.Accept(ctx, e, ignore)
		if err != nil {
			return r.unavailable(err)
		}
		failpoint.Reach("accepted")
		return r.decided(verdict)
	}
	verdict, attempt, err := l.Begin(ctx, e, ledger.Options{
		Ignore: func(e *ledger.Event) (string, error) { return r.ignore(ctx, e, l) },
		Lease:  r.lease(), Wait: r.Wait, Rank: r.rank,
	})
	switch {
	case err != nil:
		return r.notBegun(ctx, err)
	case verdict != ledger.Deliver:
		return r.decided(verdict)
	}
	return r.attempted(r.attempt(ctx, n, next, attempt, l))
}

// notBegun is the reply where no attempt could be made: another one failed that this
// webhook is a copy of, or is still in flight; or the ledger cannot be used.
func (r *Route) notBegun(ctx context.Context, err error) Reply {
	var unconfirmed *unconfirmedError
	var failure *failure
	var shared *ledger.SharedError
	switch {
	case errors.As(err, &unconfirmed), errors.As(err, &failure):
		return failed(err, "shared", "shared")
	case errors.As(err, &shared):
		return failed(failureElsewhere(shared), "shared", "shared")
	case errors.Is(err, ledger.ErrInFlight), ctx.Err() != nil: // or the sender has stopped waiting
		return later(http.StatusServiceUnavailable, "in_flight", "a copy of this event is being handed over", nil)
	default:
		return r.unavailable(err)
	}
}

// unavailable reports that the ledger cannot be used.
func (r *Route) unavailable(err error) Reply {
	r.Report(Outcome{Kind: Unavailable, Err: err})
	return Unusable(err)
}

// ignore returns why an event is not delivered to the app; empty: it is. It gives the
// event the app's own order id.
func (r *Route) ignore(ctx context.Context, e *ledger.Event, l *ledger.Ledger) (cause string, err error) {
	err = r.nameOrder(ctx, e, l)
	var held *confirm.HeldError
	switch {
	case errors.Is(err, errForeign):
		return err.Error(), nil
	case errors.Is(err, errLost), errors.As(err, &held): // the attempt holds it, if nothing more is known by then
	case err != nil:
		return "", err
	}
	if len(r.Types) > 0 && !slices.Contains(r.Types, e.Type) {
		return "filtered: the type is not among those forwarded", nil
	}
	isStatus := func(s string) bool { return strings.EqualFold(s, e.Status) }
	if len(r.Statuses) > 0 && !slices.ContainsFunc(r.Statuses, isStatus) {
		return "filtered: the status is not among those forwarded", nil
	}
	return "", nil
}
