package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reconciled tells how the comparing of records goes.
var Reconciled = &reconciled{
	Missing: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "ccpayment", Name: "reconcile_missing_total",
		Help: "Records at the gateway that no webhook told the app of.",
	}, []string{"account"}),
	looked: make(map[string]time.Time),
}

type reconciled struct {
	Missing *prometheus.CounterVec

	mu     sync.Mutex
	looked map[string]time.Time
}

var ageDesc = prometheus.NewDesc("caddy_ccpayment_reconcile_age_seconds",
	"Time since the records of the account were last compared with the ledger.", []string{"account"}, nil)

// Looked notes when the records of an account were last compared; the zero time: they are
// not any more.
func (r *reconciled) Looked(account string, at time.Time) {
	r.Missing.WithLabelValues(account) // at zero, so that an alert sees even the first
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.looked[account] = at; at.IsZero() {
		delete(r.looked, account)
	}
}

// Describe implements [prometheus.Collector].
func (r *reconciled) Describe(out chan<- *prometheus.Desc) {
	r.Missing.Describe(out)
	out <- ageDesc
}

// Collect implements [prometheus.Collector].
func (r *reconciled) Collect(out chan<- prometheus.Metric) {
	r.Missing.Collect(out)
	r.mu.Lock()
	defer r.mu.Unlock()
	for account, at := range r.looked {
		out <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, time.Since(at).Seconds(), account)
	}
}
