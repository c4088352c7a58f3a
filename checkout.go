package ccpayment

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// checkoutError is why there is no checkout.
type checkoutError struct {
	status int
	code   string // for programs, one word
	text   string // for people; names no secret
	cause  error  // for the log
	// gatewayCode is CCPayment's, if it refused; 0: none.
	gatewayCode int
	retryAfter  time.Duration
}

func (e *checkoutError) Error() string {
	if e.cause != nil {
		return e.text + ": " + e.cause.Error()
	}
	return e.text
}
func (e *checkoutError) Unwrap() error { return e.cause }

func conflict(code, text string) error {
	return &checkoutError{status: http.StatusConflict, code: code, text: text}
}

// explainCheckout turns what CCPayment said into an answer.
func explainCheckout(err error) error {
	var field *fieldError
	var argument *client.ArgumentError
	var refused *client.Error
	var known *checkoutError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &field), errors.As(err, &argument):
		return &checkoutError{status: http.StatusBadGateway, code: "bad_terms", text: "the order's terms cannot be used", cause: err}
	case errors.Is(err, client.ErrOutcomeUnknown):
		return &checkoutError{status: http.StatusGatewayTimeout, code: "unreachable", text: "CCPayment did not answer: asked again, the order is found or made", cause: err}
	case errors.Is(err, client.ErrRateLimit), errors.Is(err, client.ErrFrequentOperation):
		busy := &checkoutError{status: http.StatusServiceUnavailable, code: "busy", text: "CCPayment is busy: try again in a moment", cause: err, retryAfter: 5 * time.Second}
		if errors.As(err, &refused) {
			busy.gatewayCode = refused.Code
		}
		return busy
	case errors.As(err, &refused):
		return &checkoutError{
			status: http.StatusBadGateway, code: "refused", text: "the order could not be made at CCPayment",
			cause: fmt.Errorf("%w (%s)", err, refused.Hint()), gatewayCode: refused.Code,
		}
	default:
		return &checkoutError{status: http.StatusGatewayTimeout, code: "unreachable", text: "CCPayment could not be reached", cause: err}
	}
}

// till makes the checkouts of an account. All handlers of the account share it.
type till struct {
	app     *App
	account string
	*credentials
	gateway *gatewayV2
	symbols *symbols
	// slots bound how many calls make orders at once, so that confirming, which
	// has none of them, is not starved.
	slots chan struct{}
	// flights lets all who want an order's checkout at once share one.
	flights singleflight.Group
	turns   turns
}

const callsAtOnce = 16

func newTill(app *App, account string, c *credentials) *till {
	return &till{
		app: app, account: account, credentials: c, gateway: &gatewayV2{credentials: c},
		symbols: newSymbols(c.api, app.now), slots: make(chan struct{}, callsAtOnce),
	}
}

// opened is a checkout that a buyer can be sent to.
type opened struct {
	ledger.GatewayOrder
	orderID string
	symbol  string
	paySym  string
	price   string
	token   string // for ccpayment_status
	isNew   bool
}

// openOnce is open for many at once: who wants the same for the same order gets
// one answer. Different offers for an order take their turn.
func (t *till) openOnce(ctx context.Context, o offer) (opened, error) {
	lock, release := t.turns.take(o.orderID)
	defer release()
	key := fmt.Sprintf("%q", []string{o.orderID, o.price, o.currency, o.coin, o.chain, o.client})
	mine := false
	shared, err, _ := t.flights.Do(key, func() (any, error) {
		mine = true
		lock.Lock()
		defer lock.Unlock()
		return t.open(ctx, o)
	})
	done := shared.(opened)
	done.isNew = done.isNew && mine // to one of them
	return done, err
}

// turns are locks by order, which last as long as somebody wants them.
type turns struct {
	mu    sync.Mutex
	locks map[string]*turn
}

type turn struct {
	sync.Mutex
	wanted int
}

func (t *turns) take(orderID string) (lock *turn, release func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.locks == nil {
		t.locks = make(map[string]*turn)
	}
	lock = t.locks[orderID]
	if lock == nil {
		lock = new(turn)
		t.locks[orderID] = lock
	}
	lock.wanted++
	return lock, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if lock.wanted--; lock.wanted == 0 {
			delete(t.locks, orderID)
		}
	}
}

