// Package apiproxy is an HTTP proxy for an app's calls of CCPayment's API: it takes
// plain JSON, signs the call, and returns CCPayment's response. Beside CCPayment's
// endpoints it has two of its own, for checkout sessions and for an order's status.
package apiproxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Config is what a proxy needs.
type Config struct {
	Account *gateway.Account
	// Client returns the account's API client, which signs the calls: with another
	// secret after a rotation.
	Client func() *client.Client
	// Choices are the accounts that POST checkout may choose from, with the Account as the
	// first.
	Choices checkout.Choices
	// Ledger returns the ledger, and a function that releases it.
	Ledger func() (l *ledger.Ledger, release func(), err error)

	// Allow says which endpoints may be called, as [AllowedEndpoints] reads it; empty:
	// read and deposit.
	Allow []string
	// Token returns the bearer token that clients which are not on this machine must
	// send; empty: they are refused. It may change.
	Token func() string
	Cache Cache

	Now    func() time.Time
	Logger *zap.Logger
}

// Cache says which responses are cached.
type Cache struct {
	// Off: none are cached.
	Off bool
	// For is how long a response is cached; 0: 10 minutes.
	For time.Duration
	// Endpoints are the endpoints whose responses are cached; empty: getCoinList,
	// getFiatList, getChainList and getSwapCoinList.
	Endpoints []string
}

const defaultCacheFor = 10 * time.Minute

// Proxy serves the calls of apps for an account. It is safe for concurrent use.
type Proxy struct {
	account *gateway.Account
	client  func() *client.Client
	choices checkout.Choices
	ledger  func() (*ledger.Ledger, func(), error)
	now     func() time.Time
	logger  *zap.Logger

	token     func() string
	allowed   map[string]bool
	notifyURL bool           // a body may have notifyUrl
	cache     *responseCache // nil: nothing is cached
	cached    map[string]bool
	// slots bound the concurrent calls, so that an app's calls do not keep checkouts
	// and confirmations from the API. Each takes as many as there are processes that
	// share the account.
	slots *semaphore.Weighted
}

const callsAtOnce = 16

// New returns a proxy. The error is a mistake in Allow or Cache.
func New(c Config) (*Proxy, error) {
	p := &Proxy{
		account: c.Account, client: c.Client, choices: c.Choices, ledger: c.Ledger, now: c.Now, logger: c.Logger,
		token: c.Token, slots: semaphore.NewWeighted(callsAtOnce),
	}
	if len(c.Allow) == 0 {
		c.Allow = []string{"read", "deposit"}
	}
	var err error
	if p.allowed, p.notifyURL, err = AllowedEndpoints(c.Allow); err != nil {
		return nil, err
	}
	if err := p.setUpCache(c.Cache); err != nil {
		return nil, err
	}
	return p, nil
}

// setUpCache checks the options of the cache and makes it.
func (p *Proxy) setUpCache(c Cache) error {
	if c.Off {
		if c.For != 0 || len(c.Endpoints) > 0 {
			return errors.New("cache is off, and has a duration or endpoints")
		}
		return nil
	}
	if c.For < 0 {
		return errors.New("cache must be longer than zero, or off")
	}
	if c.For == 0 {
		c.For = defaultCacheFor
	}
	if len(c.Endpoints) == 0 {
		c.Endpoints = []string{"getCoinList", "getFiatList", "getChainList", "getSwapCoinList"}
	}
	p.cached = make(map[string]bool)
	for _, name := range c.Endpoints {
		if groupOf(name) != "read" || name == ownOrders {
			return fmt.Errorf("cache: %.60q is no endpoint that only reads", name)
		}
		p.cached[name] = true
	}
	p.cache = newResponseCache(c.For, p.now)
	return nil
}

// ServeHTTP serves a call: the request's path is the endpoint's name. asked is
// the path as the client sent it, before any handler cleaned or cut it. The
// error is that of writing the response.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request, asked string) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if refusal := p.checkCaller(r); refusal != nil {
		return refusal.write(w)
	}
	name, orderID := target(r, asked)
	switch {
	case groupOf(name) == "" || name == ownOrders && checkout.CheckOrderID(orderID) != nil:
		return refuse(http.StatusNotFound, "there is no endpoint %.60q: see docs/api.md for the names, which are CCPayment's", name).write(w)
	case !p.allowed[name]:
		return refuse(http.StatusForbidden, "%s is not allowed here: `allow %s`, or its group `allow %s`, in ccpayment_api lets it through",
			name, name, groupOf(name)).write(w)
	case name == ownOrders:
		return p.serveOrder(w, r, orderID)
	}
	body, refusal := readObject(w, r)
	if refusal != nil {
		return refusal.write(w)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), p.account.Budget)
	defer cancel()
	if name == ownCheckout {
		return p.serveCheckout(ctx, w, body)
	}
	return p.serveCall(ctx, w, name, body)
}

// serveCall passes a call on to CCPayment.
func (p *Proxy) serveCall(ctx context.Context, w http.ResponseWriter, endpoint string, body []byte) error {
	body, refusal := p.checkBody(endpoint, body)
	if refusal != nil {
		return refusal.write(w)
	}
	var data json.RawMessage
	var err error
	if p.cache != nil && p.cached[endpoint] {
		data, err = p.cache.get(endpoint, string(body), func() (json.RawMessage, error) { return p.call(ctx, endpoint, body) })
	} else {
		data, err = p.call(ctx, endpoint, body)
	}
	if groupOf(endpoint) != "read" {
		p.logCall(endpoint, orderIDOf(body), outcomeOf(err))
	}
	if err != nil {
		return writeCallError(w, err)
	}
	return writeData(w, data)
}

// longestLoggedID is how many bytes of an order id are logged: more than an id has
// that is accepted.
const longestLoggedID = 512

func (p *Proxy) logCall(endpoint, orderID, outcome string) {
	p.logger.Info("called CCPayment", zap.String("endpoint", endpoint),
		zap.String("order_id", redact.Emails(orderID[:min(len(orderID), longestLoggedID)])), zap.String("outcome", outcome))
}

// call waits for a slot and makes the call.
func (p *Proxy) call(ctx context.Context, endpoint string, body []byte) (json.RawMessage, error) {
	share := int64(1)
	if l, release, err := p.ledger(); err == nil {
		share = int64(min(1+len(l.Others()), callsAtOnce/2))
		release()
	}
	if p.slots.Acquire(ctx, share) != nil {
		return nil, errBusy
	}
	defer p.slots.Release(share)
	return p.client().Call(ctx, endpoint, body)
}
