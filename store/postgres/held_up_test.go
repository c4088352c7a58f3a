package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// holdUp has whoever uses a table wait until the test ends.
func holdUp(t *testing.T, server *postgrestest.Server, schema, table string) {
	t.Helper()
	conn, err := pgx.Connect(bg, server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(bg) })
	if _, err := conn.Exec(bg, fmt.Sprintf(`begin; lock table %q.%s in access exclusive mode`, schema, table)); err != nil {
		t.Fatal(err)
	}
}

// TestHeldUp: where all connections are held up, callers leave and nothing is left of
// them, and the session goes on.
func TestHeldUp(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	s := member(t, Options{URL: server.URL(), Schema: schema, NoListen: true, MaxConns: 2})
	holdUp(t, server, schema, "orders")
	s.patience = time.Second / 2 // of those only that get stuck
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			if _, err := s.OrderOf(bg, ledger.OrderID{AppID: "a", ID: fmt.Sprint(i)}); !errors.Is(err, errStuck) {
				t.Errorf("a reader: %v", err)
			}
		})
	}
	wg.Wait()
	s.patience = patience
	if n := s.pool.Stat().AcquiredConns(); n != 2 {
		t.Fatalf("%d connections are held up", n)
	}
	eventually(t, "goroutines wait for a connection although nobody waits for them", func() bool { return runtime.NumGoroutine() < before+30 })
	for range 3 {
		if _, err := s.Keep(bg, ledger.Session{}, nil); err != nil {
			t.Errorf("Keep: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.Spend(ctx, "x", time.Second, 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > patience/2 {
		t.Errorf("a caller with 50 ms left after %s: %v", time.Since(began), err)
	}
}

// TestOtherWarnings: what the server warns of besides its standbys puts no commit in
// doubt.
func TestOtherWarnings(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	s := member(t, Options{URL: server.URL(), Schema: schema})
	server.Exec(t, fmt.Sprintf(`create function %q.warn() returns trigger language plpgsql as $$ begin raise warning 'the database must be vacuumed'; return null; end $$`, schema))
	server.Exec(t, fmt.Sprintf(`create constraint trigger warns after insert on %[1]q.events deferrable initially deferred for each row execute function %[1]q.warn()`, schema))
	c := one("1")
	if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
		t.Error(err)
	}
}

// TestOwnSchema: a user who may create nothing in the database gets along with a schema
// that was made for it.
func TestOwnSchema(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	server.Exec(t, `create role tenant login`)
	server.Exec(t, fmt.Sprintf(`create schema %q authorization tenant`, schema))
	defer server.Exec(t, `drop owned by tenant cascade; drop role tenant`)
	s := begun(t, Options{URL: strings.Replace(server.URL(), "test@", "tenant@", 1), Schema: schema})
	c := one("1")
	if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
