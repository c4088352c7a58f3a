package relay

import (
	"context"
	"errors"
	"fmt"
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
	if err := r.findOrder(ctx, &e, l); err != nil {
		return r.unavailable(err)
	}
	ignore := r.ignore(&e)
	if err := nameOrder(ctx, r.Account, &e, l); err != nil {
		return r.unavailable(err)
	}
	if r.App != nil {
		verdict, err := l.Accept(ctx, e, ignore)
		if err != nil {
			return r.unavailable(err)
		}
		failpoint.Reach("accepted")
		return r.decided(verdict)
	}
	verdict, attempt, err := l.Begin(ctx, e, ledger.Options{
		Ignore: ignore, Lease: r.lease(), Wait: r.Wait, Rank: r.rank,
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
	case errors.As(err, &unconfirmed), errors.As(err, &failure), errors.As(err, &shared):
		return failed(err, "shared", "shared")
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

// findOrder sets the event's order id to the app's own, where our checkout made the
// order: it may have made several at the gateway, with other ids, for one order of
// the app's.
func (r *Route) findOrder(ctx context.Context, e *ledger.Event, l *ledger.Ledger) error {
	if e.GatewayOrderID == "" {
		return nil
	}
	order, err := l.OrderOf(ctx, ledger.OrderID{AppID: e.AppID, ID: e.GatewayOrderID})
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil
	case err != nil:
		return err
	case order.Account == r.Account.Name && order.ID != e.GatewayOrderID:
		e.Order, e.OrderID = order.ID, order.ID
	}
	return nil
}

// nameOrder sets the event's order id to the app's own where the gateway has a stand-in
// for it: to none, where the ledger does not know which it is. The id of a payout is
// always the app's.
func nameOrder(ctx context.Context, a *gateway.Account, e *ledger.Event, l *ledger.Ledger) error {
	if t, _ := a.Info.Type(e.Type); t.Kind == gateway.Payout || !a.IsStandIn(e.GatewayOrderID) {
		return nil
	}
	e.OrderID, e.Order = "", ""
	order, err := l.OrderOf(ctx, ledger.OrderID{AppID: e.AppID, ID: e.GatewayOrderID})
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	if id, wrong := a.GatewayOrderID(order.OwnID); err != nil || wrong != nil || id != order.ID {
		return nil
	}
	if e.OrderID = order.OwnID; order.ID != e.GatewayOrderID {
		e.Order = order.ID
	}
	return nil
}

// sureOfOrder returns a [*confirm.HeldError] where it is not known which of the app's
// orders an event belongs to. It may have become known since the event was received.
func sureOfOrder(ctx context.Context, a *gateway.Account, e *ledger.Event, l *ledger.Ledger) error {
	if e.GatewayOrderID == "" {
		return nil
	}
	if e.OrderID == "" {
		if err := nameOrder(ctx, a, e, l); err != nil {
			return err
		}
	}
	title := a.Info.Title
	if e.OrderID == "" {
		return &confirm.HeldError{Cause: fmt.Sprintf(
			"mismatch: the ledger has lost which of the app's orders is %.80q at %s: open its checkout once more, with the same terms, and release the event", e.GatewayOrderID, title)}
	}
	t, _ := a.Info.Type(e.Type)
	ids := a.OrderIDs(e.OrderID)
	if t.Kind != gateway.Payment || len(ids) < 2 || e.InOrder() != ids[1] {
		return nil
	}
	made, err := l.Order(ctx, ids[0])
	switch {
	case errors.Is(err, ledger.ErrNotFound) || err == nil && made.Checkout == nil:
		return nil
	case err != nil:
		return err
	}
	return &confirm.HeldError{Cause: fmt.Sprintf(
		"mismatch: a checkout made the app's order %.80q as %s at %s, and the payment is of another order with its id", e.OrderID, made.ID, title)}
}

// ignore returns why an event is not delivered to the app; empty: it is. It removes
// the account's prefix from the event's order id.
func (r *Route) ignore(e *ledger.Event) string {
	if prefix := r.Account.OrderPrefix; prefix != "" && e.OrderID != "" {
		own, ok := strings.CutPrefix(e.OrderID, prefix)
		if !ok || own == "" {
			return "foreign: the order id is not one behind the account's prefix"
		}
		e.OrderID = own
	}
	if len(r.Types) > 0 && !slices.Contains(r.Types, e.Type) {
		return "filtered: the type is not among those forwarded"
	}
	isStatus := func(s string) bool { return strings.EqualFold(s, e.Status) }
	if len(r.Statuses) > 0 && !slices.ContainsFunc(r.Statuses, isStatus) {
		return "filtered: the status is not among those forwarded"
	}
	return ""
}
