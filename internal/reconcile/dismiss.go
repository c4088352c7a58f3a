package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// ErrNotWaiting: no such record waits.
var ErrNotWaiting = errors.New("no record with this id is missing or unfinished")

// Dismiss has a record of an account that is missing or unfinished waited for no more, because
// a person has settled it: nobody is told of it as it is. It returns what waits then. The
// reason is logged and kept.
func (r *Reconciler) Dismiss(ctx context.Context, account, recordID, reason string, l *ledger.Ledger) (ledger.Look, error) {
	a, err := r.account(account)
	if err != nil {
		return ledger.Look{}, err
	}
	ctx, done, err := r.asked(ctx, a, l)
	if err != nil {
		return ledger.Look{}, err
	}
	defer done()
	state, err := l.Look(ctx, a.Info.AccountID)
	if err != nil {
		return state, err
	}
	i := slices.IndexFunc(state.Waiting, func(w ledger.LookRecord) bool { return w.ID == recordID && w.Dismissed == "" })
	if i < 0 {
		return state, fmt.Errorf("%w: %.60q of %s", ErrNotWaiting, recordID, gateway.Label(account))
	}
	record := &state.Waiting[i]
	record.Missing, record.Dismissed = false, reason
	if err := l.SaveLook(ctx, state); err != nil {
		return state, err
	}
	r.config.Logger.Info("a record that was waited for is dismissed", zap.String("account", a.Name), zap.String("type", record.Type),
		zap.String("record_id", record.ID), zap.String("status", record.Status), zap.String("reason", redact.Emails(reason)))
	return state, nil
}
