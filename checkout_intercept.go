package ccpayment

import (
	"bytes"
	"errors"
	"io"
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
	iw := &interceptor{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, status: h.Intercept.Status}
	failed := next.ServeHTTP(iw, r)
	if !iw.captured {
		return failed
	}
	request, err := h.fromResponse(iw, r)
	if failed == nil && errors.Is(err, checkout.ErrNoRequest) {
		return iw.passOn()
	}
	// Headers that the site had set before stay; the app's headers and trailers go, but
	// for those that are about the page behind the response.
	clear(w.Header())
	maps.Copy(w.Header(), ours)
	if failed != nil {
		return failed
	}
	for name, values := range iw.header {
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

// interceptor is a response writer that passes an app's response on as it comes, and
// captures one that may ask for a checkout.
type interceptor struct {
	*caddyhttp.ResponseWriterWrapper
	status int // the status that asks for a checkout

	decided  bool
	captured bool
	header   http.Header // of a captured response
	body     bytes.Buffer
	flushed  bool // the app did, while the response was captured
}

// WriteHeader decides whether the response is captured.
func (w *interceptor) WriteHeader(status int) {
	if w.decided {
		return
	}
	if status >= 100 && status < 200 {
		w.ResponseWriterWrapper.WriteHeader(status)
		return
	}
	w.decided = true
	if w.captured = status == w.status && checkout.MayAsk(w.Header()); w.captured {
		w.header = w.Header().Clone()
		return
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

func (w *interceptor) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.captured && len(p) > checkout.LargestRequest-w.body.Len() {
		if err := w.passOn(); err != nil {
			return 0, err
		}
	}
	if !w.captured {
		return w.ResponseWriterWrapper.Write(p)
	}
	return w.body.Write(p)
}

// ReadFrom lets the system copy large responses that are passed on.
func (w *interceptor) ReadFrom(r io.Reader) (int64, error) {
	w.WriteHeader(http.StatusOK)
	if !w.captured {
		return w.ResponseWriterWrapper.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{w}, r)
}

// FlushError flushes a response that is passed on.
func (w *interceptor) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.captured {
		w.flushed = true
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// passOn sends what was captured of a response that turned out to ask for no checkout.
// What the app writes from then on passes.
func (w *interceptor) passOn() error {
	w.captured = false
	trailers := w.Header().Clone()
	clear(w.Header())
	maps.Copy(w.Header(), w.header)
	w.ResponseWriterWrapper.WriteHeader(w.status)
	_, err := w.ResponseWriter.Write(w.body.Bytes())
	w.body = bytes.Buffer{}
	maps.Copy(w.Header(), trailers)
	if err != nil || !w.flushed {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// fromResponse reads the checkout request in an app's captured response. The error is
// [checkout.ErrNoRequest] where the response asks for no checkout.
func (h *Checkout) fromResponse(w *interceptor, r *http.Request) (checkout.Request, error) {
	request, err := checkout.FromResponse(w.header, w.body.Bytes(), h.paths)
	var notJSON *checkout.NotJSONError
	if errors.As(err, &notJSON) {
		h.warned.Do(func() {
			h.logger.Warn("a response that says it is JSON is not, and was passed on to the buyer: does the app write something in front of it?",
				zap.String("begins", notJSON.Begins), zap.Int("status", w.status), zap.String("path", r.URL.Path))
		})
	}
	return request, err
}
