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
	other.commit(t, lost2, change(delivers, delivered...))
	s.wantState(t, delivers.Key, ledger.Delivered)
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
	s.wantState(t, e.Key, ledger.None)
	other.commit(t, lost, change(e, delivered...))
	s.wantState(t, e.Key, ledger.Delivered)
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
	s.commit(t, lost, change(e, delivered...))
	s.wantState(t, e.Key, ledger.Delivered)
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

// sessions: each process hears of the others that live.
func sessions(t *testing.T, s *store) {
	odd := []string{"a", "b\x00\xff", ""}
	news, err := s.cluster().Keep(bg, ledger.Session{Routes: odd, Options: "x\x00"}, nil)
	if err != nil || len(news.Others) != 0 || news.Session == "" || news.Poll <= 0 || !news.Now.Equal(s.clock.Now()) {
		t.Errorf("alone: %+v, %v", news, err)
	}
	other := &store{Store: s.open(), clock: s.clock, isShared: true}
	theirs, err := other.cluster().Keep(bg, ledger.Session{Routes: []string{"c"}}, nil)
	if err != nil || len(theirs.Others) != 1 || !slices.Equal(theirs.Others[0].Routes, odd) || theirs.Others[0].Options != "x\x00" || theirs.Session == news.Session {
		t.Errorf("the second: %+v, %v", theirs, err)
	}
	again, err := s.cluster().Keep(bg, ledger.Session{}, nil)
	if err != nil || again.Session != news.Session || len(again.Others) != 1 || !slices.Equal(again.Others[0].Routes, []string{"c"}) {
		t.Errorf("renewed: %+v, %v", again, err)
	}
	s.advance(t, ledger.SessionTTL)
	again, err = s.cluster().Keep(bg, ledger.Session{}, nil)
	if err != nil || again.Session != news.Session || len(again.Others) != 0 {
		t.Errorf("without the second: %+v, %v", again, err)
	}
	if later, err := other.cluster().Keep(bg, ledger.Session{}, nil); err != nil || later.Session == theirs.Session {
		t.Errorf("a session that ran out goes on: %+v, %v", later, err)
	}
}

// take: the earliest due event first, one of a record, with all that an attempt needs.
func take(t *testing.T, s *store) {
	other := s.second(t)
	for i, minutes := range []int{3, 1, 2, 90} {
		e := event(record(fmt.Sprint(i)), "Success")
		e.OrderID = fmt.Sprint("order-", i)
		s.acceptNew(t, e, start.Add(time.Duration(minutes)*time.Minute))
	}
	first, second := event(record("1"), "Processing"), event(record("1"), "Success")
	s.acceptNew(t, first, start.Add(10*time.Second))
	elsewhere := event(record("9"), "Success")
	elsewhere.Route = "other"
	s.acceptNew(t, elsewhere, start)
	if taken := other.take(t, "webhook", 10); len(taken) != 0 {
		t.Errorf("taken before anything is due: %+v", taken)
	}
	s.advance(t, 10*time.Minute)
	taken := other.take(t, "webhook", 10)
	var ids []string
	for _, k := range taken {
		ids = append(ids, k.Event.ID+k.Event.Key.Status)
	}
	if want := []string{"1processing", "2success", "0success"}; !slices.Equal(ids, want) {
		t.Fatalf("taken are %v, want %v", ids, want)
	}
	want, err := s.Load(bg, first.Key)
	if err != nil || taken[0].Err != nil || string(taken[0].Event.Body) != string(first.Body) || taken[0].Event.Account != want.Account || taken[0].Claim.Record != first.Record {
		t.Errorf("taken is %+v, want %+v, %v", taken[0], want, err)
	}
	keys := make(map[ledger.Key]bool)
	for _, e := range taken[0].Claim.Events {
		keys[e.Key] = true
	}
	if len(keys) != 2 || !keys[first.Key] || !keys[second.Key] {
		t.Errorf("the claim has %+v", taken[0].Claim.Events)
	}
	_, err = s.Claim(bg, first.Record, ttl)
	wantErr(t, "claiming what is taken", err, ledger.ErrLeased)
	if again := s.take(t, "webhook", 10); len(again) != 0 {
		t.Errorf("taken again: %+v", again)
	}
	other.commit(t, taken[0].Claim, change(ledger.Event{Key: first.Key}, ledger.Delivering, ledger.Delivered))
	if again := s.take(t, "webhook", 10); len(again) != 1 || again[0].Event.Key != second.Key || again[0].Claim.Epoch <= taken[0].Claim.Epoch {
		t.Errorf("then is taken %+v", again)
	}
	if limited := other.take(t, "other", 0); len(limited) != 0 {
		t.Errorf("of none are taken %+v", limited)
	}
}

