package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var plan = ledger.Plan{First: 5 * time.Second, Max: time.Hour, GiveUp: 72 * time.Hour}

// app is what the dispatcher delivers events to.
type app struct {
	mu    sync.Mutex
	calls []call
	// answer is what the app says; nil: yes.
	answer func(a *ledger.Attempt) refusal
}

type call struct {
	key    ledger.Key
	number int
	reason ledger.Reason
	at     time.Time
}

// refusal is an app's no. The zero value is its yes.
type refusal struct {
	err       error
	again     ledger.Again
	unreached bool
}

func (a *app) answers(answer func(*ledger.Attempt) refusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *app) called() []call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

func (a *app) work(attempt *ledger.Attempt) (ledger.Contact, error) {
	if _, err := attempt.Sent(bg, ledger.Sending{}); err != nil {
		return ledger.Untried, err
	}
	a.mu.Lock()
	a.calls = append(a.calls, call{attempt.Event.Key, attempt.Number, attempt.Reason, time.Now()})
	answer := a.answer
	a.mu.Unlock()
	var no refusal
	if answer != nil {
		no = answer(attempt)
	}
	if no.err == nil {
		return ledger.Reached, succeed(bg, attempt)
	}
	sign := ledger.Reached
	if no.unreached {
		sign = ledger.Unreached
	}
	return sign, fail(attempt, no.err, no.again)
}

// dispatch starts a dispatcher to a new app; stop ends it and waits.
func (b *book) dispatch(route string) (a *app, stop func()) {
	a = &app{}
	return a, b.dispatchTo(a, route)
}

func (b *book) dispatchTo(a *app, route string) (stop func()) {
	return b.run(ledger.Dispatcher{
		Route: route, Plan: plan, Lease: time.Minute, Workers: 32, Rank: rank, Work: a.work, Failed: func(error) {},
	})
}

// dispatchDirect starts a dispatcher of a route on which nothing is asked first.
func (b *book) dispatchDirect() (a *app, stop func()) {
	a = &app{}
	return a, b.run(ledger.Dispatcher{
		Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 32, Rank: rank, Direct: true, Work: a.work, Failed: func(error) {},
	})
}

func (b *book) run(c ledger.Dispatcher) (stop func()) {
	ctx, cancel := context.WithCancel(bg)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Dispatch(ctx, c)
	}()
	return func() { cancel(); <-done }
}

func (b *book) accept(e ledger.Event, want ledger.Verdict) {
	b.t.Helper()
	if verdict, err := b.Accept(bg, e, ""); verdict != want || err != nil {
		b.t.Fatalf("accepting %s: %d, %v, want %d", e.Status, verdict, err, want)
	}
}

func numbered(n int, status string) ledger.Event {
	e := event(status)
	e.ID = fmt.Sprint(n)
	return e
}

// TestDeliveredOnce: what is accepted is delivered at once, and once.
func TestDeliveredOnce(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		defer stop()
		e := event("Success")
		b.accept(e, ledger.Accepted)
		b.accept(e, ledger.Duplicate)
		synctest.Wait()
		b.accept(e, ledger.Duplicate)
		if calls := app.called(); len(calls) != 1 || calls[0].number != 1 || calls[0].reason != ledger.Initial {
			t.Errorf("the app was called %+v", calls)
		}
		want := []ledger.State{ledger.Received, ledger.Delivering, ledger.Delivered}
		if got := b.states(e); !slices.Equal(got, want) {
			t.Errorf("it went through %v, want %v", got, want)
		}
	})
}

// TestPendingAtStart: what was accepted before is delivered right away.
func TestPendingAtStart(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		const n = 700 // more than are read at once
		for i := range n {
			b.accept(numbered(i, "Success"), ledger.Accepted)
		}
		other := numbered(n, "Success")
		other.Route = "other"
		b.accept(other, ledger.Accepted)
		app, stop := b.dispatch("webhook")
		defer stop()
		synctest.Wait()
		seen := make(map[ledger.Key]bool)
		for _, c := range app.called() {
			if seen[c.key] || c.key.Route != "webhook" {
				t.Errorf("event %s of %s was delivered again", c.key.ID, c.key.Route)
			}
			seen[c.key] = true
		}
		if len(seen) != n {
			t.Errorf("%d of %d events were delivered", len(seen), n)
		}
	})
}

