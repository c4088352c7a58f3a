package ccpayment

import (
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/metrics"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reload"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
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

var (
	eventsDesc = prometheus.NewDesc("caddy_ccpayment_events",
		"Events in the ledger, by where they stand.", []string{"route", "state"}, nil)
	oldestDesc = prometheus.NewDesc("caddy_ccpayment_oldest_pending_seconds",
		"Age of the oldest event that is yet to be handed over, on routes with store-and-forward.", []string{"route"}, nil)
	bytesDesc = prometheus.NewDesc("caddy_ccpayment_ledger_bytes", "Size of the ledger.", nil, nil)
)

// ledgerCollector counts the events in the open ledgers of this process, on each
// scrape; those that other processes share every few seconds. It has no state of its
// own, so that it is the same in every registry.
type ledgerCollector struct{}

var recent operator.Recent

// Describe implements prometheus.Collector.
func (ledgerCollector) Describe(out chan<- *prometheus.Desc) {
	out <- eventsDesc
	out <- oldestDesc
	out <- bytesDesc
}

// Collect implements prometheus.Collector. During a reload that changes the store,
// two ledgers may be open with routes of the same name: their events add up. A
// ledger that cannot be read is left out, so that the other metrics are served.
func (ledgerCollector) Collect(out chan<- prometheus.Metric) {
	open := openLedgers()
	count := func(ctx context.Context) *operator.Census {
		c := operator.NewCensus()
		for _, l := range open {
			c.Add(ctx, l.Ledger, l.Routes())
		}
		return c
	}
	var c *operator.Census
	if slices.ContainsFunc(open, func(l *reload.Shared) bool { return l.IsShared() }) {
		c = recent.Census(count)
	} else {
		c = count(context.Background())
	}
	for route, events := range c.Events {
		for state := ledger.Received; state <= ledger.Discarded; state++ {
			out <- prometheus.MustNewConstMetric(eventsDesc, prometheus.GaugeValue, float64(events[state]), route, state.String())
		}
	}
	for route, age := range c.Oldest {
		out <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, age.Seconds(), route)
	}
	if c.Sized {
		out <- prometheus.MustNewConstMetric(bytesDesc, prometheus.GaugeValue, float64(c.Bytes))
	}
}

// openLedgers returns the open ledgers of this process, which may be closed at any
// moment.
func openLedgers() []*reload.Shared {
	var open []*reload.Shared
	ledgers.Range(func(_, value any) bool {
		if l, ok := value.(*reload.Shared); ok {
			open = append(open, l)
		}
		return true
	})
	return open
}

var _ prometheus.Collector = ledgerCollector{}
