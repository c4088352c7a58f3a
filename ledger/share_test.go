package ledger_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// clocked is a connection to a store whose clock can be set, and which can be away.
type clocked struct {
	*connection
	ahead  atomic.Int64
	isAway atomic.Bool
}

// Keep implements [ledger.Cluster].
func (c *clocked) Keep(ctx context.Context, about ledger.Session, held []uint64) (ledger.News, error) {
	if c.isAway.Load() {
		return ledger.News{}, errors.New("the database is away")
	}
	news, err := c.connection.Keep(ctx, about, held)
	news.Now = news.Now.Round(0).Add(time.Duration(c.ahead.Load()))
	return news, err
}

// TestStoreClockSet: it is noticed, also while the database is away, and what a clock was
// set forward by does not count as time.
func TestStoreClockSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := &clocked{connection: newDatabase().Connect("a")}
		l := ledger.New(way, time.Now)
		var mu sync.Mutex
		var set []time.Duration
		l.OnClockSet(func(by time.Duration) { mu.Lock(); defer mu.Unlock(); set = append(set, by) })
		ctx, end := context.WithCancel(bg)
		var ended sync.WaitGroup
		defer ended.Wait()
		defer end()
		ended.Go(func() { l.Share(ctx, func() ledger.Session { return ledger.Session{} }, func(error) {}) })
		for _, ahead := range []time.Duration{0, time.Second, 100 * time.Hour, 90 * time.Hour} {
			way.isAway.Store(ahead == 90*time.Hour)
			way.ahead.Store(int64(ahead))
			time.Sleep(time.Minute)
			way.isAway.Store(false)
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if want := []time.Duration{100*time.Hour - time.Second, -10 * time.Hour}; !slices.Equal(set, want) {
			t.Errorf("it was set by %v, want %v", set, want)
		}
		if passed := time.Now().Add(90 * time.Hour).Sub(l.Before(time.Hour)); passed != 101*time.Hour-time.Second {
			t.Errorf("an hour has passed since %s ago", passed)
		}
	})
}

// TestEndingAfterTheClockWasSet: an order that is made after the clock was set forward ends when
// it expires.
func TestEndingAfterTheClockWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := &clocked{connection: newDatabase().Connect("a")}
		l := ledger.New(way, time.Now)
		ctx, end := context.WithCancel(bg)
		var ended sync.WaitGroup
		defer ended.Wait()
		defer end()
		ended.Go(func() { l.Share(ctx, func() ledger.Session { return ledger.Session{} }, func(error) {}) })
		time.Sleep(time.Minute)
		way.ahead.Store(int64(100 * time.Hour))
		time.Sleep(time.Minute)
		expires := l.Now().Add(time.Hour)
		err := l.SaveCheckout(bg, ledger.Order{
			OrderID: ledger.OrderID{AppID: "app-123", ID: "order-1"}, OwnID: "order-1",
			Checkout: &ledger.Checkout{EndAt: expires, Generations: []ledger.GatewayOrder{{ID: "order-1", Ref: "1", CreatedAt: l.Now(), ExpiresAt: expires}}},
		}, "made")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		if orders, _, err := l.EndingNow(bg, 10); err != nil || len(orders) != 0 {
			t.Errorf("before it expires %d orders end, %v", len(orders), err)
		}
		time.Sleep(2 * time.Minute)
		if orders, _, err := l.EndingNow(bg, 10); err != nil || len(orders) != 1 {
			t.Errorf("after it has expired %d orders end, %v", len(orders), err)
		}
	})
}

// TestSessionFailsOnce: that a session cannot be renewed is told once, and that it can
// again is told once.
func TestSessionFailsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := &clocked{connection: newDatabase().Connect("a")}
		way.isAway.Store(true)
		ctx, end := context.WithCancel(bg)
		var ended sync.WaitGroup
		defer ended.Wait()
		defer end()
		var failed, renewed atomic.Int32
		ended.Go(func() {
			ledger.New(way, time.Now).Share(ctx, func() ledger.Session { return ledger.Session{} }, func(err error) {
				if err != nil {
					failed.Add(1)
				} else {
					renewed.Add(1)
				}
			})
		})
		for range 2 {
			way.isAway.Store(true)
			time.Sleep(time.Minute)
			way.isAway.Store(false)
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if failed.Load() != 2 || renewed.Load() != 2 {
			t.Errorf("away twice, it was told %d times that it fails and %d times that it does not", failed.Load(), renewed.Load())
		}
	})
}

// TestNowIsTheStores: times of events are compared with the clock that they are of.
func TestNowIsTheStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := &clocked{connection: newDatabase().Connect("a")}
		way.ahead.Store(int64(time.Hour))
		l := join(t, way)
		e := event("Success")
		e.ReceivedAt = time.Now()
		if _, err := l.Accept(bg, e, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		stored, err := l.Load(bg, e.Key)
		if age := l.Now().Sub(stored.ReceivedAt); err != nil || age != time.Minute {
			t.Errorf("after a minute its age is %s, %v", age, err)
		}
	})
}

