package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// sharedCases are for stores that several processes share.
var sharedCases = []testCase{
	{"NoSession", noSession},
	{"LeasesExclude", leasesExclude},
	{"LeasesOfASessionThatRanOut", leasesOfASessionThatRanOut},
	{"SessionsRunOutUnclaimed", sessionsRunOutUnclaimed},
	{"ForgottenLease", forgottenLease},
	{"CloseFreesLeases", closeFreesLeases},
	{"LeaseRunsOutUnclaimed", leaseRunsOutUnclaimed},
	{"EpochsOfEvents", epochsOfEvents},
	{"ConflictsMerge", conflictsMerge},
	{"AcceptAtTwo", acceptAtTwo},
	{"ClaimsAtTwo", claimsAtTwo},
	{"OrdersAtTwo", ordersAtTwo},
	{"FlagsAtTwo", flagsAtTwo},
	{"Sessions", sessions},
	{"Take", take},
	{"TakeLeased", takeLeased},
	{"TakeAtSix", takeAtSix},
	{"Spend", spend},
}

// second opens the ledger as another process does.
func (s *store) second(t *testing.T) *store {
	t.Helper()
	other := &store{Store: s.open(), clock: s.clock, open: s.open, isShared: true}
	s.join(t, other.Store)
	return other
}

func (s *store) cluster() ledger.Cluster { return s.Store.(ledger.Cluster) }

// leave has a store's session not be renewed any more.
func (s *store) leave(other *store) {
	s.members = slices.DeleteFunc(s.members, func(m *member) bool { return m == other.Store })
}

func (s *store) take(t *testing.T, route string, limit int) []ledger.Taken {
	t.Helper()
	taken, err := s.cluster().Take(bg, route, ttl, limit)
	if err != nil {
		t.Fatalf("taking: %v", err)
	}
	return taken
}

func noSession(t *testing.T, s *store) {
	other := &store{Store: s.open(), clock: s.clock, isShared: true}
	_, err := other.Claim(bg, record("1"), ttl)
	wantErr(t, "claiming without a session", err, ledger.ErrNoSession)
	_, err = other.cluster().Take(bg, "webhook", ttl, 10)
	wantErr(t, "taking without a session", err, ledger.ErrNoSession)
	if !other.acceptNew(t, event(record("1"), "Success"), start) {
		t.Error("without a session nothing is accepted")
	}
	s.join(t, other.Store)
	other.claim(t, record("1"))
	s.leave(other)
	s.advance(t, ledger.SessionTTL)
	_, err = other.Claim(bg, record("2"), ttl)
	wantErr(t, "claiming when the session has run out", err, ledger.ErrNoSession)
	_, err = other.cluster().Take(bg, "webhook", ttl, 10)
	wantErr(t, "taking when the session has run out", err, ledger.ErrNoSession)
	s.join(t, other.Store)
	other.claim(t, record("2"))
}

// leasesExclude: a lease holds against all processes, and tells them whose and until
// when it is.
func leasesExclude(t *testing.T, s *store) {
	other := s.second(t)
	e := event(record("1"), "Success")
	claim := s.claim(t, e.Record)
	for _, who := range []*store{s, other} {
		_, err := who.Claim(bg, e.Record, ttl)
		var leased *ledger.LeasedError
		if !errors.Is(err, ledger.ErrLeased) || !errors.As(err, &leased) || leased.Epoch != claim.Epoch || !leased.Until.Equal(s.clock.Now().Add(ledger.SessionTTL)) {
			t.Errorf("claiming what is leased: %v (%+v)", err, leased)
		}
	}
	s.commit(t, claim, change(e, retrying...))
	last := claim.Epoch
	for i := range 6 {
		who := []*store{s, other}[i%2]
		claim := who.claim(t, e.Record)
		if claim.Epoch <= last || len(claim.Events) != 1 {
			t.Errorf("epoch %d with %d events follows %d", claim.Epoch, len(claim.Events), last)
		}
		last = claim.Epoch
		if err := who.Unlock(bg, claim); err != nil {
			t.Fatal(err)
		}
	}
}

