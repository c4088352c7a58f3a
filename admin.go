package ccpayment

import "github.com/caddyserver/caddy/v2"

func init() {
	caddy.RegisterModule(adminMetrics{})
}

// adminMetrics registers the metrics with what the admin endpoint serves, too.
// That is the registry of the configuration that was loaded last, even if the
// load failed before it came to the App.
type adminMetrics struct{}

// CaddyModule returns the Caddy module information.
func (adminMetrics) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.ccpayment",
		New: func() caddy.Module { return adminMetrics{} },
	}
}

// Provision registers the metrics.
func (adminMetrics) Provision(ctx caddy.Context) error {
	return registerMetrics(ctx.GetMetricsRegistry())
}

// Routes returns none.
func (adminMetrics) Routes() []caddy.AdminRoute { return nil }

// Interface guards
var (
	_ caddy.Provisioner = adminMetrics{}
	_ caddy.AdminRouter = adminMetrics{}
)
