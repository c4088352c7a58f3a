// Package postgres keeps the ledger in PostgreSQL, 14 or newer, so that several
// processes can share it. Every commit is durable, as far as the server's own settings
// go, before it is acknowledged.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Options are what a store is opened with. URL and Schema must be set.
type Options struct {
	// URL is a URL or a list of settings, as libpq takes them.
	URL string
	// Schema is the schema that has the ledger's tables. It is made where it is
	// missing.
	Schema string
	// MaxConns is the most connections, besides one that keeps the session and one that
	// listens. Default: 8.
	MaxConns int
	// Replicas is for how many synchronous standbys the server must wait; with fewer it
	// is refused.
	Replicas int
	// NoListen has the store poll only: it neither sends hints nor takes any.
	NoListen bool
	// Poll is how often to look for what hints do not tell. Default: 1s.
	Poll time.Duration
	// Logger, if set, is told what is to be known of the server.
	Logger *zap.Logger
	// Committed, if set, is called after each durable commit with the time it took.
	Committed func(took time.Duration)

	// now, if set, stands for the server's clock.
	now func() time.Time
	// local, if set, stands for this machine's monotonic clock; else now does where it is
	// set.
	local func() time.Time
	// patience, if set, stands for the time that callers wait.
	patience time.Duration
	// counted, if set, is called with the method for each round trip.
	counted func(method string)
	// migrations, if set, stand for the plugin's.
	migrations []string
	// imports: a ledger is to be moved into it, and nobody waits for a database that is
	// away.
	imports bool
}

const (
	defaultConns = 8
	defaultPoll  = time.Second
	// firstWait is how long Open waits for a server that does not answer, and importWait where
	// nothing can be done without it.
	firstWait  = 2 * time.Second
	importWait = 30 * time.Second
	retryWait  = time.Second
)

// Store is a ledger in a PostgreSQL database.
type Store struct {
	opts Options
	// name names the database in errors and logs, without secrets.
	name string
	pool *pgxpool.Pool
	// keeper has the connection that the session is kept on.
	keeper   *pgxpool.Pool
	patience time.Duration
	sql      *statements
	// instance tells this store from others that are open on the database.
	instance digest

	// unusable is why the store cannot be used yet; nil: it can. It is written under losing.
	unusable atomic.Pointer[error]
	losing   sync.Mutex
	// isConnecting: it is tried again until it can.
	isConnecting bool
	// replicated: the server waits for a standby at each commit.
	replicated atomic.Bool
	// isPooled: a pooler stands in front of the server.
	isPooled atomic.Bool

	closing context.Context
	close   context.CancelFunc
	mu      sync.Mutex
	closed  bool
	active  sync.WaitGroup

	steps   gatherer[change, outcome]
	claims  gatherer[wanted, got]
	unlocks gatherer[unlock, struct{}]
	syncs   gatherer[struct{}, struct{}]

	held    heldClaims
	kinds   sync.Map // digest: those that the database has
	session session
	hints   hints
}

// Open opens the ledger in the database. Where that is out of reach for now, the store
// connects in the background, and its methods fail until it has.
func Open(opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	if opts.MaxConns <= 0 {
		opts.MaxConns = defaultConns
	}
	if opts.Poll <= 0 {
		opts.Poll = defaultPoll
	}
	if opts.migrations == nil {
		opts.migrations = migrations
	}
	if opts.local == nil {
		opts.local = opts.now
	}
	if opts.local == nil {
		opts.local = time.Now
	}
	if opts.patience == 0 {
		opts.patience = patience
	}
	config, err := parse(opts.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		opts: opts, name: nameOf(config.ConnConfig) + "/" + opts.Schema, patience: opts.patience,
		sql: statementsIn(opts.Schema), instance: newToken(),
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.steps = gatherer[change, outcome]{run: s.runSteps, lanes: max(1, min(3, opts.MaxConns/2)), most: 128, patience: s.patience, active: &s.active, writes: true}
	s.claims = gatherer[wanted, got]{run: s.runClaims, lanes: max(1, min(2, opts.MaxConns/4)), most: 128, patience: s.patience, active: &s.active}
	s.unlocks = gatherer[unlock, struct{}]{run: s.runUnlocks, lanes: 1, most: 128, patience: s.patience, active: &s.active}
	s.syncs = gatherer[struct{}, struct{}]{run: s.runSyncs, lanes: 1, most: 10_000, patience: s.patience, active: &s.active}
	s.configure(config)
	keeper := config.Copy()
	keeper.MaxConns = 1
	if s.pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", s.name, err)
	}
	if s.keeper, err = pgxpool.NewWithConfig(context.Background(), keeper); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", s.name, err)
	}
	wait := firstWait
	if opts.imports {
		wait = importWait
	}
	ctx, cancel := context.WithTimeout(s.closing, wait)
	defer cancel()
	err = s.begin(ctx)
	if err != nil && (!away(err) || opts.imports) {
		s.close()
		s.pool.Close()
		s.keeper.Close()
		return nil, fmt.Errorf("ledger %s: %w", s.name, err)
	}
	if err != nil {
		opts.Logger.Error("the ledger's database is away: webhooks are answered 503 until it is there", zap.String("ledger", s.name), zap.Error(err))
		s.unusable.Store(&err)
		s.isConnecting = true
		s.active.Add(1)
		go s.connect()
	}
	return s, nil
}

