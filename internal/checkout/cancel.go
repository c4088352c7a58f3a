package checkout

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// cancelAll ends those of the order's orders at the gateway that are meant, by their
// accounts, before another one is made, and returns all as they are then. Those that were
// ended stand in the ledger by then, also with an error. The error is an [*Error] where one
// of them may be paid all the same: where it cannot be ended, as long as it has not expired.
// A partly paid order goes on as it is.
func (s *Sessions) cancelAll(ctx context.Context, order ledger.Order, still left, w wanted, isMeant func(*Sessions) bool, l *ledger.Ledger) ([]ledger.GatewayOrder, error) {
	made := slices.Clone(order.Checkout.Generations)
	var open []int
	for i, g := range made {
		at := s.at(order, g)
		switch {
		case !isMeant(at):
		case at.canceler == nil:
			if now := l.Now(); isPayable(g, now) {
				return nil, stays(at, g, now)
			}
		case still.paidAt[at.account.Info.AccountID]:
			return nil, conflict("partly_paid", "the order is partly paid, and goes on as it is")
		case !g.Ended:
			open = append(open, i)
		}
	}
	var err error
	title := "" // of the gateway where the last was ended
	for _, i := range open {
		at := s.at(order, made[i])
		if err = s.cancel(ctx, at, order, made[i], still, w); err != nil {
			break
		}
		made[i].Ended, title = true, at.account.Info.Title
	}
	if title != "" { // no buyer is to be sent there, whatever becomes of the next one
		checkout := *order.Checkout
		checkout.Generations = made
		order.Checkout = &checkout
		err = errors.Join(err, s.save(ctx, order, "ended at "+title, l))
	}
	return made, err
}

// cancel ends one of the order's orders at the gateway of the account that has it. The error
// is an [*Error].
func (s *Sessions) cancel(ctx context.Context, at *Sessions, order ledger.Order, g ledger.GatewayOrder, still left, w wanted) error {
	err := at.canceler.Cancel(ctx, g)
	switch {
	case errors.Is(err, gateway.ErrPaying) && still.tried[ledger.OrderID{AppID: at.account.Info.AccountID, ID: g.Ref}]:
		return nil // it is paid, in what is worth nothing, and takes no more
	case errors.Is(err, gateway.ErrPaying):
		if _, err := s.rest(ctx, order, w); err != nil { // which says whether it is paid
			return err
		}
		return errUnderWay
	case err != nil:
		return &Error{
			Status: http.StatusServiceUnavailable, Code: "busy", RetryAfter: retrySoon, Cause: err,
			Text: at.account.Info.Title + " has not ended the order's earlier checkout yet: try again in a moment",
		}
	}
	return nil
}

// stays is the [*Error] of an order that can still be paid at another account.
func stays(at *Sessions, g ledger.GatewayOrder, now time.Time) error {
	e := &Error{Status: http.StatusConflict, Code: "other_account", Text: "the order can still be paid at the " + at.account.Label() + ", and here once it has expired there"}
	if !g.ExpiresAt.IsZero() {
		e.RetryAfter = g.ExpiresAt.Sub(now)
	}
	return e
}

// ending returns the order with the time at which its orders at the gateway are to be
// ended there.
func (s *Sessions) ending(order ledger.Order) ledger.Order {
	checkout := *order.Checkout
	ends := checkout
	ends.Generations = slices.Clone(checkout.Generations)
	latest := checkout.LatestMade()
	for i, g := range ends.Generations {
		at := s.at(order, g)
		isLatest := g.AppID == latest.AppID && g.ID == latest.ID
		if isLeft := at == nil || at.canceler == nil && !(g.Tells && isLatest); isLeft { // it ends by itself, and nobody is told
			ends.Generations[i].Ended, ends.Generations[i].Tells = true, false
		}
	}
	checkout.EndAt = ends.NextEnd(time.Time{})
	order.Checkout = &checkout
	return order
}

// What could not be ended is tried again after as long as it is overdue, within these
// bounds, and is given up when it has been overdue for endsFor: it is a matter for people
// then, as where the account is not configured any more.
const (
	endAgain     = 10 * time.Minute
	longestPause = 24 * time.Hour
	endsFor      = 30 * 24 * time.Hour
)

