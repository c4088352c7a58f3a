package postgres

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestStandbyIsWaitedFor: where a standby is to have each commit, none is acknowledged
// without it: neither by who committed it, nor where its wait was cut short, nor by a
// copy that finds it on the primary.
func TestStandbyIsWaitedFor(t *testing.T) {
	server := postgrestest.Start(t)
	first := begun(t, Options{URL: server.URL(), Schema: "waits"}) // while commits need no standby
	known := one("0")                                              // with its route, whose name would wait, too
	if err := first.Accept(bg, known.Event.Key, acceptOnce(known)); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	waitsFor(t, server, "nobody")
	s := open(t, Options{URL: server.URL(), Schema: "waits", Replicas: 1, patience: 2 * time.Second})
	c := one("1")
	if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); !errors.Is(err, ledger.ErrUnknown) || !errors.Is(err, errStuck) {
		t.Errorf("a commit that waits for its standby: %v", err)
	}
	// Nobody sees it.
	if _, err := s.Load(bg, c.Event.Key); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("it is there already: %v", err)
	}
	waits := make(chan error, 1)
	other := one("2")
	patient := open(t, Options{URL: server.URL(), Schema: "waits", Replicas: 1, patience: time.Minute})
	go func() { waits <- patient.Accept(bg, other.Event.Key, acceptOnce(other)) }()
	deadline := time.Now().Add(10 * time.Second)
	for server.Value(t, `select count(*) from pg_stat_activity where wait_event = 'SyncRep'`) != "2" {
		if time.Now().After(deadline) {
			t.Fatal("no commit waits")
		}
		time.Sleep(20 * time.Millisecond)
	}
	server.Exec(t, `select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`)
	if err := <-waits; !errors.Is(err, ledger.ErrUnknown) || !errors.Is(err, errWarned) {
		t.Errorf("a commit whose wait was cut short: %v", err)
	}
	// It is visible on the primary alone: a copy does not rely on it.
	if _, err := s.Load(bg, other.Event.Key); err != nil {
		t.Errorf("it is not there: %v", err)
	}
	if err := s.Accept(bg, other.Event.Key, acceptOnce(other)); err == nil {
		t.Error("a copy was acknowledged")
	}
	waitsFor(t, server, "")
	if err := s.Accept(bg, other.Event.Key, acceptOnce(other)); err != nil {
		t.Errorf("a copy, when commits are not waited for any more: %v", err)
	}
}

