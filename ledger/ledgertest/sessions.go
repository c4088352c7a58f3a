package ledgertest

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// sessions: each process hears of the others that live.
func sessions(t *testing.T, s *store) {
	odd := []ledger.SessionRoute{{Name: "a", Confirms: true}, {Name: "b\x00\xff"}, {Confirms: true}}
	about := ledger.Session{Name: "machine/1", Routes: odd, Options: map[string]string{"retry of the route \"a\"": "1", "b\x00": ""}}
	news, err := s.cluster().Keep(bg, about, nil)
	if err != nil || len(news.Others) != 0 || news.Session == "" || news.Poll <= 0 || !news.Now.Equal(s.clock.Now()) {
		t.Errorf("alone: %+v, %v", news, err)
	}
	other := &store{Store: s.open(), clock: s.clock, isShared: true}
	c := []ledger.SessionRoute{{Name: "c"}}
	theirs, err := other.cluster().Keep(bg, ledger.Session{Routes: c}, nil)
	about.SeenAt = s.clock.Now()
	if err != nil || len(theirs.Others) != 1 || !reflect.DeepEqual(theirs.Others[0], about) || theirs.Session == news.Session {
		t.Errorf("the second: %+v, %v", theirs, err)
	}
	again, err := s.cluster().Keep(bg, ledger.Session{}, nil)
	if err != nil || again.Session != news.Session || len(again.Others) != 1 || !slices.Equal(again.Others[0].Routes, c) {
		t.Errorf("renewed: %+v, %v", again, err)
	}
	seen := s.clock.Now()
	s.clock.advance(time.Second)
	if again, err = s.cluster().Keep(bg, ledger.Session{}, nil); err != nil || len(again.Others) != 1 || !again.Others[0].SeenAt.Equal(seen) {
		t.Errorf("a second after %s the other was seen: %+v, %v", seen, again, err)
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
