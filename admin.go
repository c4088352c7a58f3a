package ccpayment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func init() {
	caddy.RegisterModule(new(adminAPI))
}

// adminAPI lets an operator see and steer the ledger of the configuration that
// runs, at Caddy's admin endpoint. It also registers the metrics with what that
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
	return registerMetrics(ctx.GetMetricsRegistry())
}

// Routes returns the one route under which all doors are.
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/ccpayment/", Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// door answers one kind of request; what it returns is sent as JSON.
type door func(r *http.Request, app *App, shared *sharedLedger) (any, error)

var doors = []struct {
	method, path string
	open         door
}{
	{http.MethodGet, "/ccpayment/status", showStatus},
	{http.MethodGet, "/ccpayment/events", listEvents},
	{http.MethodGet, "/ccpayment/events/{id}", showEvent},
	{http.MethodPost, "/ccpayment/events/replay", replayEvents},
	{http.MethodPost, "/ccpayment/events/{id}/replay", replayEvent},
	{http.MethodPost, "/ccpayment/events/{id}/release", releaseEvent},
	{http.MethodPost, "/ccpayment/events/{id}/discard", discardEvent},
	{http.MethodGet, "/ccpayment/orders", listOrders},
	{http.MethodGet, "/ccpayment/orders/{id}", showOrder},
}

// serve finds the door. The patterns are those of net/http, whose answers to
// what matches none are turned into Caddy's.
func (*adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	var failure error
	mux := http.NewServeMux()
	for _, d := range doors {
		mux.HandleFunc(d.method+" "+d.path, func(w http.ResponseWriter, r *http.Request) {
			failure = withLedger(func(app *App, shared *sharedLedger) error {
				result, err := d.open(r, app, shared)
				if err != nil {
					return err
				}
				w.Header().Set("Content-Type", "application/json")
				return json.NewEncoder(w).Encode(result)
			})
		})
	}
	mux.HandleFunc("GET /ccpayment/backup", func(w http.ResponseWriter, _ *http.Request) {
		failure = withLedger(func(app *App, shared *sharedLedger) error { return backup(w, app, shared) })
	})
	if _, pattern := mux.Handler(r); pattern == "" {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			probe := r.Clone(r.Context())
			probe.Method = method
			if _, pattern := mux.Handler(probe); pattern != "" {
				w.Header().Set("Allow", method)
				return apiError(http.StatusMethodNotAllowed, "use %s", method)
			}
		}
		return apiError(http.StatusNotFound, "there is no such door: see docs/operations.md")
	}
	mux.ServeHTTP(w, r)
	return failure
}

func apiError(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

// explainLedger turns the ledger's errors into the endpoint's.
func explainLedger(err error) error {
	var refused *ledger.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return apiError(http.StatusConflict, "%s", refused.Reason)
	case errors.Is(err, ledger.ErrInFlight):
		return apiError(http.StatusConflict, "an attempt of the record is on its way: try again in a moment")
	case errors.Is(err, ledger.ErrNotFound):
		return apiError(http.StatusNotFound, "the ledger does not know it")
	default:
		return apiError(http.StatusServiceUnavailable, "the ledger cannot be used: %w", err)
	}
}

// running are the Apps that have started, in the order of their start. The
// first is the one that works: another is about to take over, or to fail.
var running struct {
	sync.Mutex
	apps []*App
}

func enterRunning(a *App) {
	running.Lock()
	defer running.Unlock()
	running.apps = append(running.apps, a)
}

func leaveRunning(a *App) {
	running.Lock()
	defer running.Unlock()
	running.apps = slices.DeleteFunc(running.apps, func(other *App) bool { return other == a })
}

// withLedger calls fn with the App that works and its ledger.
func withLedger(fn func(*App, *sharedLedger) error) error {
	running.Lock()
	var app *App
	if len(running.apps) > 0 {
		app = running.apps[0]
	}
	running.Unlock()
	if app == nil {
		return apiError(http.StatusNotFound, "the configuration that runs has no ccpayment directive")
	}
	shared, err := app.acquireLedger()
	if err != nil {
		return explainLedger(err)
	}
	defer app.releaseLedger()
	return fn(app, shared)
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
		return apiError(http.StatusBadRequest, "the body is not the JSON that is asked for: %w", err)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner = (*adminAPI)(nil)
	_ caddy.AdminRouter = (*adminAPI)(nil)
)