// open returns the order's checkout, which it makes if there is none for these
// terms. It runs once at a time for an order.
func (t *till) open(ctx context.Context, o offer) (opened, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.apiBudget)
	defer cancel()
	wanted, err := t.symbols.resolve(ctx, o, t.orderPrefix)
	if err != nil {
		return opened{}, explainCheckout(err)
	}
	shared, err := t.app.acquireLedger()
	if err != nil {
		return opened{}, unavailableLedger(err)
	}
	defer t.app.releaseLedger()

	id := ledger.OrderID{AppID: t.appID, ID: t.orderPrefix + o.orderID}
	order, err := shared.Order(ctx, id)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return opened{}, unavailableLedger(err)
	}
	if order.Checkout != nil && order.Account != t.account {
		return opened{}, conflict("other_account", "the order belongs to another account")
	}
	if order.FulfilledBy != "" || settle.State(order.State).Fulfils() {
		return opened{}, errPaid
	}
	if order.Checkout != nil && sameTerms(order.Checkout.Terms, wanted.Terms) {
		if g := order.Checkout.Latest(); !asksMore(g, wanted) && (g.ExpiresAt.IsZero() || t.app.now().Before(g.ExpiresAt)) {
			return t.opened(order, wanted, false), nil
		}
	}
	order.OrderID, order.Account, order.OwnID = id, t.account, o.orderID
	if err := o.limits.allow(o.client, t.app.now()); err != nil {
		return opened{}, err
	}
	for _, warning := range wanted.warnings {
		t.app.logger.Warn(warning, zap.String("order_id", o.orderID))
	}
	known := order
	order, isNew, err := t.make(ctx, order, wanted)
	var paid *paidError
	if errors.As(err, &paid) && !sameTerms(known.Checkout.Terms, wanted.Terms) {
		if err := t.repriced(ctx, known, wanted, paid.records, shared); err != nil {
			return opened{}, unavailableLedger(err)
		}
	}
	if err == nil && !isNew && !t.app.now().Before(order.Checkout.Latest().ExpiresAt) {
		order, isNew, err = t.make(ctx, order, wanted) // what was found has expired
	}
	if err != nil {
		return opened{}, explainCheckout(err)
	}
	if err := shared.SaveCheckout(ctx, order, "checkout of "+wanted.Price+" "+wanted.symbol); err != nil {
		return opened{}, unavailableLedger(err)
	}
	return t.opened(order, wanted, isNew), nil
}

func unavailableLedger(err error) error {
	return &checkoutError{status: http.StatusServiceUnavailable, code: "unavailable", text: "orders cannot be taken at the moment", cause: err, retryAfter: 5 * time.Second}
}

func (t *till) opened(order ledger.Order, wanted terms, isNew bool) opened {
	return opened{
		GatewayOrder: order.Checkout.Latest(), orderID: order.OwnID, symbol: order.Checkout.Symbol, paySym: wanted.paySym,
		price: order.Checkout.Latest().Terms.Price, token: t.statusToken(order.OwnID), isNew: isNew,
	}
}

// make makes a generation of the order at CCPayment: its first, or one for
// other terms, after expiry, or for the rest of a partly paid one.
func (t *till) make(ctx context.Context, order ledger.Order, wanted terms) (ledger.Order, bool, error) {
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return order, false, &checkoutError{status: http.StatusServiceUnavailable, code: "busy", text: "too many orders are being made", cause: ctx.Err(), retryAfter: 5 * time.Second}
	}
	if order.Checkout == nil {
		g, err := t.create(ctx, order.ID, wanted)
		if errors.Is(err, client.ErrOrderDuplicate) {
			g, err = t.lookUp(ctx, order.ID, wanted)
			order.Checkout = &ledger.Checkout{Terms: wanted.Terms, Symbol: wanted.symbol, Generations: []ledger.GatewayOrder{g}}
			return order, false, err
		}
		order.Checkout = &ledger.Checkout{Terms: wanted.Terms, Symbol: wanted.symbol, Generations: []ledger.GatewayOrder{g}}
		return order, true, err
	}
	rest, err := t.rest(ctx, order, wanted)
	if err != nil {
		return order, false, err
	}
	generations := slices.Clone(order.Checkout.Generations)
	order.Checkout = &ledger.Checkout{Terms: wanted.Terms, Symbol: wanted.symbol}
	part := wanted
	part.price, part.Price = rest, rest.String()
	if i := t.find(generations, wanted.Terms); i >= 0 && rest.Equal(wanted.price) {
		again := generations[i]
		order.Checkout.Generations = append(slices.Delete(generations, i, i+1), again)
		return order, false, nil
	}
	if len(generations) >= mostGenerations {
		return order, false, conflict("too_many_terms", "the order has had too many prices: make a new one")
	}
	g, err := t.create(ctx, order.ID+"-"+strings.ToLower(rand.Text()[:10]), part)
	if err != nil {
		return order, false, err
	}
	order.Checkout.Generations = append(generations, g)
	return order, true, nil
}