// TestLockEndsWithTheSession: what a process does under a lock ends before another gets it.
func TestLockEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := &clocked{connection: newDatabase().Connect("a")}
		a, b := join(t, way), join(t, way.Connect("b"))
		name := ledger.Record{Type: "#checkout", ID: "1"}
		held, unlock, err := a.Lock(bg, name, time.Minute, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		time.Sleep(20 * time.Second)
		if held.Err() != nil {
			t.Fatal("the lock is lost though the session is renewed")
		}
		way.isAway.Store(true)
		_, unlockToo, err := b.Lock(bg, name, time.Minute, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer unlockToo()
		if !errors.Is(context.Cause(held), ledger.ErrNoSession) {
			t.Errorf("two have the lock: %v", context.Cause(held))
		}
	})
}

// TestLockHere: where no other process shares the ledger, one caller of this one has a lock
// at a time; whoever waits too long hears so, and takes no turn away.
func TestLockHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ledger.New(struct{ ledger.Store }{}, time.Now)
		name := ledger.Record{Type: "#checkout", ID: "1"}
		_, unlock, err := l.Lock(bg, name, time.Minute, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Lock(bg, name, time.Minute, time.Second); !errors.Is(err, ledger.ErrLeased) {
			t.Errorf("a second has the lock: %v", err)
		}
		if _, other, err := l.Lock(bg, ledger.Record{Type: "#checkout", ID: "2"}, time.Minute, time.Second); err != nil {
			t.Errorf("another name: %v", err)
		} else {
			other()
		}
		time.AfterFunc(time.Second, unlock)
		_, unlock, err = l.Lock(bg, name, time.Minute, time.Minute)
		if err != nil {
			t.Fatalf("nobody has it any more: %v", err)
		}
		unlock()
	})
}

// halfDamaged is a connection on which another event of each record cannot be read.
type halfDamaged struct{ *connection }

// Take implements [ledger.Cluster].
func (h halfDamaged) Take(ctx context.Context, route string, ttl time.Duration, limit int) ([]ledger.Taken, error) {
	all, err := h.connection.Take(ctx, route, ttl, limit)
	for i := range all {
		all[i].Err = ledger.ErrDamaged
	}
	return all, err
}

// TestDamagedSibling: an event that cannot be handed over because another of its record is
// damaged is reported by its id.
func TestDamagedSibling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := join(t, halfDamaged{newDatabase().Connect("a")})
		if _, err := l.Accept(bg, event("Success"), ""); err != nil {
			t.Fatal(err)
		}
		reported := make(chan string, 1)
		defer (&book{Ledger: l, t: t}).run(ledger.Dispatcher{
			Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 1, Failed: func(error) {},
			Work:    func(*ledger.Attempt) (ledger.Contact, error) { return ledger.Untried, nil },
			Damaged: func(eventID string, _ error) { reported <- eventID },
		})()
		if got := <-reported; got != event("Success").EventID() {
			t.Errorf("it is reported as %q", got)
		}
	})
}

// TestCountedAfterASparedAttempt: an attempt of another process, of which there is no
// outcome, is counted, also where the first did not count.
func TestCountedAfterASparedAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		way := &cuttable{connection: d.Connect("b")}
		a, b := join(t, d.Connect("a")), join(t, way)
		var mu sync.Mutex
		var numbers []int
		dispatch := func(l *ledger.Ledger, isSpared bool) (stop func()) {
			return (&book{Ledger: l, t: t}).run(ledger.Dispatcher{
				Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 1, Direct: true, Rank: rank,
				Failed: func(error) {}, Damaged: func(string, error) {},
				Work: func(at *ledger.Attempt) (ledger.Contact, error) {
					if _, err := at.Sent(bg, ledger.Sending{}); err != nil {
						return ledger.Untried, err
					}
					mu.Lock()
					numbers = append(numbers, at.Number)
					mu.Unlock()
					_, err := at.Finish(bg, ledger.Ending{State: ledger.Retrying, Failure: errRefused, Again: ledger.Again{Spared: isSpared}})
					return ledger.Reached, err
				},
			})
		}
		stop := dispatch(a, true)
		synctest.Wait()
		if _, err := a.Accept(bg, event("Success"), ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stop()
		way.isCut.Store(true)
		stop = dispatch(b, false)
		made := func() int { mu.Lock(); defer mu.Unlock(); return len(numbers) }
		for made() < 2 {
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		before := made()
		defer dispatch(a, false)()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if before != 2 || len(numbers) == before || numbers[before] <= numbers[before-1] {
			t.Errorf("the attempts are %v, of which the other process made the second", numbers)
		}
	})
}
