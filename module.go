// Package ccpayment makes Caddy the payment edge of a shop: it verifies payment
// gateways' webhooks and delivers each event to the app behind it exactly once.
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
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/hookpath"
	"github.com/seed-338f6760/caddy-ccpayment/internal/metrics"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reconcile"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reload"
	"github.com/seed-338f6760/caddy-ccpayment/internal/secrets"
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

	// The store that the ledger keeps its events and orders in. Default: `bolt`.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=ccpayment.stores inline_key=module"`

	// Further merchant accounts, by name.
	Accounts map[string]*Account `json:"accounts,omitempty"`

	// How the gateways' records are compared with the ledger, so that the app is told of
	// what no webhook told. Default: every 15 minutes.
	Reconcile reconcile.Options `json:"reconcile,omitzero"`

	reconcile  reconcile.Config
	reconciler *reconcile.Reconciler

	ledger   *reload.Handle
	registry *checkout.Registry
	secrets  *secrets.Watcher
	unwatch  context.CancelFunc // nil: it does not run
	logger   *zap.Logger
	now      func() time.Time
	http     *http.Client // for all accounts' API calls

	confirmedAt atomic.Pointer[time.Time] // when an event was last confirmed

	mu       sync.Mutex
	routes   map[string]string           // the configuration of each route name
	handlers []*Webhook                  // one for each route
	servers  []*caddyhttp.Server         // that have a handler of ours
	accounts map[string]*gateway.Account // each account that was asked for
	before   []*gateway.Account          // of the configuration that runs, until this one does
	limits   map[string]int              // how many limits have each name
	site     func() hookpath.Site        // for who asks when the configuration is whole

	rejections sync.Map // by route: how often its rejections are emitted
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
	a.site = sync.OnceValue(a.sketch)
	if err := metrics.Register(ctx.GetMetricsRegistry(), census); err != nil {
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
	driver, ok := mod.(ledger.Driver)
	if !ok {
		return fmt.Errorf("module %T is not a store", mod)
	}
	a.ledger = reload.New(reload.Config{
		Driver: driver, Pool: ledgers, Now: a.now, Logger: a.logger,
		Committed: func(took time.Duration) { metrics.Commits.Observe(took.Seconds()) }, Exiting: caddy.Exiting,
	})
	a.registry = checkout.NewRegistry(checkout.Config{Ledger: a.ledger.Acquire, Replay: a.replay, RouteOf: a.routeOf, Expiries: relay.Expiries{Routes: a.relays, Hook: func(account, route string) string { return a.site().Hook(account, route) }}, Now: a.now, Logger: a.logger})
	a.secrets = secrets.New(caddy.NewReplacer(), a.logger)
	for _, app := range running.Latest() {
		a.before = append(a.before, app.opened()...)
	}
	if a.reconcile, err = a.Reconcile.Resolve(caddy.NewReplacer(), caddy.ParseDuration); err != nil {
		return err
	}
	a.reconcile.Logger, a.reconcile.Missed, a.reconcile.Looked = a.logger, a.reportMissed, metrics.Reconciled.Looked
	return a.checkAccounts(ctx)
}

// checkAccounts opens all accounts, although handlers ask for them: a mistake in
// one that no handler uses yet is a mistake all the same.
func (a *App) checkAccounts(ctx caddy.Context) error {
	if err := a.loadGateways(ctx); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(a.Accounts)) {
		if strings.TrimSpace(name) == "" {
			return errors.New("an account has no name")
		}
		if _, err := a.account(name); err != nil {
			return err
		}
	}
	if a.isSet() {
		if a.Accounts[ledger.DefaultAccount] != nil {
			return fmt.Errorf("account %q: operators call the account at the top level by this name: give the other a name of its own", ledger.DefaultAccount)
		}
		if _, err := a.account(""); err != nil {
			return err
		}
	}
	for _, one := range a.opened() {
		if one.Orders != "" && !confirm.HasRecords(one.Info) {
			return fmt.Errorf("%s: orders: %s has no records by which payments could be confirmed, leave it out", one.Label(), one.Info.Title)
		}
	}
	gateway.ShareOrders(a.opened())
	return nil
}

