// Package checkout opens checkout sessions: for an order and its price, it makes one
// checkout page at the gateway.
package checkout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Config is what the checkout sessions of an account need.
type Config struct {
	Account *gateway.Account
	// Ledger returns the ledger, and a function that releases it.
	Ledger func() (l *ledger.Ledger, release func(), err error)
	// Replay makes an event due again, for delivery to the app. Its error is logged as
	// it is.
	Replay func(ctx context.Context, e ledger.Event, cause string) error
	// RouteOf returns the one of the account's routes that takes the webhooks which are
	// sent to a URL; empty: that is not sure, or the account has one only. nil: likewise.
	RouteOf func(account, url string) string
	// Expiries tells apps of orders that have expired; nil: none is told.
	Expiries Expiries
	Now      func() time.Time
	Logger   *zap.Logger
}

// Sessions opens the checkout sessions of an account. All handlers of the
// account share one Sessions. It is safe for concurrent use.
type Sessions struct {
	Tokens
	account   *gateway.Account
	checkouts gateway.Checkouts
	peers     []*Sessions      // of the accounts that share its orders
	finder    gateway.Finder   // nil: the gateway knows orders by our ids alone
	canceler  gateway.Canceler // nil: orders at the gateway end by themselves
	ledger    func() (*ledger.Ledger, func(), error)
	replay    func(context.Context, ledger.Event, string) error
	routeOf   func(account, url string) string
	expiries  Expiries
	now       func() time.Time
	logger    *zap.Logger

	// slots bound how many calls make orders at once, so that they do not keep the
	// confirmation of events from the API. Each takes as many as there are processes that
	// share the account.
	slots *semaphore.Weighted
	// flights lets concurrent calls with the same request share one result.
	flights singleflight.Group
	// locks are by the app's order id: one call at a time changes an order. Accounts that
	// share their orders share them.
	locks *keylock

	findPause, makeAgain time.Duration
}

const callsAtOnce = 16

// New returns the checkout sessions of an account. The error is that its gateway has no
// checkouts, or takes no order id with its prefix.
func New(c Config) (*Sessions, error) {
	checkouts, ok := c.Account.Gateway.(gateway.Checkouts)
	if !ok {
		return nil, fmt.Errorf("%s makes no checkouts", c.Account.Info.Title)
	}
	if longest := c.Account.Info.Limits.LongestOrderID; len(c.Account.OrderPrefix) >= longest {
		return nil, fmt.Errorf("order_prefix has %d characters, and %s takes order ids of at most %d", len(c.Account.OrderPrefix), c.Account.Info.Title, longest)
	}
	finder, _ := c.Account.Gateway.(gateway.Finder)
	canceler, _ := c.Account.Gateway.(gateway.Canceler)
	return &Sessions{
		Tokens: NewTokens(c.Account), account: c.Account, checkouts: checkouts, finder: finder, canceler: canceler,
		ledger: c.Ledger, replay: c.Replay, routeOf: c.RouteOf, expiries: c.Expiries, now: c.Now, logger: c.Logger, slots: semaphore.NewWeighted(callsAtOnce), locks: new(keylock),
		findPause: findPause, makeAgain: max(makeAgain, c.Account.Budget), // whoever has called may wait that long for the answer
	}, nil
}

// Open returns the order's checkout session, and makes the order at the gateway
// where there is none with these terms yet. A call that finds it open takes no lock.
// Others with the same request share one call; those for one order with other terms
// make theirs one after the other. The error wraps an [*Error].
func (s *Sessions) Open(ctx context.Context, r Request) (Session, error) {
	asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.account.Budget)
	defer cancel()
	w, err := s.resolve(asked, r)
	if err != nil {
		return Session{}, s.explain(err)
	}
	l, release, err := s.ledger()
	if err != nil {
		return Session{}, Unavailable(err)
	}
	defer release()
	// Mostly it is open, and nobody has to wait for it. A click may so be sent to a page that
	// another, at another price, is about to end: as if it had come before that one.
	order, isOpen, err := s.read(asked, r, w, l)
	if err != nil {
		return Session{}, err
	}
	if isOpen {
		return s.session(order, w, false), nil
	}

	deadline, _ := asked.Deadline()
	left := time.Until(deadline) // of the budget, which does not count the wait for the order's lock
	lock, unlock := s.locks.take(r.OrderID)
	defer unlock()
	key := fmt.Sprintf("%q", []string{r.OrderID, r.Price, r.Currency, r.Coin, r.Chain, r.Client})
	mine := false
	shared, err, _ := s.flights.Do(key, func() (any, error) {
		mine = true
		lock.Lock()
		defer lock.Unlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
		defer cancel()
		return s.open(ctx, r, w, l)
	})
	session := shared.(Session)
	session.IsNew = session.IsNew && mine // for one of the calls
	return session, err
}

