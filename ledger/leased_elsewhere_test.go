package ledger_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// join has a process share the database, until the test ends.
func join(t *testing.T, store ledger.Store) *ledger.Ledger {
	t.Helper()
	l := ledger.New(store, time.Now)
	ctx, end := context.WithCancel(bg)
	var ended sync.WaitGroup
	ended.Go(func() {
		l.Share(ctx, func() ledger.Session { return ledger.Session{Routes: []ledger.SessionRoute{{Name: "webhook"}}} }, func(error) {})
	})
	t.Cleanup(func() { end(); ended.Wait() })
	synctest.Wait()
	return l
}

// TestLeasedElsewhereForAMoment: an event that a process accepts while another works on
// its record is delivered as soon as that has ended, and not when a lease runs out that
// nobody uses.
func TestLeasedElsewhereForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		a, b := join(t, d.Connect("a")), join(t, d.Connect("b"))
		app := &app{}
		defer (&book{Ledger: a, t: t}).dispatchTo(app, "webhook")()
		synctest.Wait()
		elsewhere := event("Processing")
		_, attempt, err := b.Begin(bg, elsewhere, opts)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Accept(bg, event("Success"), ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if n := len(app.called()); n > 0 {
			t.Fatalf("while another works on the record the app was called %d times", n)
		}
		ended := time.Now()
		if err := succeed(bg, attempt); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Accept(bg, numbered(2, "Success"), ""); err != nil { // which has it look at what is due
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		for _, call := range app.called() {
			if took := call.at.Sub(ended); took > 10*time.Second {
				t.Errorf("%s was handed over after %s", call.key.Status, took)
			}
		}
		if n := len(app.called()); n != 2 {
			t.Errorf("the app was called %d times", n)
		}
	})
}

// TestOutcomeElsewhere: a copy that waited for another process's attempt learns what that has come
// to, and whether the app was called.
func TestOutcomeElsewhere(t *testing.T) {
	for isTried, end := range map[bool]func(*ledger.Attempt) error{
		true:  func(a *ledger.Attempt) error { return fail(a, errRefused, ledger.Again{}) },
		false: func(a *ledger.Attempt) error { return unconfirmed(a, errRefused) },
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDatabase()
			a, b := join(t, d.Connect("a")), join(t, d.Connect("b"))
			_, first, err := a.Begin(bg, event("Success"), opts)
			if err != nil {
				t.Fatal(err)
			}
			var shared *ledger.SharedError
			var waiting sync.WaitGroup
			waiting.Go(func() {
				_, _, err := b.Begin(bg, event("Success"), opts)
				if !errors.As(err, &shared) {
					t.Errorf("the copy got %v", err)
				}
			})
			time.Sleep(time.Second)
			if err := end(first); err != nil {
				t.Fatal(err)
			}
			if waiting.Wait(); shared != nil && (shared.Tried != isTried || shared.Cause != errRefused.Error()) {
				t.Errorf("the copy learned %+v, want %t", shared, isTried)
			}
		})
	}
}

// TestSequenceAfterAWait: an event that waited for another process's attempt, of which
// nothing could be recorded, has a higher place than that, whichever came first.
func TestSequenceAfterAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		way := &cuttable{connection: d.Connect("a")}
		a, b := join(t, way), join(t, d.Connect("b"))
		higher := event("Success")
		higher.ReceivedAt = time.Now()
		time.Sleep(10 * time.Millisecond)
		lower := event("Processing")
		lower.ReceivedAt = time.Now()
		_, first, err := a.Begin(bg, lower, opts)
		if err != nil {
			t.Fatal(err)
		}
		var second *ledger.Attempt
		var waiting sync.WaitGroup
		waiting.Go(func() { _, second, _ = b.Begin(bg, higher, opts) })
		time.Sleep(time.Second)
		way.isCut.Store(true)
		if err := succeed(bg, first); err == nil {
			t.Fatal("the commit did not fail")
		}
		waiting.Wait()
		if second == nil || second.Seq <= first.Seq {
			t.Errorf("after a Processing with %d the Success is %+v", first.Seq, second)
		}
	})
}