// takeLeased: leases that run out, or whose session does, keep no event.
func takeLeased(t *testing.T, s *store) {
	other := s.second(t)
	for i := range 4 {
		s.acceptNew(t, event(record(fmt.Sprint(i)), "Success"), start.Add(time.Duration(i)))
	}
	s.advance(t, time.Second)
	claim := s.claim(t, record("1"))
	if got := other.take(t, "webhook", 2); len(got) != 2 || got[0].Event.ID != "0" || got[1].Event.ID != "2" {
		t.Errorf("beside a lease are taken %+v", got)
	}
	if got := s.take(t, "webhook", 10); len(got) != 1 || got[0].Event.ID != "3" {
		t.Errorf("the rest is %+v", got)
	}
	if err := s.Unlock(bg, claim); err != nil {
		t.Fatal(err)
	}
	if got := s.take(t, "webhook", 10); len(got) != 1 || got[0].Event.ID != "1" {
		t.Errorf("what is unlocked: %+v", got)
	}
	s.leave(other)
	s.advance(t, ledger.SessionTTL)
	got := s.take(t, "webhook", 10)
	if len(got) != 2 {
		t.Errorf("of a session that ran out: %+v", got)
	}
	s.advance(t, ttl)
	if got := s.take(t, "webhook", 10); len(got) != 4 {
		t.Errorf("after the leases ran out: %d", len(got))
	}
}

// takeAtSix: nothing is taken twice, and nothing is left.
func takeAtSix(t *testing.T, s *store) {
	const n, takers = 240, 6
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { s.acceptNew(t, event(record(fmt.Sprint(i)), "Success"), start.Add(time.Duration(i))) })
	}
	wg.Wait()
	s.advance(t, time.Second)
	stores := []*store{s, s.second(t), s.second(t)}
	var mu sync.Mutex
	times := make(map[string]int)
	for g := range takers {
		who := stores[g%len(stores)]
		wg.Go(func() {
			for idle := 0; idle < 5; {
				taken, err := who.cluster().Take(bg, "webhook", ttl, 10)
				if err != nil {
					t.Errorf("taking: %v", err)
					return
				}
				if len(taken) == 0 {
					idle++
					time.Sleep(5 * time.Millisecond)
				}
				for _, k := range taken {
					mu.Lock()
					times[k.Event.ID]++
					mu.Unlock()
					if err := who.Commit(bg, k.Claim, []ledger.Change{change(ledger.Event{Key: k.Event.Key}, ledger.Delivering, ledger.Delivered)}); err != nil {
						t.Errorf("committing: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s was taken %d times", id, n)
		}
	}
	if len(times) != n {
		t.Errorf("%d of %d were taken", len(times), n)
	}
}

// wake: the other processes hear what one tells, and it does not hear itself.
func wake(t *testing.T, s *store) {
	other := &store{Store: s.open(), clock: s.clock, isShared: true}
	heard, own := make(chan ledger.Hint, 100), make(chan ledger.Hint, 100)
	other.cluster().OnWake(func(h ledger.Hint) { heard <- h })
	s.cluster().OnWake(func(h ledger.Hint) { own <- h })
	s.join(t, other.Store)
	want := ledger.Hint{Routes: []string{"webhook", "b\x00\xff"}, Orders: []ledger.OrderID{{AppID: "app", ID: "1\x00"}, {ID: "2"}}}
	routes, orders := make(map[string]bool), make(map[ledger.OrderID]bool)
	deadline := time.After(10 * time.Second)
	for len(routes) < len(want.Routes) || len(orders) < len(want.Orders) {
		s.cluster().Wake(want) // again and again: it may be lost
		select {
		case h := <-heard:
			for _, route := range h.Routes {
				routes[route] = true
			}
			for _, order := range h.Orders {
				orders[order] = true
			}
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			t.Fatalf("heard of %v and %v", routes, orders)
		}
	}
	for _, route := range want.Routes {
		if !routes[route] {
			t.Errorf("heard of %v", routes)
		}
	}
	for _, order := range want.Orders {
		if !orders[order] {
			t.Errorf("heard of %v", orders)
		}
	}
	select {
	case h := <-own:
		t.Errorf("it hears itself: %+v", h)
	default:
	}
}

// spend: all processes spend of one budget.
func spend(t *testing.T, s *store) {
	other := s.second(t)
	want := func(who *store, budget string, want time.Duration) {
		t.Helper()
		if got, err := who.cluster().Spend(bg, budget, time.Second, 3); err != nil || got != want {
			t.Errorf("spending of %q: %s, %v, want %s", budget, got, err, want)
		}
	}
	want(s, "a", 0)
	want(other, "a", 0)
	want(s, "a", 0)
	want(other, "a", time.Second)
	want(s, "a", time.Second)
	want(s, "b\x00", 0)
	s.clock.advance(time.Second / 4)
	want(s, "a", 3*time.Second/4)
	s.clock.advance(3 * time.Second / 4)
	want(other, "a", 0)
	want(s, "a", time.Second)
	s.clock.advance(10 * time.Second)
	for range 3 {
		want(s, "a", 0)
	}
	want(other, "a", time.Second)
	var wg sync.WaitGroup
	var mu sync.Mutex
	n := 0
	for i := range 20 {
		wg.Go(func() {
			wait, err := []*store{s, other}[i%2].cluster().Spend(bg, "c", time.Second, 5)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if wait == 0 {
				n++
			}
		})
	}
	wg.Wait()
	if n != 5 {
		t.Errorf("%d of 20 were taken of a budget of 5", n)
	}
}