// TestSeventyHours: an app that is away for days loses nothing, and is asked on
// the schedule.
func TestSeventyHours(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		defer stop()
		app.answers(func(*ledger.Attempt) refusal { return refusal{err: errRefused} })
		b.accept(numbered(1, "Processing"), ledger.Accepted)
		b.accept(numbered(2, "Success"), ledger.Accepted)
		synctest.Wait()
		b.accept(numbered(1, "Success"), ledger.Accepted)
		time.Sleep(70 * time.Hour)
		var last time.Time
		failures := 0
		for _, c := range app.called() {
			if c.key != numbered(2, "Success").Key {
				continue
			}
			if wait := min(plan.First<<min(max(failures-1, 0), 20), plan.Max); failures > 0 && c.at.Sub(last) > wait+time.Millisecond {
				t.Errorf("attempt %d came %s after the one before, want %s at most", c.number, c.at.Sub(last), wait)
			}
			if failures++; c.number != failures {
				t.Errorf("attempt %d is numbered %d", failures, c.number)
			}
			last = c.at
		}
		if failures < 70 {
			t.Errorf("the app was asked %d times", failures)
		}
		app.answers(nil)
		time.Sleep(plan.Max + time.Second)
		for e, want := range map[string]ledger.State{"Processing": ledger.Superseded, "Success": ledger.Delivered} {
			if got := b.load(numbered(1, e)).State; got != want {
				t.Errorf("%s is %s, want %s", e, got, want)
			}
		}
		if got := b.load(numbered(2, "Success")); got.State != ledger.Delivered || got.NextAttemptAt != nil {
			t.Errorf("it is %+v", got)
		}
	})
}

// TestGivenUp: what the app never takes is dead in the end; a copy, or an
// operator, makes it due again.
func TestGivenUp(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		defer stop()
		app.answers(func(*ledger.Attempt) refusal { return refusal{err: errRefused} })
		e := event("Success")
		b.accept(e, ledger.Accepted)
		time.Sleep(plan.GiveUp - time.Second)
		if got := b.load(e).State; got != ledger.Retrying {
			t.Errorf("a second before it is %s", got)
		}
		time.Sleep(2 * time.Second)
		if got := b.load(e); got.State != ledger.Dead || got.LastError != errRefused.Error() {
			t.Errorf("it is %+v", got)
		}
		calls := len(app.called())
		time.Sleep(plan.GiveUp)
		if len(app.called()) != calls {
			t.Error("a dead event was delivered")
		}

		e.ReceivedAt = time.Now()
		b.accept(e, ledger.Accepted)
		synctest.Wait()
		if got := b.load(e); got.State != ledger.Retrying || got.Failures != 1 {
			t.Errorf("after a copy it is %+v", got)
		}
		time.Sleep(2 * plan.GiveUp)
		app.answers(nil)
		if err := b.Replay(bg, e.Key, "the app is mended"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		all := app.called()
		if last := all[len(all)-1]; b.load(e).State != ledger.Delivered || last.reason != ledger.Replay {
			t.Errorf("after a replay it is %s, delivered as %+v", b.load(e).State, last)
		}
	})
}

// TestAppsWishes: what the app says decides when it is asked again.
func TestAppsWishes(t *testing.T) {
	for name, test1 := range map[string]struct {
		again    ledger.Again
		from, to time.Duration // after which it is asked again
		state    ledger.State
		number   int
	}{
		"as planned":          {ledger.Again{}, 0, plan.First, ledger.Delivered, 2},
		"later":               {ledger.Again{After: 20 * time.Minute}, 20 * time.Minute, 20*time.Minute + time.Second, ledger.Delivered, 2},
		"in a million years":  {ledger.Again{After: 1 << 62}, plan.Max, plan.Max + time.Second, ledger.Delivered, 2},
		"still at work on it": {ledger.Again{Spared: true}, 0, plan.First, ledger.Delivered, 1},
		"never":               {ledger.Again{Never: true}, 0, 0, ledger.Dead, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				app, stop := b.dispatch("webhook")
				defer stop()
				begun := time.Now()
				app.answers(func(*ledger.Attempt) refusal {
					app.answers(nil)
					return refusal{err: errRefused, again: test1.again}
				})
				e := event("Success")
				b.accept(e, ledger.Accepted)
				time.Sleep(2 * plan.Max)
				calls := app.called()
				if got := b.load(e).State; got != test1.state {
					t.Fatalf("it is %s, want %s", got, test1.state)
				}
				if test1.number == 0 {
					return
				}
				if after := calls[1].at.Sub(begun); after < test1.from || after > test1.to+time.Millisecond || calls[1].number != test1.number {
					t.Errorf("it was asked again after %s, as attempt %d", after, calls[1].number)
				}
			})
		})
	}
}

