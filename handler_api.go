package ccpayment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(new(API))
}

// API lets apps call CCPayment without its secret: plain JSON in, signed here,
// CCPayment's answer back. The path's last part is the endpoint's name. Beside
// CCPayment's endpoints it has `POST checkout`, which takes what an app's answer
// 402 says, and `GET orders/<id>`.
//
// Peers on this machine need no token unless they come through a proxy.
type API struct {
	// The name of the merchant account. Default: the account at the top level
	// of the ccpayment app.
	Account string `json:"account,omitempty"`

	// What may be called: `read`, `deposit`, `withdraw`, `swap`, `wallet`,
	// `webhook`, or names of endpoints; with `notify_url` a call may say where
	// its webhooks are sent. Default: read and deposit.
	Allow []string `json:"allow,omitempty"`

	// What peers send as `Authorization: Bearer`. Those that are not on this
	// machine are served only with it.
	Token string `json:"token,omitempty"`

	// Which answers are kept, and for how long.
	Cache *APICache `json:"cache,omitempty"`

	app       *App
	till      *till
	allowed   map[string]bool
	notifyURL bool // a body may name it
	token     string
	cache     *answerCache // nil: nothing is kept
	cached    map[string]bool
	hosts     []string
	// slots bound the calls at once, so that what an app asks starves neither
	// checkouts nor confirming.
	slots  chan struct{}
	logger *zap.Logger
}

// APICache says which answers of ccpayment_api are kept.
type APICache struct {
	// Keep none.
	Off bool `json:"off,omitempty"`
	// How long. Default: 10m.
	For caddy.Duration `json:"for,omitempty"`
	// Of which endpoints of the group `read`. Default: getCoinList, getFiatList,
	// getChainList and getSwapCoinList.
	Endpoints []string `json:"endpoints,omitempty"`
}

const defaultCacheFor = 10 * time.Minute

// CaddyModule returns the Caddy module information.
func (*API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ccpayment_api",
		New: func() caddy.Module { return new(API) },
	}
}

// Provision resolves the options.
func (h *API) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	var err error
	if h.app, err = appOf(ctx); err != nil {
		return err
	}
	repl := caddy.NewReplacer()
	account, err := optional(repl, "account", h.Account)
	if err != nil {
		return err
	}
	if h.till, err = h.app.tillOf(account); err != nil {
		return err
	}
	if h.token, err = optional(repl, "token", h.Token); err != nil {
		return err
	}
	if strings.HasPrefix(h.token, "{") || headerText(h.token) != h.token || strings.Contains(h.token, " ") {
		return errors.New("token must be printable ASCII without spaces, percent signs and a brace in front")
	}
	if len(h.Allow) == 0 {
		h.Allow = []string{"read", "deposit"}
	}
	if h.allowed, h.notifyURL, err = allowedEndpoints(h.Allow); err != nil {
		return err
	}
	h.hosts = usualHosts(h.till.api)
	h.slots = make(chan struct{}, callsAtOnce)
	return h.resolveCache()
}

func (h *API) resolveCache() error {
	if h.Cache == nil {
		h.Cache = new(APICache)
	}
	if h.Cache.Off {
		if h.Cache.For != 0 || len(h.Cache.Endpoints) > 0 {
			return errors.New("cache is off, and has a duration or endpoints")
		}
		return nil
	}
	setDefault(&h.Cache.For, caddy.Duration(defaultCacheFor))
	if h.Cache.For < 0 {
		return errors.New("cache must be longer than zero, or off")
	}
	if len(h.Cache.Endpoints) == 0 {
		h.Cache.Endpoints = []string{"getCoinList", "getFiatList", "getChainList", "getSwapCoinList"}
	}
	h.cached = make(map[string]bool)
	for _, name := range h.Cache.Endpoints {
		if groupOf(name) != "read" || name == doorOrders {
			return fmt.Errorf("cache: %.60q is no endpoint that only reads", name)
		}
		h.cached[name] = true
	}
	h.cache = newAnswerCache(time.Duration(h.Cache.For), h.app.now)
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *API) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if refusal := h.checkCaller(r); refusal != nil {
		return refusal.write(w)
	}
	name, orderID := target(r)
	switch {
	case groupOf(name) == "" || name == doorOrders && !orderIDs.MatchString(orderID):
		return refuseAPI(http.StatusNotFound, "there is no endpoint %.60q: see docs/api.md for the names, which are CCPayment's", name).write(w)
	case !h.allowed[name]:
		return refuseAPI(http.StatusForbidden, "%s is not allowed here: `allow %s`, or its group `allow %s`, in ccpayment_api lets it through",
			name, name, groupOf(name)).write(w)
	case name == doorOrders:
		return h.serveOrder(w, r, orderID)
	}
	body, refusal := readObject(w, r)
	if refusal != nil {
		return refusal.write(w)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.till.apiBudget)
	defer cancel()
	if name == doorCheckout {
		return h.serveCheckout(ctx, w, body)
	}
	return h.serveCall(ctx, w, name, body)
}

// serveCall passes a call on.
func (h *API) serveCall(ctx context.Context, w http.ResponseWriter, endpoint string, body []byte) error {
	body, refusal := h.checkBody(endpoint, body)
	if refusal != nil {
		return refusal.write(w)
	}
	var data json.RawMessage
	var err error
	if h.cache != nil && h.cached[endpoint] {
		data, err = h.cache.get(endpoint, string(body), func() (json.RawMessage, error) { return h.call(ctx, endpoint, body) })
	} else {
		data, err = h.call(ctx, endpoint, body)
	}
	if groupOf(endpoint) != "read" {
		h.logger.Info("called CCPayment", zap.String("endpoint", endpoint),
			zap.String("order_id", orderIDOf(body)), zap.String("outcome", outcomeOf(err)))
	}
	if err != nil {
		return writeCallError(w, err)
	}
	return writeAnswer(w, data)
}

// call waits for its turn and calls.
func (h *API) call(ctx context.Context, endpoint string, body []byte) (json.RawMessage, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, errBusy
	}
	return h.till.api.Call(ctx, endpoint, body)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*API)(nil)
	_ caddyhttp.MiddlewareHandler = (*API)(nil)
)
