package ccpayment

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiproxy"
	"github.com/seed-338f6760/caddy-ccpayment/internal/metrics"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/secrets"
)

func init() {
	caddy.RegisterModule(new(API))
}

// API lets apps call a gateway's API without the account's secret: it takes plain
// JSON, signs the call, and returns the gateway's response. The path is the endpoint's:
// at CCPayment its name, at CoinPayments the route from `/api/` on. Beside the gateway's
// endpoints it has `POST checkout`, which takes the same JSON as an app's 402 response,
// and `GET` and `DELETE orders/<id>`.
//
// Clients on this machine need no token unless they come through a proxy.
type API struct {
	// The name of the merchant account. Default: the account at the top level
	// of the ccpayment app.
	Account string `json:"account,omitempty"`

	// Further accounts, any of which `POST checkout` may choose by its name, in the field
	// `account`.
	OtherAccounts []string `json:"other_accounts,omitempty"`

	// What may be called: `read`, `deposit`, `withdraw`, `swap`, `wallet`,
	// `webhook`, or names of endpoints; with `notify_url` a call may choose the URL
	// that its webhooks are sent to. Default: read and deposit.
	Allow []string `json:"allow,omitempty"`

	// The token that clients send as `Authorization: Bearer`. Clients that are not
	// on this machine are served only with it.
	Token string `json:"token,omitempty"`

	// Which responses are cached, and for how long.
	Cache *APICache `json:"cache,omitempty"`

	proxy *apiproxy.Proxy
}

// APICache says which responses of ccpayment_api are cached.
type APICache struct {
	// Cache nothing.
	Off bool `json:"off,omitempty"`
	// How long a response is cached. Default: 10m.
	For caddy.Duration `json:"for,omitempty"`
	// The endpoints of the group `read` whose responses are cached. Default: the gateway's
	// lists that seldom change.
	Endpoints []string `json:"endpoints,omitempty"`
}

// resolved returns the options in the proxy's form; of a nil APICache, the defaults.
func (c *APICache) resolved() apiproxy.Cache {
	if c == nil {
		return apiproxy.Cache{}
	}
	return apiproxy.Cache{Off: c.Off, For: time.Duration(c.For), Endpoints: c.Endpoints}
}

// CaddyModule returns the Caddy module information.
func (*API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ccpayment_api",
		New: func() caddy.Module { return new(API) },
	}
}

// Provision resolves the options.
func (h *API) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	c := apiproxy.Config{Allow: h.Allow, Cache: h.Cache.resolved(), Ledger: app.ledger.Acquire, RouteOf: app.routeOf, Opened: metrics.CountCheckouts("api"), Now: app.now, Logger: ctx.Logger()}
	repl := caddy.NewReplacer()
	name, err := placeholder.Optional(repl, "account", h.Account)
	if err != nil {
		return err
	}
	if c.Account, err = app.account(name); err != nil {
		return err
	}
	if _, makesCheckouts := c.Account.Gateway.(gateway.Checkouts); makesCheckouts || len(h.OtherAccounts) > 0 {
		if c.Choices, err = app.choices(repl, h.Account, h.OtherAccounts); err != nil {
			return err
		}
	}
	c.Token, err = secrets.Follow(app.secrets, "token of ccpayment_api, "+c.Account.Label(), tokenOf(h.Token), h.Token)
	if err != nil {
		return err
	}
	h.proxy, err = apiproxy.New(c)
	return err
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *API) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	asked := r.URL
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		asked = original.URL
	}
	return h.proxy.ServeHTTP(w, r, asked)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*API)(nil)
	_ caddyhttp.MiddlewareHandler = (*API)(nil)
)
