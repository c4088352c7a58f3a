package purchase

import (
	"context"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Ledger is a store for one run.
type Ledger struct {
	Store ledger.Store
	// After, if set, is called after each of the store's methods.
	After func()
	// Reopen opens what the store has left, once that is closed.
	Reopen func() (ledger.Store, error)
}

// failing is a store of which each call may fail.
type failing struct {
	ledger.Store
	faults *Faults
	after  func()
	// lost is what a caller is told where the answer of a step is lost.
	lost error
	// leases are the ways in which what takes and ends leases fails.
	leases []How
}

// failingCluster is the same of a store that is shared.
type failingCluster struct {
	failing
	cluster ledger.Cluster
}

// over returns the store of which calls fail. The caller of a store of one process cannot
// tell a commit that has failed from one that nobody knows about; that store keeps its
// leases in memory, and loses no answer about them.
func over(l Ledger, faults *Faults) ledger.Store {
	after := l.After
	if after == nil {
		after = func() {}
	}
	cluster, isShared := l.Store.(ledger.Cluster)
	if !isShared {
		return &failing{l.Store, faults, after, errFault, reads}
	}
	return &failingCluster{failing{l.Store, faults, after, ledger.ErrUnknown, writes}, cluster}
}

// reads and writes are the ways in which these fail.
var (
	reads  = []How{Fails}
	writes = []How{Fails, Lost}
)

// does runs a step that may fail.
func does[T any](s *failing, name string, hows []How, step func() (T, error)) (T, error) {
	var none T
	how := s.faults.Next("store "+name, hows...)
	if how == Fails {
		return none, errFault
	}
	defer s.after()
	out, err := step()
	if how == Lost {
		return none, s.lost
	}
	return out, err
}

func (s *failing) do(name string, hows []How, step func() error) error {
	_, err := does(s, name, hows, func() (struct{}, error) { return struct{}{}, step() })
	return err
}

func (s *failing) Load(ctx context.Context, key ledger.Key) (ledger.Event, error) {
	return does(s, "Load", reads, func() (ledger.Event, error) { return s.Store.Load(ctx, key) })
}

func (s *failing) LoadOrder(ctx context.Context, id ledger.OrderID) (ledger.Order, error) {
	return does(s, "LoadOrder", reads, func() (ledger.Order, error) { return s.Store.LoadOrder(ctx, id) })
}

func (s *failing) OrderOf(ctx context.Context, id ledger.OrderID) (ledger.Order, error) {
	return does(s, "OrderOf", reads, func() (ledger.Order, error) { return s.Store.OrderOf(ctx, id) })
}

func (s *failing) Due(ctx context.Context, route string, from time.Time, limit int) ([]ledger.Due, error) {
	return does(s, "Due", reads, func() ([]ledger.Due, error) { return s.Store.Due(ctx, route, from, limit) })
}

func (s *failing) Holds(ctx context.Context, key ledger.Key, flags []ledger.Flag) ([]bool, error) {
	return does(s, "Holds", reads, func() ([]bool, error) { return s.Store.Holds(ctx, key, flags) })
}

func (s *failing) HoldsMany(ctx context.Context, of []ledger.Holding) ([]bool, error) {
	return does(s, "HoldsMany", reads, func() ([]bool, error) { return s.Store.HoldsMany(ctx, of) })
}

func (s *failing) Bound(ctx context.Context, flags []ledger.Flag) ([]bool, error) {
	return does(s, "Bound", reads, func() ([]bool, error) { return s.Store.Bound(ctx, flags) })
}

func (s *failing) Claim(ctx context.Context, record ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	return does(s, "Claim", s.leases, func() (ledger.Claim, error) { return s.Store.Claim(ctx, record, ttl) })
}

func (s *failing) Unlock(ctx context.Context, claim ledger.Claim) error {
	return s.do("Unlock", s.leases, func() error { return s.Store.Unlock(ctx, claim) })
}

func (s *failing) Commit(ctx context.Context, claim ledger.Claim, changes []ledger.Change) error {
	return s.do("Commit", writes, func() error { return s.Store.Commit(ctx, claim, changes) })
}

func (s *failing) Accept(ctx context.Context, key ledger.Key, decide func(*ledger.Event) *ledger.Change) error {
	return s.do("Accept", writes, func() error { return s.Store.Accept(ctx, key, decide) })
}

func (s *failing) Bind(ctx context.Context, claim ledger.Claim, change ledger.Change, flags []ledger.Flag) ([]bool, error) {
	return does(s, "Bind", writes, func() ([]bool, error) { return s.Store.Bind(ctx, claim, change, flags) })
}

func (s *failing) UpdateOrder(ctx context.Context, id ledger.OrderID, update func(*ledger.Order)) error {
	return s.do("UpdateOrder", writes, func() error { return s.Store.UpdateOrder(ctx, id, update) })
}

func (s *failingCluster) Keep(ctx context.Context, about ledger.Session, held []uint64) (ledger.News, error) {
	return does(&s.failing, "Keep", writes, func() (ledger.News, error) { return s.cluster.Keep(ctx, about, held) })
}

func (s *failingCluster) Take(ctx context.Context, route string, ttl time.Duration, limit int) ([]ledger.Taken, error) {
	return does(&s.failing, "Take", writes, func() ([]ledger.Taken, error) { return s.cluster.Take(ctx, route, ttl, limit) })
}

func (s *failingCluster) Sync(ctx context.Context) error {
	return s.do("Sync", reads, func() error { return s.cluster.Sync(ctx) })
}

func (s *failingCluster) Spend(ctx context.Context, budget string, every time.Duration, burst int) (time.Duration, error) {
	return does(&s.failing, "Spend", writes, func() (time.Duration, error) { return s.cluster.Spend(ctx, budget, every, burst) })
}

func (s *failingCluster) Wake(change ledger.Hint) { s.cluster.Wake(change) }

func (s *failingCluster) OnWake(f func(ledger.Hint)) { s.cluster.OnWake(f) }

// OrderVersions implements [ledger.OrderVersions].
func (s *failingCluster) OrderVersions(ctx context.Context, ids []ledger.OrderID) ([]uint64, error) {
	return does(&s.failing, "OrderVersions", reads, func() ([]uint64, error) {
		return s.cluster.(ledger.OrderVersions).OrderVersions(ctx, ids)
	})
}

// Interface guards
var (
	_ ledger.Cluster       = (*failingCluster)(nil)
	_ ledger.OrderVersions = (*failingCluster)(nil)
)
