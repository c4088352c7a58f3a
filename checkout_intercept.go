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
)

// intercept calls the app, and opens the checkout session that the app's response
// asks for. The delivery of an event to the app passes untouched.
func (h *Checkout) intercept(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method == http.MethodHead || caddyhttp.GetVar(r.Context(), "ccpayment_event_id") != nil {
		return next.ServeHTTP(w, r)
	}
	ours := w.Header().Clone()
	iw := checkout.NewCapture(w, h.Intercept.Status)
	failed := next.ServeHTTP(iw, r)
	if !iw.Captured() {
		return failed
	}
	request, err := h.fromResponse(iw, r)
	if failed == nil && errors.Is(err, checkout.ErrNoRequest) {
		return iw.PassOn()
	}
	// Headers that the site had set before stay; the app's headers and trailers go, but
	// for those that are about the page behind the response.
	clear(w.Header())
	maps.Copy(w.Header(), ours)
	if failed != nil {
		return failed
	}
	for name, values := range iw.Response() {
		if isKept(name) {
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
		return h.fail(w, r, err, "")
	}
	return h.checkOut(w, r, h.complete(r, request))
}

// isKept reports whether a header of an app's response stays in the response that is
// made of it: the app's cookies, and what it says of who may read the response and what
// the page may do.
func isKept(name string) bool {
	switch name {
	case "Set-Cookie", "Vary", "Content-Security-Policy", "Content-Security-Policy-Report-Only", "Server-Timing", "Timing-Allow-Origin":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

// fromResponse reads the checkout request in an app's captured response. The error is
// [checkout.ErrNoRequest] where the response asks for no checkout.
func (h *Checkout) fromResponse(w *checkout.Capture, r *http.Request) (checkout.Request, error) {
	request, err := checkout.FromResponse(w.Response(), w.Body(), h.paths)
	var notJSON *checkout.NotJSONError
	if errors.As(err, &notJSON) {
		h.warned.Do(func() {
			h.logger.Warn("a response that says it is JSON is not, and was passed on to the buyer: does the app write something in front of it?",
				zap.String("begins", notJSON.Begins), zap.Int("status", h.Intercept.Status), zap.String("path", r.URL.Path))
		})
	}
	return request, err
}