// TestDamagedValues: what cannot be read is an error that says so, and harms no other.
func TestDamagedValues(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	s := member(t, Options{URL: server.URL(), Schema: schema})
	accept := func(id string) ledger.Event {
		c := one(id)
		if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
			t.Fatal(err)
		}
		return c.Event
	}
	good, bad, lost, body := accept("good"), accept("bad"), accept("lost"), accept("body")
	sibling := one("bad")
	sibling.Event.Key.Status = "failed"
	sibling.Transitions[0].Next = time.Time{}
	if err := s.Accept(bg, sibling.Event.Key, acceptOnce(sibling)); err != nil {
		t.Fatal(err)
	}
	harm := func(sql string, key ledger.Key) {
		id := eventID(key)
		server.Exec(t, fmt.Sprintf(sql, schema), fmt.Sprintf("%x", id[:]))
	}
	harm(`update %q.events set data = overlay(data placing '\xff'::bytea from 30) where id = $1::uuid`, bad.Key)
	harm(`delete from %q.events where id = $1::uuid`, lost.Key)
	harm(`update %q.bodies set body = overlay(body placing '\xff'::bytea from 3) where id = $1::uuid`, body.Key)
	isDamaged := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ledger.ErrDamaged) {
			t.Errorf("%s: %v, want %v", what, err, ledger.ErrDamaged)
		}
	}
	_, err := s.Load(bg, bad.Key)
	isDamaged("Load", err)
	_, err = s.List(bg, ledger.Query{Limit: 10})
	isDamaged("List", err)
	for i, id := range []string{"order-1", "order-2"} {
		ends := time.Now().Add(time.Duration(i-2) * time.Hour)
		id := ledger.OrderID{AppID: "app-123", ID: id}
		if err := s.UpdateOrder(bg, id, func(o *ledger.Order) { o.OrderID, o.Checkout = id, &ledger.Checkout{EndAt: ends} }); err != nil {
			t.Fatal(err)
		}
	}
	server.Exec(t, fmt.Sprintf(`update %q.orders set data = overlay(data placing '\xff'::bytea from 10) where place = (select place from %[1]q.orders order by ends limit 1)`, schema))
	var readable, unreadable int
	for query := (ledger.OrderQuery{AnyAccount: true, Limit: 1}); ; {
		page, err := s.Orders(bg, query)
		if err != nil || len(page.Orders)+len(page.Damaged) != 1 {
			t.Fatalf("with a damaged order: %+v, %v", page, err)
		}
		for _, err := range page.Damaged {
			isDamaged("Orders", err)
		}
		readable, unreadable = readable+len(page.Orders), unreadable+len(page.Damaged)
		if query.Cursor = page.Next; query.Cursor == "" {
			break
		}
	}
	if readable != 1 || unreadable != 1 {
		t.Errorf("of two orders, one of them damaged, %d can be read and %d cannot", readable, unreadable)
	}
	if orders, err := s.Ending(bg, time.Now(), 1); err != nil || len(orders) != 1 {
		t.Errorf("beside a damaged order %+v end, %v", orders, err)
	}
	_, err = s.Find(bg, bad.EventID())
	isDamaged("Find", err)
	_, err = s.Claim(bg, bad.Record, time.Minute)
	isDamaged("Claim", err)
	isDamaged("Accept", s.Accept(bg, bad.Key, acceptOnce(one("bad"))))
	if list, err := s.Due(bg, "webhook", time.Time{}, 10); err != nil || len(list) != 4 {
		t.Errorf("due are %v, %v", list, err)
	} else {
		keys := make(map[ledger.Key]bool)
		for _, d := range list {
			keys[d.Key] = true
			if isGood := d.Key == good.Key || d.Key == body.Key; isGood != (d.Err == nil) {
				t.Errorf("due is %+v", d)
			}
		}
		if len(keys) != 4 {
			t.Errorf("the keys do not tell them apart: %v", keys)
		}
	}
	loaded, err := s.Load(bg, body.Key)
	if err != nil || loaded.Body != nil || !loaded.BodyDamaged {
		t.Errorf("with a damaged body: %+v, %v", loaded, err)
	}
	again := one("body")
	err = s.Accept(bg, body.Key, func(known *ledger.Event) *ledger.Change {
		if known == nil {
			return nil
		}
		return &ledger.Change{Event: again.Event, Transitions: []ledger.Transition{{At: time.Now(), State: ledger.Retrying, Next: time.Now()}}}
	})
	if err != nil {
		t.Error(err)
	}
	if loaded, err := s.Load(bg, body.Key); err != nil || string(loaded.Body) != string(again.Event.Body) {
		t.Errorf("a copy does not bring the body back: %+v, %v", loaded, err)
	}

	taken, err := s.Take(bg, "webhook", time.Minute, 10)
	if err != nil || len(taken) != 4 {
		t.Fatalf("taken %v, %v", taken, err)
	}
	for _, k := range taken {
		isGood := k.Event.Key == good.Key || k.Event.Key == body.Key
		if isGood != (k.Err == nil) {
			t.Errorf("taken %+v", k)
		}
		if k.Err != nil {
			isDamaged("Take", k.Err)
		}
	}
	if more, err := s.Take(bg, "webhook", time.Minute, 10); err != nil || len(more) != 0 {
		t.Errorf("taken again: %+v, %v", more, err)
	}
	for _, k := range taken {
		if err := s.Unlock(bg, k.Claim); err != nil {
			t.Error(err)
		}
	}
	if more, err := s.Take(bg, "webhook", time.Minute, 10); err != nil || len(more) != 4 {
		t.Errorf("unlocked were %+v, %v", more, err)
	}
}

