package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Look is how far an account's records at its gateway have been compared with the ledger,
// and what the last look found.
type Look struct {
	// AppID is the gateway's id of the account.
	AppID string `json:"app_id"`
	// Since is when the first look was due: none goes back further by itself, because
	// another integration has dealt with what is older.
	Since time.Time `json:"since"`
	// From and To are the times that the last look was about. The next one begins at To.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// LookedAt is when a look was last whole; zero: none was yet.
	LookedAt time.Time `json:"looked_at,omitzero"`
	// TriedAt is when a look last ended, whole or not.
	TriedAt time.Time `json:"tried_at,omitzero"`
	// Records is how many records the last look has compared, NotOurs how many of them are
	// nothing of this ledger's, and Told how many became events.
	Records int `json:"records"`
	NotOurs int `json:"not_ours"`
	Told    int `json:"told"`
	// Waiting are the records that are asked for again by themselves: those that were not
	// at their end, and those that are Missing. Those that were Dismissed are kept with them.
	Waiting []LookRecord `json:"waiting,omitempty"`
	// OrdersAt is when the open orders were last asked for one by one, and OrdersNext where
	// that goes on; empty: it is done.
	OrdersAt   time.Time `json:"orders_at,omitzero"`
	OrdersNext string    `json:"orders_next,omitempty"`
	// LastError is why the last look broke off; empty: it did not.
	LastError string `json:"last_error,omitempty"`
}

// LookRecord is a record at the gateway that waits.
type LookRecord struct {
	Type     string    `json:"type"`
	ID       string    `json:"record_id"`
	Status   string    `json:"status"`
	OrderID  string    `json:"gateway_order_id,omitempty"`
	WalletID string    `json:"wallet_id,omitempty"`
	MadeAt   time.Time `json:"made_at"`
	// AskedAt is when the gateway was last asked for it.
	AskedAt time.Time `json:"asked_at,omitzero"`
	// Missing: it is at its end, and the ledger has no event of that. Why says why none
	// was made of it.
	Missing bool   `json:"missing,omitempty"`
	Why     string `json:"why,omitempty"`
	// Dismissed is why nobody is to be told of it any more; empty: it was not dismissed.
	Dismissed string `json:"dismissed,omitempty"`
}

// Look returns how far the records of an account have been compared. An account that the
// ledger has never looked at is noted, durably, as one that is looked at from now on. The
// error wraps [ErrNoSession] where it is to be noted and the store's clock is not known yet.
func (l *Ledger) Look(ctx context.Context, appID string) (Look, error) {
	look, err := l.store.LoadLook(ctx, appID)
	if errors.Is(err, ErrNotFound) {
		return l.noteLook(ctx, appID)
	}
	if err != nil {
		return look, fmt.Errorf("loading how far the records were compared: %w", err)
	}
	return look, nil
}

// noteLook notes an account by the store's clock, which a process that starts does not know
// yet. Two that note it at once differ by a moment.
func (l *Ledger) noteLook(ctx context.Context, appID string) (Look, error) {
	if err := l.begin(ctx, beginPatience); err != nil {
		return Look{}, fmt.Errorf("noting an account: %w", err)
	}
	now := l.now()
	look, err := l.store.LoadLook(ctx, appID)
	switch {
	case errors.Is(err, ErrNotFound):
		look = Look{AppID: appID, Since: now, From: now, To: now}
		err = l.SaveLook(ctx, look)
	case err != nil:
		err = fmt.Errorf("loading how far the records were compared: %w", err)
	}
	return look, err
}

// SaveLook stores how far the records of an account have been compared, durably. Call it
// under a [Ledger.Lock] of the account.
func (l *Ledger) SaveLook(ctx context.Context, look Look) error {
	if err := l.store.SaveLook(context.WithoutCancel(ctx), look); err != nil {
		return fmt.Errorf("saving how far the records were compared: %w", err)
	}
	return nil
}
