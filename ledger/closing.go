package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
)

// Closing is why nothing more is to be paid of an order. It is final.
type Closing struct {
	At time.Time `json:"at"`
	// Reason is for people, and says who closed the order.
	Reason string `json:"reason"`
	// Forced: whatever was paid of it, or under way.
	Forced bool `json:"forced,omitempty"`
	// Ended: no event of the order that does not carry Fulfill already ever will, and the
	// gateways were asked for its payments after that.
	Ended bool `json:"ended,omitempty"`
}

var (
	// ErrOrderClosed: nothing more is to be paid of the order.
	ErrOrderClosed = errors.New("the order is closed")
	// ErrFulfilled: an event tells the app to fulfil the order.
	ErrFulfilled = errors.New("an event tells the app to fulfil the order")
)

// stateClosed is the state of a closed order that no event fulfils, whatever was paid.
const stateClosed = "closed"

// IsClosed reports whether nothing more is to be paid of the order, and no event fulfils it.
func (o Order) IsClosed() bool { return o.Closed != nil && !o.Fulfilled() }

// standing is the state that people look for the order by.
func (o Order) standing() string {
	if o.IsClosed() {
		return stateClosed
	}
	return o.State
}

// closing is the key that has the order's Fulfill flag once it is closed. No event has it.
func (id OrderID) closing() Key {
	return Key{Record: Record{AppID: id.AppID, Type: "#closing", ID: id.ID}}
}

// CloseOrder closes an order that a checkout made, durably, and returns it. It is due at
// once then, in [Ledger.EndingNow], until [Ledger.SaveClosing] has ended the closing. One
// that is closed already stays as it is.
func (l *Ledger) CloseOrder(ctx context.Context, id OrderID, reason string, forced bool) (closed Order, err error) {
	err = l.updateClosing(ctx, id, func(o *Order) {
		if o.Closed == nil && o.Checkout != nil {
			now := l.now()
			o.Closed = &Closing{At: now, Reason: reason, Forced: forced}
			o.endAt(now)
			o.step(now, "closed: "+reason)
		}
		closed = *o
	})
	failpoint.Reach("closed")
	return closed, err
}

// ReopenOrder takes a closing back that has not ended, durably: the order turned out to be
// paid, or about to be.
func (l *Ledger) ReopenOrder(ctx context.Context, id OrderID, cause string) error {
	return l.updateClosing(ctx, id, func(o *Order) {
		if o.Closed != nil && !o.Closed.Ended {
			now := l.now()
			o.Closed = nil
			o.endAt(now) // what expires is found out then
			o.step(now, "open again: "+cause)
		}
	})
}

// MayReopen reports whether the closing of an order, as it was read, may yet be taken back.
func (l *Ledger) MayReopen(ctx context.Context, o Order) (bool, error) {
	if o.Closed == nil || o.Closed.Ended || o.Closed.Forced {
		return false, nil
	}
	kept, err := l.Holds(ctx, o.closing(), []Flag{o.Fulfill()})
	if err != nil {
		return false, fmt.Errorf("reading the order's flag: %w", err)
	}
	return !kept[0], nil
}

// SaveClosing ends the closing of an order, durably. Seen is the order as it was read, with
// what the gateways said of its payments afterwards. The order is due again at the time
// again (zero: never) for what could not be ended at the gateway, and at once where it has
// other orders at the gateway by now.
func (l *Ledger) SaveClosing(ctx context.Context, seen Order, again time.Time) error {
	seen.ReadAt = l.atStore(seen.ReadAt)
	return l.updateClosing(ctx, seen.OrderID, func(o *Order) {
		if o.Closed != nil {
			closing := *o.Closed
			closing.Ended = true
			o.Closed = &closing
			if sameOrders(o.GatewayOrders(), seen.GatewayOrders()) {
				o.endAt(again)
			}
			o.Merge(seen, l.now())
		}
	})
}

func (l *Ledger) updateClosing(ctx context.Context, id OrderID, update func(*Order)) error {
	if err := l.store.UpdateOrder(context.WithoutCancel(ctx), id, update); err != nil {
		return fmt.Errorf("saving that the order is closed: %w", err)
	}
	l.changed(id)
	return nil
}

// KeepFulfill keeps the Fulfill flag of an order from all events, durably and for ever. The
// error is [ErrFulfilled] where an event has it already.
func (l *Ledger) KeepFulfill(ctx context.Context, id OrderID) error {
	key := id.closing()
	turn, cancel := context.WithTimeout(ctx, beginPatience)
	defer cancel()
	claim, _, err := l.claimInTurn(turn, key.Record, operatorLease)
	if err != nil {
		return err
	}
	bound, err := l.store.Bind(context.WithoutCancel(ctx), claim, Change{Event: Event{Key: key}}, []Flag{id.Fulfill()})
	err = errors.Join(err, l.store.Unlock(context.WithoutCancel(ctx), claim))
	switch {
	case err != nil:
		return fmt.Errorf("keeping the order's flag: %w", err)
	case !bound[0]:
		return ErrFulfilled
	default:
		return nil
	}
}

// endAt has the order be due at a time, in [Ledger.EndingNow].
func (o *Order) endAt(at time.Time) {
	if o.Checkout != nil {
		checkout := *o.Checkout
		checkout.EndAt = at
		o.Checkout = &checkout
	}
}

// step adds a step to the order's own history.
func (o *Order) step(at time.Time, cause string) {
	o.Steps = latest(append(o.Steps, OrderStep{At: at, State: o.State, Paid: o.Paid, Cause: cause}))
}