// loadGateways loads the gateway modules that accounts name.
func (a *App) loadGateways(ctx caddy.Context) error {
	if err := a.loadGateway(ctx); err != nil {
		return fmt.Errorf("default account: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Accounts)) {
		account := a.Accounts[name]
		if account == nil {
			continue // whoever asks for it gets to know
		}
		if err := account.loadGateway(ctx); err != nil {
			return fmt.Errorf("account %q: %v", name, err)
		}
	}
	return nil
}

// Start opens the ledger, so that a file that cannot be used fails the new
// configuration and not the first payment.
func (a *App) Start() error {
	routes := make([]reload.Route, 0, len(a.handlers))
	background := 0
	for _, h := range a.handlers {
		route := reload.Route{Name: h.route.Name, Confirms: !h.route.Trust}
		if h.route.App != nil {
			route.Run = h.route.Run
			background++
		}
		routes = append(routes, route)
	}
	var err error
	if a.reconciler, err = reconcile.New(a.reconcile, reconcile.AccountsOf(a.opened(), a.relays(), a.site())); err != nil {
		return err
	}
	routes = append(routes, reload.Route{Run: a.registry.Ending(a.opened())}, reload.Route{Run: a.reconciler.Run})
	l, err := a.ledger.Start(routes, a.alike())
	if err != nil {
		return err
	}
	a.warnUnconfigured(l)
	a.warnPaths()
	watching, stop := context.WithCancel(context.Background())
	a.unwatch = stop
	a.secrets.Run(watching)
	a.mu.Lock()
	a.before = nil
	a.mu.Unlock()
	running.Enter(a)
	placeholder.Started.Store(true)
	a.logger.Info("started", zap.Strings("routes", slices.Sorted(maps.Keys(a.routes))), zap.Int("handed_over_by_us", background))
	return nil
}

// Stop ends the configuration's background delivery; the next configuration, if
// there is one, resumes it. Requests in flight keep using the ledger.
func (a *App) Stop() error {
	running.Leave(a)
	a.ledger.Stop()
	a.stopWatching()
	return nil
}

// Cleanup releases the configuration's reference to the ledger. The last
// configuration or request that held one closes the ledger.
func (a *App) Cleanup() error {
	running.Leave(a)
	a.stopWatching()
	if a.http != nil {
		a.http.CloseIdleConnections()
	}
	if a.ledger == nil {
		return nil
	}
	return a.ledger.Close()
}

func (a *App) stopWatching() {
	if a.unwatch != nil {
		a.unwatch()
	}
}

// account returns an account by name; the empty name is the default account's.
// All callers get the same value, and so share one API client.
func (a *App) account(name string) (*gateway.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if account := a.accounts[name]; account != nil {
		return account, nil
	}
	configured, label := &a.Account, gateway.Label(name)
	if name != "" {
		if configured = a.Accounts[name]; configured == nil {
			return nil, fmt.Errorf("%s is not configured: add `account %s { … }` to the global option ccpayment", label, name)
		}
	}
	account, err := configured.open(gateway.OpenOptions{
		Account: name, HTTP: a.http, Now: a.now, Logger: a.logger,
		Watch: func(apply secrets.Apply, texts ...string) error { return a.secrets.Watch(label, apply, texts...) },
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %v", label, err)
	}
	for _, other := range a.accounts {
		warning, err := account.Apart(other)
		if err != nil {
			return nil, err
		}
		if warning != "" {
			a.logger.Warn(warning)
		}
	}
	if rotating, ok := account.Gateway.(gateway.Rotating); ok {
		for _, before := range a.before {
			rotating.Succeed(before.Gateway)
		}
	}
	if a.accounts == nil {
		a.accounts = make(map[string]*gateway.Account)
	}
	a.accounts[name] = account
	return account, nil
}

// opened returns the accounts that were asked for.
func (a *App) opened() []*gateway.Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Values(a.accounts))
}

