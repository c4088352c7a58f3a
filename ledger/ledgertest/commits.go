package ledgertest

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func commitIsAllOrNone(t *testing.T, s *store) {
	r := record("1")
	first, second, third := event(r, "Processing"), event(r, "Success"), event(r, "Failed")
	s.put(t, first, delivered...)
	claim := s.claim(t, r)
	for _, changes := range [][]ledger.Change{
		{change(second, delivered...), change(first, ledger.Superseded)},
		{change(first, ledger.Superseded), change(second, delivered...)},
		{change(second, retrying...), change(third, ledger.Superseded)},
	} {
		if err := s.Commit(bg, claim, changes); err == nil {
			t.Error("a commit with an illegal transition is not refused")
		}
	}
	if err := s.Unlock(bg, claim); err != nil {
		t.Fatal(err)
	}
	s.wantState(t, first.Key, ledger.Delivered)
	s.wantState(t, second.Key, ledger.None)
	s.wantState(t, third.Key, ledger.None)

	s.commit(t, s.claim(t, r), change(second, delivered...), change(third, ledger.Received, ledger.Ignored))
	s.wantState(t, second.Key, ledger.Delivered)
	s.wantState(t, third.Key, ledger.Ignored)
}

func refusedCommitHarmsNoOther(t *testing.T, s *store) {
	const n = 64
	var wg sync.WaitGroup
	for i := range n {
		r := record(fmt.Sprint(i))
		claim := s.claim(t, r)
		wg.Go(func() {
			changes := []ledger.Change{change(event(r, "Success"), delivered...)}
			if refused := i%2 == 1; refused {
				changes = append(changes, change(event(r, "Processing"), ledger.Superseded))
			}
			if err := s.Commit(bg, claim, changes); (err != nil) != (i%2 == 1) {
				t.Errorf("commit %d: %v", i, err)
			}
			if err := s.Unlock(bg, claim); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range n {
		want := ledger.Delivered
		if i%2 == 1 {
			want = ledger.None
		}
		s.wantState(t, event(record(fmt.Sprint(i)), "Success").Key, want)
		s.wantState(t, event(record(fmt.Sprint(i)), "Processing").Key, ledger.None)
	}
}

func illegalTransitions(t *testing.T, s *store) {
	for name, test := range map[string]struct{ path, then []ledger.State }{
		"UnknownToSuperseded":    {nil, []ledger.State{ledger.Superseded}},
		"UnknownToDelivering":    {nil, []ledger.State{ledger.Delivering, ledger.Retrying}},
		"ReceivedTwice":          {[]ledger.State{ledger.Received}, []ledger.State{ledger.Received}},
		"DeliveredToHeld":        {delivered, []ledger.State{ledger.Held}},
		"DeliveredToSuperseded":  {delivered, []ledger.State{ledger.Superseded}},
		"DeliveredToDelivering":  {delivered, []ledger.State{ledger.Delivering}},
		"SupersededToDelivering": {[]ledger.State{ledger.Received, ledger.Superseded}, []ledger.State{ledger.Delivering, ledger.Retrying}},
		"DiscardedToHeld":        {[]ledger.State{ledger.Received, ledger.Discarded}, []ledger.State{ledger.Held}},
		"LegalThenIllegal":       {retrying, []ledger.State{ledger.Delivering, ledger.Received}},
	} {
		t.Run(name, func(t *testing.T) {
			e := event(record(name), "Success")
			want := ledger.None
			if test.path != nil {
				s.put(t, e, test.path...)
				want = test.path[len(test.path)-1]
			}
			claim := s.claim(t, e.Record)
			err := s.Commit(bg, claim, []ledger.Change{change(e, test.then...)})
			if err == nil || errors.Is(err, ledger.ErrFenced) || errors.Is(err, ledger.ErrNotFound) {
				t.Errorf("committing: %v", err)
			}
			if err := s.Unlock(bg, claim); err != nil {
				t.Fatal(err)
			}
			s.wantState(t, e.Key, want)
		})
	}
}

func summaries(t *testing.T, s *store) {
	r := record("1")
	processing, success, held := event(r, "Processing"), event(r, "Success"), event(r, "Success")
	held.Risk = ledger.Risky
	bare := event(r, "")
	bare.Risk = ledger.RiskUnknown

	s.commit(t, s.claim(t, r),
		ledger.Change{Event: processing, Transitions: []ledger.Transition{
			{At: start, State: ledger.Received},
			{At: start, State: ledger.Delivering, Attempt: 1, Seq: 1<<63 + 5},
			{At: start, State: ledger.Retrying, Attempt: 1, Cause: "refused"},
		}},
		change(held, ledger.Received, ledger.Held),
		change(bare, ledger.Received))
	s.commit(t, s.claim(t, r),
		ledger.Change{Event: success, Transitions: []ledger.Transition{
			{At: start, State: ledger.Received},
			{At: start, State: ledger.Delivering, Attempt: 1, Seq: 1<<63 + 6},
			{At: start, State: ledger.Delivered, Attempt: 1},
		}},
		ledger.Change{Event: ledger.Event{Key: processing.Key}, Transitions: []ledger.Transition{
			{At: start, State: ledger.Delivering, Attempt: 70000},
			{At: start, State: ledger.Retrying, Attempt: 70000, Cause: "refused again"},
		}})

	want := map[ledger.Key]ledger.Summary{
		processing.Key: {Key: processing.Key, State: ledger.Retrying, Attempts: 70000, Seq: 1<<63 + 5, ReceivedAt: processing.ReceivedAt},
		success.Key:    {Key: success.Key, State: ledger.Delivered, Attempts: 1, Seq: 1<<63 + 6, ReceivedAt: success.ReceivedAt},
		held.Key:       {Key: held.Key, State: ledger.Held, ReceivedAt: held.ReceivedAt},
		bare.Key:       {Key: bare.Key, State: ledger.Received, ReceivedAt: bare.ReceivedAt},
	}
	if got := s.summaries(t, r); !reflect.DeepEqual(got, want) {
		t.Errorf("the record's events are\n%+v, want\n%+v", got, want)
	}
	s.put(t, processing, ledger.Superseded)
	want[processing.Key] = ledger.Summary{Key: processing.Key, State: ledger.Superseded, Attempts: 70000, Seq: 1<<63 + 5, ReceivedAt: processing.ReceivedAt}
	if got := s.summaries(t, r); !reflect.DeepEqual(got, want) {
		t.Errorf("the record's events are\n%+v, want\n%+v", got, want)
	}
}

// odd are texts that a careless key would mix up.
var odd = []string{
	"", "1", "12", "123", "1/2", "1/", "/1", "1|2", "1:2", "1 ", " 1", "1\n", "\n1", "1\n2", "1\r\n",
	"\x00", "\x00\x00", "\x01", "\x00\x01", "\x00\x01\x00\x01", "\xff", "\x00\xff", "\xff\x00", "\xff\xff",
	"1\x00", "1\x00\x01", "1\x00\x01false", "1\x00\xff", "1\x01", "1\x00\x02", "1\x00\x01success\x00\x01",
	"%", "_", "*", "?", "[1]", "{1}", "1%00", "é", "e\u0301", "\u2028", "'", `"`, `\`, "#", "#1", "NULL", "null",
}

func recordsStayApart(t *testing.T, s *store) {
	var records []ledger.Record
	for _, text := range odd {
		records = append(records,
			ledger.Record{Route: "webhook", AppID: "app", Type: "ApiDeposit", ID: "id" + text},
			ledger.Record{Route: "webhook", AppID: "app", Type: "T" + text, ID: "1"},
			ledger.Record{Route: "webhook", AppID: "a" + text, Type: "ApiDeposit", ID: "1"},
			ledger.Record{Route: "r" + text, AppID: "app", Type: "ApiDeposit", ID: "1"},
			ledger.Record{Route: "webhook" + text, AppID: text + "app", Type: text, ID: text})
	}
	var wg sync.WaitGroup
	each := func(do func(i int, e ledger.Event)) {
		for i, r := range records {
			e := event(r, "Success")
			e.Body = fmt.Append(nil, i)
			wg.Go(func() { do(i, e) })
		}
		wg.Wait()
	}
	each(func(i int, e ledger.Event) {
		claim, err := s.Claim(bg, e.Record, ttl)
		if err != nil || len(claim.Events) != 0 {
			t.Errorf("claiming %q: %+v, %v", e.Record, claim.Events, err)
			return
		}
		c := change(e, delivered...)
		c.Transitions[1].Seq = uint64(i + 1)
		if err := s.Commit(bg, claim, []ledger.Change{c}); err != nil {
			t.Errorf("committing to %q: %v", e.Record, err)
		}
	})
	each(func(i int, e ledger.Event) {
		claim, err := s.Claim(bg, e.Record, ttl)
		want := []ledger.Summary{{Key: e.Key, State: ledger.Delivered, Attempts: 1, Seq: uint64(i + 1), ReceivedAt: e.ReceivedAt}}
		if err != nil || !slices.Equal(claim.Events, want) {
			t.Errorf("claiming %q: %+v, %v, want %+v", e.Record, claim.Events, err, want)
		}
		loaded, err := s.Load(bg, e.Key)
		if err != nil || loaded.Key != e.Key || !bytes.Equal(loaded.Body, e.Body) {
			t.Errorf("loading %q: %q with body %q, %v", e.Record, loaded.Key, loaded.Body, err)
		}
	})

	// So do the events of one record.
	r := record("statuses")
	var changes []ledger.Change
	for _, status := range odd {
		for _, risk := range []ledger.Risk{ledger.Risky, ledger.NotRisky, ledger.RiskUnknown} {
			e := event(r, "")
			e.Key.Status, e.Risk = status, risk
			changes = append(changes, change(e, delivered...))
		}
	}
	s.commit(t, s.claim(t, r), changes...)
	got := s.summaries(t, r)
	for _, c := range changes {
		if got[c.Event.Key].State != ledger.Delivered {
			t.Errorf("event %q was lost", c.Event.Key)
		}
	}
	if len(got) != len(changes) {
		t.Errorf("%d events became %d", len(changes), len(got))
	}
}

// longNames: whatever a database limits, an event is found again.
func longNames(t *testing.T, s *store) {
	for _, n := range []int{64, 255, 256, 257, 1000, 60_000} {
		long := strings.Repeat("x", n-1)
		for _, r := range []ledger.Record{
			record(long + "1"),
			record(long + "2"),
			{Route: long + "1", AppID: "app", Type: "ApiDeposit", ID: "1"},
			{Route: "webhook", AppID: "app", Type: long + "1", ID: "1"},
		} {
			one, two := event(r, long+"1"), event(r, long+"2")
			s.commit(t, s.claim(t, r), change(one, delivered...), change(two, ledger.Received, ledger.Held))
			s.wantState(t, one.Key, ledger.Delivered)
			s.wantState(t, two.Key, ledger.Held)
			if got := len(s.summaries(t, r)); got != 2 {
				t.Errorf("length %d: the record has %d events, want 2", n, got)
			}
		}
	}
}
