package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestCutOffInABatch: a machine that is cut off in the middle of a batch keeps what it
// has locked for as long as the server does not notice. Meanwhile the others go on with
// everything else, and are told that the record is in use.
func TestCutOffInABatch(t *testing.T) {
	server := postgrestest.Shared(t)
	record := func(id string) ledger.Record { return received(id).Event.Record }
	accept := func(t *testing.T, s *Store, id string) {
		t.Helper()
		c := one(id)
		if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
			t.Fatal(err)
		}
	}
	for name, step := range map[string]func(s *Store) error{
		"Claim, new":   func(s *Store) error { _, err := s.Claim(bg, record("new"), time.Minute); return err },
		"Claim, again": func(s *Store) error { _, err := s.Claim(bg, record("X"), time.Minute); return err },
		"Take":         func(s *Store) error { _, err := s.Take(bg, "webhook", time.Minute, 1); return err },
		"Accept":       func(s *Store) error { c := one("new"); return s.Accept(bg, c.Event.Key, acceptOnce(c)) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, server)
			schema := server.Schema(t)
			gone := begun(t, Options{URL: p.url(), Schema: schema, NoListen: true, patience: 3 * time.Second})
			if _, err := gone.Keep(bg, ledger.Session{}, nil); err != nil {
				t.Fatal(err)
			}
			accept(t, gone, "X")
			for i := range 3 { // until the statements are prepared
				accept(t, gone, fmt.Sprint("warm", i))
				claim, err := gone.Claim(bg, record("X"), time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				if err := gone.Unlock(bg, claim); err != nil {
					t.Fatal(err)
				}
				if _, err := gone.Take(bg, "nothing", time.Minute, 1); err != nil {
					t.Fatal(err)
				}
			}
			p.stalls.Store(true)
			if err := step(gone); !errors.Is(err, errStuck) {
				t.Fatalf("the step of the one that is cut off: %v", err)
			}
			if n := server.Value(t, `select count(*) from pg_stat_activity where wait_event = 'ClientRead' and state = 'active' and application_name = $1`,
				"caddy-ccpayment "+schema); n != "1" {
				t.Fatalf("%s batches are open", n)
			}

			s := member(t, Options{URL: server.URL(), Schema: schema, NoListen: true})
			for range 3 {
				for _, id := range []string{"X", "new"} {
					began := time.Now()
					claim, err := s.Claim(bg, record(id), time.Minute)
					if err == nil {
						err = s.Unlock(bg, claim)
					}
					if err != nil && !errors.Is(err, ledger.ErrLeased) || time.Since(began) > patience/2 {
						t.Errorf("the record of the batch: %v after %s", err, time.Since(began))
					}
				}
			}
			taken, err := s.Take(bg, "webhook", time.Minute, 10)
			if err != nil || len(taken) < 3 {
				t.Errorf("taken are %d, %v", len(taken), err)
			}
			for _, k := range taken {
				if err := s.Unlock(bg, k.Claim); err != nil {
					t.Error(err)
				}
			}
			// One that waits for the batch is in the way of no other.
			waits := make(chan error, 1)
			go func() { c := one("new"); waits <- s.Accept(bg, c.Event.Key, acceptOnce(c)) }()
			for i := range 20 {
				accept(t, s, fmt.Sprint("other", i))
			}
			if err := <-waits; name == "Accept" && (code(err) != lockNotAvailable || errors.Is(err, ledger.ErrUnknown)) {
				t.Errorf("the event of the batch: %v", err)
			}
			p.listener.Close() // else what was cut off is tried again
			p.cutAll()
			ctx, cancel := context.WithTimeout(bg, 10*time.Second)
			defer cancel()
			for ctx.Err() == nil {
				if _, err = s.Claim(bg, record("new"), time.Minute); err == nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Errorf("when the connection has ended: %v", err)
		})
	}
}