// TestRoundTrips logs how often each method asks the database.
func TestRoundTrips(t *testing.T) {
	server := postgrestest.Shared(t)
	var mu sync.Mutex
	trips := make(map[string]int)
	s := member(t, Options{URL: server.URL(), Schema: server.Schema(t), counted: func(method string) {
		mu.Lock()
		defer mu.Unlock()
		trips[method]++
	}})
	count := func(what string, want int, do func() error) {
		t.Helper()
		mu.Lock()
		clear(trips)
		mu.Unlock()
		if err := do(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		mu.Lock()
		defer mu.Unlock()
		commits := trips["commits"]
		delete(trips, "commits")
		n := 0
		for _, some := range trips {
			n += some
		}
		t.Logf("%-32s %d round trips, %d commits", what, n, commits)
		if n > want {
			t.Errorf("%s takes %d round trips: %v", what, n, trips)
		}
	}
	c := one("1")
	if err := s.knowKinds([]ledger.Change{c}); err != nil {
		t.Fatal(err)
	}
	var claim ledger.Claim
	var err error
	steps := func(states ...ledger.State) []ledger.Change {
		one := one("1", states...)
		one.Event.Body = nil
		one.Transitions = one.Transitions[1:]
		return []ledger.Change{one}
	}
	withOrder := func(changes []ledger.Change) []ledger.Change {
		changes[0].Order = &ledger.Order{OrderID: ledger.OrderID{AppID: "a", ID: "1"}, State: "paid", ReadAt: time.Now()}
		return changes
	}
	count("Accept, new", 1, func() error { return s.Accept(bg, c.Event.Key, acceptOnce(c)) })
	count("Accept, a copy", 2, func() error { return s.Accept(bg, c.Event.Key, acceptOnce(c)) })
	count("Claim", 1, func() error { claim, err = s.Claim(bg, c.Event.Record, time.Minute); return err })
	count("Bind with a step", 1, func() error {
		_, err := s.Bind(bg, claim, steps(ledger.Delivering)[0], c.Event.Flags())
		return err
	})
	count("Commit", 1, func() error { return s.Commit(bg, claim, steps(ledger.Retrying)) })
	claim, err = s.Claim(bg, c.Event.Record, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	count("Commit with an order", 2, func() error { return s.Commit(bg, claim, withOrder(steps(ledger.Delivering, ledger.Delivered))) })
	count("Load", 1, func() error { _, err := s.Load(bg, c.Event.Key); return err })
	count("UpdateOrder", 2, func() error { return s.UpdateOrder(bg, ledger.OrderID{AppID: "b"}, func(*ledger.Order) {}) })
	var wg sync.WaitGroup
	count("Accept, 500 at 64 goroutines", 500, func() error {
		work := make(chan int)
		for range 64 {
			wg.Go(func() {
				for i := range work {
					c := one(fmt.Sprint("many ", i))
					if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i := range 500 {
			work <- i
		}
		close(work)
		wg.Wait()
		return nil
	})
	var taken int
	count("Take, 500 events by 100", 12, func() error {
		for {
			list, err := s.Take(bg, "webhook", time.Minute, 100)
			taken += len(list)
			if err != nil || len(list) == 0 {
				return err
			}
		}
	})
	if taken != 500 {
		t.Errorf("%d were taken", taken)
	}
}

// TestReplicasAreLookedAt: a server that stops waiting for its standbys while Caddy runs
// is not used until it waits again.
func TestReplicasAreLookedAt(t *testing.T) {
	server := postgrestest.Start(t, "synchronous_commit=local")    // of those that are not the store
	first := begun(t, Options{URL: server.URL(), Schema: "waits"}) // while commits need no standby
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	set := func(sql string) {
		server.Exec(t, sql)
		server.Exec(t, `select pg_reload_conf()`)
	}
	set(`alter system set synchronous_standby_names = 'nobody'`)
	core, logs := observer.New(zap.ErrorLevel)
	s := openSoon(t, Options{URL: server.URL(), Schema: "waits", Replicas: 1, patience: 2 * time.Second, Logger: zap.New(core)})
	set(`alter system reset synchronous_standby_names`)
	eventually(t, "it goes on with a server that waits for no standby", func() bool {
		_, err := s.Keep(bg, ledger.Session{}, nil)
		return err != nil && strings.Contains(err.Error(), "replicas asks for 1")
	})
	c := one("1")
	if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err == nil || errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("accepting: %v", err)
	}
	if n := logs.FilterMessageSnippet("cannot be used").Len(); n != 1 {
		t.Errorf("it is logged %d times: %v", n, logs.All())
	}
	// A connection to the server that takes this one's place in a failover.
	conn, err := s.dial(bg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(bg)
	if err := s.checkAgain(conn.QueryRow(bg, settingsSQL)); err == nil {
		t.Error("such a server may take the first one's place")
	}
	set(`alter system set synchronous_standby_names = 'nobody'`)
	eventually(t, "the store does not come back", func() bool { return s.usable() == nil })
	set(`alter system reset synchronous_standby_names`) // for what the store does when it is closed
}

// openSoon opens a store when its server has heard of a setting.
func openSoon(t *testing.T, opts Options) (s *Store) {
	t.Helper()
	eventually(t, "the store does not open", func() bool {
		var err error
		s, err = Open(opts)
		return err == nil
	})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// eventually fails the test where what is to become true does not.
func eventually(t *testing.T, otherwise string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}
