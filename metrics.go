package ccpayment

import (
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/metrics"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reload"
)

// provisionMetrics creates the route's series, at zero, so that an alert sees even
// the first increase.
func (h *Webhook) provisionMetrics() {
	h.webhookTime = metrics.WebhookTime.WithLabelValues(h.route.Name)
	h.deliveryTime = metrics.DeliveryTime.WithLabelValues(h.route.Name)
	h.deliveryLag = metrics.DeliveryLag.WithLabelValues(h.route.Name)
	h.clockSkew = metrics.ClockSkew.WithLabelValues(h.route.Account.Name)
	for _, kind := range confirm.HeldKinds {
		metrics.Held.WithLabelValues(h.route.Name, kind)
	}
}

// census counts the events in the open ledgers. All registries have the same one.
var census = &operator.Collector{Open: func() (open []operator.OpenLedger) {
	ledgers.Range(func(_, value any) bool {
		if l, ok := value.(*reload.Shared); ok {
			open = append(open, operator.OpenLedger{Ledger: l.Ledger, Routes: l.Routes()})
		}
		return true
	})
	return open
}}
