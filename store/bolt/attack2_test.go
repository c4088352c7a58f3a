package bolt

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// unsynced makes the store's last commit look as if it were not synced yet,
// until it is told that it is.
func unsynced(s *Store) (synced func()) {
	s.commits.running.Lock()
	id := s.disk.durable.Add(-1) + 1
	return func() {
		s.disk.durable.Store(id)
		s.commits.running.Unlock()
	}
}

// TestAnswersWaitForTheSync: what leads to an answer without a commit of its own
// waits until what it relies on is synced.
func TestAnswersWaitForTheSync(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	held := delivered("1")
	held.Transitions = []ledger.Transition{
		{At: held.Event.ReceivedAt, State: ledger.Received}, {At: held.Event.ReceivedAt, State: ledger.Held, Cause: "risky"},
	}
	if err := accept(s, held); err != nil {
		t.Fatal(err)
	}
	id := ledger.OrderID{AppID: "app-123", ID: "order-1"}
	if err := s.UpdateOrder(bg, id, func(o *ledger.Order) { o.OrderID = id }); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() error{
		"a copy of what is held": func() error {
			claim, err := s.Claim(bg, held.Event.Record, time.Minute)
			if err == nil {
				err = s.Unlock(bg, claim)
			}
			return err
		},
		"a checkout": func() error { _, err := s.LoadOrder(bg, id); return err },
	} {
		synced := unsynced(s)
		answered := make(chan error, 1)
		go func() { answered <- ask() }()
		select {
		case <-answered:
			t.Errorf("%s is answered from what is not synced", name)
			synced()
			continue
		case <-time.After(100 * time.Millisecond):
		}
		synced()
		if err := <-answered; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