// TestSuccessOvertakes: Success does not wait behind the retries of Processing.
func TestSuccessOvertakes(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		defer stop()
		app.answers(func(a *ledger.Attempt) refusal {
			if a.Event.Key.Status == "processing" {
				return refusal{err: errRefused, again: ledger.Again{After: time.Hour}}
			}
			return refusal{}
		})
		b.accept(event("Processing"), ledger.Accepted)
		synctest.Wait()
		before := time.Now()
		b.accept(event("Success"), ledger.Accepted)
		synctest.Wait()
		if got := b.load(event("Success")).State; got != ledger.Delivered || time.Since(before) > 0 {
			t.Errorf("Success is %s after %s", got, time.Since(before))
		}
		if got := b.load(event("Processing")); got.State != ledger.Superseded || got.NextAttemptAt != nil {
			t.Errorf("Processing is %+v", got)
		}
	})
}

// TestOneOfARecordAtATime: while Processing is on its way, Success waits.
func TestOneOfARecordAtATime(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		defer stop()
		atWork := 0
		app.answers(func(*ledger.Attempt) refusal {
			app.mu.Lock()
			atWork++
			if atWork > 1 {
				t.Error("two events of a record are on their way")
			}
			app.mu.Unlock()
			time.Sleep(10 * time.Second)
			app.mu.Lock()
			atWork--
			app.mu.Unlock()
			return refusal{}
		})
		b.accept(event("Processing"), ledger.Accepted)
		synctest.Wait()
		b.accept(event("Success"), ledger.Accepted)
		time.Sleep(time.Minute)
		calls := app.called()
		if len(calls) != 2 || calls[0].key.Status != "processing" || calls[1].key.Status != "success" {
			t.Errorf("the app was called %+v", calls)
		}
	})
}

// TestCutOff: an attempt that a crash cut off is counted, and made again when
// its lease has run out.
func TestCutOff(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		b.accept(e, ledger.Accepted)
		claim, err := b.store.Claim(bg, e.Record, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		steps := []ledger.Transition{{At: time.Now(), State: ledger.Delivering, Attempt: 1, Seq: 1}}
		if _, err := b.store.Bind(bg, claim, ledger.Change{Event: e, Transitions: steps}, nil); err != nil {
			t.Fatal(err)
		}
		app, stop := b.dispatch("webhook")
		defer stop()
		time.Sleep(2 * time.Minute)
		calls := app.called()
		if len(calls) != 1 || calls[0].number != 2 || calls[0].reason != ledger.Retry {
			t.Errorf("the app was called %+v", calls)
		}
	})
}

// TestStoreFails: while the outcome cannot be written, the app is not called
// over and over.
func TestStoreFails(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		var full atomic.Bool
		b.store.commit = func([]ledger.Change) error {
			if full.Load() {
				return errors.New("the disk is full")
			}
			return nil
		}
		app, stop := b.dispatch("webhook")
		defer stop()
		b.accept(event("Success"), ledger.Accepted)
		synctest.Wait()
		full.Store(true)
		e := numbered(2, "Success")
		b.accept(e, ledger.Accepted)
		time.Sleep(time.Minute)
		before := len(app.called())
		if before != 2 {
			t.Errorf("the app was called %d times", before)
		}
		full.Store(false)
		time.Sleep(time.Minute)
		if got := b.load(e).State; got != ledger.Delivered || len(app.called()) != before {
			t.Errorf("it is %s after %d calls", got, len(app.called()))
		}
	})
}

// TestNextDispatcher: a dispatcher that stops finishes the attempts that run, and
// the next one goes on.
func TestNextDispatcher(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		app.answers(func(*ledger.Attempt) refusal { time.Sleep(10 * time.Second); return refusal{} })
		const n = 50
		for i := range n {
			b.accept(numbered(i, "Success"), ledger.Accepted)
		}
		synctest.Wait()
		stopNext := b.dispatchTo(app, "webhook") // a reload: both run for a while
		stop()
		time.Sleep(time.Hour)
		stopNext()
		seen := make(map[ledger.Key]int)
		for _, c := range app.called() {
			seen[c.key]++
		}
		if len(seen) != n || len(app.called()) != n {
			t.Errorf("%d events in %d calls, want %d", len(seen), len(app.called()), n)
		}
	})
}
