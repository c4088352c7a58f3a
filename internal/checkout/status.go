package checkout

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// StatusView is an order's status in JSON, as a buyer's page gets it.
type StatusView struct {
	OrderID    string     `json:"order_id"`
	State      string     `json:"state"`
	AmountDue  string     `json:"amount_due"`
	AmountPaid string     `json:"amount_paid"`
	Currency   string     `json:"currency"`
	ExpiresAt  *time.Time `json:"expires_at"`
	Fulfilled  bool       `json:"fulfilled"`
}

// Status returns an order's status at a time by the ledger's clock. An order of which nothing
// is paid, or no payment was confirmed yet, is unpaid or expired by its latest order at the
// gateway. One that was closed and is not fulfilled is closed.
func Status(o ledger.Order, now time.Time) StatusView {
	v := StatusView{
		OrderID: o.OwnID, State: o.State, AmountDue: o.Due, AmountPaid: o.Paid, Currency: o.Currency,
		Fulfilled: o.Fulfilled(),
	}
	if c := o.Checkout; c != nil {
		if at := c.Latest().ExpiresAt; !at.IsZero() {
			v.ExpiresAt = &at
		}
		isReplaced := len(c.Generations) > 1 // what was settled may be an earlier one's
		switch state := settle.State(v.State); {
		case state == settle.Unknown, isReplaced && (state == settle.Unpaid || state == settle.Expired):
			v.State, v.AmountDue, v.AmountPaid, v.Currency = string(settle.Unpaid), c.Terms.Price, "0", c.Symbol
		}
		if v.State == string(settle.Unpaid) && v.ExpiresAt != nil && now.After(*v.ExpiresAt) {
			v.State = string(settle.Expired)
		}
	}
	if o.IsClosed() {
		v.State = string(settle.Closed)
	}
	return v
}

// LongestWait is how long [StatusReader.Read] waits at most, whatever it is asked.
const LongestWait = 55 * time.Second

// StatusReader reads the status of an account's orders. The account's gateway need not
// have checkouts.
type StatusReader struct {
	Account *gateway.Account
	// Ledger is as in [Config].
	Ledger func() (l *ledger.Ledger, release func(), err error)
	// Ended is closed when nobody may wait any longer; nil: never.
	Ended <-chan struct{}
}

// Check returns an error where the account's gateway neither makes orders nor has records
// of any, so that there would never be a status.
func (s StatusReader) Check() error {
	if _, ok := s.Account.Gateway.(gateway.Checkouts); !ok && !confirm.HasRecords(s.Account.Info) {
		return fmt.Errorf("%s makes no checkouts, and has no orders whose status could be read", s.Account.Info.Title)
	}
	return nil
}

// Read returns an order's status. Where the order is not fulfilled, Read waits for its next
// change or its expiry, for wait and [LongestWait] at most, and not beyond Ended. The error
// wraps [ledger.ErrNotFound] where there is no such order.
func (s StatusReader) Read(ctx context.Context, orderID string, wait time.Duration) (StatusView, error) {
	l, release, err := s.Ledger()
	if err != nil {
		return StatusView{}, err
	}
	defer release()
	for _, id := range s.Account.OrderIDs(orderID) {
		view, err := s.read(ctx, l, id, wait)
		if !errors.Is(err, ledger.ErrNotFound) {
			return view, err
		}
	}
	return StatusView{}, ledger.ErrNotFound
}

// read is Read for an order by its id in the ledger.
func (s StatusReader) read(ctx context.Context, l *ledger.Ledger, id ledger.OrderID, wait time.Duration) (StatusView, error) {
	wait = min(wait, LongestWait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var before *ledger.Order
	for {
		changed, stop := l.Watch(id) // before it is read, so that no change is missed
		order, err := l.Order(ctx, id)
		hasChanged := before != nil && !reflect.DeepEqual(order, *before)
		if err != nil || wait <= 0 || order.FulfilledBy != "" || hasChanged {
			stop()
			return Status(order, l.Now()), err
		}
		if now := l.Now(); before == nil {
			if v := Status(order, now); v.State == string(settle.Unpaid) && v.ExpiresAt != nil {
				timer.Reset(min(wait, v.ExpiresAt.Sub(now)+time.Nanosecond)) // it is expired behind that time
			}
		}
		before = &order
		isOver := true
		select {
		case <-changed:
			isOver = false
		case <-timer.C:
		case <-s.Ended:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if stop(); isOver {
			return Status(order, l.Now()), err
		}
	}
}
