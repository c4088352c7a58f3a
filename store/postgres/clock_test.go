package postgres

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestBootAhead: a server that starts again after a crash with its clock ahead stops
// nobody for longer than any crash does, once its clock is set right.
func TestBootAhead(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	now := time.Now()
	core, logs := observer.New(zap.WarnLevel)
	s := member(t, Options{URL: server.URL(), Schema: schema, now: func() time.Time { return now }, Logger: zap.New(core)})
	c := one("1")
	if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
		t.Fatal(err)
	}
	keep := func() {
		t.Helper()
		if _, err := s.Keep(bg, ledger.Session{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	told := func() int { return logs.FilterMessageSnippet("nothing is handed over").Len() }
	if told() != 0 {
		t.Errorf("it warns of a new ledger: %v", logs.All())
	}
	now = now.Add(time.Hour)
	server.Exec(t, fmt.Sprintf(`delete from %q.boots`, schema))
	keep()
	keep()
	if told() != 1 {
		t.Errorf("after the crash it warns %d times: %v", told(), logs.All())
	}
	now = now.Add(-time.Hour)
	keep()
	if _, err := s.Take(bg, "webhook", time.Hour, 5); !errors.Is(err, ledger.ErrNoSession) {
		t.Errorf("when the clock was set right: %v, want %v", err, ledger.ErrNoSession)
	}
	now = now.Add(ledger.SessionTTL)
	keep()
	if taken, err := s.Take(bg, "webhook", time.Hour, 5); err != nil || len(taken) != 1 {
		t.Errorf("%s later are taken %v, %v", ledger.SessionTTL, taken, err)
	}
}

// TestSetBack: when the clock is set back, what a process that died had is free as soon as
// otherwise, and so is a lease that nobody knows of.
func TestSetBack(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	now := time.Now()
	clock := func() time.Time { return now }
	dead := member(t, Options{URL: server.URL(), Schema: schema, now: clock})
	s := member(t, Options{URL: server.URL(), Schema: schema, now: clock})
	claim := func(of *Store, id string) error {
		_, err := of.Claim(bg, one(id).Event.Record, 2*time.Hour)
		return err
	}
	keep := func() {
		t.Helper()
		if _, err := s.Keep(bg, ledger.Session{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(claim(dead, "of the dead"), claim(s, "unheard")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(-time.Hour)
	keep()
	s.tidy()
	now = now.Add(ledger.SessionTTL - 1)
	keep()
	for _, id := range []string{"of the dead", "unheard"} {
		if err := claim(s, id); !errors.Is(err, ledger.ErrLeased) {
			t.Errorf("%s, too soon: %v, want %v", id, err, ledger.ErrLeased)
		}
	}
	now = now.Add(1)
	keep()
	for _, id := range []string{"of the dead", "unheard"} {
		if err := claim(s, id); err != nil {
			t.Errorf("%s, %s after the clock was set back: %v", id, ledger.SessionTTL, err)
		}
	}
}

// TestSetForward: when the clock is set forward by more than a session lives, nobody gets
// what another has in hand before that one must have heard of it.
func TestSetForward(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	var leap, passed time.Duration
	c := one("1") // due at once
	began := time.Now()
	local := func() time.Time { return began.Add(passed) }
	clock := func() time.Time { return local().Add(leap) }
	a := member(t, Options{URL: server.URL(), Schema: schema, now: clock, local: local})
	b := member(t, Options{URL: server.URL(), Schema: schema, now: clock, local: local})
	if err := b.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
		t.Fatal(err)
	}
	passed = time.Second
	keep := func(s *Store, held ...uint64) ledger.News {
		t.Helper()
		news, err := s.Keep(bg, ledger.Session{}, held)
		if err != nil {
			t.Fatal(err)
		}
		return news
	}
	before := keep(a)
	keep(b)
	taken, err := a.Take(bg, "webhook", time.Hour, 5)
	if err != nil || len(taken) != 1 {
		t.Fatal(taken, err)
	}
	leap = ledger.SessionTTL + time.Second
	theirs := keep(b)
	refused := func() {
		t.Helper()
		if got, err := b.Take(bg, "webhook", time.Hour, 5); !errors.Is(err, ledger.ErrNoSession) {
			t.Errorf("%s after the leap the other takes %v, %v, want %v", passed-time.Second, got, err, ledger.ErrNoSession)
		}
	}
	refused()
	epoch := taken[0].Claim.Epoch
	if heard := keep(a, epoch); heard.Boot == before.Boot || heard.Session == before.Session || !slices.Equal(heard.Lost, []uint64{epoch}) {
		t.Errorf("who has it hears %+v, before %+v, the other %+v", heard, before, theirs)
	}
	passed += ledger.SessionTTL - 1
	keep(a)
	keep(b)
	refused()
	passed++
	if got, err := b.Take(bg, "webhook", time.Hour, 5); err != nil || len(got) != 1 {
		t.Errorf("then it takes %v, %v", got, err)
	}
	// A session that has run out in its time is no leap.
	boot := keep(b).Boot
	passed += ledger.SessionTTL
	if again := keep(b); again.Boot != boot {
		t.Errorf("after a session ran out the boot is %s, before %s", again.Boot, boot)
	}
}

// TestSpendSetBack: when the clock is set back, a budget that was spent fills up as ever.
func TestSpendSetBack(t *testing.T) {
	server := postgrestest.Shared(t)
	now := time.Now()
	s := open(t, Options{URL: server.URL(), Schema: server.Schema(t), now: func() time.Time { return now }})
	const every, burst = 6 * time.Second, 10
	want := func(want time.Duration) {
		t.Helper()
		if wait, err := s.Spend(bg, "orders of 1.2.3.4", every, burst); err != nil || wait != want {
			t.Errorf("spending: %s, %v, want %s", wait, err, want)
		}
	}
	want(0)
	now = now.Add(-time.Hour)
	want(every)
	now = now.Add(every)
	want(0)
	want(every)
	now = now.Add(burst * every)
	for range burst {
		want(0)
	}
	want(every)
}
