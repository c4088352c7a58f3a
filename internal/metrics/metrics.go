// Package metrics has the collectors of this process. They are created once and
// registered with each configuration's registry, so that a reload does not reset counters.
package metrics

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// The collectors.
var (
	Webhooks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "webhooks_total",
		Help: "Webhooks received, by what became of them.",
	}, []string{"account", "route", "type", "outcome"})
	WebhookTime = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "webhook_duration_seconds",
		Help: "Time from a webhook's arrival to the answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
	}, []string{"route"})
	DeliveryTime = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "delivery_duration_seconds",
		Help: "Time that one attempt at the app took.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
	}, []string{"route"})
	DeliveryLag = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "delivery_lag_seconds",
		Help: "Time from an event's first receipt to the app's yes.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 12),
	}, []string{"route"})
	ClockSkew = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "clock_skew_seconds",
		Help: "Our clock minus the time that the latest verified webhook was signed at.",
	}, []string{"account"})
	Commits = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "ledger_commit_seconds",
		Help: "Time that one durable commit of the ledger took.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
	})
	Held = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "held_total",
		Help: "Events that were held back for an operator, by why: risky, mismatch, late or closed.",
	}, []string{"route", "cause"})
	Checkouts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "checkouts_total",
		Help: "Requests for a checkout, by where their terms are from, and what became of them: new, again, or an error's word.",
	}, []string{"account", "source", "outcome"})
	APIRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "api_requests_total",
		Help: "Requests to the gateway's API, by its code; where it gave none: http_<status>, timeout, canceled or network.",
	}, []string{"account", "endpoint", "code"})
	APITime = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "api_duration_seconds",
		Help: "Time that one request to the gateway's API took.", Buckets: prometheus.ExponentialBuckets(0.005, 3, 9),
	}, []string{"endpoint"})
)

// Register registers the collectors, and others, with a registry that may have them.
func Register(registry *prometheus.Registry, others ...prometheus.Collector) error {
	all := append([]prometheus.Collector{
		Webhooks, WebhookTime, DeliveryTime, DeliveryLag, ClockSkew, Commits, Held, Checkouts, APIRequests, APITime, Reconciled,
	}, others...)
	for _, collector := range all {
		if err := registry.Register(collector); err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			return fmt.Errorf("registering metrics: %v", err)
		}
	}
	return nil
}

// CountCheckouts returns a function that counts requests for a checkout whose terms are from
// a source, by the account and what became of them.
func CountCheckouts(source string) func(account, outcome string) {
	return func(account, outcome string) { Checkouts.WithLabelValues(account, source, outcome).Inc() }
}

// ObserveAPI returns a function that counts and times an account's API calls.
func ObserveAPI(account string) func(gateway.Call) {
	return func(c gateway.Call) {
		APIRequests.WithLabelValues(account, c.Endpoint, c.Code).Inc()
		APITime.WithLabelValues(c.Endpoint).Observe(c.Took.Seconds())
	}
}

// TypeLabel returns the value of the label type: a type that the gateway documents,
// or other. Webhooks must not be able to add values without limit.
func TypeLabel(n gateway.Notice, info gateway.Info) string {
	if _, isKnown := info.Type(n.Type); isKnown || n.Ping || n.Type == "" {
		return n.Type
	}
	return "other"
}
