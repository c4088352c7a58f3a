// Package ledgertest has the test suite that every [ledger.Store] must pass.
package ledgertest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Features are what a store can do besides.
type Features struct {
	// Shared: the store is a [ledger.Cluster].
	Shared bool
	// NoHints: what a process tells the others is lost.
	NoHints bool
}

// Opener makes a new, empty ledger whose leases run on the clock now, and returns a
// function that opens it. That is called once, or, where several processes can share
// the ledger, for each of them. What it opens is closed when the test ends.
type Opener func(t *testing.T, now func() time.Time) (open func() ledger.Store)

// testCase is one test of the suite.
type testCase struct {
	name string
	run  func(t *testing.T, s *store)
}

// Run runs the suite, which is meant for the race detector.
func Run(t *testing.T, features Features, make Opener) {
	cases := []testCase{
		{"ClaimUnknown", claimUnknown},
		{"LeaseIsExclusive", leaseIsExclusive},
		{"LeaseExpires", leaseExpires},
		{"FailureIsFenced", failureIsFenced},
		{"SuccessIsFenced", successIsFenced},
		{"SuccessIsAJoin", successIsAJoin},
		{"Unlock", unlock},
		{"UnlockOfALostLease", unlockOfALostLease},
		{"CommitEndsTheLease", commitEndsTheLease},
		{"CommitIsAllOrNone", commitIsAllOrNone},
		{"RefusedCommitHarmsNoOther", refusedCommitHarmsNoOther},
		{"IllegalTransitions", illegalTransitions},
		{"Summaries", summaries},
		{"RecordsStayApart", recordsStayApart},
		{"LongNames", longNames},
		{"Load", load},
		{"Bodies", bodies},
		{"Prune", prune},
		{"PruneUnfinished", pruneUnfinished},
		{"Answers", answers},
		{"ConcurrentCommits", concurrentCommits},
		{"ConcurrentClaims", concurrentClaims},
		{"FlagsAreBoundOnce", flagsAreBoundOnce},
		{"FlagsStayApart", flagsStayApart},
		{"SeveralFlagsAtOnce", severalFlagsAtOnce},
		{"HoldsMany", holdsMany},
		{"BindingIsFenced", bindingIsFenced},
		{"ConcurrentBinding", concurrentBinding},
		{"BindingWithSteps", bindingWithSteps},
		{"Accept", accept},
		{"AcceptBringsBackTheBody", acceptBringsBackTheBody},
		{"AcceptBesideALease", acceptBesideALease},
		{"Confirmations", confirmations},
		{"Orders", orders},
		{"OrderPages", orderPages},
		{"GenerationsStay", generationsStay},
		{"SharedOrders", sharedOrders},
		{"AcceptAtOnce", acceptAtOnce},
		{"DueEvents", dueEvents},
		{"Find", findByID},
		{"List", list},
		{"ListPages", listPages},
		{"ListMost", listMost},
		{"Counts", counts},
		{"AcceptGuesses", acceptGuesses},
		{"UpdateOrder", updateOrder},
		{"OrderOf", orderOf},
		{"Endings", endings},
		{"Looks", looks},
		{"Closings", closings},
		{"Closed", closed},
	}
	if features.Shared {
		cases = append(cases, sharedCases...)
	}
	if features.Shared && !features.NoHints {
		cases = append(cases, testCase{"Wake", wake})
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			clock := &clock{now: start}
			open := make(t, clock.Now)
			if features.Shared {
				inner := open
				open = func() ledger.Store { return &member{Cluster: inner().(ledger.Cluster)} }
			}
			s := &store{clock: clock, open: open, isShared: features.Shared}
			s.Store = s.open()
			s.join(t, s.Store)
			test.run(t, s)
		})
	}
}

var (
	start = time.Date(2026, 3, 12, 8, 30, 0, 123456789, time.UTC)
	bg    = context.Background()
)

const ttl = time.Minute

// clock is a clock that stands still until a test advances it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// store is the store under test, with helpers that fail the test.
type store struct {
	ledger.Store
	clock *clock
	open  func() ledger.Store

	isShared bool
	// members have a session, which lives while the clock advances.
	members []*member
}

// member is a process's store, whose leases are renewed with its session.
type member struct {
	ledger.Cluster

	mu   sync.Mutex
	held []uint64
}

func (m *member) add(epoch uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = append(m.held, epoch)
}

func (m *member) Claim(ctx context.Context, record ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	claim, err := m.Cluster.Claim(ctx, record, ttl)
	if err == nil {
		m.add(claim.Epoch)
	}
	return claim, err
}

