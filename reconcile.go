package ccpayment

import (
	"context"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/metrics"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reconcile"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// provisionReconcile resolves the options of reconcile.
func (a *App) provisionReconcile() error {
	c, err := a.Reconcile.Resolve(caddy.NewReplacer(), caddy.ParseDuration)
	c.Logger, c.Missed, c.Looked = a.logger, a.reportMissed, metrics.Reconciled.Looked
	a.reconcile = c
	return err
}

// newReconciler returns what compares the records of the accounts that have routes.
func (a *App) newReconciler() (*reconcile.Reconciler, error) {
	site, c := a.site(), a.reconcile
	if c.Route != "" && a.handlerOf(c.Route) == nil {
		return nil, fmt.Errorf("reconcile: there is no route %q: name one of a ccpayment_webhook", c.Route)
	}
	for _, account := range a.opened() {
		mine := slices.DeleteFunc(slices.Clone(a.handlers), func(h *Webhook) bool { return h.route.Account != account })
		one := reconcile.Account{Account: account}
		for _, h := range mine {
			route := reconcile.Route{Name: h.route.Name}
			hook := site.Path(route.Name)
			if len(mine) == 1 && account.WebhookURL != "" {
				hook = account.WebhookURL
			}
			if h.route.App != nil {
				route.Tell = func(ctx context.Context, listed gateway.Listed, l *ledger.Ledger) (ledger.Verdict, error) {
					return h.route.Backfill(ctx, listed, hook, l)
				}
			}
			one.Routes = append(one.Routes, route)
		}
		c.Accounts = append(c.Accounts, one)
		metrics.Reconciled.Missing.WithLabelValues(account.Name)
	}
	return reconcile.New(c), nil
}

// reportMissed reports a record that no webhook told.
func (a *App) reportMissed(m reconcile.Missed) {
	metrics.Reconciled.Missing.WithLabelValues(m.Account).Inc()
	a.logger.Warn("the gateway has a record of which no webhook came", zap.Any("record", m.Facts()), zap.String("why_not_told", m.Record.Why))
	if i := slices.IndexFunc(a.handlers, func(h *Webhook) bool { return m.Route == "" || h.route.Name == m.Route }); i >= 0 {
		a.handlers[i].events.emit(eventMissed, m.Facts())
	}
}
