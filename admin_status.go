package ccpayment

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// status is how things stand.
type status struct {
	Routes []routeStatus `json:"routes"`
	// LedgerBytes is the size of the ledger; 0 where the store cannot tell.
	LedgerBytes int64 `json:"ledger_bytes"`
	// LastConfirmedAt is when CCPayment's API last agreed to an event; null if it
	// has not since the configuration was loaded.
	LastConfirmedAt *time.Time `json:"last_confirmed_at"`
}

// unconfigured is the mode of a route that only the ledger knows.
const unconfigured = "unconfigured"

// routeStatus is how the events of a route stand.
type routeStatus struct {
	Account string `json:"account"`
	Route   string `json:"route"`
	// Mode is deliver, pass-through, or unconfigured: nobody hands over what is
	// pending there.
	Mode    string `json:"mode"`
	Pending uint64 `json:"pending"`
	// OldestPendingSeconds is how long the one that has waited longest has, of
	// those that are due first.
	OldestPendingSeconds float64 `json:"oldest_pending_seconds"`
	Held                 uint64  `json:"held"`
	Dead                 uint64  `json:"dead"`
	Delivered            uint64  `json:"delivered"`
}

// showStatus answers GET /ccpayment/status.
func showStatus(r *http.Request, app *App, shared *sharedLedger) (any, error) {
	counts, err := shared.Counts(r.Context())
	if err != nil {
		return nil, explainLedger(err)
	}
	routes := app.routesWith(counts)
	result := status{Routes: []routeStatus{}, LastConfirmedAt: app.confirmedAt.Load()}
	for _, s := range routes {
		if since, ok := shared.oldestPending(r.Context(), s.Route); ok {
			s.OldestPendingSeconds = app.now().Sub(since).Seconds()
		}
		result.Routes = append(result.Routes, *s)
	}
	slices.SortFunc(result.Routes, func(a, b routeStatus) int { return strings.Compare(a.Route, b.Route) })
	result.LedgerBytes, err = shared.Size()
	if err != nil && !errors.Is(err, ledger.ErrUnsupported) {
		return nil, explainLedger(err)
	}
	return result, nil
}

// routesWith are the routes of the configuration and those of the counts, with
// what was counted.
func (a *App) routesWith(counts []ledger.Count) map[string]*routeStatus {
	routes := a.routeModes()
	for _, c := range counts {
		s, ok := routes[c.Route]
		if !ok {
			s = &routeStatus{Route: c.Route, Mode: unconfigured}
			routes[c.Route] = s
		}
		switch c.State {
		case ledger.Received, ledger.Confirming, ledger.Delivering, ledger.Retrying:
			s.Pending += c.N
		case ledger.Held:
			s.Held += c.N
		case ledger.Dead:
			s.Dead += c.N
		case ledger.Delivered:
			s.Delivered += c.N
		}
	}
	return routes
}

// warnUnconfigured tells of events that nobody hands over any more. A warning is
// no reason to refuse the configuration.
func (a *App) warnUnconfigured(shared *sharedLedger) {
	counts, err := shared.Counts(context.Background())
	if err != nil {
		a.logger.Error("the events of routes that are not configured cannot be counted", zap.Error(err))
		return
	}
	for name, s := range a.routesWith(counts) {
		if s.Mode == unconfigured && s.Pending > 0 {
			a.logger.Warn("events of a route that is not configured wait in the ledger, and nobody hands them over: "+
				"give a directive this name with `route`, or discard them (docs/operations.md)",
				zap.String("route", name), zap.Uint64("pending", s.Pending))
		}
	}
}

// backup sends a consistent copy of the ledger while it is in use. One that
// breaks off ends the connection, for nothing else tells it from a whole one.
func backup(w http.ResponseWriter, app *App, shared *sharedLedger) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="ledger.db"`)
	begun := &begunWriter{Writer: w, control: http.NewResponseController(w)}
	err := shared.Backup(begun)
	if errors.Is(err, ledger.ErrUnsupported) {
		w.Header().Del("Content-Disposition")
		return apiError(http.StatusNotImplemented, "this store has no backup of its own: use its database's")
	}
	_ = begun.control.SetWriteDeadline(time.Time{}) // the connection may serve others
	if err != nil && begun.begun {
		app.logger.Error("the copy of the ledger broke off", zap.Error(err))
		panic(http.ErrAbortHandler)
	}
	return explainLedger(err)
}

// longestStall is how long who takes a backup may take nothing: meanwhile the
// ledger cannot use the space that becomes free in it, and one that outgrows its
// map waits.
const longestStall = 5 * time.Second

// begunWriter remembers whether anything was written, and does not wait for
// long for who reads it.
type begunWriter struct {
	io.Writer
	control *http.ResponseController
	begun   bool
}

func (w *begunWriter) Write(p []byte) (int, error) {
	w.begun = true
	if err := w.control.SetWriteDeadline(time.Now().Add(longestStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return w.Writer.Write(p)
}
