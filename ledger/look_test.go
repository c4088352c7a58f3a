package ledger_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestLookBeforeTheSession: an account is noted by the store's clock, however wrong this
// machine's is, so that no look begins hours after the account was first used.
func TestLookBeforeTheSession(t *testing.T) {
	for name, skew := range map[string]time.Duration{"ahead": 2 * time.Hour, "behind": -2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := ledger.New(starting{newDatabase().Connect("a")}, func() time.Time { return time.Now().Add(skew) })
				if _, err := l.Look(bg, "app-123"); !errors.Is(err, ledger.ErrNoSession) {
					t.Errorf("without a session: %v", err)
				}
				ctx, end := context.WithCancel(bg)
				var ended sync.WaitGroup
				defer ended.Wait()
				defer end()
				ended.Go(func() { l.Share(ctx, func() ledger.Session { return ledger.Session{} }, func(error) {}) })
				look, err := l.Look(bg, "app-123")
				if off := time.Since(look.Since); err != nil || off.Abs() > 2*time.Second {
					t.Errorf("while the session begins, looks begin %s ago, %v", off, err)
				}
			})
		})
	}
}
