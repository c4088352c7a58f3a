package ccpayment

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of this process. They are made once and
// registered with each configuration's registry, so that counters go on over a
// reload.
var metrics = struct {
	webhooks     *prometheus.CounterVec
	webhookTime  *prometheus.HistogramVec
	deliveryTime *prometheus.HistogramVec
	deliveryLag  *prometheus.HistogramVec
	clockSkew    *prometheus.GaugeVec
	commits      prometheus.Histogram
	ledgerBytes  prometheus.Gauge
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
	ledgerBytes: prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "ledger_bytes",
		Help: "Size of the ledger.",
	}),
}

// registerMetrics registers the collectors with a configuration's registry.
func registerMetrics(registry *prometheus.Registry) error {
	for _, collector := range []prometheus.Collector{
		metrics.webhooks, metrics.webhookTime, metrics.deliveryTime, metrics.deliveryLag,
		metrics.clockSkew, metrics.commits, metrics.ledgerBytes,
	} {
		if err := registry.Register(collector); err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			return fmt.Errorf("registering metrics: %v", err)
		}
	}
	return nil
}

// typeLabel keeps the label's values few: a type comes from outside.
func typeLabel(typ string) string {
	switch typ {
	case "DirectDeposit", "ApiDeposit", "ApiWithdrawal", "UserDeposit", "UserWithdrawal", activationType:
		return typ
	case "":
		return ""
	default:
		return "other"
	}
}
