package postgres

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestCrashLosesLeases: a crash of the server loses all leases. Their holders hear of it,
// and nobody else gets one before they have.
func TestCrashLosesLeases(t *testing.T) {
	server := postgrestest.Start(t)
	now := time.Now()
	clock := func() time.Time { return now }
	s := member(t, Options{URL: server.URL(), Schema: "x", now: clock})
	other := member(t, Options{URL: server.URL(), Schema: "x", now: clock})
	c := one("1")
	if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
		t.Fatal(err)
	}
	claim, err := s.Claim(bg, c.Event.Record, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	held := []uint64{claim.Epoch}
	keep := func(who *Store) ledger.News {
		t.Helper()
		news, err := who.Keep(bg, ledger.Session{}, held)
		if err != nil {
			t.Fatal(err)
		}
		return news
	}
	before := keep(s)
	if len(before.Lost) > 0 || before.Boot == "" {
		t.Errorf("before: %+v", before)
	}
	server.Stop()
	if err := server.Run(); err != nil {
		t.Fatal(err)
	}
	restarted := keep(s)
	if len(restarted.Lost) > 0 || restarted.Boot != before.Boot || restarted.Session != before.Session {
		t.Errorf("a restart in order: %+v, before %+v", restarted, before)
	}
	_, err = other.Claim(bg, c.Event.Record, time.Hour)
	if !errors.Is(err, ledger.ErrLeased) {
		t.Errorf("claiming what is leased since before: %v", err)
	}

	server.Kill()
	if err := server.Run(); err != nil {
		t.Fatal(err)
	}
	refused := func(when string) {
		t.Helper()
		if taken, err := other.Take(bg, "webhook", time.Hour, 5); !errors.Is(err, ledger.ErrNoSession) {
			t.Errorf("%s: taken %v, %v", when, taken, err)
		}
		if _, err := other.Claim(bg, received("2").Event.Record, time.Hour); !errors.Is(err, ledger.ErrNoSession) {
			t.Errorf("%s: claiming: %v", when, err)
		}
	}
	refused("after the crash")
	theirs := keep(other)
	refused("when one has begun again")
	crashed := keep(s)
	if !slices.Equal(crashed.Lost, held) || crashed.Boot == before.Boot || crashed.Boot != theirs.Boot || crashed.Session != before.Session {
		t.Errorf("the holder hears %+v, before %+v, the other %+v", crashed, before, theirs)
	}
	now = now.Add(ledger.SessionTTL - 1)
	keep(s)
	keep(other)
	refused("before a session's time has passed")
	now = now.Add(1)
	if taken, err := other.Take(bg, "webhook", time.Hour, 5); err != nil || len(taken) != 1 {
		t.Errorf("then are taken %v, %v", taken, err)
	}
	if err := s.Commit(bg, claim, []ledger.Change{one("1", ledger.Delivering, ledger.Retrying)}); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("the holder's failure: %v", err)
	}
}
