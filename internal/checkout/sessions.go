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
	Now    func() time.Time
	Logger *zap.Logger
}

// Sessions opens the checkout sessions of an account. All handlers of the
// account share one Sessions. It is safe for concurrent use.
type Sessions struct {
	Tokens
	account   *gateway.Account
	checkouts gateway.Checkouts
	finder    gateway.Finder   // nil: the gateway knows orders by our ids alone
	canceler  gateway.Canceler // nil: orders at the gateway end by themselves
	ledger    func() (*ledger.Ledger, func(), error)
	replay    func(context.Context, ledger.Event, string) error
	now       func() time.Time
	logger    *zap.Logger

	// slots bound how many calls make orders at once, so that they do not keep the
	// confirmation of events from the API. Each takes as many as there are processes that
	// share the account.
	slots *semaphore.Weighted
	// flights lets concurrent calls with the same request share one result.
	flights singleflight.Group
	locks   keylock // by the app's order id: one call at a time changes an order

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
		ledger: c.Ledger, replay: c.Replay, now: c.Now, logger: c.Logger, slots: semaphore.NewWeighted(callsAtOnce),
		findPause: findPause, makeAgain: max(makeAgain, c.Account.Budget), // whoever has called may wait that long for the answer
	}, nil
}

// Open returns the order's checkout session, and makes the order at the gateway
// where there is none with these terms yet. Concurrent calls with the same request
// share one session; calls for one order with other terms run one after the other.
// The error wraps an [*Error].
func (s *Sessions) Open(ctx context.Context, r Request) (Session, error) {
	return s.openAlone(ctx, r, nil)
}

// openAlone is Open for an order that was opened at none of the others.
func (s *Sessions) openAlone(ctx context.Context, r Request, others Choices) (Session, error) {
	lock, release := s.locks.take(r.OrderID)
	defer release()
	key := fmt.Sprintf("%q", []string{r.OrderID, r.Price, r.Currency, r.Coin, r.Chain, r.Client})
	for _, other := range others {
		key += fmt.Sprintf(" %q", other.account.Name)
	}
	mine := false
	shared, err, _ := s.flights.Do(key, func() (any, error) {
		mine = true
		lock.Lock()
		defer lock.Unlock()
		defer others.lock(r.OrderID)()
		return s.open(ctx, r, others)
	})
	session := shared.(Session)
	session.IsNew = session.IsNew && mine // for one of the calls
	return session, err
}

