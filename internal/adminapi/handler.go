// Package adminapi is the operator's API at Caddy's admin endpoint: its JSON, the
// handler that serves it, and a client.
package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Prefix is the path under which all endpoints are.
const Prefix = "/ccpayment/"

// Config is what a [Handler] works on.
type Config struct {
	// Use calls a function with the operator of the configuration that works, whose
	// ledger stays open meanwhile, and returns its error. Where there is none, it
	// returns [ErrNotConfigured]; where the ledger cannot be opened, why.
	Use         func(func(*operator.Operator) error) error
	OrderStatus ReadOrder
}

// ErrNotConfigured answers every request while no configuration has a ledger.
var ErrNotConfigured error = &Error{http.StatusNotFound, errors.New("the configuration that runs has no ccpayment directive")}

// Error is an error with the HTTP status that answers it.
type Error struct {
	Status int
	Err    error
}

// Error is what the client learns.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *Error) Unwrap() error { return e.Err }

func fail(status int, format string, args ...any) error {
	return &Error{status, fmt.Errorf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return fail(http.StatusBadRequest, format, args...)
}

// Explain gives an error of the ledger its HTTP status: what it returns is an [*Error], or nil.
func Explain(err error) error {
	var explained *Error
	var refused *ledger.RefusedError
	var unclosed *checkout.Error
	switch {
	case err == nil, errors.As(err, &explained):
		return err
	case errors.As(err, &unclosed) && unclosed.Status == http.StatusConflict && unclosed.Code != checkout.NoCheckout:
		return fail(unclosed.Status, "%w: with force it is closed all the same", unclosed)
	case errors.As(err, &unclosed):
		return fail(unclosed.Status, "%w", unclosed)
	case errors.As(err, &refused):
		return fail(http.StatusConflict, "%s", refused.Reason)
	case errors.Is(err, ledger.ErrCursor):
		return badRequest("%w: use the `next` of the page before", err)
	case errors.Is(err, ledger.ErrInFlight):
		return fail(http.StatusConflict, "an attempt of the record is on its way: try again in a moment")
	case errors.Is(err, ledger.ErrNotFound):
		return fail(http.StatusNotFound, "the ledger does not know it")
	default:
		return fail(http.StatusServiceUnavailable, "the ledger cannot be used: %w", err)
	}
}

// Handler serves the endpoints.
type Handler struct {
	config Config
	// muxes are the endpoints by their method.
	muxes map[string]*http.ServeMux
}

// methods are those of the endpoints.
var methods = []string{http.MethodGet, http.MethodPost}

// endpoint answers a request; what it returns is sent as JSON.
type endpoint func(r *http.Request, o *operator.Operator) (any, error)

// NewHandler returns the handler.
func NewHandler(c Config) *Handler {
	h := &Handler{config: c, muxes: make(map[string]*http.ServeMux)}
	for _, method := range methods {
		h.muxes[method] = http.NewServeMux()
	}
	for _, e := range []struct {
		method, path string
		answer       endpoint
	}{
		{http.MethodGet, "status", showStatus},
		{http.MethodGet, "reconcile", showLooks},
		{http.MethodPost, "reconcile", lookNow},
		{http.MethodPost, "reconcile/dismiss", dismiss},
		{http.MethodGet, "events", listEvents},
		{http.MethodGet, "events/{id}", showEvent},
		{http.MethodPost, "events/replay", replayEvents},
		{http.MethodPost, "events/{id}/replay", replayEvent},
		{http.MethodPost, "events/{id}/release", releaseEvent},
		{http.MethodPost, "events/{id}/discard", discardEvent},
		{http.MethodGet, "orders", h.listOrders},
		{http.MethodGet, "orders/{id...}", h.showOrder},
		{http.MethodPost, "orders/{id}/close", h.closeOrder},
	} {
		h.handle(e.method, e.path, func(w http.ResponseWriter, r *http.Request) error { return h.answer(w, r, e.answer) })
	}
	h.handle(http.MethodGet, "backup", func(w http.ResponseWriter, _ *http.Request) error {
		return Explain(c.Use(func(o *operator.Operator) error { return backup(w, o) }))
	})
	h.handle(http.MethodGet, "export/{what}", func(w http.ResponseWriter, r *http.Request) error {
		export, err := ReadExport(r.PathValue("what"), r.URL.Query(), time.Now().UTC())
		if err != nil {
			return err
		}
		return Explain(c.Use(func(o *operator.Operator) error { return export.Serve(r.Context(), w, o, c.OrderStatus, nil) }))
	})
	return h
}

func (h *Handler) handle(method, path string, serve func(http.ResponseWriter, *http.Request) error) {
	h.muxes[method].HandleFunc(Prefix+path, func(w http.ResponseWriter, r *http.Request) {
		w.(*response).err = serve(w, r)
	})
}

// response takes the error of an endpoint past the mux.
type response struct {
	http.ResponseWriter
	err error
}

// Unwrap is for [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Serve answers a request. The error is an [*Error], and nothing is written then
// but headers; any other error means that the answer broke off.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h.has(method, r) {
		answer := &response{ResponseWriter: w}
		h.muxes[method].ServeHTTP(answer, r)
		return answer.err
	}
	if i := slices.IndexFunc(methods, func(other string) bool { return h.has(other, r) }); i >= 0 {
		w.Header().Set("Allow", methods[i])
		return fail(http.StatusMethodNotAllowed, "use %s", methods[i])
	}
	return fail(http.StatusNotFound, "there is no such endpoint: see docs/operations.md")
}

// has reports whether the request's path is that of an endpoint with the method.
func (h *Handler) has(method string, r *http.Request) bool {
	mux := h.muxes[method]
	if mux == nil {
		return false
	}
	_, pattern := mux.Handler(r)
	return pattern != ""
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, e endpoint) error {
	var result any
	err := h.config.Use(func(o *operator.Operator) (err error) {
		result, err = e(r, o)
		return err
	})
	if err != nil {
		return Explain(err)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(result)
}

// readJSON decodes a request's JSON; an empty body leaves the value as it is.
func readJSON(r *http.Request, into any) error {
	decoder := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil && decoder.Decode(new(json.RawMessage)) != io.EOF {
		err = errors.New("something follows it")
	}
	if err != nil {
		return badRequest("the body is not the JSON that is asked for: %w", err)
	}
	return nil
}
