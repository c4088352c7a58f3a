package ccpayment

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
)

// checkOut opens the request's checkout session and sends the buyer to its page.
func (h *Checkout) checkOut(w http.ResponseWriter, r *http.Request, request checkout.Request) error {
	at, err := h.choices.Of(request)
	if err != nil {
		return h.fail(w, r, err, request)
	}
	request = h.complete(r, request, at)
	if h.limits != nil {
		request.Limits, request.Client = h.limits, clientIP(r.Context(), r.RemoteAddr)
		if doubt := doubtClientIP(r); doubt != nil {
			h.warnLimit.Do(func() {
				h.logger.Warn("limit may count many buyers as one", zap.String("limit", h.Limit), zap.NamedError("cause", doubt))
			})
		} else if isForgeable(r) {
			h.warnLimit.Do(func() {
				h.logger.Warn("limit can be passed with a forged X-Forwarded-For: set trusted_proxies_strict", zap.String("limit", h.Limit))
			})
		}
	}
	session, err := at.Open(r.Context(), request)
	if err == nil {
		err = at.CheckHost(session.CheckoutURL)
	}
	var field *gateway.FieldError
	if h.BuyerPrice != nil && errors.As(err, &field) && field.Field == "price" {
		err = badAmount(field) // only the gateway knows how many decimals the currency has
	}
	if err != nil {
		return h.fail(w, r, err, request)
	}
	h.count(at.Account().Name, checkout.OutcomeOf(session, nil))
	if session.IsNew {
		h.logger.Info("made an order", zap.String("order_id", redact.Emails(session.OrderID)), zap.String("gateway_order_id", session.ID))
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if to := checkout.FrontEndOf(r, h.Respond); to != checkout.Program {
		return to.Redirect(w, session.CheckoutURL)
	}
	status := http.StatusOK
	if session.IsNew {
		status = http.StatusCreated
	}
	return writeJSON(w, status, checkout.ViewOf(session))
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}

// fail responds with an error: to programs in JSON; for browsers it returns the error
// to Caddy, which shows it by `handle_errors`. It redirects a buyer whose order is
// paid to its return_url, if it has one.
func (h *Checkout) fail(w http.ResponseWriter, r *http.Request, err error, request checkout.Request) error {
	var e *checkout.Error
	if !errors.As(err, &e) {
		e = &checkout.Error{Status: http.StatusInternalServerError, Code: "internal", Text: "the checkout failed", Cause: err}
	}
	if e.Status >= http.StatusInternalServerError {
		h.logger.Error("no checkout", zap.String("order_id", redact.Emails(request.OrderID)), zap.String("code", e.Code), zap.Int("status", e.Status), zap.Error(redacted(e)))
	}
	at, _ := h.choices.Of(request)
	h.count(at.Account().Name, e.Code)
	w.Header().Set("Cache-Control", "no-store")
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds()+0.999)))
	}
	if to := checkout.FrontEndOf(r, h.Respond); to != checkout.Program {
		repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		repl.Set("http.ccpayment.error", e.Code)
		repl.Set("http.ccpayment.cause", redacted(e).Error())
		repl.Set("http.ccpayment.gateway_code", e.GatewayCode) // empty rather than unknown, so that no page shows the placeholder
		if back := at.ReturnURL(request); e.Code == "paid" && back != "" && checkout.CheckURL("return_url", back, at.Account().Info) == nil {
			return to.Redirect(w, back)
		}
		return caddyhttp.Error(e.Status, errors.New(e.Text)) // without the cause: Caddy logs this error too, and our line has the cause
	}
	return writeJSON(w, e.Status, checkout.ViewOfError(e))
}
