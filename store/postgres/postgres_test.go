package postgres

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/ledger/ledgertest"
)

var bg = context.Background()

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

func TestStore(t *testing.T) {
	ledgertest.Run(t, ledgertest.Features{Shared: true}, func(t *testing.T, now func() time.Time) func() ledger.Store {
		server := postgrestest.Shared(t)
		schema := server.Schema(t)
		return func() ledger.Store {
			return opened(t, Options{URL: server.URL(), Schema: schema, now: now})
		}
	})
}

// opened opens a store, and waits until it can be used: on a busy machine its schema takes
// longer than Open waits for.
func opened(t testing.TB, opts Options) *Store {
	t.Helper()
	s := open(t, opts)
	untilUsable(t, s)
	return s
}

// begun is opened for a store that the test closes.
func begun(t testing.TB, opts Options) *Store {
	t.Helper()
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	untilUsable(t, s)
	return s
}

func untilUsable(t testing.TB, s *Store) {
	t.Helper()
	processtest.Until(t, "the store can be used", func() bool { return s.usable() == nil })
}

// open opens a store, which is closed when the test ends. One with a test's clock does not
// tidy up beside the test: it would go by the time at which it began, and to a clock that
// jumps meanwhile the leases since then have to end.
func open(t testing.TB, opts Options) *Store {
	t.Helper()
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	if opts.now != nil {
		s.session.tidied = time.Now()
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