// accountOf returns the account that an event came for, and false where none is
// configured any more. It looks the account up by its id at the gateway, which a
// renamed account keeps.
func (a *App) accountOf(e ledger.Event) (*gateway.Account, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if account := a.accounts[e.Account]; account != nil && account.Info.AccountID == e.AppID {
		return account, true
	}
	for _, account := range a.accounts {
		if account.Info.AccountID == e.AppID {
			return account, true
		}
	}
	return nil, false
}

// appOf returns the App of the configuration that is being provisioned.
func appOf(ctx caddy.Context) (*App, error) {
	module, err := ctx.App("ccpayment")
	if err != nil {
		return nil, fmt.Errorf("getting ccpayment app: %v", err)
	}
	app := module.(*App)
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		app.addServer(server)
	}
	return app, nil
}

// choices returns the accounts at which a handler's buyers check out.
func (a *App) choices(repl placeholder.Replacer, first string, others []string) (checkout.Choices, error) {
	var accounts []*gateway.Account
	for _, name := range append([]string{first}, others...) {
		name, err := placeholder.Optional(repl, "account", name)
		if err != nil {
			return nil, err
		}
		account, err := a.account(name)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, account)
	}
	return a.registry.NewChoices(accounts...)
}

// claimRoute registers a route name. The same name may stand for one and the
// same configuration only, because the ledger keys events by route name. It
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

// addRoute registers the handler that works for a route: the first that claimed it.
func (a *App) addRoute(h *Webhook) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers = append(a.handlers, h)
}

// handlerOf returns the handler of a route; nil: there is none.
func (a *App) handlerOf(route string) *Webhook {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.handlers, func(h *Webhook) bool { return h.route.Name == route })
	if i < 0 {
		return nil
	}
	return a.handlers[i]
}

// routesThatConfirm returns the configured routes, and of each whether it confirms
// its events: only then may it tell the app to fulfil an order. The caller owns
// the map.
func (a *App) routesThatConfirm() map[string]bool {
	routes := make(map[string]bool)
	for _, r := range a.relays() {
		routes[r.Name] = !r.Trust
	}
	return routes
}

// operator returns an operator of the ledger, for the configured routes and accounts.
func (a *App) operator(l *ledger.Ledger) *operator.Operator {
	relays := a.relays()
	routes := make([]operator.Route, 0, len(relays))
	for _, r := range relays {
		routes = append(routes, operator.Route{Account: r.Account.Name, Name: r.Name, Delivers: r.App != nil})
	}
	return &operator.Operator{
		Ledger: l, Routes: routes, Account: a.account, Checkouts: a.registry, LastConfirmedAt: a.confirmedAt.Load(), Now: a.now, Logger: a.logger,
		Secrets: a.secrets.Status, Reconciler: a.reconciler, Refusals: &refusals,
	}
}

// replay makes an event due again, as [operator.Operator.Replay] does. A warning
// counts as an error.
func (a *App) replay(ctx context.Context, e ledger.Event, cause string) error {
	l, release, err := a.ledger.Acquire()
	if err != nil {
		return err
	}
	defer release()
	return redacted(a.operator(l).ReplayOne(ctx, e.Key, cause))
}

// warnUnconfigured logs a warning for each route that has pending events and is not
// configured any more. The configuration is valid all the same. Where other processes
// share the ledger, which may serve the route, nobody knows that yet.
func (a *App) warnUnconfigured(l *ledger.Ledger) {
	if l.IsShared() {
		return
	}
	counts, err := l.Counts(context.Background())
	if err != nil {
		a.logger.Error("the events of routes that are not configured cannot be counted", zap.Error(err))
		return
	}
	for _, route := range operator.RoutesWith(a.operator(l).Routes, nil, counts) {
		if route.Mode == operator.Unconfigured && route.Pending > 0 {
			a.logger.Warn("events of a route that is not configured wait in the ledger, and nobody hands them over: "+
				"give a directive this name with `route`, or discard them (docs/operations.md)",
				zap.String("route", route.Route), zap.Uint64("pending", route.Pending))
		}
	}
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