// lose has the store be used no more until its server is fit again.
func (s *Store) lose(why error) {
	s.losing.Lock()
	defer s.losing.Unlock()
	s.unusable.Store(&why)
	if s.isConnecting || !s.enter() {
		return
	}
	s.isConnecting = true
	s.opts.Logger.Error("the ledger's database cannot be used any more: webhooks are answered 503", zap.String("ledger", s.name), zap.Error(why))
	go s.connect()
}

// regain has the store be used again, unless it was lost once more since the reason why it
// cannot be was looked at.
func (s *Store) regain(why *error) bool {
	s.losing.Lock()
	defer s.losing.Unlock()
	if !s.unusable.CompareAndSwap(why, nil) {
		return false
	}
	s.isConnecting = false
	return true
}

// stayLost notes why the store still cannot be used.
func (s *Store) stayLost(why error) {
	s.losing.Lock()
	defer s.losing.Unlock()
	if before := s.unusable.Swap(&why); !away(why) && (before == nil || (*before).Error() != why.Error()) {
		s.opts.Logger.Error("the ledger's database cannot be used", zap.String("ledger", s.name), zap.Error(why))
	}
}

// connect tries again until the store can be used.
func (s *Store) connect() {
	defer s.active.Done()
	ticker := time.NewTicker(retryWait)
	defer ticker.Stop()
	for {
		select {
		case <-s.closing.Done():
			return
		case <-ticker.C:
		}
		why := s.unusable.Load()
		if err := s.begin(s.closing); err != nil {
			s.stayLost(err)
		} else if s.regain(why) {
			s.opts.Logger.Info("the ledger's database is there", zap.String("ledger", s.name))
			return
		}
	}
}

// usable returns why the store cannot be used; nil: it can.
func (s *Store) usable() error {
	if why := s.unusable.Load(); why != nil {
		return *why
	}
	return nil
}

// enter counts a call that begins; false: the store is closed.
func (s *Store) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.active.Add(1)
	return true
}

// entered runs a step of a gatherer, unless the store is closed.
func entered[I, O any](s *Store, g *gatherer[I, O], in I) (O, error) {
	if !s.enter() {
		var none O
		return none, ledger.ErrClosed
	}
	defer s.active.Done()
	out, err := g.do(in)
	return out, s.explain(err)
}

// Close ends the process's session, with all its leases, and the connections. Calls
// that run end first, unless the database does not answer; calls that come later fail
// with [ledger.ErrClosed].
func (s *Store) Close() error {
	s.mu.Lock()
	isClosed := s.closed
	s.closed = true
	s.mu.Unlock()
	if isClosed {
		return nil
	}
	s.close()
	ended := make(chan error, 1)
	go func() {
		s.active.Wait()
		err := s.endSession()
		s.pool.Close()
		s.keeper.Close()
		ended <- err
	}()
	select {
	case err := <-ended:
		return s.explain(err)
	case <-time.After(s.patience):
		return s.explain(errStuck)
	}
}

// count notes a round trip.
func (s *Store) count(method string) {
	if s.opts.counted != nil {
		s.opts.counted(method)
	}
}

// clock is the time that statements are given; nil: they take the server's.
func (s *Store) clock() *int64 {
	if s.opts.now == nil {
		return nil
	}
	n := s.opts.now().UnixNano()
	return &n
}

// Size implements [ledger.Sizer] with the size of the schema's tables and indexes.
func (s *Store) Size() (int64, error) {
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) (size int64, err error) {
		err = conn.QueryRow(ctx, `select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
			from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relkind = 'r'`, s.opts.Schema).Scan(&size)
		return size, err
	})
}

// statements are the store's, for its schema.
type statements struct {
	write, claim, leased, unlock, owns, readRecord, readEvent, readBody                    string
	load, readOrders, takenSome, orderOf, ending, orders, find, list, due, counts, compact string
	prune, holders, kind, kinds, listAside, listRecords                                    string
	keep, near, others, endSession, versions, tidy, take, taken, renew, left, spend        string
	drain, budget, boot, look, saveLook, answers                                           string
}

// in puts the schema's name in the place of the word ledger.
func in(schema, sql string) string {
	return strings.ReplaceAll(sql, "ledger.", pgx.Identifier{schema}.Sanitize()+".")
}

var errSchema = errors.New("schema must be a name of at most 50 small letters, digits and underscores")

// Interface guards
var (
	_ ledger.Store         = (*Store)(nil)
	_ ledger.Sizer         = (*Store)(nil)
	_ ledger.OrderVersions = (*Store)(nil)
)
