package ledgertest

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// bindingWithSteps: flags and transitions are written in one commit, and the lease
// goes on.
func bindingWithSteps(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	flags := []ledger.Flag{ledger.FulfillOf("app-123", "order-1")}
	steps := []ledger.Transition{{At: start, State: ledger.Delivering, Attempt: 1, Seq: 1000}}
	claim := s.claim(t, e.Record)
	if _, err := s.Bind(bg, claim, ledger.Change{Event: e, Transitions: steps}, flags); err == nil {
		t.Error("steps that the state machine does not know were taken")
	}
	s.wantHeld(t, "after a refused binding", e.Key, flags[0], false)
	if err := s.Unlock(bg, claim); err != nil {
		t.Fatal(err)
	}
	s.wantState(t, e.Key, ledger.None)

	s.put(t, e, ledger.Received)
	claim = s.claim(t, e.Record)
	bound, err := s.Bind(bg, claim, ledger.Change{Event: ledger.Event{Key: e.Key}, Transitions: steps}, flags)
	if err != nil || !slices.Equal(bound, []bool{true}) {
		t.Fatalf("bound %v, %v", bound, err)
	}
	_, err = s.Claim(bg, e.Record, ttl)
	wantErr(t, "claiming a record whose owner has begun", err, ledger.ErrLeased)
	if got, err := s.Load(bg, e.Key); err != nil || got.State != ledger.Delivering || got.Attempts != 1 {
		t.Errorf("the event is %+v, %v", got, err)
	}
	s.commit(t, claim, ledger.Change{
		Event: e, Transitions: []ledger.Transition{{At: start, State: ledger.Delivered, Attempt: 1}},
	})
	s.wantState(t, e.Key, ledger.Delivered)
}

// acceptNew accepts an event, and reports whether the store did not have it.
func (s *store) acceptNew(t *testing.T, e ledger.Event, due time.Time) bool {
	t.Helper()
	isNew := false
	err := s.Accept(bg, e.Key, func(known *ledger.Event) *ledger.Change {
		isNew = known == nil
		if !isNew {
			return nil
		}
		return &ledger.Change{Event: e, Transitions: []ledger.Transition{{At: e.ReceivedAt, State: ledger.Received, Next: due}}}
	})
	if err != nil {
		t.Fatal(err)
	}
	return isNew
}

func accept(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	if !s.acceptNew(t, e, start) || s.acceptNew(t, e, start) {
		t.Error("the event was not new once")
	}
	s.wantState(t, e.Key, ledger.Received)
	got, err := s.Load(bg, e.Key)
	if err != nil || string(got.Body) != string(e.Body) || got.NextAttemptAt == nil || !got.NextAttemptAt.Equal(start) {
		t.Errorf("it is %+v, %v", got, err)
	}
	// What decide returns is applied to the event as it is.
	again := func(known *ledger.Event) *ledger.Change {
		if known == nil {
			return nil // a guess
		}
		return &ledger.Change{Event: *known, Transitions: []ledger.Transition{{At: start, State: ledger.Discarded}}}
	}
	if err := s.Accept(bg, e.Key, again); err != nil {
		t.Fatal(err)
	}
	s.wantState(t, e.Key, ledger.Discarded)
	if err := s.Accept(bg, e.Key, again); err == nil {
		t.Error("a change that the state machine does not know was accepted")
	}
}

// acceptBringsBackTheBody: a copy of an event restores a body that was pruned.
func acceptBringsBackTheBody(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	s.put(t, e, ledger.Received, ledger.Ignored)
	s.prune(t, start.Add(time.Hour), 10, 1)
	again := func(*ledger.Event) *ledger.Change {
		return &ledger.Change{Event: e, Transitions: []ledger.Transition{{At: start, State: ledger.Retrying, Next: start}}}
	}
	if err := s.Accept(bg, e.Key, again); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(bg, e.Key); err != nil || string(got.Body) != string(e.Body) {
		t.Errorf("the body is %q, %v", got.Body, err)
	}
}

// acceptBesideALease: an event is stored while another of its record is being
// delivered, whose claim is not disturbed.
func acceptBesideALease(t *testing.T, s *store) {
	processing, success := event(record("1"), "Processing"), event(record("1"), "Success")
	claim := s.claim(t, processing.Record)
	if !s.acceptNew(t, success, start) {
		t.Error("it is not new")
	}
	_, err := s.Claim(bg, processing.Record, ttl)
	wantErr(t, "claiming the record", err, ledger.ErrLeased)
	s.commit(t, claim, change(processing, delivered...))
	s.wantState(t, processing.Key, ledger.Delivered)
	s.wantState(t, success.Key, ledger.Received)
}

