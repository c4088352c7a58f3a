// Package ccpayment makes Caddy the payment edge of a shop: it verifies
// CCPayment's webhooks and hands each event to the app behind it exactly once.
package ccpayment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App holds the merchant accounts and the ledger that the payment handlers
// work with. The options at its top level are those of the default account.
//
// Every value may be a placeholder that is known when the configuration is
// loaded, such as `{env.NAME}` or `{file./path}`; the configuration that the
// admin endpoint shows keeps the placeholder.
type App struct {
	Account

	// Where events are remembered. Default: the `bolt` store.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=ccpayment.stores inline_key=module"`

	// Further merchant accounts, by name.
	Accounts map[string]*Account `json:"accounts,omitempty"`

	store  ledger.Driver
	logger *zap.Logger
	now    func() time.Time
	http   *http.Client // for all accounts' API calls

	confirmedAt atomic.Pointer[time.Time] // when an event was last confirmed

	mu       sync.Mutex
	routes   map[string]string       // the configuration of each route name
	handlers []*Webhook              // one for each route
	resolved map[string]*credentials // of each account that was asked for
	tills    map[string]*till        // of each account that makes orders
	held     *sharedLedger           // our reference to the ledger
	released bool

	rejections sync.Map // by route: how often its rejections are announced
}

// Account is one merchant account at CCPayment.
type Account struct {
	// The app id. Default: `{env.CCPAYMENT_APP_ID}`.
	AppID string `json:"app_id,omitempty"`

	// The app secret. Default: `{env.CCPAYMENT_APP_SECRET}`.
	AppSecret string `json:"app_secret,omitempty"`

	// Secrets that still verify webhooks while the secret is being rotated.
	PreviousSecrets []PreviousSecret `json:"previous_secrets,omitempty"`

	// A file with CCPayment's public key (PEM; PKIX or PKCS #1), which the
	// scheme `rsa` verifies webhooks with. Experimental.
	WebhookKey string `json:"webhook_key,omitempty"`

	// A file with the private key that API calls are signed with (RSA; PEM;
	// PKCS #8 or PKCS #1) instead of the app secret.
	PrivateKey string `json:"private_key,omitempty"`

	// Where CCPayment's API is: https, or http on loopback, as the sandbox's.
	// Default: `https://ccpayment.com/ccpayment/v2`.
	BaseURL string `json:"base_url,omitempty"`

	// How long one try of an API call may take. Default: 10s.
	APITimeout caddy.Duration `json:"api_timeout,omitempty"`

	// Where the webhooks of orders that are made here are sent. Default: what
	// CCPayment's console says.
	WebhookURL string `json:"webhook_url,omitempty"`

	// Text that stands in front of every order id at CCPayment and is removed
	// towards the app. An order id without it belongs to another shop: its
	// events are recorded and acknowledged, but not forwarded.
	OrderPrefix string `json:"order_prefix,omitempty"`
}

// isSet reports whether any option is given.
func (a *Account) isSet() bool {
	return a.AppID+a.AppSecret+a.WebhookKey+a.OrderPrefix+a.PrivateKey+a.BaseURL+a.WebhookURL != "" ||
		a.APITimeout != 0 || len(a.PreviousSecrets) > 0
}