// mostGenerations bounds what is read at CCPayment to settle one order.
const mostGenerations = 10

// find returns the place of a generation with these terms that can still be
// paid; -1: there is none.
func (t *till) find(generations []ledger.GatewayOrder, terms ledger.Terms) int {
	return slices.IndexFunc(generations, func(g ledger.GatewayOrder) bool {
		return sameTerms(g.Terms, terms) && (g.ExpiresAt.IsZero() || t.app.now().Before(g.ExpiresAt))
	})
}

// create makes an order at CCPayment.
func (t *till) create(ctx context.Context, id string, w terms) (ledger.GatewayOrder, error) {
	now := t.app.now()
	g := ledger.GatewayOrder{ID: id, Terms: w.Terms, CreatedAt: now}
	var expires time.Time
	if w.expires > 0 {
		expires = now.Add(w.expires).Truncate(time.Second)
	}
	returnURL := t.withToken(w.returnURL, w.orderID)
	if w.IsInvoice() {
		page, err := t.api.CreateInvoice(ctx, client.InvoiceRequest{
			OrderID: id, Price: w.price, PriceFiatID: w.FiatID, PriceCoinID: w.CoinID, Product: w.product,
			ReturnURL: returnURL, CloseURL: w.closeURL, NotifyURL: w.notifyURL, ExpiredAt: expires, BuyerEmail: w.buyerEmail,
		})
		g.CheckoutURL, g.ExpiresAt = page, expires
		if expires.IsZero() {
			g.ExpiresAt = now.Add(invoiceExpiry)
		}
		return g, err
	}
	made, err := t.api.CreateDepositOrder(ctx, client.DepositOrderRequest{
		OrderID: id, CoinID: w.PayCoinID, Chain: w.Chain, Price: w.price, FiatID: w.FiatID, ExpiredAt: expires,
		BuyerEmail: w.buyerEmail, GenerateCheckoutURL: true, Product: w.product, ReturnURL: returnURL,
		CloseURL: w.closeURL, NotifyURL: w.notifyURL,
	})
	g.CheckoutURL, g.Address, g.Memo, g.ExpiresAt = made.CheckoutURL, made.Address, made.Memo, expires
	if made.Amount.IsPositive() {
		g.Amount = made.Amount.String()
	}
	if expires.IsZero() {
		g.ExpiresAt = now.Add(longestExpiry)
	}
	return g, err
}

// invoiceExpiry is CCPayment's default (API reference, Create Invoice).
const invoiceExpiry = 24 * time.Hour

// lookUp finds an order that CCPayment has and the ledger has lost. It is used
// only if it is the one that is asked for.
func (t *till) lookUp(ctx context.Context, id string, w terms) (ledger.GatewayOrder, error) {
	read := t.gateway.readDepositOrder
	if w.IsInvoice() {
		read = t.gateway.readInvoice
	}
	order, err := read(ctx, id)
	if errors.Is(err, client.ErrNotFound) {
		return ledger.GatewayOrder{}, conflict("taken", "the order's id is taken at CCPayment by something else")
	}
	if err != nil {
		return ledger.GatewayOrder{}, err
	}
	if !sameTerms(order.terms, w.Terms) {
		return ledger.GatewayOrder{}, conflict("taken", "the order's id is taken at CCPayment by an order with other terms")
	}
	if settle.Settle(order.due, order.payments, settle.Policy{}, t.app.now()).State.Fulfils() {
		return ledger.GatewayOrder{}, conflict("paid", "the order is paid")
	}
	g := ledger.GatewayOrder{
		ID: id, Terms: w.Terms, CreatedAt: t.app.now(), ExpiresAt: order.due.ExpiresAt,
		CheckoutURL: order.url, Address: order.address, Memo: order.memo,
	}
	if !w.IsInvoice() {
		g.Amount = order.due.Due.String()
	}
	return g, nil
}

// withToken adds the token of ccpayment_status to the address that the buyer
// comes back to, where there is room for it.
func (t *till) withToken(returnURL, orderID string) string {
	u, err := url.Parse(returnURL)
	if err != nil || returnURL == "" {
		return returnURL
	}
	query := u.Query()
	query.Set("t", t.statusToken(orderID))
	u.RawQuery = query.Encode()
	if with := u.String(); len(with) <= longestURL {
		return with
	}
	return returnURL
}