func confirmations(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	c := change(e, delivered...)
	c.Confirmation = &ledger.Confirmation{At: start, Amount: "10.02", Coin: "USDT", OrderState: "paid", Fulfill: true}
	s.commit(t, s.claim(t, e.Record), c)
	got, err := s.Load(bg, e.Key)
	if err != nil || got.Confirmation == nil || !got.Confirmation.At.Equal(start) {
		t.Fatalf("loaded %+v, %v", got.Confirmation, err)
	}
	got.Confirmation.At = start
	if *got.Confirmation != *c.Confirmation {
		t.Errorf("loaded %+v, want %+v", got.Confirmation, c.Confirmation)
	}
}

// orders: what events say of an order is merged into it, and what was read earlier
// overwrites nothing unless the clock has been set back since.
func orders(t *testing.T, s *store) {
	id := ledger.OrderID{AppID: "app-123", ID: "shop-order-1"}
	_, err := s.LoadOrder(bg, id)
	wantErr(t, "loading an unknown order", err, ledger.ErrNotFound)
	see := func(record ledger.Record, readAt time.Time, state, paid string) {
		t.Helper()
		e := event(record, "Success")
		c := change(e, delivered...)
		c.Order = &ledger.Order{
			OrderID: id, Account: "default", OwnID: "order-1", State: state, Paid: paid, ReadAt: readAt,
			Events: []ledger.OrderEvent{{Route: e.Route, Type: e.Type, RecordID: e.ID, Status: e.Key.Status, Risk: e.Risk}},
		}
		s.commit(t, s.claim(t, record), c)
	}
	s.advance(t, time.Hour)
	see(record("1"), start.Add(time.Minute), "partial", "5")
	see(record("2"), start.Add(2*time.Minute), "paid", "10")
	see(record("3"), start, "unpaid", "0")
	order, err := s.LoadOrder(bg, id)
	if err != nil || order.OwnID != "order-1" || order.State != "paid" || order.Paid != "10" || len(order.Steps) != 2 {
		t.Errorf("the order is %+v, %v", order, err)
	}
	var keys []ledger.Key
	for _, e := range order.Events {
		keys = append(keys, e.Key(order.AppID))
	}
	want := []ledger.Key{event(record("1"), "Success").Key, event(record("2"), "Success").Key, event(record("3"), "Success").Key}
	if !slices.Equal(keys, want) {
		t.Errorf("its events are %v, want %v", keys, want)
	}
	_, err = s.LoadOrder(bg, ledger.OrderID{AppID: "app-124", ID: id.ID})
	wantErr(t, "loading another merchant's order", err, ledger.ErrNotFound)
	s.advance(t, -2*time.Hour)
	see(record("4"), start.Add(-time.Hour), "overpaid", "15")
	if order, err = s.LoadOrder(bg, id); err != nil || order.State != "overpaid" {
		t.Errorf("after the clock was set back the order is %+v, %v", order, err)
	}
}

// orderPages: each order is in the list once, and filters select.
func orderPages(t *testing.T, s *store) {
	const n = 12
	for i := range n {
		e := event(record(fmt.Sprint(i)), "Success")
		c := change(e, delivered...)
		c.Order = &ledger.Order{
			OrderID: ledger.OrderID{AppID: "app-123", ID: fmt.Sprint("order-", i)}, ReadAt: start,
			Account: []string{"", "books"}[i%2], State: []string{"paid", "partial", "unpaid"}[i%3],
		}
		s.commit(t, s.claim(t, e.Record), c)
	}
	for _, test := range []struct {
		query ledger.OrderQuery
		want  int
	}{
		{ledger.OrderQuery{AnyAccount: true}, n},
		{ledger.OrderQuery{}, n / 2},
		{ledger.OrderQuery{Account: "books"}, n / 2},
		{ledger.OrderQuery{AnyAccount: true, State: "paid"}, n / 3},
		{ledger.OrderQuery{AnyAccount: true, State: "overpaid"}, 0},
		{ledger.OrderQuery{AnyAccount: true, State: "books", StateOf: func(o ledger.Order) string { return o.Account }}, n / 2},
	} {
		seen := make(map[string]bool)
		test.query.Limit = 5
		for range n {
			page, err := s.Orders(bg, test.query)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Orders {
				if seen[o.ID] {
					t.Errorf("order %s stands in it twice", o.ID)
				}
				seen[o.ID] = true
			}
			if test.query.Cursor = page.Next; page.Next == "" {
				break
			}
		}
		if len(seen) != test.want {
			t.Errorf("%+v lists %d orders, want %d", test.query, len(seen), test.want)
		}
	}
	_, err := s.Orders(bg, ledger.OrderQuery{Limit: 1, Cursor: "xyz"})
	wantErr(t, "a cursor that is none", err, ledger.ErrCursor)
}

