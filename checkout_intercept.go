package ccpayment

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
)

// intercept calls the app, and opens the checkout session that the app's response
// asks for. The delivery of an event to the app passes untouched.
func (h *Checkout) intercept(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if checkout.NeverBuys(r.Method) || caddyhttp.GetVar(r.Context(), "ccpayment_event_id") != nil {
		return next.ServeHTTP(w, r)
	}
	ours := w.Header().Clone()
	iw := checkout.NewCapture(w, h.Intercept.Status)
	failed := next.ServeHTTP(iw, r)
	if !iw.Captured() {
		if iw.Refused() {
			h.passed(r, checkout.ErrNotAsking)
		}
		return failed
	}
	var request checkout.Request
	var err error
	if failed == nil {
		request, err = checkout.FromResponse(iw.Response(), iw.Body(), h.paths)
		if errors.Is(err, checkout.ErrNoRequest) {
			h.passed(r, err)
			return iw.PassOn()
		}
	}
	// Headers that the site had set before stay; the app's headers and trailers go, but
	// for those that are about the page behind the response.
	clear(w.Header())
	maps.Copy(w.Header(), ours)
	if failed != nil {
		return failed
	}
	for name, values := range iw.Response() {
		if checkout.IsKept(name) {
			w.Header()[name] = values
		}
	}
	switch {
	case err != nil:
	case len(h.Methods) > 0 && !slices.Contains(h.Methods, r.Method):
		w.Header().Set("Allow", strings.Join(h.Methods, ", "))
		err = badMethod("use " + strings.Join(h.Methods, " or "))
	case checkout.IsPrefetch(r):
		err = badMethod("an order is made when the page is visited, not ahead of it")
	}
	if err != nil {
		return h.fail(w, r, err, request)
	}
	return h.checkOut(w, r, request)
}

// passed logs why a response with the status of a checkout was passed on to the buyer.
// What the line quotes is the app's, or the visitor's.
func (h *Checkout) passed(r *http.Request, cause error) {
	path := zap.String("path", redact.Emails(r.URL.Path))
	var notJSON *checkout.NotJSONError
	if !errors.As(cause, &notJSON) {
		h.logger.Debug("a response asks for no checkout, and was passed on", zap.Int("status", h.Intercept.Status), path, zap.NamedError("cause", cause))
		return
	}
	h.warned.Do(func() {
		h.logger.Warn("a response that says it is JSON is not, and was passed on to the buyer: does the app write something in front of it?",
			zap.String("begins", notJSON.Begins), zap.Int("status", h.Intercept.Status), path)
	})
}