// PreviousSecret is an app secret that was replaced.
type PreviousSecret struct {
	// The secret. Required.
	Secret string `json:"secret,omitempty"`

	// When it stops verifying, in RFC 3339. Default: when it is removed here.
	Until string `json:"until,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ccpayment",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision sets up the accounts and the store's module. It opens nothing, so
// that a configuration can be validated beside a running server.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	a.now = time.Now
	a.http = client.NewHTTPClient()
	a.routes = make(map[string]string)
	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}

	events, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("getting events app: %v", err)
	}
	if err := events.(*caddyevents.App).On("started", startWatcher{a}); err != nil { // Caddy's own, once all apps have
		return fmt.Errorf("listening for the start: %v", err)
	}

	if a.StoreRaw == nil {
		a.StoreRaw = caddyconfig.JSONModuleObject(struct{}{}, "module", "bolt", nil)
	}
	mod, err := ctx.LoadModule(a, "StoreRaw")
	if err != nil {
		return fmt.Errorf("loading store module: %v", err)
	}
	store, ok := mod.(ledger.Driver)
	if !ok {
		return fmt.Errorf("module %T is not a store", mod)
	}
	a.store = store

	// Accounts are checked here although handlers resolve them: a mistake in
	// one that no handler uses yet is a mistake all the same.
	for name := range a.Accounts {
		if strings.TrimSpace(name) == "" {
			return errors.New("an account has no name")
		}
		if _, err := a.credentials(name); err != nil {
			return err
		}
	}
	if a.isSet() {
		if _, err := a.credentials(""); err != nil {
			return err
		}
	}
	return nil
}

// Start opens the ledger, so that a file that cannot be used fails the new
// configuration and not the first payment.
func (a *App) Start() error {
	if err := a.hold(); err != nil {
		return err
	}
	a.warnUnconfigured(a.held)
	enterRunning(a)
	a.logger.Info("started", zap.Strings("routes", slices.Sorted(maps.Keys(a.routes))), zap.Int("handed_over_by_us", len(a.couriers())))
	return nil
}

// Stop ends the handing over in the background, which goes on with the next
// configuration, if there is one. Requests that still run keep using the ledger.
func (a *App) Stop() error {
	leaveRunning(a)
	a.mu.Lock()
	shared := a.held
	a.mu.Unlock()
	if shared != nil {
		shared.leave(a)
	}
	return nil
}

// Cleanup gives the ledger back. The last configuration, or the last request,
// that used it closes it.
func (a *App) Cleanup() error {
	leaveRunning(a)
	if a.http != nil {
		a.http.CloseIdleConnections()
	}
	return a.letGo()
}

// credentials resolves an account by name; the empty name is the default one.
// All that use an account have the same, for they share its API client.
func (a *App) credentials(name string) (*credentials, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.resolved[name]; c != nil {
		return c, nil
	}
	account, label := &a.Account, "default account"
	if name != "" {
		if account = a.Accounts[name]; account == nil {
			return nil, fmt.Errorf("account %q is not configured: add `account %s { … }` to the global option ccpayment", name, name)
		}
		label = fmt.Sprintf("account %q", name)
	}
	c, err := newCredentials(account, name, a.http)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", label, err)
	}
	if a.resolved == nil {
		a.resolved = make(map[string]*credentials)
	}
	a.resolved[name] = c
	return c, nil
}

// appOf returns the App of the configuration that is being provisioned.
func appOf(ctx caddy.Context) (*App, error) {
	module, err := ctx.App("ccpayment")
	if err != nil {
		return nil, fmt.Errorf("getting ccpayment app: %v", err)
	}
	return module.(*App), nil
}

// tillOf returns the till of an account, of which there is one.
func (a *App) tillOf(account string) (*till, error) {
	c, err := a.credentials(account)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tills == nil {
		a.tills = make(map[string]*till)
	}
	if a.tills[account] == nil {
		a.tills[account] = newTill(a, account, c)
	}
	return a.tills[account], nil
}

// claimRoute registers a route name. The same name may stand for one and the
// same configuration only, because the ledger tells routes apart by name. It
// reports whether the name stands for the first time.
func (a *App) claimRoute(name, config string) (first bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	other, taken := a.routes[name]
	if taken && other != config {
		return false, fmt.Errorf("two directives with different options have the route name %q: give each its own with `route <name>`", name)
	}
	a.routes[name] = config
	return !taken, nil
}

// startWatcher learns that the App's configuration has started. Caddy logs who
// listens as JSON, so nothing of it is exported: an App has secrets.
type startWatcher struct{ app *App }

// Handle implements caddyevents.Handler.
func (w startWatcher) Handle(context.Context, caddy.Event) error {
	w.app.mu.Lock()
	shared := w.app.held
	w.app.mu.Unlock()
	if shared != nil {
		shared.ready(w.app)
	}
	return nil
}

// addRoute notes a handler of a route that is claimed for the first time.
func (a *App) addRoute(h *Webhook) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers = append(a.handlers, h)
}

// routesThatConfirm are the configured routes, and whether they confirm: only
// then they may tell to fulfil an order.
func (a *App) routesThatConfirm() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	routes := make(map[string]bool, len(a.handlers))
	for _, h := range a.handlers {
		routes[h.routeName] = h.Confirm == "on"
	}
	return routes
}

// couriers are the handlers whose events are handed over in the background.
func (a *App) couriers() []*Webhook {
	a.mu.Lock()
	defer a.mu.Unlock()
	var deliver []*Webhook
	for _, h := range a.handlers {
		if h.delivery != nil {
			deliver = append(deliver, h)
		}
	}
	return deliver
}

func (a *App) hasCourier(route string) bool {
	return slices.ContainsFunc(a.couriers(), func(h *Webhook) bool { return h.routeName == route })
}

// routeModes are the routes of the configuration, with nothing counted yet.
func (a *App) routeModes() map[string]*routeStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	modes := make(map[string]*routeStatus)
	for _, h := range a.handlers {
		mode := "pass-through"
		if h.delivery != nil {
			mode = "deliver"
		}
		modes[h.routeName] = &routeStatus{Account: h.accountName, Route: h.routeName, Mode: mode}
	}
	return modes
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)

var errReleased = errors.New("this configuration has ended")