// open is openAlone for one request. The caller holds the order's locks in this process.
func (s *Sessions) open(ctx context.Context, r Request, others Choices) (Session, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.account.Budget)
	defer cancel()
	w, err := s.resolve(ctx, r)
	if err != nil {
		return Session{}, s.explain(err)
	}
	l, release, err := s.ledger()
	if err != nil {
		return Session{}, Unavailable(err)
	}
	defer release()

	order, isOpen, err := s.read(ctx, r, w, others, l)
	if err == nil && !isOpen && l.IsShared() {
		names := []ledger.Record{{AppID: order.AppID, Type: "#checkout", ID: order.ID}}
		if len(others) > 0 {
			names = append([]ledger.Record{{Type: "#account", ID: r.OrderID}}, names...)
		}
		for _, name := range names {
			held, unlock, err := l.Lock(ctx, name, s.account.Budget, s.account.Budget)
			if err != nil {
				return Session{}, Unavailable(err)
			}
			defer unlock()
			ctx = held // all that follows ends with the locks
		}
		order, isOpen, err = s.read(ctx, r, w, others, l) // another process may have made it meanwhile
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
	if errors.As(err, &paid) && !confirm.SameTerms(known.Checkout.Terms, w.terms.Terms) {
		if err := s.repriced(ctx, known, w, paid.records, l); err != nil {
			return Session{}, Unavailable(err)
		}
	}
	if err == nil && !isNew && !s.isLive(order.Checkout.Latest(), l.Now()) {
		order, isNew, err = s.make(ctx, order, w, l) // the order that was found has expired
	}
	if known.Checkout == nil && errors.Is(err, errPaid) { // so that its webhooks find the app's order again
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
// an [*Error], also where one of the others has the order.
func (s *Sessions) read(ctx context.Context, r Request, w wanted, others Choices, l *ledger.Ledger) (order ledger.Order, isOpen bool, err error) {
	if err := others.haveNot(ctx, r.OrderID, l); err != nil {
		return order, false, err
	}
	id := ledger.OrderID{AppID: s.account.Info.AccountID, ID: w.gatewayID}
	order, err = l.Order(ctx, s.account.OrderIDs(r.OrderID)...)
	switch isNew := errors.Is(err, ledger.ErrNotFound); {
	case err != nil && !isNew:
		return order, false, Unavailable(err)
	case isNew:
		order.OrderID = id
	case order.Checkout == nil && order.OrderID != id:
		return order, false, s.takenBy("an order that was made elsewhere")
	case order.Checkout != nil && order.Account != s.account.Name:
		return order, false, conflict("other_account", "the order belongs to another account")
	case order.Checkout != nil && order.OwnID != r.OrderID: // its payments fulfil that one
		return order, false, s.takenBy("another order")
	}
	if order.Checkout == nil { // its id may be that of another's later generation, as of another shop's
		owner, err := l.OrderOf(ctx, order.OrderID)
		switch {
		case err != nil && !errors.Is(err, ledger.ErrNotFound):
			return order, false, Unavailable(err)
		case err == nil && owner.OrderID != order.OrderID:
			return order, false, s.takenBy("another order")
		}
	}
	if isPaid(order) {
		return order, false, errPaid
	}
	if order.Checkout != nil && confirm.SameTerms(order.Checkout.Terms, w.terms.Terms) {
		g := order.Checkout.Latest()
		isOpen = !asksMore(g, w) && s.isLive(g, l.Now())
	}
	return order, isOpen, nil
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
	return isThere && !g.Ended && (g.ExpiresAt.IsZero() || now.Before(g.ExpiresAt))
}

// mostGatewayOrders is how many orders at the gateway are made for one of the app's:
// all are read to settle it.
const mostGatewayOrders = 10

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
			return s.makeNamed(ctx, order, nil, nil, w, l)
		}
		g, err := s.create(ctx, order.ID, w, l)
		isNew := true
		if errors.Is(err, gateway.ErrDuplicate) {
			g, err = s.lookUp(ctx, order.ID, w, l)
			isNew = false
		}
		order.Checkout = &ledger.Checkout{Terms: w.terms.Terms, Symbol: w.terms.Symbol, Generations: []ledger.GatewayOrder{g}}
		return order, isNew, err
	}
	order, err := s.findDrafts(ctx, order, l)
	if err != nil {
		return order, false, err
	}
	rest, err := s.rest(ctx, order, w)
	if err != nil {
		return order, false, err
	}
	made := slices.Clone(order.Checkout.Generations)
	order.Checkout = &ledger.Checkout{Terms: w.terms.Terms, Symbol: w.terms.Symbol}
	if i := s.find(made, w.terms.Terms, l.Now()); i >= 0 && (rest.Equal(w.terms.Amount) || s.canceler != nil) {
		again := made[i]
		order.Checkout.Generations = append(slices.Delete(made, i, i+1), again)
		return order, false, nil
	}
	known := made
	if s.canceler != nil {
		order.Checkout.Generations = made
		if made, err = s.cancelAll(ctx, order, rest, w); err != nil {
			return order, false, err
		}
	}
	part := w
	part.terms.Amount, part.terms.Price = rest, rest.String()
	if s.finder != nil {
		return s.makeNamed(ctx, order, known, made, part, l)
	}
	if len(made) >= mostGatewayOrders {
		return order, false, errTooMany
	}
	g, err := s.create(ctx, gateway.NewGeneration(order.ID), part, l)
	if err != nil {
		return order, false, err
	}
	order.Checkout.Generations = append(made, g)
	return order, true, nil
}

// errTooMany is the [*Error] of an order with as many orders at the gateway as one has.
var errTooMany = conflict("too_many_terms", "the order has had too many prices: make a new one")

// find returns the index of the latest order at the gateway with these terms that can
// still be paid now; -1: there is none.
func (s *Sessions) find(made []ledger.GatewayOrder, terms ledger.Terms, now time.Time) int {
	for i, g := range slices.Backward(made) {
		if confirm.SameTerms(g.Terms, terms) && s.isLive(g, now) {
			return i
		}
	}
	return -1
}

// create makes an order with this id at the gateway, unless the time for it is over, so
// that another process may be making it.
func (s *Sessions) create(ctx context.Context, id string, w wanted, l *ledger.Ledger) (ledger.GatewayOrder, error) {
	if !l.Lives(ctx) {
		return ledger.GatewayOrder{}, Unavailable(ledger.ErrNoSession)
	}
	now := l.Now()
	made, err := s.checkouts.Create(ctx, gateway.NewOrder{
		ID: id, Terms: w.terms, Product: w.Product, BuyerEmail: w.BuyerEmail,
		ReturnURL: s.ReturnURL(w.Request), CloseURL: w.CloseURL, NotifyURL: w.NotifyURL,
		Expires: expiry(w, now), Now: now,
	})
	return asMade(ledger.GatewayOrder{ID: id, Terms: w.terms.Terms, CreatedAt: now}, made), err
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
func (s *Sessions) lookUp(ctx context.Context, id string, w wanted, l *ledger.Ledger) (ledger.GatewayOrder, error) {
	if _, mayBeLater := s.account.FirstOf(id); mayBeLater {
		return ledger.GatewayOrder{}, s.takenBy("an order that may be another's")
	}
	order, err := s.account.Gateway.Order(ctx, id, &ledger.GatewayOrder{ID: id, Terms: w.terms.Terms})
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return ledger.GatewayOrder{}, s.takenBy("something else")
	case err != nil:
		return ledger.GatewayOrder{}, err
	case !confirm.SameTerms(order.Terms, w.terms.Terms):
		return ledger.GatewayOrder{}, s.takenBy("an order with other terms")
	}
	g := confirm.Made(id, w.terms.Terms, order)
	g.CreatedAt = l.Now()
	if confirm.Settle(order, settle.Policy{}, s.now()).State.Fulfils() {
		return g, errPaid
	}
	return g, nil
}
