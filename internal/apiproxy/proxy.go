// Package apiproxy is an HTTP proxy for an app's calls of a gateway's API: it takes plain
// JSON, signs the call, and returns the gateway's response. Beside the gateway's
// endpoints it has three of its own: for checkout sessions, and to read and to close an
// order.
package apiproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Config is what a proxy needs.
type Config struct {
	// Account is the account whose API is called. Its gateway must be a [gateway.API].
	Account *gateway.Account
	// Choices are the accounts that POST checkout may choose from, with the Account as the
	// first; none where it makes no checkouts.
	Choices checkout.Choices
	// Ledger returns the ledger, and a function that releases it.
	Ledger func() (l *ledger.Ledger, release func(), err error)
	// RouteOf returns the one of the account's routes that takes the webhooks which are
	// sent to a URL; empty: that is not sure, or the account has one only.
	RouteOf func(account, url string) string

	// Allow says what may be called: groups and names of endpoints; with notify_url, a
	// call may say where its webhooks are sent to. Empty: read and deposit.
	Allow []string
	// Token returns the bearer token that clients which are not on this machine must
	// send; empty: they are refused. It may change.
	Token func() string
	Cache Cache

	// Opened is called after each POST checkout whose body could be read, with the account and
	// what became of it: see [checkout.OutcomeOf].
	Opened func(account, outcome string)

	Now    func() time.Time
	Logger *zap.Logger
}

// Cache says which responses are cached.
type Cache struct {
	// Off: none are cached.
	Off bool
	// For is how long a response is cached; 0: 10 minutes.
	For time.Duration
	// Endpoints are the endpoints whose responses are cached; empty: the gateway's lists
	// that seldom change.
	Endpoints []string
}

const defaultCacheFor = 10 * time.Minute

// Proxy serves the calls of apps for an account. It is safe for concurrent use.
type Proxy struct {
	account *gateway.Account
	api     gateway.API
	methods []string // of the API
	choices checkout.Choices
	ledger  func() (*ledger.Ledger, func(), error)
	routeOf func(account, url string) string
	opened  func(account, outcome string)
	now     func() time.Time
	logger  *zap.Logger

	token   func() string
	allowed rules
	cache   *responseCache // nil: nothing is cached
	cached  map[string]bool
	// slots bound the concurrent calls, so that an app's calls do not keep checkouts
	// and confirmations from the API. Each takes as many as there are processes that
	// share the account.
	slots *semaphore.Weighted
}

const callsAtOnce = 16

// New returns a proxy. The error is that the account's gateway has no API, or a mistake
// in Allow or Cache.
func New(c Config) (*Proxy, error) {
	api, ok := c.Account.Gateway.(gateway.API)
	if !ok {
		return nil, fmt.Errorf("%s has no API that ccpayment_api can call", c.Account.Info.Title)
	}
	p := &Proxy{
		account: c.Account, api: api, choices: c.Choices, ledger: c.Ledger, routeOf: c.RouteOf, opened: c.Opened, now: c.Now, logger: c.Logger,
		token: c.Token, slots: semaphore.NewWeighted(callsAtOnce),
	}
	if len(c.Allow) == 0 {
		c.Allow = []string{string(gateway.GroupRead), string(gateway.GroupDeposit)}
	}
	endpoints := api.Endpoints()
	p.methods = gateway.Methods(endpoints)
	var err error
	if p.allowed, err = readRules(c.Allow, slices.Concat(endpoints, p.own())); err != nil {
		return nil, err
	}
	if err := p.setUpCache(c.Cache, endpoints); err != nil {
		return nil, err
	}
	return p, nil
}

// setUpCache checks the options of the cache and makes it.
func (p *Proxy) setUpCache(c Cache, endpoints []gateway.Endpoint) error {
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
	p.cached = make(map[string]bool)
	for _, e := range endpoints {
		p.cached[e.Name] = e.Lists && len(c.Endpoints) == 0
	}
	for _, name := range c.Endpoints {
		i := slices.IndexFunc(endpoints, func(e gateway.Endpoint) bool { return e.Name == name })
		if i < 0 || endpoints[i].Group != gateway.GroupRead {
			return fmt.Errorf("cache: %.60q is no endpoint that only reads", name)
		}
		p.cached[name] = true
	}
	p.cache = newResponseCache(c.For, p.now)
	return nil
}

// Sells returns the names of the accounts of which POST checkout makes orders.
func (p *Proxy) Sells() []string {
	if !p.allowed.endpoints[ownCheckout.Name] {
		return nil
	}
	return p.choices.Names()
}

// ServeHTTP serves a call: the request's path is the endpoint's. asked is the URL as the
// client sent it, before any handler cleaned or cut its path. The error is that of writing
// the response.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request, asked *url.URL) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if refusal := p.checkCaller(r); refusal != nil {
		return refusal.write(w)
	}
	endpoint, orderID, refusal := p.find(w, r, asked)
	if refusal != nil {
		return refusal.write(w)
	}
	if endpoint.Name == ownOrders.Name {
		return p.serveOrder(r.Context(), w, orderID)
	}
	body, refusal := readBody(w, r)
	if refusal != nil {
		return refusal.write(w)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), p.account.Budget)
	defer cancel()
	switch endpoint.Name {
	case ownCheckout.Name:
		return p.serveCheckout(ctx, w, body)
	case ownClose.Name:
		return p.serveClose(ctx, w, orderID)
	}
	return p.serveCall(ctx, w, r, endpoint, body)
}

// serveCall passes a call on to the gateway.
func (p *Proxy) serveCall(ctx context.Context, w http.ResponseWriter, r *http.Request, endpoint gateway.Endpoint, body []byte) error {
	namesURL, refusal := p.checkBody(endpoint, body)
	if refusal != nil {
		return refusal.write(w)
	}
	call := gateway.APICall{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Body: body}
	if !namesURL {
		call.NotifyURL = p.account.WebhookURL
	}
	n := &notes{Proxy: p, endpoint: endpoint, call: call}
	if endpoint.Group != gateway.GroupRead {
		call.Making = n.called
	}
	var answer gateway.APIAnswer
	var err error
	if p.cache != nil && p.cached[endpoint.Name] {
		answer, err = p.cache.get(call, func() (gateway.APIAnswer, error) { return p.call(ctx, call) })
	} else {
		answer, err = p.call(ctx, call)
	}
	if endpoint.Group != gateway.GroupRead {
		p.logCall(endpoint.Name, answer.About, outcomeOf(answer, err))
		n.answered(answer, err)
	}
	return p.writeAnswer(w, answer, err)
}

// longestLoggedID is how many bytes of an order id are logged: more than an id has
// that is accepted.
const longestLoggedID = 512

func (p *Proxy) logCall(endpoint, orderID, outcome string) {
	p.logger.Info("called "+p.account.Info.Title, zap.String("endpoint", endpoint),
		zap.String("order_id", redact.Emails(orderID[:min(len(orderID), longestLoggedID)])), zap.String("outcome", outcome))
}

// call waits for a slot and makes the call.
func (p *Proxy) call(ctx context.Context, c gateway.APICall) (gateway.APIAnswer, error) {
	share := int64(1)
	if l, release, err := p.ledger(); err == nil {
		share = int64(min(1+len(l.Others()), callsAtOnce/2))
		release()
	}
	if p.slots.Acquire(ctx, share) != nil {
		return gateway.APIAnswer{}, errBusy
	}
	defer p.slots.Release(share)
	return p.api.Call(ctx, c)
}
