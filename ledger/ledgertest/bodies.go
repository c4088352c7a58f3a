package ledgertest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func load(t *testing.T, s *store) {
	want := event(record("1"), "Success")
	want.OrderID, want.ReferenceID, want.UserID = "order \"1\" <é>", "reference", "user"
	want.ReceivedAt = start.In(time.FixedZone("", 2*60*60))
	want.Request = ledger.Request{
		Method: "POST", URI: "/hook?a=%20b&c", Host: "shop.example", RemoteAddr: "[2001:db8::1]:4711",
		TLS: true, ContentType: "application/json; charset=utf-8", UserAgent: "Go-http-client/1.1",
		Forwarded: ledger.Forwarded{For: "192.0.2.1, 2001:db8::2", Proto: "https", Host: "shop.example:8443", ClientIP: "192.0.2.1"},
	}
	steps := []ledger.Transition{
		{At: start, State: ledger.Received},
		{At: start.Add(time.Nanosecond), State: ledger.Delivering, Attempt: 1, Seq: 1773304200123},
		{At: start.Add(time.Second), State: ledger.Retrying, Attempt: 1, Cause: "the app answered\n<500>"},
		{At: start.Add(2 * time.Second), State: ledger.Delivering, Attempt: 2, Seq: 1773304200123},
		{At: start.Add(3 * time.Second), State: ledger.Delivered, Attempt: 2},
	}
	check := func(n int) {
		t.Helper()
		if err := want.Apply(steps[len(want.Transitions):n]); err != nil {
			t.Fatal(err)
		}
		got, err := s.Load(bg, want.Key)
		if err != nil {
			t.Fatal(err)
		}
		equal := slices.EqualFunc(got.Transitions, want.Transitions, func(a, b ledger.Transition) bool {
			same := a.At.Equal(b.At)
			a.At = b.At
			return same && a == b
		})
		if !equal {
			t.Errorf("the history is\n%+v, want\n%+v", got.Transitions, want.Transitions)
		}
		if !got.ReceivedAt.Equal(want.ReceivedAt) {
			t.Errorf("received at %s, want %s", got.ReceivedAt, want.ReceivedAt)
		}
		if (got.DeliveredAt == nil) != (want.DeliveredAt == nil) || got.DeliveredAt != nil && !got.DeliveredAt.Equal(*want.DeliveredAt) {
			t.Errorf("delivered at %v, want %v", got.DeliveredAt, want.DeliveredAt)
		}
		rest := want // all but times
		rest.Transitions, rest.ReceivedAt, rest.DeliveredAt = got.Transitions, got.ReceivedAt, got.DeliveredAt
		if !reflect.DeepEqual(got, rest) {
			t.Errorf("loaded\n%+v, want\n%+v", got, rest)
		}
	}
	first := want
	s.commit(t, s.claim(t, want.Record), ledger.Change{Event: first, Transitions: steps[:3]})
	check(3)
	// Of an event that the store has, only the key of a change counts.
	s.commit(t, s.claim(t, want.Record), ledger.Change{
		Event:       ledger.Event{Key: want.Key, Account: "other", Body: []byte("other"), ReceivedAt: start.Add(time.Hour)},
		Transitions: steps[3:],
	})
	check(5)

	for _, change := range []func(*ledger.Key){
		func(k *ledger.Key) { k.Status = "failed" },
		func(k *ledger.Key) { k.Risk = ledger.Risky },
		func(k *ledger.Key) { k.ID = "2" },
		func(k *ledger.Key) { k.Type = "DirectDeposit" },
		func(k *ledger.Key) { k.AppID = "app-124" },
		func(k *ledger.Key) { k.Route = "other" },
	} {
		key := want.Key
		change(&key)
		_, err := s.Load(bg, key)
		wantErr(t, fmt.Sprintf("loading %+v", key), err, ledger.ErrNotFound)
	}
}

func bodies(t *testing.T, s *store) {
	all := make([]byte, 64<<10)
	for i := range all {
		all[i] = byte(rand.Uint32())
	}
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for name, body := range map[string][]byte{
		"JSON":    []byte("{\"b\":1, \"a\":\t1.0,\r\n\"a\":1e0}\n"),
		"Empty":   {},
		"Zero":    {0},
		"Bytes":   every,
		"NotUTF8": {0xff, 0xfe, 0xc3, 0x28},
		"64KiB":   all,
	} {
		t.Run(name, func(t *testing.T) {
			e := event(record(name), "Success")
			e.Body = bytes.Clone(body)
			s.put(t, e, retrying...)
			clear(e.Body) // the store has a copy
			check := func() {
				t.Helper()
				got, err := s.Load(bg, e.Key)
				if err != nil || got.Body == nil || !bytes.Equal(got.Body, body) {
					t.Errorf("the body is %.80q, %v, want %.80q", got.Body, err, body)
				}
				clear(got.Body) // and so has the caller of Load
			}
			check()
			s.put(t, ledger.Event{Key: e.Key}, ledger.Delivering, ledger.Delivered)
			check()
		})
	}
}

