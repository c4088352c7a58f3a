package operator

import (
	"context"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Looked is what a look at the records of an account found.
type Looked struct {
	// Account is the account's name; empty: the default one.
	Account string
	ledger.Look
}

// Looks returns what the last looks at the records of accounts found. Without an account
// it is about all.
func (o *Operator) Looks(ctx context.Context, account *string) ([]Looked, error) {
	return o.each(account, func(name string) (ledger.Look, error) { return o.Reconciler.State(ctx, name, o.Ledger) })
}

// Look looks at the records of accounts now; see [reconcile.Reconciler.Look]. Where a look
// breaks off, what it found stands in the answer, with the error.
func (o *Operator) Look(ctx context.Context, account *string, since time.Time, dryRun bool) ([]Looked, error) {
	return o.each(account, func(name string) (ledger.Look, error) {
		look, err := o.Reconciler.Look(ctx, name, since, dryRun, o.Ledger)
		if err != nil && look.AppID != "" {
			look.LastError, err = err.Error(), nil
		}
		return look, err
	})
}

// Dismiss has a record of an account waited for no more; see [reconcile.Reconciler.Dismiss].
func (o *Operator) Dismiss(ctx context.Context, account, recordID, reason string) (Looked, error) {
	look, err := o.Reconciler.Dismiss(ctx, account, recordID, reason, o.Ledger)
	return Looked{account, look}, err
}

func (o *Operator) each(account *string, do func(name string) (ledger.Look, error)) ([]Looked, error) {
	names := o.Reconciler.Accounts()
	if account != nil {
		names = []string{*account}
	}
	looks := make([]Looked, 0, len(names))
	done := make(map[string]ledger.Look) // by the gateway's id of the account
	for _, name := range names {
		id := o.Reconciler.ID(name)
		look, isDone := done[id]
		if !isDone {
			var err error
			if look, err = do(name); err != nil {
				return nil, err
			}
			done[id] = look
		}
		looks = append(looks, Looked{name, look})
	}
	return looks, nil
}
