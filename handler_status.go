package ccpayment

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func init() {
	caddy.RegisterModule(new(Status))
}

// Status tells a buyer's page whether its order is paid: it answers GET
// `?t=<token>`, with the token that was added to the order's return_url. With
// `wait=25s` it answers as soon as the order changes.
type Status struct {
	// The name of the merchant account. Default: the account at the top level
	// of the ccpayment app.
	Account string `json:"account,omitempty"`

	app     *App
	account string
	secrets *credentials
}

// longestWait is how long a page may wait for a change.
const longestWait = 55 * time.Second

// CaddyModule returns the Caddy module information.
func (*Status) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ccpayment_status",
		New: func() caddy.Module { return new(Status) },
	}
}

// Provision resolves the account.
func (h *Status) Provision(ctx caddy.Context) error {
	var err error
	if h.app, err = appOf(ctx); err != nil {
		return err
	}
	if h.account, err = optional(caddy.NewReplacer(), "account", h.Account); err != nil {
		return err
	}
	h.secrets, err = h.app.credentials(h.account)
	return err
}

// statusView is what a buyer's page is told.
type statusView struct {
	OrderID    string     `json:"order_id"`
	State      string     `json:"state"`
	AmountDue  string     `json:"amount_due"`
	AmountPaid string     `json:"amount_paid"`
	Currency   string     `json:"currency"`
	ExpiresAt  *time.Time `json:"expires_at"`
	Fulfilled  bool       `json:"fulfilled"`
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Status) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("use GET"))
	}
	query := r.URL.Query()
	orderID, ok := h.secrets.readStatusToken(query.Get("t"))
	if !ok {
		return caddyhttp.Error(http.StatusNotFound, errors.New("there is no order with this token"))
	}
	var wait time.Duration
	if text := query.Get("wait"); text != "" {
		var err error
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 {
			return caddyhttp.Error(http.StatusBadRequest, errors.New("wait must be a duration such as 25s"))
		}
	}
	view, err := h.view(r.Context(), orderID, min(wait, longestWait))
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return caddyhttp.Error(http.StatusNotFound, err)
	case err != nil:
		w.Header().Set("Retry-After", "5")
		return caddyhttp.Error(http.StatusServiceUnavailable, err)
	}
	return writeJSON(w, http.StatusOK, view)
}

// view reads the order, and waits for its next change where that is wished.
func (h *Status) view(ctx context.Context, orderID string, wait time.Duration) (statusView, error) {
	shared, err := h.app.acquireLedger()
	if err != nil {
		return statusView{}, err
	}
	defer h.app.releaseLedger()
	id := ledger.OrderID{AppID: h.secrets.appID, ID: h.secrets.orderPrefix + orderID}
	changed, stop := shared.Watch(id) // before it is read, so that no change is missed
	defer stop()
	order, err := shared.Order(ctx, id)
	if err != nil || wait <= 0 || order.FulfilledBy != "" {
		return viewStatus(order, h.app.now()), err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-changed:
		order, err = shared.Order(ctx, id)
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return viewStatus(order, h.app.now()), err
}

func viewStatus(o ledger.Order, now time.Time) statusView {
	v := statusView{
		OrderID: o.OwnID, State: o.State, AmountDue: o.Due, AmountPaid: o.Paid, Currency: o.Currency,
		Fulfilled: o.Fulfilled(),
	}
	if c := o.Checkout; c != nil {
		if at := c.Latest().ExpiresAt; !at.IsZero() {
			v.ExpiresAt = &at
		}
		if v.State == "" {
			v.State, v.AmountDue, v.AmountPaid, v.Currency = "unpaid", c.Terms.Price, "0", c.Symbol
			if v.ExpiresAt != nil && now.After(*v.ExpiresAt) {
				v.State = "expired"
			}
		}
	}
	return v
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Status)(nil)
	_ caddyhttp.MiddlewareHandler = (*Status)(nil)
)
