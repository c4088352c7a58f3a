package checkout

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// CloseRequest asks for an order to be closed: nothing more is to be paid of it, for ever.
type CloseRequest struct {
	// OrderID is the app's id of the order.
	OrderID string
	// Reason is for people, and says who closes the order.
	Reason string
	// Force closes the order whatever is paid or under way, also where the gateways cannot
	// be asked.
	Force bool
}

// Close closes an order that a checkout made, and returns it as it is then. From then on its
// checkout is refused, no event fulfils it, and a payment that comes all the same is held.
// What of it can be ended at the gateways is ended, later where that is not possible now.
// One that is closed already stays as it is. The error wraps an [*Error]: with Force unset,
// one of the status 409 where the order is paid or may be about to be.
func (s *Sessions) Close(ctx context.Context, r CloseRequest) (ledger.Order, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.account.Budget)
	defer cancel()
	l, release, err := s.ledger()
	if err != nil {
		return ledger.Order{}, Unavailable(err)
	}
	defer release()
	ids := s.account.OrderIDs(r.OrderID)
	order, err := l.Order(ctx, ids...)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		order.OrderID = ids[0] // whose first checkout may be being made
	case err != nil:
		return order, Unavailable(err)
	}
	held, unlock, err := l.Lock(ctx, order.CheckoutLock(), s.account.Budget, s.account.Budget)
	if err != nil {
		return order, Unavailable(err)
	}
	defer unlock()
	order, err = l.Order(held, ids...)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return order, &Error{Status: http.StatusNotFound, Code: "not_found", Text: "the ledger knows no such order"}
	case err != nil:
		return order, Unavailable(err)
	case order.Closed != nil && order.Closed.Ended:
		return order, nil
	case order.Closed != nil:
		return s.endClosing(held, order, false, l)
	case order.Checkout == nil:
		return order, conflict(NoCheckout, "the order was made without a checkout: end it where it was made")
	case !s.mayOpen(order):
		return order, conflict("other_account", "the order belongs to another account")
	}
	if !r.Force {
		if order, err = s.mayClose(held, order, l); err != nil {
			return order, s.explain(err)
		}
	}
	if !l.Lives(held) {
		return order, Unavailable(ledger.ErrNoSession)
	}
	if order, err = l.CloseOrder(held, order.OrderID, r.Reason, r.Force); err != nil {
		return order, Unavailable(err)
	}
	s.logger.Info("closed an order", zap.String("order_id", redact.Emails(order.OwnID)), zap.Bool("force", r.Force), zap.String("reason", redact.Emails(r.Reason)))
	return s.endClosing(held, order, !r.Force, l)
}

// NoCheckout is the code of the [*Error] of an order that nothing closes here.
const NoCheckout = "no_checkout"

// mayClose asks the gateways about an order that is to be closed, and returns it with what
// was found. The error is an [*Error] where it is paid, or may be about to be.
func (s *Sessions) mayClose(ctx context.Context, order ledger.Order, l *ledger.Ledger) (ledger.Order, error) {
	i, err := confirm.Fulfilled(ctx, []ledger.OrderID{order.OrderID}, l)
	switch {
	case err != nil:
		return order, Unavailable(err)
	case i >= 0, isPaid(order):
		return order, errPaid
	}
	if order, err = s.findDrafts(ctx, order, l); err != nil {
		return order, err
	}
	if err := s.isWhole(order); err != nil {
		return order, err
	}
	found, err := s.ask(ctx, order)
	switch {
	case err != nil:
		return order, err
	case found.State.Fulfils():
		return order, errPaid
	case found.isUnderWay():
		return order, errUnderWay
	}
	return order, nil
}

// endClosing does what is left to do of a closing, and can be repeated: it ends the order at
// the gateways, keeps its flag from all events, and asks once more what was paid. The
// caller holds the order's lock. isNew: nobody was told yet that the order is closed, so
// that a buyer who is about to pay it opens it again.
func (s *Sessions) endClosing(ctx context.Context, order ledger.Order, isNew bool, l *ledger.Ledger) (ledger.Order, error) {
	ended, err := s.endDue(ctx, order, l.Now(), l)
	if err != nil {
		return order, Unavailable(err)
	}
	if ended.isPaying && isNew {
		return s.reopen(ctx, order, "a buyer is paying it", errUnderWay, l)
	}
	err = l.KeepFulfill(ctx, order.OrderID)
	switch {
	case errors.Is(err, ledger.ErrFulfilled) && !order.Closed.Forced:
		return s.reopen(ctx, order, "an event tells the app to fulfil it", errPaid, l)
	case err != nil && !errors.Is(err, ledger.ErrFulfilled):
		return order, Unavailable(err)
	}
	if order, err = l.Order(ctx, order.OrderID); err != nil {
		return order, Unavailable(err)
	}
	asking, cancel := context.WithTimeout(ctx, s.account.Budget)
	defer cancel()
	found, err := s.ask(asking, order)
	if err != nil { // it is asked again when the order is due
		s.logger.Warn("what is paid of a closed order is not known yet", zap.String("order_id", redact.Emails(order.OwnID)), zap.Error(err))
		return order, nil
	}
	if found.unfinished || found.State.Fulfils() {
		s.logger.Warn("a closed order is being paid all the same: its payments are held",
			zap.String("order_id", redact.Emails(order.OwnID)), zap.String("paid", found.Paid.String()))
	}
	if err := l.SaveClosing(ctx, found.seen(order), ended.again); err != nil {
		return order, Unavailable(err)
	}
	if order, err = l.Order(ctx, order.OrderID); err != nil {
		return order, Unavailable(err)
	}
	return order, nil
}

// seen returns the order with what the gateways say of its payments.
func (f found) seen(order ledger.Order) ledger.Order {
	order.State, order.Due, order.Paid, order.Currency = string(f.State), f.Due.String(), f.Result.Paid.String(), order.Checkout.Symbol
	order.Late, order.ReadAt, order.Payments = f.Late, f.at, f.payments
	return order
}

// reopen takes the closing of an order back, because of what the error says.
func (s *Sessions) reopen(ctx context.Context, order ledger.Order, cause string, because error, l *ledger.Ledger) (ledger.Order, error) {
	if err := l.ReopenOrder(ctx, order.OrderID, cause); err != nil {
		return order, Unavailable(err)
	}
	s.logger.Info("an order is open again", zap.String("order_id", redact.Emails(order.OwnID)), zap.String("cause", cause))
	return order, because
}

// goOnClosing goes on with a closing that was cut off, or of which something could not be
// done. The error is [ledger.ErrLeased] where somebody is at the order. Only its calls have a
// bound, each step a Budget: what a gateway that hangs has left over is to be saved.
func (s *Sessions) goOnClosing(ctx context.Context, order ledger.Order, l *ledger.Ledger) error {
	held, unlock, err := l.Lock(ctx, order.CheckoutLock(), 3*s.account.Budget, endTurn)
	if err != nil {
		return err
	}
	defer unlock()
	if order, err = l.Order(held, order.OrderID); err != nil || order.Closed == nil || order.Closed.Ended {
		return err
	}
	_, err = s.endClosing(held, order, false, l)
	if errors.Is(err, errPaid) {
		return nil
	}
	return err
}