// leasesOfASessionThatRanOut: they are free for others, and what their owner then
// writes is fenced.
func leasesOfASessionThatRanOut(t *testing.T, s *store) {
	other := s.second(t)
	failed, delivers := event(record("1"), "Success"), event(record("2"), "Success")
	lost, lost2 := other.claim(t, failed.Record), other.claim(t, delivers.Record)
	s.leave(other)
	s.advance(t, ledger.SessionTTL-1)
	_, err := s.Claim(bg, failed.Record, ttl)
	wantErr(t, "claiming before the session has run out", err, ledger.ErrLeased)
	s.advance(t, 1)
	current := s.claim(t, failed.Record)
	if current.Epoch <= lost.Epoch {
		t.Errorf("epoch %d follows %d", current.Epoch, lost.Epoch)
	}
	// Also under a new session.
	s.join(t, other.Store)
	wantErr(t, "its failure", other.Commit(bg, lost, []ledger.Change{change(failed, retrying...)}), ledger.ErrFenced)
	_, err = other.Bind(bg, lost, bare(failed.Key), failed.Flags())
	wantErr(t, "binding", err, ledger.ErrFenced)
	if err := other.Unlock(bg, lost); err != nil {
		t.Errorf("unlocking: %v", err)
	}
	_, err = other.Claim(bg, failed.Record, ttl)
	wantErr(t, "claiming what another owns", err, ledger.ErrLeased)
	s.commit(t, current, change(failed, retrying...))
	wantErr(t, "its success", other.Commit(bg, lost2, []ledger.Change{change(delivers, delivered...)}), ledger.ErrFenced)
}

// sessionsRunOutUnclaimed: a claim is overtaken when its session has ended, even where
// nobody has taken its record.
func sessionsRunOutUnclaimed(t *testing.T, s *store) {
	other := s.second(t)
	e := event(record("1"), "Success")
	flags := []ledger.Flag{ledger.FulfillOf("app-123", "1")}
	lost := other.claim(t, e.Record)
	s.leave(other)
	s.advance(t, ledger.SessionTTL)
	wantErr(t, "its failure", other.Commit(bg, lost, []ledger.Change{change(e, retrying...)}), ledger.ErrFenced)
	_, err := other.Bind(bg, lost, bare(e.Key), flags)
	wantErr(t, "binding", err, ledger.ErrFenced)
	s.wantTaken(t, "by a claim that is lost", flags[0], false)
	wantErr(t, "its success", other.Commit(bg, lost, []ledger.Change{change(e, delivered...)}), ledger.ErrFenced)
	s.wantState(t, e.Key, ledger.None)
}

// forgottenLease: a lease that its process does not renew, because it never heard of it,
// soon ends although the session goes on.
func forgottenLease(t *testing.T, s *store) {
	other := s.second(t)
	e := event(record("1"), "Success")
	forgotten := other.claim(t, e.Record)
	other.Store.(*member).held = nil
	s.advance(t, ledger.SessionTTL)
	wantErr(t, "the failure of a lease that was not renewed", other.Commit(bg, forgotten, []ledger.Change{change(e, retrying...)}), ledger.ErrFenced)
	s.commit(t, s.claim(t, e.Record), change(e, delivered...))
}

// closeFreesLeases: a process that ends in order leaves its records free.
func closeFreesLeases(t *testing.T, s *store) {
	other := s.second(t)
	for i := range 3 {
		other.claim(t, record(fmt.Sprint(i)))
	}
	s.leave(other)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		s.claim(t, record(fmt.Sprint(i)))
	}
	_, err := other.cluster().Keep(bg, ledger.Session{}, nil)
	wantErr(t, "Keep", err, ledger.ErrClosed)
	_, err = other.cluster().Take(bg, "webhook", ttl, 1)
	wantErr(t, "Take", err, ledger.ErrClosed)
	_, err = other.cluster().Spend(bg, "x", time.Second, 1)
	wantErr(t, "Spend", err, ledger.ErrClosed)
	other.cluster().Wake(ledger.Hint{Routes: []string{"webhook"}})
}

