package adminapi

import (
	"errors"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// showStatus answers GET status.
func showStatus(r *http.Request, o *operator.Operator) (any, error) {
	status, err := o.Status(r.Context())
	result := Status{Routes: []RouteStatus{}, LedgerBytes: status.LedgerBytes, LastConfirmedAt: status.LastConfirmedAt}
	for _, s := range status.Routes {
		route := RouteStatus{
			Account: s.Account, Route: s.Route, Mode: s.Mode, Pending: s.Pending,
			OldestPendingSeconds: s.OldestPending.Seconds(), Held: s.Held, Dead: s.Dead, Delivered: s.Delivered, Refused: s.Budget.Refused,
		}
		if !s.Budget.Until.IsZero() {
			left := s.Budget.Left(o.Now()).Seconds()
			route.RetriesLeftSeconds = &left
		}
		result.Routes = append(result.Routes, route)
	}
	if c := status.Store; len(c.Facts)+len(c.Care) > 0 {
		result.Store = &Condition{Facts: c.Facts, Care: c.Care}
	}
	for _, m := range status.Members {
		result.Members = append(result.Members, Member(m))
	}
	for _, s := range status.Secrets {
		secret := Secret{Name: s.Name, Files: s.Files, Generation: s.Generation, Error: s.Error}
		if !s.ChangedAt.IsZero() {
			secret.ChangedAt = &s.ChangedAt
		}
		result.Secrets = append(result.Secrets, secret)
	}
	return result, err
}

// backup sends a consistent copy of the ledger while it is in use. A copy that
// breaks off ends the connection: nothing else tells it from a whole one.
func backup(w http.ResponseWriter, o *operator.Operator) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="ledger.db"`)
	begun := &begunWriter{Writer: w, control: http.NewResponseController(w)}
	err := o.Ledger.Backup(begun)
	if errors.Is(err, ledger.ErrUnsupported) {
		w.Header().Del("Content-Disposition")
		return fail(http.StatusNotImplemented, "this store has no backup of its own: use its database's")
	}
	if err != nil && begun.begun {
		o.Logger.Error("the copy of the ledger broke off", zap.String("error", redact.Emails(err.Error())))
		panic(http.ErrAbortHandler)
	}
	return err
}

// longestStall is how long the client of a backup or an export may read nothing: during a
// backup the ledger cannot use the space that becomes free in it, and one that outgrows its
// map waits. Tests shorten it.
var longestStall = 5 * time.Second

// begunWriter remembers whether anything was written, and gives up on a client that
// reads nothing for longestStall. How long the ledger takes between two writes does not
// matter.
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
	n, err := w.Writer.Write(p)
	_ = w.control.SetWriteDeadline(time.Time{}) // else HTTP/2 resets the stream while nobody writes
	return n, err
}
