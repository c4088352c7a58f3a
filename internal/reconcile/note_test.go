package reconcile

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestNotedLate: where records are compared by hand only, the account is noted all the same,
// once the ledger can be used.
func TestNotedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := simstore.New(time.Now).Connect("a")
		l := ledger.New(store, time.Now)
		r, err := New(
			Config{Missed: func(Missed) {}, Looked: func(string, time.Time) {}, Logger: zap.NewNop()},
			[]Account{{Account: payoutAccount(&payouts{}), Routes: []Route{{Name: "webhook"}}}},
		)
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		defer ended.Wait()
		defer end()
		ended.Go(func() { r.Run(ctx, l) })
		time.Sleep(time.Minute) // no session: a database that is down
		if _, err := store.LoadLook(ctx, "app-123"); !errors.Is(err, ledger.ErrNotFound) {
			t.Fatalf("without a session: %v", err)
		}
		ended.Go(func() { l.Share(ctx, func() ledger.Session { return ledger.Session{} }, func(error) {}) })
		time.Sleep(2 * poll)
		if _, err := store.LoadLook(ctx, "app-123"); err != nil {
			t.Errorf("with one: %v", err)
		}
	})
}
