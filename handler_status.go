package ccpayment

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func init() {
	caddy.RegisterModule(new(Status))
}

// Status reports to a buyer's page whether its order is paid: it serves GET
// `?t=<token>`, or `?ccpayment_t=<token>`, with the token that was added to the order's
// return_url. With `wait=25s` it responds as soon as the order changes, or after that
// time, or when Caddy exits or loads another configuration: no buyer's page holds that
// up.
type Status struct {
	// The name of the merchant account. Default: the account at the top level
	// of the ccpayment app.
	Account string `json:"account,omitempty"`

	// The origins whose pages may ask, such as `https://shop.example`, or `*` for any.
	// Default: only pages of the site itself.
	CORS []string `json:"cors,omitempty"`

	origins checkout.Origins
	tokens  checkout.Tokens
	orders  checkout.StatusReader
}

// CaddyModule returns the Caddy module information.
func (*Status) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ccpayment_status",
		New: func() caddy.Module { return new(Status) },
	}
}

// Provision resolves the account.
func (h *Status) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	repl := caddy.NewReplacer()
	name, err := placeholder.Optional(repl, "account", h.Account)
	if err != nil {
		return err
	}
	texts, err := placeholder.RequiredList(repl, "cors", h.CORS)
	if err != nil {
		return err
	}
	if h.origins, err = checkout.ParseOrigins(texts); err != nil {
		return err
	}
	account, err := app.account(name)
	if err != nil {
		return err
	}
	h.tokens = checkout.NewTokens(account)
	// A server that shuts down waits for its requests, and the configuration is cleaned up
	// after that.
	ended := make(chan struct{})
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		server.RegisterOnShutdown(sync.OnceFunc(func() { close(ended) }))
	}
	h.orders = checkout.StatusReader{Account: account, Ledger: app.ledger.Acquire, Ended: ended}
	return h.orders.Check()
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Status) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	w.Header().Set("Cache-Control", "no-store")
	if h.origins.Allow(w.Header(), r) && checkout.IsPreflight(r) {
		checkout.Preflight(w, r)
		return nil
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("use GET"))
	}
	query := r.URL.Query()
	var token string
	for _, name := range checkout.StatusFields {
		if token = query.Get(name); token != "" {
			break
		}
	}
	orderID, ok := h.tokens.ReadStatusToken(token)
	if !ok {
		return caddyhttp.Error(http.StatusNotFound, errors.New("there is no order with this token"))
	}
	var wait time.Duration
	if text := query.Get("wait"); text != "" {
		var err error
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 {
			return caddyhttp.Error(http.StatusBadRequest, errors.New("wait must be a duration such as 25s"))
		}
	}
	view, err := h.orders.Read(r.Context(), orderID, wait)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return caddyhttp.Error(http.StatusNotFound, err)
	case err != nil:
		w.Header().Set("Retry-After", "5")
		return caddyhttp.Error(http.StatusServiceUnavailable, err)
	}
	return writeJSON(w, http.StatusOK, view)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Status)(nil)
	_ caddyhttp.MiddlewareHandler = (*Status)(nil)
)