func leaseRunsOutUnclaimed(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	lost := s.claim(t, e.Record)
	s.advance(t, ttl)
	wantErr(t, "the failure of a lease that ran out", s.Commit(bg, lost, []ledger.Change{change(e, retrying...)}), ledger.ErrFenced)
	wantErr(t, "its success", s.Commit(bg, lost, []ledger.Change{change(e, delivered...)}), ledger.ErrFenced)
	s.wantState(t, e.Key, ledger.None)
}

// epochsOfEvents: an event tells which claim committed it last.
func epochsOfEvents(t *testing.T, s *store) {
	other := s.second(t)
	e := event(record("1"), "Success")
	want := func(what string, epoch uint64) {
		t.Helper()
		claim, err := other.Store.Claim(bg, e.Record, ttl)
		if err != nil || len(claim.Events) != 1 || claim.Events[0].Epoch != epoch {
			t.Errorf("%s: %+v, %v, want epoch %d", what, claim.Events, err, epoch)
		}
		if err := other.Unlock(bg, claim); err != nil {
			t.Fatal(err)
		}
	}
	s.acceptNew(t, e, start)
	want("accepted", 0)
	claim := s.claim(t, e.Record)
	if _, err := s.Bind(bg, claim, change(ledger.Event{Key: e.Key}, ledger.Delivering), e.Flags()); err != nil {
		t.Fatal(err)
	}
	_, err := other.Claim(bg, e.Record, ttl)
	wantErr(t, "claiming it", err, ledger.ErrLeased)
	s.commit(t, claim, change(ledger.Event{Key: e.Key}, ledger.Dead))
	want("committed", claim.Epoch)
	err = other.Accept(bg, e.Key, func(known *ledger.Event) *ledger.Change {
		if known == nil {
			return nil
		}
		return &ledger.Change{Event: e, Transitions: []ledger.Transition{{At: start, State: ledger.Retrying, Next: start, Reason: ledger.Retry}}}
	})
	if err != nil {
		t.Fatal(err)
	}
	want("accepted again", 0)
}

