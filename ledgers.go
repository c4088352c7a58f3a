package ccpayment

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reload"
)

// ledgers holds the open ledgers of this process: a bolt file can be open only
// once.
var ledgers = pool{caddy.NewUsagePool()}

// running are the Apps that have started and not stopped yet.
var running reload.Running[*App]

// pool is Caddy's usage pool, for ledgers.
type pool struct{ *caddy.UsagePool }

// Acquire implements [reload.Pool].
func (p pool) Acquire(key string, open func() (*reload.Shared, error)) (*reload.Shared, error) {
	value, _, err := p.LoadOrNew(key, func() (caddy.Destructor, error) { return open() })
	if err != nil {
		return nil, err
	}
	return value.(*reload.Shared), nil
}

// Release implements [reload.Pool].
func (p pool) Release(key string) error {
	_, err := p.Delete(key)
	return err
}

// census counts the events in the open ledgers. All registries have the same one.
var census = &operator.Collector{Refusals: &refusals, Open: func() (open []operator.OpenLedger) {
	for _, l := range reload.Open() {
		open = append(open, operator.OpenLedger{Ledger: l.Ledger, Routes: l.Routes()})
	}
	return open
}}

// alike returns the options that all Caddys which share a ledger must have
// alike, by what each option is: where they differ, it depends on which of them a webhook
// meets what becomes of it. Secrets are not among them, nor what each may have its own of,
// such as addresses, times that a request may take, and limits.
func (a *App) alike() map[string]any {
	options := map[string]any{"retention": a.ledger.Driver.Retention(), "reconcile": a.Reconcile}
	for _, account := range a.opened() {
		options["app_id of the "+gateway.Label(account.Name)] = []string{account.Info.Name, account.Info.AccountID}
		options["order_prefix of the "+gateway.Label(account.Name)] = account.OrderPrefix
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.handlers {
		for name, value := range h.route.Options() {
			options[name+" of the route "+h.route.Name] = value
		}
	}
	return options
}
