package ccpayment

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reload"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// metrics are the collectors of this process. They are created once and registered
// with each configuration's registry, so that a reload does not reset counters.
var metrics = struct {
	webhooks     *prometheus.CounterVec
	webhookTime  *prometheus.HistogramVec
	deliveryTime *prometheus.HistogramVec
	deliveryLag  *prometheus.HistogramVec
	clockSkew    *prometheus.GaugeVec
	commits      prometheus.Histogram
	held         *prometheus.CounterVec
	apiRequests  *prometheus.CounterVec
	apiTime      *prometheus.HistogramVec
}{
	webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "webhooks_total",
		Help: "Webhooks received, by what became of them.",
	}, []string{"account", "route", "type", "outcome"}),
	webhookTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "webhook_duration_seconds",
		Help: "Time from a webhook's arrival to the answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
	}, []string{"route"}),
	deliveryTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "delivery_duration_seconds",
		Help: "Time that one attempt at the app took.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
	}, []string{"route"}),
	deliveryLag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "delivery_lag_seconds",
		Help: "Time from an event's first receipt to the app's yes.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 12),
	}, []string{"route"}),
	clockSkew: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "clock_skew_seconds",
		Help: "Our clock minus the time that the latest verified webhook was signed at.",
	}, []string{"account"}),
	commits: prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "ledger_commit_seconds",
		Help: "Time that one durable commit of the ledger took.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
	}),
	held: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "held_total",
		Help: "Events that were held back for an operator, by why: risky, mismatch or late.",
	}, []string{"route", "cause"}),
	apiRequests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "api_requests_total",
		Help: "Requests to CCPayment's API, by its code; where it gave none: http_<status>, timeout, canceled or network.",
	}, []string{"account", "endpoint", "code"}),
	apiTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "api_duration_seconds",
		Help: "Time that one request to CCPayment's API took.", Buckets: prometheus.ExponentialBuckets(0.005, 3, 9),
	}, []string{"endpoint"}),
}

// registerMetrics registers the collectors with a configuration's registry.
func registerMetrics(registry *prometheus.Registry) error {
	for _, collector := range []prometheus.Collector{
		metrics.webhooks, metrics.webhookTime, metrics.deliveryTime, metrics.deliveryLag,
		metrics.clockSkew, metrics.commits, metrics.held, metrics.apiRequests, metrics.apiTime,
		ledgerCollector{},
	} {
		if err := registry.Register(collector); err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			return fmt.Errorf("registering metrics: %v", err)
		}
	}
	return nil
}

// provisionMetrics creates the route's series, at zero, so that an alert sees even
// the first increase.
func (h *Webhook) provisionMetrics() {
	h.webhookTime = metrics.webhookTime.WithLabelValues(h.route.Name)
	h.deliveryTime = metrics.deliveryTime.WithLabelValues(h.route.Name)
	h.deliveryLag = metrics.deliveryLag.WithLabelValues(h.route.Name)
	h.clockSkew = metrics.clockSkew.WithLabelValues(h.route.Account.Name)
	for _, kind := range confirm.HeldKinds {
		metrics.held.WithLabelValues(h.route.Name, kind)
	}
}

// observeAPI returns a function that counts and times an account's API calls.
func observeAPI(account string) func(gateway.Call) {
	return func(c gateway.Call) {
		metrics.apiRequests.WithLabelValues(account, c.Endpoint, c.Code).Inc()
		metrics.apiTime.WithLabelValues(c.Endpoint).Observe(c.Took.Seconds())
	}
}

// typeLabel returns the value of the label `type`: a type that the gateway documents,
// or other. Webhooks must not be able to add values without limit.
func typeLabel(n gateway.Notice, info gateway.Info) string {
	if _, isKnown := info.Type(n.Type); isKnown || n.Ping || n.Type == "" {
		return n.Type
	}
	return "other"
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