// endDue ends at the gateway what has expired of an order, or was replaced, and of a closed
// one all. A payment wins over the end. What is to be ended later stands in the ledger.
func (s *Sessions) endDue(ctx context.Context, order ledger.Order, now time.Time, l *ledger.Ledger) (*ender, error) {
	calls, cancel := context.WithTimeout(ctx, s.account.Budget)
	defer cancel()
	e := &ender{Sessions: s, order: order, now: now, ledger: l}
	made := order.Checkout.Generations
	for i, g := range made {
		if e.Sessions = s.at(order, g); e.Sessions == nil && !g.Ended {
			e.Sessions = s
			e.retry(g, errors.New("its account is not configured"))
			continue
		}
		if !g.Ended && e.canceler != nil {
			e.title = e.account.Info.Title
			e.end(calls, g, i < len(made)-1 || order.Closed != nil, l)
		}
	}
	if len(e.found) > 0 {
		e.cause = "ended at " + e.title
	}
	e.Sessions = s
	e.tell(calls, l)
	if ctx.Err() != nil { // what was ended is ended once more the next time
		return e, ctx.Err()
	}
	again := e.again
	if order.Closed != nil && !order.Closed.Ended && again.IsZero() { // should the rest of it be cut off
		again, _ = endLater(order.Closed.At, now, l)
	}
	return e, l.SaveEnding(ctx, order, e.found, now, again, e.cause)
}

// ender ends an order's orders at the gateway.
type ender struct {
	*Sessions
	order  ledger.Order
	now    time.Time
	ledger *ledger.Ledger
	found  []ledger.GatewayOrder // what was found out of them
	title  string                // of the gateway where the last was looked at
	cause  string                // what was done, in a few words; empty: nothing
	again  time.Time             // when the rest is tried again; zero: not at all
	// isPaying: a buyer is paying one of them, or has paid it.
	isPaying bool
}

func (e *ender) end(ctx context.Context, g ledger.GatewayOrder, atOnce bool, l *ledger.Ledger) {
	if e.finder != nil && g.IsDraft() {
		found, err := e.seek(ctx, g)
		switch {
		case err != nil:
			e.retry(g, err)
			return
		case found != nil:
			e.found = append(e.found, found...)
			g = found[len(found)-1]
		case l.MayBeMade(g, e.makeAgain):
			e.retry(g, nil)
			return
		default:
			g.Ended = true
			e.found = append(e.found, g)
			return
		}
	}
	if !atOnce && (g.ExpiresAt.IsZero() || g.ExpiresAt.After(e.now)) {
		return
	}
	switch err := e.canceler.Cancel(ctx, g); {
	case err == nil:
		g.Ended = true
		e.found = append(e.found, g)
	case !errors.Is(err, gateway.ErrPaying):
		e.retry(g, err)
	default:
		if e.isPaying = true; !isPaid(e.order) {
			e.retry(g, nil)
		}
	}
}

// retry plans another try, after an error if it is one that people should know of.
func (e *ender) retry(g ledger.GatewayOrder, err error) {
	if isLast := e.later(g); err != nil && !errors.Is(err, context.Canceled) {
		e.logger.Warn("an order that has expired or was closed could not be ended at the gateway, where a buyer can still pay it",
			zap.String("order_id", redact.Emails(e.order.OwnID)), zap.String("gateway_order_id", g.ID), zap.Bool("given_up", isLast), zap.Error(err))
	}
}

// later plans another try, and reports whether there is none any more.
func (e *ender) later(g ledger.GatewayOrder) (isLast bool) {
	due := g.ExpiresAt
	switch {
	case e.order.Closed != nil:
		due = e.order.Closed.At
	case due.IsZero():
		due = g.CreatedAt
	}
	at, isLast := endLater(due, e.now, e.ledger)
	if e.again.IsZero() || !isLast && at.Before(e.again) {
		e.again = at
	}
	return isLast
}

// endLater returns when to try again what was due at a time; zero, and that it was the
// last try, where there is none. What the clock was set forward by gives up nothing.
func endLater(due, now time.Time, l *ledger.Ledger) (at time.Time, isLast bool) {
	if due.Before(l.Before(endsFor)) {
		return time.Time{}, true
	}
	return now.Add(min(max(now.Sub(due), endAgain), longestPause)), false
}