// conflictsMerge: what another process has written since a claim read its record is
// not lost.
func conflictsMerge(t *testing.T, s *store) {
	other := s.second(t)
	e := event(record("1"), "Success")
	s.acceptNew(t, e, start)
	claim := s.claim(t, e.Record)
	err := other.Accept(bg, e.Key, func(known *ledger.Event) *ledger.Change {
		if known == nil {
			return nil
		}
		return &ledger.Change{Event: e, Transitions: []ledger.Transition{{At: start, State: ledger.Retrying, Cause: "a copy came", Next: start}}}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bind(bg, claim, change(ledger.Event{Key: e.Key}, ledger.Delivering), e.Flags()); err != nil {
		t.Fatal(err)
	}
	s.commit(t, claim, change(ledger.Event{Key: e.Key}, ledger.Delivered))
	got, err := other.Load(bg, e.Key)
	var states []ledger.State
	for _, step := range got.Transitions {
		states = append(states, step.State)
	}
	want := []ledger.State{ledger.Received, ledger.Retrying, ledger.Delivering, ledger.Delivered}
	if err != nil || !slices.Equal(states, want) {
		t.Errorf("its history is %v, %v, want %v", states, err, want)
	}
	if due, err := other.Due(bg, "webhook", time.Time{}, 10); err != nil || len(due) != 0 {
		t.Errorf("due are %v, %v", due, err)
	}
}

// acceptAtTwo: an event that comes in at two processes is new at one.
func acceptAtTwo(t *testing.T, s *store) {
	other := s.second(t)
	for n := range 20 {
		e := event(record(fmt.Sprint(n)), "Success")
		news := make(chan bool, 8)
		var wg sync.WaitGroup
		for i := range cap(news) {
			wg.Go(func() { news <- []*store{s, other}[i%2].acceptNew(t, e, start) })
		}
		wg.Wait()
		close(news)
		n := 0
		for isNew := range news {
			if isNew {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("the event was new %d times", n)
		}
	}
	if list, err := s.Counts(bg); err != nil || len(list) != 1 || list[0].N != 20 {
		t.Errorf("counted %v, %v", list, err)
	}
}

// claimsAtTwo: one process at a time has a record, and sees what all have written.
func claimsAtTwo(t *testing.T, s *store) {
	other := s.second(t)
	r := record("1")
	const each = 8
	var mu sync.Mutex
	commits, last := 0, uint64(0)
	var wg sync.WaitGroup
	for g := range 2 * each {
		who := []*store{s, other}[g%2]
		wg.Go(func() {
			claim, err := who.Claim(bg, r, ttl)
			for errors.Is(err, ledger.ErrLeased) {
				time.Sleep(time.Millisecond)
				claim, err = who.Claim(bg, r, ttl)
			}
			if err != nil {
				t.Errorf("claiming: %v", err)
				return
			}
			mu.Lock()
			if len(claim.Events) != commits || claim.Epoch <= last {
				t.Errorf("epoch %d after %d, with %d events after %d commits", claim.Epoch, last, len(claim.Events), commits)
			}
			commits, last = commits+1, claim.Epoch
			mu.Unlock()
			if err := who.Commit(bg, claim, []ledger.Change{change(event(r, fmt.Sprint("s", g)), delivered...)}); err != nil {
				t.Errorf("committing: %v", err)
			}
		})
	}
	wg.Wait()
}

// ordersAtTwo: events that two processes commit at once are all in their order, which
// is written in the same commit.
func ordersAtTwo(t *testing.T, s *store) {
	other := s.second(t)
	id := ledger.OrderID{AppID: "app-123", ID: "shop-order-1"}
	const n = 24
	var wg sync.WaitGroup
	for i := range n {
		who := []*store{s, other}[i%2]
		wg.Go(func() {
			e := event(record(fmt.Sprint(i)), "Success")
			c := change(e, delivered...)
			c.Order = &ledger.Order{OrderID: id, State: "paid", ReadAt: start, Events: []ledger.OrderEvent{{Route: e.Route, Type: e.Type, RecordID: e.ID}}}
			claim, err := who.Claim(bg, e.Record, ttl)
			if err == nil {
				err = who.Commit(bg, claim, []ledger.Change{c})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if order, err := s.LoadOrder(bg, id); err != nil || len(order.Events) != n {
		t.Errorf("the order has %d of %d events, %v", len(order.Events), n, err)
	}
}

// flagsAtTwo: of two processes that bind a flag at once, one gets it.
func flagsAtTwo(t *testing.T, s *store) {
	other := s.second(t)
	for n := range 20 {
		flags := []ledger.Flag{ledger.FulfillOf("app-123", fmt.Sprint(n)), ledger.FulfillOf("app-124", fmt.Sprint(n))}
		var wg sync.WaitGroup
		bound := make([][]bool, 2)
		for i, who := range []*store{s, other} {
			key := event(record(fmt.Sprint(n, "-", i)), "Success").Key
			mine := slices.Clone(flags)
			if i == 1 {
				slices.Reverse(mine)
			}
			wg.Go(func() {
				claim, err := who.Claim(bg, key.Record, ttl)
				if err == nil {
					bound[i], err = who.Bind(bg, claim, bare(key), mine)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		slices.Reverse(bound[1])
		for i := range flags {
			if bound[0][i] == bound[1][i] {
				t.Errorf("flag %d: bound %t and %t", i, bound[0][i], bound[1][i])
			}
		}
	}
}
