package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// bare returns a change without transitions.
func bare(key ledger.Key) ledger.Change { return ledger.Change{Event: ledger.Event{Key: key}} }

// bind claims the event's record, binds the flags, and ends the lease.
func (s *store) bind(t *testing.T, key ledger.Key, flags ...ledger.Flag) []bool {
	t.Helper()
	claim := s.claim(t, key.Record)
	bound, err := s.Bind(bg, claim, bare(key), flags)
	if err != nil {
		t.Fatalf("binding to %q: %v", key.ID, err)
	}
	if err := s.Unlock(bg, claim); err != nil {
		t.Fatal(err)
	}
	return bound
}

// wantHeld checks with Holds whether the flag is bound to the event.
func (s *store) wantHeld(t *testing.T, what string, key ledger.Key, flag ledger.Flag, want bool) {
	t.Helper()
	if got, err := s.Holds(bg, key, []ledger.Flag{flag}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%s: holds %v, %v, want %t", what, got, err, want)
	}
}

// wantTaken checks with Bound whether the flag is bound to any event.
func (s *store) wantTaken(t *testing.T, what string, flag ledger.Flag, want bool) {
	t.Helper()
	if got, err := s.Bound(bg, []ledger.Flag{flag}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%s: bound %v, %v, want %t", what, got, err, want)
	}
}

// wantBound binds the flags, and checks which of them are the event's then.
func (s *store) wantBound(t *testing.T, what string, key ledger.Key, flags []ledger.Flag, want ...bool) {
	t.Helper()
	if got := s.bind(t, key, flags...); !slices.Equal(got, want) {
		t.Errorf("%s: bound %v, want %v", what, got, want)
	}
}

// flagsAreBoundOnce: the first event that binds a flag keeps it for ever, whatever
// becomes of the event.
func flagsAreBoundOnce(t *testing.T, s *store) {
	first, second := event(record("1"), "Success"), event(record("2"), "Success")
	order := []ledger.Flag{ledger.FulfillOf("app-123", "order-1")}
	s.wantHeld(t, "before it is bound", first.Key, order[0], false)
	s.wantTaken(t, "before it is bound", order[0], false)
	s.wantBound(t, "the first event", first.Key, order, true)
	s.wantHeld(t, "the first event", first.Key, order[0], true)
	s.wantHeld(t, "another event", second.Key, order[0], false)
	s.wantTaken(t, "by any event", order[0], true)
	s.wantBound(t, "another record's", second.Key, order, false)
	s.wantBound(t, "the first again", first.Key, order, true)

	for _, change := range []func(*ledger.Key){
		func(k *ledger.Key) { k.Status = "failed" },
		func(k *ledger.Key) { k.Risk = ledger.RiskUnknown },
		func(k *ledger.Key) { k.Route = "other" },
	} {
		key := first.Key
		change(&key)
		s.wantBound(t, fmt.Sprintf("%+v", key), key, order, false)
	}

	s.put(t, first, retrying...)
	s.wantBound(t, "after a failure", first.Key, order, true)
	s.put(t, ledger.Event{Key: first.Key}, ledger.Discarded)
	s.wantBound(t, "another's after it was discarded", second.Key, order, false)
	s.wantBound(t, "its own after it was discarded", first.Key, order, true)
}

// flagsStayApart: two flags are the same only with the same name and the same id.
func flagsStayApart(t *testing.T, s *store) {
	long := strings.Repeat("x", 300)
	flags := []ledger.Flag{
		ledger.FulfillOf("app-123", "1"),
		ledger.FulfillOf("app-123", "2"),
		ledger.FulfillOf("app-1231", ""),
		ledger.FulfillOf("app-123", ""),
		ledger.FulfillOf("app-124", "1"),
		ledger.CreditOf(record("1")),
		ledger.PayoutOf(record("1")),
		ledger.CreditOf(ledger.Record{Route: "webhook", AppID: "app-123", Type: "UserDeposit", ID: "1"}),
		ledger.FulfillOf("app-123", "a\x00b"), ledger.FulfillOf("app-123\x00a", "b"),
		ledger.FulfillOf("app-123", long+"1"), ledger.FulfillOf("app-123", long+"2"),
	}
	for i, flag := range flags {
		s.wantBound(t, fmt.Sprintf("flag %d", i), event(record(fmt.Sprint(i)), "Success").Key, []ledger.Flag{flag}, true)
	}
	for i, flag := range flags {
		s.wantBound(t, fmt.Sprintf("flag %d of another", i), event(record("other"), "Success").Key, []ledger.Flag{flag}, false)
	}
	// The route is no part of a flag: a deposit that comes on two routes is credited once.
	elsewhere := record("1")
	elsewhere.Route = "other"
	s.wantBound(t, "on another route", event(elsewhere, "Success").Key, []ledger.Flag{ledger.CreditOf(elsewhere)}, false)
}

// severalFlagsAtOnce: each of several flags is bound by itself.
func severalFlagsAtOnce(t *testing.T, s *store) {
	first, second := event(record("1"), "Success").Key, event(record("2"), "Success").Key
	a, b, c := ledger.FulfillOf("app-123", "a"), ledger.FulfillOf("app-123", "b"), ledger.FulfillOf("app-123", "c")
	s.wantBound(t, "two", first, []ledger.Flag{a, b}, true, true)
	s.wantBound(t, "one that is taken and one that is free", second, []ledger.Flag{b, c}, false, true)
	s.wantBound(t, "all to the first", first, []ledger.Flag{a, b, c}, true, true, false)
	s.wantBound(t, "none", first, nil)
}

// bindingIsFenced: a claim that has lost its lease binds nothing, and binding does
// not end a lease.
func bindingIsFenced(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	order := []ledger.Flag{ledger.FulfillOf("app-123", "order-1")}
	slow := s.claim(t, e.Record)
	s.advance(t, ttl)
	successor := s.claim(t, e.Record)
	_, err := s.Bind(bg, slow, bare(e.Key), order)
	wantErr(t, "binding without the lease", err, ledger.ErrFenced)

	if _, err := s.Bind(bg, successor, bare(e.Key), []ledger.Flag{ledger.FulfillOf("app-123", "order-2")}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Claim(bg, e.Record, ttl)
	wantErr(t, "claiming a record whose owner has bound a flag", err, ledger.ErrLeased)
	s.commit(t, successor, change(e, delivered...))
	s.wantBound(t, "what the slow one wanted", event(record("2"), "Success").Key, order, true)

	claim := s.claim(t, e.Record)
	if _, err := s.Bind(bg, claim, bare(event(record("2"), "Success").Key), order); err == nil {
		t.Error("a flag was bound to an event of another record")
	}
}

// concurrentBinding: of many events that bind a flag at once, one gets it.
func concurrentBinding(t *testing.T, s *store) {
	const orders, events = 20, 20
	for n := range orders {
		flag := ledger.FulfillOf("app-123", fmt.Sprint("order-", n))
		var wg sync.WaitGroup
		bound := make([]bool, events)
		for i := range events {
			key := event(record(fmt.Sprint(n, "-", i)), "Success").Key
			claim := s.claim(t, key.Record)
			wg.Go(func() {
				got, err := s.Bind(bg, claim, bare(key), []ledger.Flag{flag})
				if err != nil {
					t.Error(err)
					return
				}
				bound[i] = got[0]
			})
		}
		wg.Wait()
		winners := 0
		for _, won := range bound {
			if won {
				winners++
			}
		}
		if winners != 1 {
			t.Fatalf("order %d: %d events carry its flag", n, winners)
		}
	}
}
