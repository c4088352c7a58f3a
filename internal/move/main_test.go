package move

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
	"github.com/seed-338f6760/caddy-ccpayment/store/postgres"
)

var bg = context.Background()

// TestMain runs the tests, or a move where one of them has started this program for it.
func TestMain(m *testing.M) {
	if file := os.Getenv("MOVE_FROM"); file != "" {
		batch, _ := strconv.Atoi(os.Getenv("MOVE_BATCH"))
		opts := Options{Batch: batch, Every: 1, Print: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }}
		if err := run(file, os.Getenv("MOVE_TO"), os.Getenv("MOVE_SCHEMA"), opts, nil); err != nil {
			fmt.Println("ERROR", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(postgrestest.Main(m))
}

// run moves a ledger as the command does. Wrap, if set, puts something in front of the
// target.
func run(file, url, schema string, opts Options, wrap func(ledger.Import) ledger.Import) (err error) {
	source, target := &bolt.Module{Path: file}, &postgres.Module{URL: url, Schema: schema}
	if err := errors.Join(source.Provision(caddy.Context{}), target.Provision(caddy.Context{}), target.Validate()); err != nil {
		return err
	}
	from, err := source.Export()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := target.Import()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if wrap != nil {
		to = wrap(to)
	}
	return Run(from, to, opts)
}

// world is a ledger's file and where it goes.
type world struct {
	t      *testing.T
	server *postgrestest.Server
	file   string
	schema string
	opts   Options

	mu      sync.Mutex
	printed []string
}

func newWorld(t *testing.T) *world {
	server := postgrestest.Shared(t)
	w := &world{t: t, server: server, file: t.TempDir() + "/ledger.db", schema: server.Schema(t)}
	w.opts = Options{Batch: 7, Every: time.Nanosecond, Print: func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.printed = append(w.printed, fmt.Sprintf(format, args...))
	}}
	return w
}

func (w *world) move(wrap func(ledger.Import) ledger.Import) error {
	return run(w.file, w.server.URL(), w.schema, w.opts, wrap)
}

// moves is a move that must not fail.
func (w *world) moves() {
	w.t.Helper()
	if err := w.move(nil); err != nil {
		w.t.Fatal(err)
	}
}

// refuses checks that the ledger is not moved, and why.
func (w *world) refuses(want string) {
	w.t.Helper()
	if err := w.move(nil); err == nil || !strings.Contains(err.Error(), want) {
		w.t.Fatalf("moving: %v, want %q", err, want)
	}
}

func (w *world) said(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(strings.Join(w.printed, "\n"), text)
}

func (w *world) openBolt() *bolt.Store {
	w.t.Helper()
	s, err := bolt.Open(w.file, bolt.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) openPostgres() *postgres.Store {
	w.t.Helper()
	s, err := postgres.Open(postgres.Options{URL: w.server.URL(), Schema: w.schema})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() })
	postgrestest.UntilUsable(w.t, s)
	return s
}

// fill makes the ledger, with everything that there is in one and n more events.
func (w *world) fill(n int) {
	w.t.Helper()
	s := w.openBolt()
	makeLedger(w.t, s)
	for i := range n {
		accept(w.t, s, event(fmt.Sprintf("more-%06d", i)))
	}
	w.closes(s)
}

func (w *world) closes(s ledger.Store) {
	w.t.Helper()
	if err := s.Close(); err != nil {
		w.t.Fatal(err)
	}
}