func (s *store) prune(t *testing.T, before time.Time, limit, want int) {
	t.Helper()
	if got, err := s.Prune(bg, before, limit); err != nil || got != want {
		t.Errorf("pruning at most %d: %d, %v, want %d", limit, got, err, want)
	}
}

// bodies counts the events that have a body, and checks that each is there.
func (s *store) bodies(t *testing.T, events []ledger.Event) int {
	t.Helper()
	n := 0
	for _, e := range events {
		loaded, err := s.Load(bg, e.Key)
		if err != nil {
			t.Errorf("loading %q: %v", e.ID, err)
		}
		if loaded.Body != nil {
			n++
			if !bytes.Equal(loaded.Body, e.Body) {
				t.Errorf("the body of %q is %q", e.ID, loaded.Body)
			}
		}
	}
	return n
}

func prune(t *testing.T, s *store) {
	s.prune(t, start.Add(time.Hour), 100, 0)
	var events []ledger.Event
	for i := range 10 {
		e := event(record(fmt.Sprint(i)), "Success")
		e.ReceivedAt = start.Add(time.Duration(i) * time.Hour)
		s.put(t, e, delivered...)
		events = append(events, e)
	}
	s.prune(t, start, 100, 0) // received at that very time is not before it
	s.prune(t, start.Add(6*time.Hour), 0, 0)
	if got := s.bodies(t, events); got != 10 {
		t.Fatalf("%d of 10 bodies are left", got)
	}
	s.prune(t, start.Add(6*time.Hour), 4, 4)
	if got := s.bodies(t, events); got != 6 {
		t.Errorf("%d bodies are left, want 6", got)
	}
	s.prune(t, start.Add(6*time.Hour), 4, 2)
	s.prune(t, start.Add(6*time.Hour), 4, 0)
	for i, e := range events {
		loaded, err := s.Load(bg, e.Key)
		if err != nil || (loaded.Body == nil) != (i < 6) {
			t.Errorf("event %d: body %q, %v", i, loaded.Body, err)
		}
		if loaded.State != ledger.Delivered || len(loaded.Transitions) != 3 || loaded.Account != e.Account {
			t.Errorf("pruning changed event %d to %+v", i, loaded)
		}
		want := ledger.Summary{Key: e.Key, State: ledger.Delivered, Attempts: 1, Seq: 1000, ReceivedAt: e.ReceivedAt}
		if got := s.summaries(t, e.Record)[e.Key]; got != want {
			t.Errorf("after pruning the claim knows %+v, want %+v", got, want)
		}
	}
}

func pruneUnfinished(t *testing.T, s *store) {
	var finished, unfinished []ledger.Event
	for i, path := range [][]ledger.State{
		delivered,
		{ledger.Received, ledger.Superseded},
		{ledger.Received, ledger.Ignored},
		{ledger.Received, ledger.Discarded},
		{ledger.Received},
		{ledger.Received, ledger.Confirming},
		{ledger.Received, ledger.Delivering},
		retrying,
		{ledger.Received, ledger.Held},
		{ledger.Received, ledger.Delivering, ledger.Dead},
	} {
		e := event(record(fmt.Sprint(i)), "Success")
		s.put(t, e, path...)
		if i < 4 {
			finished = append(finished, e)
		} else {
			unfinished = append(unfinished, e)
		}
	}
	s.prune(t, start.Add(time.Hour), 3, 3)
	s.prune(t, start.Add(time.Hour), 100, 1)
	s.prune(t, start.Add(time.Hour), 100, 0)
	if got := s.bodies(t, finished); got != 0 {
		t.Errorf("%d finished events have a body", got)
	}
	if got := s.bodies(t, unfinished); got != len(unfinished) {
		t.Errorf("%d of %d unfinished events have a body", got, len(unfinished))
	}
	s.put(t, ledger.Event{Key: unfinished[3].Key}, ledger.Delivering, ledger.Delivered)
	s.prune(t, start.Add(time.Hour), 100, 1)
	s.put(t, ledger.Event{Key: finished[2].Key}, ledger.Delivering, ledger.Delivered) // a wider filter, its body long gone
	s.prune(t, start.Add(time.Hour), 100, 0)
	s.wantState(t, finished[2].Key, ledger.Delivered)
}
