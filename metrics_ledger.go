package ccpayment

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reload"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var (
	eventsDesc = prometheus.NewDesc("caddy_ccpayment_events",
		"Events in the ledger, by where they stand.", []string{"route", "state"}, nil)
	oldestDesc = prometheus.NewDesc("caddy_ccpayment_oldest_pending_seconds",
		"Age of the oldest event that is yet to be handed over, on routes with store-and-forward.", []string{"route"}, nil)
	bytesDesc = prometheus.NewDesc("caddy_ccpayment_ledger_bytes", "Size of the ledger.", nil, nil)
)

// ledgerCollector counts the events in the open ledgers of this process, on each
// scrape. It has no state, so that it is the same in every registry.
type ledgerCollector struct{}

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
	c := census{events: make(map[string]*tally), oldest: make(map[string]time.Duration)}
	for _, l := range openLedgers() {
		c.add(l)
	}
	for route, events := range c.events {
		for state := ledger.Received; state <= ledger.Discarded; state++ {
			out <- prometheus.MustNewConstMetric(eventsDesc, prometheus.GaugeValue, float64(events[state]), route, state.String())
		}
	}
	for route, age := range c.oldest {
		out <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, age.Seconds(), route)
	}
	if c.sized {
		out <- prometheus.MustNewConstMetric(bytesDesc, prometheus.GaugeValue, float64(c.bytes))
	}
}

// census counts the events of all open ledgers, by route.
type census struct {
	events map[string]*tally
	oldest map[string]time.Duration
	bytes  int64
	sized  bool
}

type tally [ledger.Discarded + 1]uint64

func (c *census) add(l *reload.Shared) {
	ctx := context.Background()
	counts, err := l.Counts(ctx)
	if err != nil {
		return
	}
	pending := make(map[string]bool)
	for _, route := range l.Routes() { // a route without events has none in each state
		pending[route] = false
	}
	for _, n := range counts {
		if n.State <= ledger.Discarded {
			c.of(n.Route)[n.State] += n.N
		}
		pending[n.Route] = pending[n.Route] || n.State.Pending()
	}
	for route, some := range pending {
		c.of(route)
		since, ok := operator.OldestPending(ctx, l.Ledger, route)
		switch {
		case ok:
			c.oldest[route] = max(c.oldest[route], time.Since(since))
		case !some:
			c.oldest[route] = max(c.oldest[route], 0)
		} // else the route has no background delivery: the gateway's retries are the retries
	}
	if size, err := l.Size(); err == nil {
		c.bytes, c.sized = c.bytes+size, true
	}
}

func (c *census) of(route string) *tally {
	if c.events[route] == nil {
		c.events[route] = new(tally)
	}
	return c.events[route]
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
