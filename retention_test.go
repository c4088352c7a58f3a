package ccpayment

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// A configuration that is tried and fails must not shorten how long the one
// that runs keeps bodies.
func TestRetentionOfAFailedReload(t *testing.T) {
	path := t.TempDir() + "/ledger.db"
	newApp := func(retention time.Duration) *App {
		store := &bolt.Module{Path: path, Retain: caddy.Duration(retention)}
		if err := store.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		return &App{store: store, logger: zap.NewNop(), now: time.Now}
	}
	running, failing := newApp(90*24*time.Hour), newApp(time.Hour)
	for _, app := range []*App{running, failing} {
		if err := app.Start(); err != nil {
			t.Fatal(err)
		}
	}
	shared := running.held
	if got := shared.retention(); got != 90*24*time.Hour {
		t.Errorf("with both started it is %s", got)
	}
	for _, app := range []*App{failing, running} {
		if err := app.Cleanup(); err != nil {
			t.Fatal(err)
		}
		if app == failing && shared.retention() != 90*24*time.Hour {
			t.Errorf("after the failed reload it is %s", shared.retention())
		}
	}
	if _, err := running.acquireLedger(); err == nil {
		t.Error("the ledger can be opened after Cleanup")
	}
}
