package checkout

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Registry has the checkout sessions of a configuration's accounts. It is safe for
// concurrent use.
type Registry struct {
	config Config

	mu       sync.Mutex
	sessions map[*gateway.Account]*Sessions
}

// NewRegistry returns the registry of accounts that have the rest of a [Config] in common.
func NewRegistry(c Config) *Registry {
	return &Registry{config: c, sessions: make(map[*gateway.Account]*Sessions)}
}

// Of returns the checkout sessions of an account, which all who ask share. The error is
// that of [New].
func (g *Registry) Of(account *gateway.Account) (*Sessions, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.sessions[account]; s != nil {
		return s, nil
	}
	var group []*Sessions
	for _, one := range account.Group() {
		c := g.config
		c.Account = one
		s, err := New(c)
		switch {
		case err == nil:
			group = append(group, s)
		case one == account:
			return nil, err
		} // else the peer makes no checkouts
	}
	for i, s := range group {
		s.locks = group[0].locks // an order is one at all of them
		s.peers = slices.Delete(slices.Clone(group), i, i+1)
		g.sessions[s.account] = s
	}
	return group[0], nil
}

// Orders that have expired are ended every minute, by one process at a time, which takes
// no longer for it than until the next one may.
const (
	endEvery  = time.Minute
	endFor    = 45 * time.Second
	endTurn   = time.Second / 10
	endAtOnce = 100
)

// Ending returns what ends, in the background and until its context ends, the expired
// orders of those of the accounts whose gateway does not do so by itself, and what is left to
// do of closed ones; nil: there is no account with checkouts.
func (g *Registry) Ending(accounts []*gateway.Account) func(context.Context, *ledger.Ledger) {
	var all []*Sessions
	for _, account := range accounts {
		if s, err := g.Of(account); err == nil {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return func(ctx context.Context, l *ledger.Ledger) {
		ticker := time.NewTicker(endEvery)
		defer ticker.Stop()
		for ctx.Err() == nil {
			if err := endAll(ctx, all, l); err != nil && ctx.Err() == nil {
				g.config.Logger.Error("ending the orders that have expired", zap.Error(err))
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}
}

// endAll ends the orders that have expired, as far as one turn goes. One that cannot be
// ended keeps no other from it; the error is that of the last.
func endAll(ctx context.Context, all []*Sessions, l *ledger.Ledger) error {
	ctx, unlock, err := l.Lock(ctx, ledger.Record{Type: "#endings"}, endEvery, endTurn)
	switch {
	case errors.Is(err, ledger.ErrLeased), errors.Is(err, ledger.ErrNoSession): // the session may only begin
		return nil
	case err != nil:
		return err
	}
	defer unlock()
	passed := make(map[ledger.OrderID]bool) // in this turn, for one reason or another
	var last error
	for began := time.Now(); time.Since(began) < endFor; {
		orders, now, err := l.EndingNow(ctx, endAtOnce+len(passed))
		if err != nil {
			return err
		}
		orders = slices.DeleteFunc(orders, func(o ledger.Order) bool { return passed[o.OrderID] })
		for _, order := range orders {
			if time.Since(began) >= endFor || ctx.Err() != nil {
				return last
			}
			switch err := endOne(ctx, all, order, now, l); {
			case errors.Is(err, errOthers), errors.Is(err, ledger.ErrLeased):
				passed[order.OrderID] = true
			case err != nil && ctx.Err() != nil: // the lock's
				return err
			case err != nil:
				passed[order.OrderID], last = true, err
			}
		}
		if len(orders) == 0 { // a page may lack orders that cannot be read
			break
		}
	}
	return last
}

// errOthers: an order is left to the other processes that share the ledger.
var errOthers = errors.New("another process may have the order's account")

// endOne ends an order. One of which an account is not configured waits for it, and is left
// for a while to the processes where it may be; so is one of whose expiry no route here tells.
func endOne(ctx context.Context, all []*Sessions, order ledger.Order, now time.Time, l *ledger.Ledger) error {
	// That of its account's name, or else one that is called otherwise by now.
	i := slices.IndexFunc(all, func(s *Sessions) bool {
		return s.account.Name == order.Account && s.has(order, order.Checkout.Generations)
	})
	if i < 0 {
		i = slices.IndexFunc(all, func(s *Sessions) bool { return s.has(order, order.Checkout.Generations) })
	}
	due := order.Checkout.NextEnd(time.Time{})
	if order.Closed != nil {
		due = order.Closed.At
	}
	isLeft := l.IsShared() && now.Sub(order.Checkout.EndAt) < endAgain
	switch {
	case isLeft && (i < 0 || all[i].lacks(order) || all[i].cannotTell(order)):
		return errOthers
	case i < 0:
		again, isLast := endLater(due, now, l)
		if l.IsShared() && !isLast { // a process that has the account may be about to start
			again = now.Add(endAgain)
		}
		return l.SaveEnding(ctx, order, nil, now, again, "")
	case order.Closed != nil && !order.Closed.Ended:
		return all[i].goOnClosing(ctx, order, l)
	}
	_, err := all[i].endDue(ctx, order, now, l)
	return err
}
