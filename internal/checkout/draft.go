package checkout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// A gateway that names orders itself makes a second one where it is called twice. So the
// ledger has each call before it is made, as a draft, and after a lost answer nothing is
// made before the gateway was asked what it has.
const (
	// findPause is between the two looks for an order, and makeAgain how long after a
	// call it is not repeated at least, however often the order is not found: the gateway
	// may list an order late.
	findPause = 2 * time.Second
	makeAgain = time.Minute
)

// makeNamed makes an order at a gateway that names it, beside those that were made before,
// as the ledger has them. order has the terms that are wanted, of which w is what is left
// to pay.
func (s *Sessions) makeNamed(ctx context.Context, order ledger.Order, made []ledger.GatewayOrder, w wanted, l *ledger.Ledger) (ledger.Order, bool, error) {
	checkout := ledger.Checkout{Terms: w.terms.Terms, Symbol: w.terms.Symbol}
	if order.Checkout != nil {
		checkout = *order.Checkout
	}
	known, draft := made, s.next(order, made, w)
	if i := s.free(order, made, w); i >= 0 {
		draft.ID = made[i].ID
		made = slices.Delete(slices.Clone(made), i, i+1)
	}
	now := l.Now()
	draft.CreatedAt, draft.ExpiresAt = now, expiry(w, now)
	checkout.Generations = append(slices.Clone(made), draft)
	order.Checkout = &checkout
	draft, err := l.SaveDraft(ctx, s.ending(order), known, "making the checkout of "+w.terms.Price+" "+w.terms.Symbol)
	switch {
	case errors.Is(err, ledger.ErrTaken):
		return order, false, s.takenBy("another order")
	case errors.Is(err, ledger.ErrOrderClosed):
		return order, false, errClosed
	case errors.Is(err, ledger.ErrChanged):
		return order, false, &Error{
			Status: http.StatusServiceUnavailable, Code: "busy", Text: "the order is being made: try again in a moment", Cause: err, RetryAfter: retrySoon,
		}
	case err != nil:
		return order, false, Unavailable(err)
	}
	g, err := s.create(ctx, ledger.GatewayOrder{AppID: draft.AppID, ID: draft.ID, Terms: draft.Terms}, w, l)
	g.CreatedAt, g.Tells = draft.CreatedAt, draft.Tells
	all := []ledger.GatewayOrder{g}
	if err != nil {
		all, err = s.afterFailure(ctx, draft, err)
	}
	checkout.Generations = append(slices.Clone(made), all...)
	if err != nil && all != nil {
		err = errors.Join(err, s.save(ctx, order, "it was not made at "+s.account.Info.Title, l))
	}
	return order, err == nil, err
}

// free returns the index of an order whose id is to be used for the one that is wanted;
// -1: there is none.
func (s *Sessions) free(order ledger.Order, made []ledger.GatewayOrder, w wanted) int {
	return slices.IndexFunc(made, func(g ledger.GatewayOrder) bool { return s.at(order, g) == s && isFree(g, w.terms.Terms) })
}

// isFree reports whether the id of an order that the gateway does not have is to be used
// for one with these terms. That of an order that may be there all the same is only for
// one that is the same.
func isFree(g ledger.GatewayOrder, terms ledger.Terms) bool {
	return g.IsRefused() || g.IsDraft() && g.Ended && confirm.SameTerms(g.Terms, terms)
}

// afterFailure returns what the gateway has of a draft after the call that makes it
// failed. The error is that of the call unless an order was found. With an error it
// returns the draft where the gateway has refused to make it, and nothing where the
// order may have been made.
func (s *Sessions) afterFailure(ctx context.Context, draft ledger.GatewayOrder, failure error) ([]ledger.GatewayOrder, error) {
	if isRefusal(failure) {
		return []ledger.GatewayOrder{draft.Refused()}, failure
	}
	found, err := s.seek(ctx, draft)
	switch {
	case err != nil:
		s.logger.Warn("an order that may have been made cannot be looked up", zap.String("gateway_order_id", draft.ID), zap.NamedError("cause", err))
		return nil, failure
	case found == nil:
		return nil, failure
	}
	return found, nil
}

// isRefusal reports whether an error of a call says that no order was made.
func isRefusal(err error) bool {
	var field *gateway.FieldError
	var refused *gateway.RefusedError
	switch {
	case errors.Is(err, gateway.ErrOutcomeUnknown), errors.Is(err, gateway.ErrDuplicate):
		return false
	default:
		return errors.Is(err, gateway.ErrBusy) || errors.As(err, &field) || errors.As(err, &refused)
	}
}

// findDrafts finds out what became of the order's drafts, and returns the order with what
// was found. The error is an [*Error] where it is in doubt. What the gateway does not have
// so long after the call is not there.
func (s *Sessions) findDrafts(ctx context.Context, order ledger.Order, l *ledger.Ledger) (ledger.Order, error) {
	var all []ledger.GatewayOrder
	var last *Sessions // of the account where the last was looked for
	for _, g := range order.Checkout.Generations {
		at := s.at(order, g)
		if at == nil || at.finder == nil || !g.IsDraft() || g.Ended {
			all = append(all, g)
			continue
		}
		found, err := at.seek(ctx, g)
		switch {
		case err != nil:
			return order, at.explain(err)
		case found != nil:
			all = append(all, found...)
		case l.MayBeMade(g, at.makeAgain):
			return order, at.inDoubt()
		default:
			g.Ended = true
			all = append(all, g)
		}
		last = at
	}
	if last == nil {
		return order, nil
	}
	checkout := *order.Checkout
	checkout.Generations = all
	order.Checkout = &checkout
	if err := last.save(ctx, order, "looked up at "+last.account.Info.Title, l); err != nil {
		return order, err
	}
	order, err := l.Order(ctx, order.OrderID)
	if err != nil {
		return order, Unavailable(err)
	}
	return order, nil
}

// inDoubt is the [*Error] of an order of which nobody knows yet whether it was made.
func (s *Sessions) inDoubt() error {
	title := s.account.Info.Title
	return &Error{
		Status: http.StatusGatewayTimeout, Code: "unreachable",
		Text:       title + " did not answer: asked again, the order is found or made",
		Cause:      fmt.Errorf("%w, and the order is not found yet", gateway.ErrOutcomeUnknown),
		RetryAfter: retrySoon,
	}
}

// seek looks twice for an order that may have been made, and returns it as it was made,
// the last, with others that came of the same call; none: it is not there, yet.
func (s *Sessions) seek(ctx context.Context, draft ledger.GatewayOrder) ([]ledger.GatewayOrder, error) {
	for try := range 2 {
		if try > 0 {
			select {
			case <-time.After(s.findPause):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		found, err := s.finder.Find(ctx, draft.ID, draft.Terms)
		switch {
		case err == nil && len(found) > 0:
			var all []ledger.GatewayOrder
			for _, twin := range found[1:] {
				all = append(all, asFound(draft, twin).Twin())
			}
			return append(all, asFound(draft, found[0])), nil
		case err != nil && !errors.Is(err, gateway.ErrNotFound):
			return nil, err
		}
	}
	return nil, nil
}

// asFound returns a draft with what the gateway has of the order.
func asFound(draft ledger.GatewayOrder, found gateway.FoundOrder) ledger.GatewayOrder {
	return asMade(draft, gateway.Checkout{Ref: found.Ref, URL: found.URL, ExpiresAt: found.ExpiresAt})
}
