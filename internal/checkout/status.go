package checkout

import (
	"context"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// StatusView is how an order stands, as a buyer's page learns it in JSON.
type StatusView struct {
	OrderID    string     `json:"order_id"`
	State      string     `json:"state"`
	AmountDue  string     `json:"amount_due"`
	AmountPaid string     `json:"amount_paid"`
	Currency   string     `json:"currency"`
	ExpiresAt  *time.Time `json:"expires_at"`
	Fulfilled  bool       `json:"fulfilled"`
}

// Status returns how an order stands. One of which the gateway has told nothing
// yet is unpaid, or expired.
func Status(o ledger.Order, now time.Time) StatusView {
	v := StatusView{
		OrderID: o.OwnID, State: o.State, AmountDue: o.Due, AmountPaid: o.Paid, Currency: o.Currency,
		Fulfilled: o.Fulfilled(),
	}
	if c := o.Checkout; c != nil {
		if at := c.Latest().ExpiresAt; !at.IsZero() {
			v.ExpiresAt = &at
		}
		if v.State == "" {
			v.State, v.AmountDue, v.AmountPaid, v.Currency = "unpaid", c.Terms.Price, "0", c.Symbol
			if v.ExpiresAt != nil && now.After(*v.ExpiresAt) {
				v.State = "expired"
			}
		}
	}
	return v
}

// LongestWait is how long [StatusReader.Read] waits at most.
const LongestWait = 55 * time.Second

// StatusReader reads how an account's orders stand. It needs no gateway that
// makes checkouts.
type StatusReader struct {
	Account *gateway.Account
	// Ledger and Now are as in [Config].
	Ledger func() (l *ledger.Ledger, release func(), err error)
	Now    func() time.Time
}

// Read returns how an order stands. If it is not fulfilled, Read waits for its
// next change, up to wait and to [LongestWait]. The error wraps
// [ledger.ErrNotFound] where there is no such order.
func (s StatusReader) Read(ctx context.Context, orderID string, wait time.Duration) (StatusView, error) {
	l, release, err := s.Ledger()
	if err != nil {
		return StatusView{}, err
	}
	defer release()
	id := orderOf(s.Account, orderID)
	changed, stop := l.Watch(id) // before it is read, so that no change is missed
	defer stop()
	order, err := l.Order(ctx, id)
	if err != nil || wait <= 0 || order.FulfilledBy != "" {
		return Status(order, s.Now()), err
	}
	timer := time.NewTimer(min(wait, LongestWait))
	defer timer.Stop()
	select {
	case <-changed:
		order, err = l.Order(ctx, id)
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return Status(order, s.Now()), err
}

// orderOf names an order of an app's in the ledger.
func orderOf(a *gateway.Account, orderID string) ledger.OrderID {
	return ledger.OrderID{AppID: a.Info.AccountID, ID: a.OrderPrefix + orderID}
}