// TestSequenceAfterAReplay: an event whose first attempt was counted by a process that
// never made it gets its number at its first attempt, also where an operator asked for
// that: other events of the record may have been handed over since.
func TestSequenceAfterAReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		l := join(t, d.Connect("b"))
		_, lower, err := l.Begin(bg, event("Processing"), opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := succeed(bg, lower); err != nil {
			t.Fatal(err)
		}
		higher := event("Success")
		higher.ReceivedAt, higher.CountedBy, higher.Seq = time.Now(), "a process that was stopped since", lower.Seq-1
		err = d.Connect("a").Accept(bg, higher.Key, func(*ledger.Event) *ledger.Change {
			return &ledger.Change{Event: higher, Transitions: []ledger.Transition{
				{At: higher.ReceivedAt, State: ledger.Received},
				{At: higher.ReceivedAt, State: ledger.Delivering, Attempt: 1, Seq: higher.Seq},
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Replay(bg, higher.Key, "never seen"); err != nil {
			t.Fatal(err)
		}
		_, replayed, err := l.Begin(bg, event("Success"), opts)
		if err != nil {
			t.Fatal(err)
		}
		if replayed.Seq <= lower.Seq {
			t.Errorf("after a Processing with %d the Success has %d", lower.Seq, replayed.Seq)
		}
	})
}

// starting is a connection whose session takes its time to begin.
type starting struct{ *connection }

// Keep implements [ledger.Cluster].
func (s starting) Keep(ctx context.Context, about ledger.Session, held []uint64) (ledger.News, error) {
	time.Sleep(time.Second)
	return s.connection.Keep(ctx, about, held)
}

// TestBeforeTheSession: what comes to a process that starts waits for its session, and
// is not refused; and the store is not called broken.
func TestBeforeTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := join(t, starting{newDatabase().Connect("a")})
		app := &app{}
		defer (&book{Ledger: l, t: t}).run(ledger.Dispatcher{
			Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 4, Rank: rank, Work: app.work,
			Failed: func(err error) { t.Errorf("the store is called broken: %v", err) },
		})()
		synctest.Wait()
		if verdict, err := l.Accept(bg, numbered(2, "Success"), ""); verdict != ledger.Accepted || err != nil {
			t.Errorf("an event that is stored while it starts: %v, %v", verdict, err)
		}
		if verdict, _, err := l.Begin(bg, event("Success"), opts); verdict != ledger.Deliver || err != nil {
			t.Errorf("a webhook while it starts: %v, %v", verdict, err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if calls := app.called(); len(calls) != 1 {
			t.Errorf("what was stored while it started: the app was called %v", calls)
		}
	})
}

// TestClocksBeforeTheSession: what comes in before the store's clock is known is stored by
// that clock, however wrong this machine's is, and is refused where there is none.
func TestClocksBeforeTheSession(t *testing.T) {
	for name, skew := range map[string]time.Duration{"ahead": 2 * time.Hour, "behind": -2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDatabase()
				l := ledger.New(starting{d.Connect("a")}, func() time.Time { return time.Now().Add(skew) })
				e := event("Success")
				e.ReceivedAt = time.Now().Add(skew)
				if verdict, err := l.Accept(bg, e, ""); !errors.Is(err, ledger.ErrNoSession) {
					t.Errorf("without a session it comes to %v, %v", verdict, err)
				}
				ctx, end := context.WithCancel(bg)
				var ended sync.WaitGroup
				defer ended.Wait()
				defer end()
				ended.Go(func() { l.Share(ctx, func() ledger.Session { return ledger.Session{} }, func(error) {}) })
				received := time.Now()
				e.ReceivedAt = received.Add(skew)
				if verdict, err := l.Accept(bg, e, ""); verdict != ledger.Accepted || err != nil {
					t.Errorf("while the session begins it comes to %v, %v", verdict, err)
				}
				stored := d.Events[e.Key]
				if off := stored.ReceivedAt.Sub(received); off.Abs() > 2*time.Second || stored.NextAttemptAt.After(time.Now()) {
					t.Errorf("it was received %s off, and is due at %s", off, stored.NextAttemptAt)
				}
			})
		})
	}
}

// TestDueFarAhead: an event that a clock planned which was set back since is not left for
// as long as that.
func TestDueFarAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		l := join(t, d.Connect("a"))
		e := event("Success")
		e.ReceivedAt = time.Now().Add(24 * time.Hour)
		err := d.Connect("").Accept(bg, e.Key, func(*ledger.Event) *ledger.Change {
			return &ledger.Change{Event: e, Transitions: []ledger.Transition{{At: e.ReceivedAt, State: ledger.Received, Next: e.ReceivedAt}}}
		})
		if err != nil {
			t.Fatal(err)
		}
		app := &app{}
		defer (&book{Ledger: l, t: t}).dispatchTo(app, "webhook")()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := len(app.called()); n != 1 {
			t.Errorf("the app was called %d times", n)
		}
	})
}