// open is Open for one request that did not find its session. The caller holds the order's
// lock in this process.
func (s *Sessions) open(ctx context.Context, r Request, w wanted, l *ledger.Ledger) (Session, error) {
	order, isOpen, err := s.read(ctx, r, w, l)
	if err == nil && !isOpen {
		held, unlock, failure := l.Lock(ctx, order.CheckoutLock(), s.account.Budget, s.account.Budget)
		if failure != nil {
			return Session{}, Unavailable(failure)
		}
		defer unlock()
		ctx = held                                // all that follows ends with the lock
		order, isOpen, err = s.read(ctx, r, w, l) // another process or configuration may have made it meanwhile
	}
	if err != nil {
		return Session{}, err
	}
	if isOpen {
		return s.session(order, w, false), nil
	}
	order.Account, order.OwnID = s.account.Name, r.OrderID
	if err := r.Limits.allow(ctx, r.Client, s.now(), l); err != nil {
		return Session{}, err
	}
	for _, warning := range w.Warnings {
		s.logger.Warn("a part of the checkout request was left out", zap.String("warning", redact.Emails(warning)), zap.String("order_id", redact.Emails(r.OrderID)))
	}
	known := order
	order, isNew, err := s.make(ctx, order, w, l)
	var paid *paidError
	if errors.As(err, &paid) {
		if err := s.repriced(ctx, known, w, paid.payments, l); err != nil {
			return Session{}, Unavailable(err)
		}
	}
	if err == nil && !isNew && !s.isLive(order.Checkout.Latest(), l.Now()) {
		order, isNew, err = s.make(ctx, order, w, l) // the order that was found has expired
	}
	if paid == nil && errors.Is(err, errPaid) { // so that its webhooks find the app's order again
		if err := s.save(ctx, order, "found at "+s.account.Info.Title+", where it is paid", l); err != nil {
			return Session{}, err
		}
	}
	if err != nil {
		return Session{}, s.explain(err)
	}
	if err := s.save(ctx, order, "checkout of "+w.terms.Price+" "+w.terms.Symbol, l); err != nil {
		return Session{}, err
	}
	return s.session(order, w, isNew), nil
}

func (s *Sessions) save(ctx context.Context, order ledger.Order, cause string, l *ledger.Ledger) error {
	err := l.SaveCheckout(ctx, s.ending(order), cause)
	switch {
	case errors.Is(err, ledger.ErrTaken):
		return s.takenBy("another order")
	case errors.Is(err, ledger.ErrOrderClosed):
		return errClosed
	case err != nil:
		return Unavailable(err)
	}
	return nil
}

func (s *Sessions) takenBy(what string) error {
	return conflict("taken", "the order's id is taken at "+s.account.Info.Title+" by "+what)
}

// read returns the order as the ledger has it, and whether its checkout session is the
// one that is asked for. An order that the ledger does not know has its id. The error is
// an [*Error].
func (s *Sessions) read(ctx context.Context, r Request, w wanted, l *ledger.Ledger) (order ledger.Order, isOpen bool, err error) {
	id := ledger.OrderID{AppID: s.account.Info.AccountID, ID: w.gatewayID}
	ids := s.account.OrderIDs(r.OrderID)
	order, err = l.Order(ctx, ids...)
	switch isNew := errors.Is(err, ledger.ErrNotFound); {
	case err != nil && !isNew:
		return order, false, Unavailable(err)
	case isNew:
		order.OrderID = ids[0]
	case order.Checkout == nil && s.isElsewhere(order) && !isPaid(order):
		return order, false, conflict("other_account", "the order was made at another account, without a checkout")
	case order.Checkout == nil && order.OrderID != ids[0] && order.OrderID != id:
		return order, false, s.takenBy("an order that was made elsewhere")
	case order.Checkout != nil && !s.mayOpen(order):
		return order, false, conflict("other_account", "the order belongs to another account")
	case order.Checkout != nil && order.OwnID != r.OrderID: // its payments fulfil that one
		return order, false, s.takenBy("another order")
	}
	order = s.withUnits(order, w)
	if !s.has(order, generations(order)) { // its id may be that of another's later generation, as of another shop's
		owner, err := l.OrderOf(ctx, id)
		switch {
		case err != nil && !errors.Is(err, ledger.ErrNotFound):
			return order, false, Unavailable(err)
		case err == nil && owner.OrderID != order.OrderID:
			return order, false, s.takenBy("another order")
		}
	}
	switch {
	case order.IsClosed():
		return order, false, errClosed
	case isPaid(order):
		return order, false, errPaid
	}
	if order.Checkout != nil && confirm.SameTerms(order.Checkout.Terms, w.terms.Terms) {
		g := order.Checkout.Latest()
		isOpen = s.at(order, g) == s && !asksMore(g, w) && s.isLive(g, l.Now()) && !s.hasEnded(order, g)
	}
	if isOpen { // which makes nothing
		return order, true, nil
	}
	switch i, err := confirm.Fulfilled(ctx, ids, l); {
	case err != nil:
		return order, false, Unavailable(err)
	case i >= 0:
		return order, false, errPaid
	}
	return order, false, nil
}

