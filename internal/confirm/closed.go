package confirm

import (
	"context"
	"errors"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

var errClosed = &HeldError{"closed: the payment came although its order was closed: send the money back, or accept the event and do by hand what it pays for"}

// ErrClosing: an order is being closed, and may turn out to be open.
var ErrClosing = errors.New("the order is being closed, and may be open again in a moment")

// isClosedTo reports whether an event's order was closed. One that carries the order's flag
// may have reached the app before, and goes on.
func isClosedTo(ctx context.Context, e ledger.Event, known *ledger.Order, l *ledger.Ledger) (bool, error) {
	if known == nil || known.Closed == nil {
		return false, nil
	}
	carries, err := l.Holds(ctx, e.Key, []ledger.Flag{known.Fulfill()})
	return err == nil && !carries[0], err
}

// afterClosing judges a payment of a closed order: it fulfils nothing, and goes to the app
// only if an operator accepts it. Nothing is decided while the closing may be taken back.
func (f *Finding) afterClosing() error {
	if f.mayReopen {
		return ErrClosing
	}
	f.doubted, f.reason = true, string(settle.Closed)
	if !f.event.RiskAccepted {
		return errClosed
	}
	return nil
}

// Meanwhile returns why an event is not sent whose order has changed while the event was being
// confirmed; nil: it is sent. The order was closed, so that the event does not carry the flag
// that it has earned: a [HeldError], or [ErrClosing]. Or the event tells of an expiry: what
// confirming it returns.
func (c *Confirmer) Meanwhile(ctx context.Context, f *Finding, e ledger.Event, l *ledger.Ledger) error {
	isExpiry := e.Type == gateway.OrderExpired
	if !isExpiry && (!f.earned || !f.mayFulfil) {
		return nil
	}
	known, err := knownOrder(ctx, e, l)
	switch {
	case err != nil:
		return err
	case isExpiry:
		return stillExpired(ctx, f.account, e, known, l)
	case known == nil || !known.IsClosed():
		return nil
	}
	mayReopen, err := l.MayReopen(ctx, *known)
	switch {
	case err != nil:
		return err
	case mayReopen:
		return ErrClosing
	}
	return errClosed
}
