package ccpayment

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/metrics"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func init() {
	caddy.RegisterModule(new(adminAPI))
}

// adminAPI serves the operator's API at Caddy's admin endpoint, on the ledger of
// the configuration that works. It also registers the metrics with what that
// endpoint serves: the registry of the configuration that was loaded last, even
// if the load failed before it came to the App.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (*adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.ccpayment",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Provision registers the metrics.
func (*adminAPI) Provision(ctx caddy.Context) error {
	return metrics.Register(ctx.GetMetricsRegistry(), census)
}

// Routes returns the one route under which all endpoints are. Caddy asks for it
// before it provisions the module.
func (*adminAPI) Routes() []caddy.AdminRoute {
	handler := adminapi.NewHandler(adminapi.Config{Use: useOperator, OrderStatus: orderStatus})
	return []caddy.AdminRoute{{
		Pattern: adminapi.Prefix,
		Handler: caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			err := handler.Serve(w, r)
			var refused *adminapi.Error
			if errors.As(err, &refused) {
				return caddy.APIError{HTTPStatus: refused.Status, Err: refused.Err}
			}
			return err
		}),
	}}
}

// useOperator calls a function with the operator of the App that works.
func useOperator(do func(*operator.Operator) error) error {
	app, ok := running.Working()
	if !ok {
		return adminapi.ErrNotConfigured
	}
	l, release, err := app.ledger.Acquire()
	if err != nil {
		return err
	}
	defer release()
	return do(app.operator(l))
}

func orderStatus(o ledger.Order, now time.Time) adminapi.OrderStatus {
	s := checkout.Status(o, now)
	return adminapi.OrderStatus{State: s.State, Due: s.AmountDue, Paid: s.AmountPaid, Currency: s.Currency}
}

// Interface guards
var (
	_ caddy.Provisioner = (*adminAPI)(nil)
	_ caddy.AdminRouter = (*adminAPI)(nil)
)