// acceptAtOnce: of many copies that are accepted at once, one is new and none fails.
func acceptAtOnce(t *testing.T, s *store) {
	for n := range 20 {
		e := event(record(fmt.Sprint(n)), "Success")
		var news atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				isNew := false
				err := s.Accept(bg, e.Key, func(known *ledger.Event) *ledger.Change {
					if isNew = known == nil; !isNew {
						return nil
					}
					return &ledger.Change{Event: e, Transitions: []ledger.Transition{{At: start, State: ledger.Received}}}
				})
				if err != nil {
					t.Error(err)
				}
				if isNew {
					news.Add(1)
				}
			})
		}
		wg.Wait()
		if news.Load() != 1 {
			t.Fatalf("the event was new %d times", news.Load())
		}
	}
}

// dueEvents: Due returns the events of a route, the earliest first, and only while
// they are due.
func dueEvents(t *testing.T, s *store) {
	want := func(route string, limit int, ids ...string) {
		t.Helper()
		due, err := s.Due(bg, route, time.Time{}, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range due {
			got = append(got, d.Key.ID)
		}
		if !slices.Equal(got, ids) {
			t.Errorf("due of %s are %v, want %v", route, got, ids)
		}
	}
	want("webhook", 10)
	for i, minutes := range []int{3, 1, 2} {
		s.acceptNew(t, event(record(fmt.Sprint(i)), "Success"), start.Add(time.Duration(minutes)*time.Minute))
	}
	other := event(record("9"), "Success")
	other.Route = "webhook2"
	s.acceptNew(t, other, start)
	want("webhook", 10, "1", "2", "0")
	want("webhook", 2, "1", "2")
	want("webhook2", 10, "9")
	want("web", 10)
	for from, ids := range map[time.Duration][]string{
		-time.Hour: {"1", "2", "0"}, time.Minute: {"1", "2", "0"}, time.Minute + 1: {"2", "0"}, 3*time.Minute + 1: nil,
	} {
		due, err := s.Due(bg, "webhook", start.Add(from), 10)
		if err != nil || !slices.EqualFunc(due, ids, func(d ledger.Due, id string) bool { return d.Key.ID == id }) {
			t.Errorf("due from %s on are %+v, %v, want %v", from, due, err, ids)
		}
	}
	due, err := s.Due(bg, "webhook", time.Time{}, 1)
	if err != nil || due[0].Key != event(record("1"), "Success").Key || !due[0].At.Equal(start.Add(time.Minute)) {
		t.Errorf("the first is %+v, %v", due, err)
	}

	// An attempt that runs leaves the event due; its outcome decides.
	s.put(t, ledger.Event{Key: event(record("1"), "Success").Key}, ledger.Delivering)
	want("webhook", 10, "1", "2", "0")
	later := change(ledger.Event{Key: event(record("1"), "Success").Key}, ledger.Retrying)
	later.Transitions[0].Next = start.Add(time.Hour)
	s.commit(t, s.claim(t, record("1")), later)
	want("webhook", 10, "2", "0", "1")
	s.put(t, ledger.Event{Key: event(record("2"), "Success").Key}, ledger.Delivering, ledger.Delivered)
	s.put(t, ledger.Event{Key: event(record("0"), "Success").Key}, ledger.Held)
	want("webhook", 10, "1")
}

func findByID(t *testing.T, s *store) {
	want := func(id string, keys ...ledger.Key) {
		t.Helper()
		got, err := s.Find(bg, id)
		if err != nil || len(got) != len(keys) {
			t.Fatalf("found %v, %v, want %v", got, err, keys)
		}
		for _, key := range keys {
			if !slices.Contains(got, key) {
				t.Errorf("found %v, want %v", got, key)
			}
		}
	}
	e := event(record("1"), "Success")
	elsewhere := e
	elsewhere.Route = "other"
	want(e.EventID())
	s.put(t, e, delivered...)
	s.put(t, event(record("2"), "Success"), delivered...)
	want(e.EventID(), e.Key)
	s.put(t, elsewhere, delivered...)
	want(e.EventID(), e.Key, elsewhere.Key)
	want("not an id")
	want("00000000-0000-0000-0000-000000000000")
}

// list: each filter selects, and the newest event comes first.
func list(t *testing.T, s *store) {
	for i := range 6 {
		e := event(record(fmt.Sprint(i)), []string{"Success", "Failed"}[i%2])
		e.ReceivedAt = start.Add(time.Duration(i) * time.Minute)
		e.OrderID, e.GatewayOrderID = fmt.Sprint("order-", i/2), fmt.Sprint("shop-order-", i/2)
		if i == 5 {
			e.Route, e.Type = "other", "DirectDeposit"
		}
		s.put(t, e, [][]ledger.State{delivered, retrying, {ledger.Received, ledger.Held}}[i%3]...)
	}
	for _, test := range []struct {
		query ledger.Query
		want  []string
	}{
		{ledger.Query{}, []string{"5", "4", "3", "2", "1", "0"}},
		{ledger.Query{State: ledger.Held}, []string{"5", "2"}},
		{ledger.Query{State: ledger.Dead}, nil},
		{ledger.Query{Route: "other"}, []string{"5"}},
		{ledger.Query{Type: "DirectDeposit"}, []string{"5"}},
		{ledger.Query{Status: "FAILED"}, []string{"5", "3", "1"}},
		{ledger.Query{OrderID: "order-1"}, []string{"3", "2"}},
		{ledger.Query{OrderID: "shop-order-1"}, []string{"3", "2"}},
		{ledger.Query{RecordID: "4"}, []string{"4"}},
		{ledger.Query{Since: start.Add(4 * time.Minute)}, []string{"5", "4"}},
		{ledger.Query{Until: start.Add(2 * time.Minute)}, []string{"1", "0"}},
		{ledger.Query{Since: start.Add(time.Minute), Until: start.Add(3 * time.Minute), State: ledger.Held}, []string{"2"}},
		{ledger.Query{Until: start}, nil},
		{ledger.Query{State: ledger.Delivered, Status: "success"}, []string{"0"}},
	} {
		test.query.Limit = 100
		page, err := s.List(bg, test.query)
		var got []string
		for _, e := range page.Events {
			got = append(got, e.ID)
			if e.Body != nil {
				t.Error("a list has bodies")
			}
		}
		if err != nil || !slices.Equal(got, test.want) || page.Next != "" {
			t.Errorf("%+v lists %v, %q, %v, want %v", test.query, got, page.Next, err, test.want)
		}
	}
}

func listPages(t *testing.T, s *store) {
	const n = 23
	for i := range n {
		s.put(t, event(record(fmt.Sprint(i)), "Success"), delivered...) // all at one time
	}
	seen := make(map[string]bool)
	cursor := ""
	for range n {
		page, err := s.List(bg, ledger.Query{Limit: 5, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if seen[e.ID] {
				t.Errorf("event %s stands in it twice", e.ID)
			}
			seen[e.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(seen) != n {
		t.Errorf("the pages have %d events, want %d", len(seen), n)
	}
	_, err := s.List(bg, ledger.Query{Limit: 5, Cursor: "xyz"})
	wantErr(t, "a cursor that is none", err, ledger.ErrCursor)
}

func counts(t *testing.T, s *store) {
	want := func(counts map[string]uint64) {
		t.Helper()
		list, err := s.Counts(bg)
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]uint64)
		for _, c := range list {
			got[c.Route+" "+c.State.String()] = c.N
		}
		if !maps.Equal(got, counts) {
			t.Errorf("counted %v, want %v", got, counts)
		}
	}
	want(map[string]uint64{})
	for i := range 3 {
		s.put(t, event(record(fmt.Sprint(i)), "Success"), retrying...)
	}
	other := event(record("9"), "Success")
	other.Route = "other"
	s.put(t, other, delivered...)
	want(map[string]uint64{"webhook retrying": 3, "other delivered": 1})
	s.put(t, ledger.Event{Key: event(record("1"), "Success").Key}, ledger.Delivering, ledger.Delivered)
	s.put(t, ledger.Event{Key: event(record("2"), "Success").Key}, ledger.Delivering, ledger.Retrying)
	want(map[string]uint64{"webhook retrying": 2, "webhook delivered": 1, "other delivered": 1})
}