// generations are the order's orders at gateways.
func generations(order ledger.Order) []ledger.GatewayOrder {
	if order.Checkout == nil {
		return nil
	}
	return order.Checkout.Generations
}

// isPaid reports whether the ledger has an order as paid.
func isPaid(order ledger.Order) bool {
	return order.FulfilledBy != "" || settle.State(order.State).Fulfils()
}

func (s *Sessions) explain(err error) error { return explain(s.account.Info.Title, err) }

func (s *Sessions) session(order ledger.Order, w wanted, isNew bool) Session {
	latest := order.Checkout.Latest()
	return Session{
		GatewayOrder: latest, OrderID: order.OwnID, Symbol: order.Checkout.Symbol, PaySymbol: w.terms.PaySymbol,
		Price: latest.Terms.Price, Token: s.StatusToken(order.OwnID), IsNew: isNew,
	}
}

// isLive reports whether an order at the gateway is there and can still be paid, at a time
// by the ledger's clock: all processes that share one are to agree when an order expires.
func (s *Sessions) isLive(g ledger.GatewayOrder, now time.Time) bool {
	isThere := s.finder == nil || !g.IsDraft()
	return isThere && isPayable(g, now)
}

// hasEnded reports whether a webhook has told that an order at the gateway is over: it was
// ended there before it expired, or paid, if only in test coins, and takes no more.
func (s *Sessions) hasEnded(order ledger.Order, g ledger.GatewayOrder) bool {
	return g.Ref != "" && slices.ContainsFunc(order.Events, func(e ledger.OrderEvent) bool {
		stage := s.account.Info.Stage(e.Status)
		return e.RecordID == g.Ref && order.AppOf(e.AppID) == order.AppOf(g.AppID) && stage.Final()
	})
}

func isPayable(g ledger.GatewayOrder, now time.Time) bool {
	return !g.Ended && (g.ExpiresAt.IsZero() || now.Before(g.ExpiresAt))
}

// make makes an order at the gateway for an order of the app's: for the first time,
// for other terms, after expiry, or for the rest of a partly paid one. isNew is false
// where it found one that serves.
func (s *Sessions) make(ctx context.Context, order ledger.Order, w wanted, l *ledger.Ledger) (ledger.Order, bool, error) {
	share := int64(min(1+len(l.Others()), callsAtOnce/2)) // others do the same
	if err := s.slots.Acquire(ctx, share); err != nil {
		return order, false, &Error{
			Status: http.StatusServiceUnavailable, Code: "busy", Text: "too many orders are being made", Cause: err, RetryAfter: retrySoon,
		}
	}
	defer s.slots.Release(share)
	if order.Checkout == nil {
		if s.finder != nil {
			return s.makeNamed(ctx, order, nil, w, l)
		}
		return s.makeOurs(ctx, order, nil, w, l)
	}
	order, err := s.findDrafts(ctx, order, l)
	if err != nil {
		return order, false, err
	}
	if err := s.isWhole(order); err != nil {
		return order, false, err
	}
	still, err := s.rest(ctx, order, w)
	if err != nil {
		return order, false, err
	}
	part := w
	part.terms.Amount, part.terms.Price = still.amount, still.amount.String()
	i := s.find(order, w.terms.Terms, l.Now())
	isLeft := still.amount.Equal(w.terms.Amount) || s.canceler != nil && still.isPaidOnlyAt(s.account.Info.AccountID)
	serves := i >= 0 && isLeft
	if !serves {
		if err := s.mayMake(order, part, l.Now()); err != nil {
			return order, false, err
		}
	}
	made, err := s.cancelAll(ctx, order, still, w, func(at *Sessions) bool { return at != s || !serves && s.canceler != nil }, l)
	if err != nil {
		return order, false, err
	}
	order.Checkout = &ledger.Checkout{Terms: w.terms.Terms, Symbol: w.terms.Symbol, Generations: made}
	if serves {
		order.Checkout.Generations = append(slices.Delete(slices.Clone(made), i, i+1), made[i])
		return order, false, nil
	}
	if s.finder != nil {
		return s.makeNamed(ctx, order, made, part, l)
	}
	return s.makeOurs(ctx, order, made, part, l)
}

