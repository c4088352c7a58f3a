package bolt

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// bindTo claims the event's record and binds a flag to the event.
func bindTo(t *testing.T, s *Store, key ledger.Key, flag ledger.Flag) bool {
	t.Helper()
	claim, err := s.Claim(bg, key.Record, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := s.Bind(bg, claim, ledger.Change{Event: ledger.Event{Key: key}}, []ledger.Flag{flag})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Unlock(bg, claim); err != nil {
		t.Fatal(err)
	}
	return slices.Equal(bound, []bool{true})
}

// TestFlagsSurvive: a flag is on disk when Bind returns, before the event is.
func TestFlagsSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	first, second := delivered("1").Event.Key, delivered("2").Event.Key
	order := ledger.FulfillOf("app-123", "order-1")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !bindTo(t, s, first, order) {
		t.Error("the first event did not get the flag")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, Options{})
	if bindTo(t, s, second, order) || !bindTo(t, s, first, order) {
		t.Error("the flag changed hands when the file was opened again")
	}
}

// TestBoundFlagsAreNotWrittenAgain: what is bound already costs no commit.
func TestBoundFlagsAreNotWrittenAgain(t *testing.T) {
	commits := 0
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{Committed: func(time.Duration) { commits++ }})
	first, second := delivered("1").Event.Key, delivered("2").Event.Key
	order := ledger.FulfillOf("app-123", "order-1")
	for range 3 {
		bindTo(t, s, first, order)
		bindTo(t, s, second, order)
	}
	if commits != 1 {
		t.Errorf("%d commits, want 1", commits)
	}
}
