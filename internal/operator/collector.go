package operator

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// OpenLedger is a ledger that this process has open, with its configured routes.
type OpenLedger struct {
	*ledger.Ledger
	Routes []string
}

// Collector counts the events in the open ledgers of this process, on each scrape; those
// that other processes share every few seconds.
type Collector struct {
	// Open returns the open ledgers, which may be closed at any moment.
	Open func() []OpenLedger
	// Refusals are those of this process.
	Refusals *Refusals

	recent Recent
}

var (
	eventsDesc = prometheus.NewDesc("caddy_ccpayment_events",
		"Events in the ledger, by where they stand.", []string{"route", "state"}, nil)
	oldestDesc = prometheus.NewDesc("caddy_ccpayment_oldest_pending_seconds",
		"Age of the oldest event that is yet to be handed over, on routes with store-and-forward.", []string{"route"}, nil)
	budgetDesc = prometheus.NewDesc("caddy_ccpayment_retry_budget_seconds",
		"For how long the gateway goes on trying the oldest event that was refused here, where its schedule is known.", []string{"route"}, nil)
	bytesDesc = prometheus.NewDesc("caddy_ccpayment_ledger_bytes", "Size of the ledger.", nil, nil)
)

// Describe implements prometheus.Collector.
func (*Collector) Describe(out chan<- *prometheus.Desc) {
	out <- eventsDesc
	out <- oldestDesc
	out <- budgetDesc
	out <- bytesDesc
}

// Collect implements prometheus.Collector. During a reload that changes the store,
// two ledgers may be open with routes of the same name: their events add up. A
// ledger that cannot be read is left out, so that the other metrics are served.
func (k *Collector) Collect(out chan<- prometheus.Metric) {
	open := k.Open()
	count := func(ctx context.Context) *Census {
		c := NewCensus()
		for _, l := range open {
			c.Add(ctx, l.Ledger, l.Routes)
		}
		return c
	}
	var c *Census
	if slices.ContainsFunc(open, func(l OpenLedger) bool { return l.IsShared() }) {
		c = k.recent.Census(count)
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
	now := time.Now()
	for route, budget := range k.Refusals.Budgets(context.Background(), now, first(open)) {
		if !budget.Until.IsZero() {
			out <- prometheus.MustNewConstMetric(budgetDesc, prometheus.GaugeValue, budget.Left(now).Seconds(), route)
		}
	}
	if c.Sized {
		out <- prometheus.MustNewConstMetric(bytesDesc, prometheus.GaugeValue, float64(c.Bytes))
	}
}

// first is the ledger that knows what became of refused events; nil: there may be several.
func first(open []OpenLedger) ledger.Reader {
	if len(open) != 1 {
		return nil
	}
	return open[0].Ledger
}

// Interface guard
var _ prometheus.Collector = (*Collector)(nil)