func (m *member) Take(ctx context.Context, route string, ttl time.Duration, limit int) ([]ledger.Taken, error) {
	all, err := m.Cluster.Take(ctx, route, ttl, limit)
	for _, taken := range all {
		m.add(taken.Claim.Epoch)
	}
	return all, err
}

func (m *member) keep(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.Keep(bg, ledger.Session{}, m.held); err != nil {
		t.Fatalf("keeping a session: %v", err)
	}
}

// join begins a store's session, if it needs one.
func (s *store) join(t *testing.T, other ledger.Store) {
	t.Helper()
	if !s.isShared {
		return
	}
	member := other.(*member)
	member.keep(t)
	s.members = append(s.members, member)
}

// advance advances the clock, while all sessions are renewed.
func (s *store) advance(t *testing.T, d time.Duration) {
	t.Helper()
	const step = ledger.SessionTTL * 2 / 3
	for ; len(s.members) > 0 && d > step; d -= step {
		s.clock.advance(step)
		s.keep(t)
	}
	s.clock.advance(d)
	s.keep(t)
}

func (s *store) keep(t *testing.T) {
	t.Helper()
	for _, member := range s.members {
		member.keep(t)
	}
}

// Claim hides the epochs of events, which only stores that are shared have.
func (s *store) Claim(ctx context.Context, record ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	claim, err := s.Store.Claim(ctx, record, ttl)
	for i := range claim.Events {
		claim.Events[i].Epoch = 0
	}
	return claim, err
}

func (s *store) claim(t *testing.T, r ledger.Record) ledger.Claim {
	t.Helper()
	claim, err := s.Claim(bg, r, ttl)
	if err != nil {
		t.Fatalf("claiming %q: %v", r.ID, err)
	}
	return claim
}

func (s *store) commit(t *testing.T, claim ledger.Claim, changes ...ledger.Change) {
	t.Helper()
	if err := s.Commit(bg, claim, changes); err != nil {
		t.Fatalf("committing to %q: %v", claim.Record.ID, err)
	}
}

// put claims the event's record and commits the event in the state.
func (s *store) put(t *testing.T, event ledger.Event, states ...ledger.State) {
	t.Helper()
	s.commit(t, s.claim(t, event.Record), change(event, states...))
}

// summaries claims the record, for its events only.
func (s *store) summaries(t *testing.T, r ledger.Record) map[ledger.Key]ledger.Summary {
	t.Helper()
	claim := s.claim(t, r)
	if err := s.Unlock(bg, claim); err != nil {
		t.Fatal(err)
	}
	events := make(map[ledger.Key]ledger.Summary)
	for _, e := range claim.Events {
		if _, ok := events[e.Key]; ok {
			t.Errorf("event %+v is there twice", e.Key)
		}
		events[e.Key] = e
	}
	return events
}

func (s *store) wantState(t *testing.T, key ledger.Key, want ledger.State) {
	t.Helper()
	if got := s.summaries(t, key.Record)[key].State; got != want {
		t.Errorf("the claim of %q says %s, want %s", key.Status, got, want)
	}
	event, err := s.Load(bg, key)
	if want == ledger.None {
		if !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("loading %q: %v, want %v", key.Status, err, ledger.ErrNotFound)
		}
		return
	}
	if err != nil || event.State != want {
		t.Errorf("loading %q: %s, %v, want %s", key.Status, event.State, err, want)
	}
}

func record(id string) ledger.Record {
	return ledger.Record{Route: "webhook", AppID: "app-123", Type: "ApiDeposit", ID: id}
}

func event(r ledger.Record, status string) ledger.Event {
	return ledger.Event{
		Key:        ledger.Key{Record: r, Status: strings.ToLower(status), Risk: ledger.NotRisky},
		Account:    "default",
		Status:     status,
		ReceivedAt: start,
		Body:       []byte(`{"type":"ApiDeposit","msg":{"status":"` + status + `"}}`),
	}
}

// change takes an event through states, as attempt 1.
func change(event ledger.Event, states ...ledger.State) ledger.Change {
	c := ledger.Change{Event: event}
	for i, state := range states {
		t := ledger.Transition{At: start.Add(time.Duration(i+1) * time.Second), State: state}
		switch state {
		case ledger.Delivering:
			t.Attempt, t.Seq = 1, 1000
		case ledger.Delivered:
			t.Attempt = 1
		case ledger.Retrying:
			t.Attempt, t.Cause = 1, "refused"
		}
		c.Transitions = append(c.Transitions, t)
	}
	return c
}

// The ways of an event to its states.
var (
	delivered = []ledger.State{ledger.Received, ledger.Delivering, ledger.Delivered}
	retrying  = []ledger.State{ledger.Received, ledger.Delivering, ledger.Retrying}
)

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}