// makeOurs makes an order at a gateway that knows it by our id, beside those that were
// made before. isNew is false where the gateway has the first already.
func (s *Sessions) makeOurs(ctx context.Context, order ledger.Order, made []ledger.GatewayOrder, w wanted, l *ledger.Ledger) (ledger.Order, bool, error) {
	checkout := ledger.Checkout{Terms: w.terms.Terms, Symbol: w.terms.Symbol}
	if order.Checkout != nil {
		checkout = *order.Checkout
	}
	next := s.next(order, made, w)
	g, err := s.create(ctx, next, w, l)
	isNew := true
	if errors.Is(err, gateway.ErrDuplicate) && !s.has(order, made) {
		g, err = s.lookUp(ctx, next, w, l)
		isNew = false
	}
	checkout.Generations = append(slices.Clone(made), g)
	order.Checkout = &checkout
	return order, isNew, err
}

// find returns the index of the latest order at the account's gateway with these terms
// that can still be paid now; -1: there is none.
func (s *Sessions) find(order ledger.Order, terms ledger.Terms, now time.Time) int {
	for i, g := range slices.Backward(order.Checkout.Generations) {
		if s.at(order, g) == s && confirm.SameTerms(g.Terms, terms) && s.isLive(g, now) && !s.hasEnded(order, g) {
			return i
		}
	}
	return -1
}

// create makes the next order at the gateway, unless the time for it is over, so that
// another process may be making it.
func (s *Sessions) create(ctx context.Context, next ledger.GatewayOrder, w wanted, l *ledger.Ledger) (ledger.GatewayOrder, error) {
	if !l.Lives(ctx) {
		return ledger.GatewayOrder{}, Unavailable(ledger.ErrNoSession)
	}
	now := l.Now()
	made, err := s.checkouts.Create(ctx, gateway.NewOrder{
		ID: next.ID, Terms: w.terms, Product: w.Product, BuyerEmail: w.BuyerEmail,
		ReturnURL: s.ReturnURL(w.Request), CloseURL: w.CloseURL, NotifyURL: w.NotifyURL,
		Expires: expiry(w, now), Now: now,
	})
	next.CreatedAt = now
	if err == nil && s.routeOf != nil {
		s.noteRoute(ctx, next.ID, s.routeOf(s.account.Name, w.NotifyURL), l)
	}
	return asMade(next, made), err
}

// expiry is when an order that is made now can no longer be paid; zero: the gateway's
// default.
func expiry(w wanted, now time.Time) time.Time {
	if w.Expires <= 0 {
		return time.Time{}
	}
	return now.Add(w.Expires).Truncate(time.Second)
}

// asMade returns an order at the gateway with what the gateway has returned of it. A
// gateway may not know when we end the order.
func asMade(g ledger.GatewayOrder, made gateway.Checkout) ledger.GatewayOrder {
	if g.ExpiresAt.IsZero() || !made.ExpiresAt.IsZero() && made.ExpiresAt.Before(g.ExpiresAt) {
		g.ExpiresAt = made.ExpiresAt
	}
	g.Ref, g.CheckoutURL = made.Ref, made.URL
	g.Address, g.Memo, g.Amount = made.Address, made.Memo, made.Amount
	return g
}

// lookUp reads an order that the gateway has and the ledger has lost. The order must
// have the terms that are wanted, and an id that no later generation of another order
// can have. Where it is paid, it is returned with errPaid.
func (s *Sessions) lookUp(ctx context.Context, next ledger.GatewayOrder, w wanted, l *ledger.Ledger) (ledger.GatewayOrder, error) {
	if _, mayBeLater := s.account.FirstOf(next.ID); mayBeLater {
		return ledger.GatewayOrder{}, s.takenBy("an order that may be another's")
	}
	order, err := confirm.ReadMade(ctx, s.account, next)
	var held *confirm.HeldError
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return ledger.GatewayOrder{}, s.takenBy("something else")
	case errors.As(err, &held):
		return ledger.GatewayOrder{}, s.takenBy("an order with other terms")
	case err != nil:
		return ledger.GatewayOrder{}, err
	}
	g := confirm.Made(next.ID, w.terms.Terms, order)
	g.AppID, g.CreatedAt, g.Tells = next.AppID, l.Now(), next.Tells
	if confirm.Settle(order, settle.Policy{}, s.now()).State.Fulfils() {
		return g, errPaid
	}
	return g, nil
}
