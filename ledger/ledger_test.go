package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// The tests run in bubbles of testing/synctest: time passes when all wait.

var (
	bg   = context.Background()
	opts = ledger.Options{Lease: time.Minute, Wait: 10 * time.Second}
)

var errRefused = errors.New("the app refused")

// faulty is a store of which each step can be made to fail, and that takes no
// part in what its caller has given up, as a database over the network.
type faulty struct {
	ledger.Store
	claim   func() error
	commit  func(changes []ledger.Change) error
	release func() error
	bind    func()
	// late holds the write of an Accept back, which is reported as failed.
	late func(write func() error)
}

func (s *faulty) Accept(ctx context.Context, key ledger.Key, decide func(*ledger.Event) *ledger.Change) error {
	if s.late == nil {
		return s.Store.Accept(ctx, key, decide)
	}
	change := decide(nil)
	s.late(func() error {
		return s.Store.Accept(ctx, key, func(*ledger.Event) *ledger.Change { return change })
	})
	return errors.New("the disk did not answer")
}

func (s *faulty) Bind(ctx context.Context, c ledger.Claim, change ledger.Change, flags []ledger.Flag) ([]bool, error) {
	if s.bind != nil {
		s.bind()
	}
	return s.Store.Bind(ctx, c, change, flags)
}

func (s *faulty) Claim(ctx context.Context, r ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	if ctx.Err() != nil {
		return ledger.Claim{}, ctx.Err()
	}
	if s.claim != nil {
		if err := s.claim(); err != nil {
			return ledger.Claim{}, err
		}
	}
	return s.Store.Claim(ctx, r, ttl)
}

func (s *faulty) Commit(ctx context.Context, c ledger.Claim, changes []ledger.Change) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if s.commit != nil {
		if err := s.commit(changes); err != nil {
			return err
		}
	}
	return s.Store.Commit(ctx, c, changes)
}

func (s *faulty) Release(ctx context.Context, c ledger.Claim) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if s.release != nil {
		if err := s.release(); err != nil {
			return err
		}
	}
	return s.Store.Release(ctx, c)
}

// book is a ledger over a bolt store.
type book struct {
	*ledger.Ledger
	store *faulty
	t     *testing.T
}

// test runs f in a bubble, with an empty ledger.
func test(t *testing.T, f func(t *testing.T, b *book)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		store := &faulty{Store: s}
		f(t, &book{Ledger: ledger.New(store, time.Now), store: store, t: t})
	})
}

func event(status string) ledger.Event {
	return ledger.Event{
		Key: ledger.Key{
			Record: ledger.Record{Route: "webhook", AppID: "app-123", Type: "ApiDeposit", ID: "1"},
			Status: strings.ToLower(status), Risk: ledger.NotRisky,
		},
		Account: "default", Status: status, ReceivedAt: time.Now(), Body: []byte(`{"type":"ApiDeposit"}`),
	}
}

// want begins the event and checks the verdict; the attempt is the caller's to end.
func (b *book) want(e ledger.Event, want ledger.Verdict) *ledger.Attempt {
	b.t.Helper()
	verdict, attempt, err := b.Begin(bg, e, opts)
	if verdict != want || err != nil || (attempt != nil) != (want == ledger.Deliver) {
		b.t.Fatalf("the verdict on %s is %d, %v, %v, want %d", e.Status, verdict, attempt, err, want)
	}
	return attempt
}

func (b *book) deliver(e ledger.Event) *ledger.Attempt {
	b.t.Helper()
	attempt := b.want(e, ledger.Deliver)
	if err := attempt.Delivered(bg); err != nil {
		b.t.Fatal(err)
	}
	return attempt
}

func (b *book) fail(e ledger.Event) *ledger.Attempt {
	b.t.Helper()
	attempt := b.want(e, ledger.Deliver)
	if err := attempt.Failed(bg, errRefused, ledger.Again{}); err != nil {
		b.t.Fatal(err)
	}
	return attempt
}

// put commits the event in the last of the states, past the ledger's rules.
func (b *book) put(e ledger.Event, states ...ledger.State) {
	b.t.Helper()
	claim, err := b.store.Claim(bg, e.Record, time.Minute)
	if err != nil {
		b.t.Fatal(err)
	}
	c := ledger.Change{Event: e}
	for _, s := range states {
		step := ledger.Transition{At: time.Now(), State: s}
		if s == ledger.Delivering {
			step.Attempt, step.Seq = 1, 1
		}
		c.Transitions = append(c.Transitions, step)
	}
	if err := b.store.Commit(bg, claim, []ledger.Change{c}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) wantState(e ledger.Event, want ledger.State) ledger.Event {
	b.t.Helper()
	got, err := b.store.Load(bg, e.Key)
	if errors.Is(err, ledger.ErrNotFound) {
		err = nil
	}
	if err != nil || got.State != want {
		b.t.Errorf("%s is %s, %v, want %s", e.Status, got.State, err, want)
	}
	return got
}

// outcome is what a Begin returns.
type outcome struct {
	verdict ledger.Verdict
	attempt *ledger.Attempt
	err     error
}

// copies begins the event n times at once, and returns when all of them wait
// or have their outcome.
func (b *book) copies(n int, e ledger.Event) <-chan outcome {
	outcomes := make(chan outcome, n)
	for range n {
		go func() {
			var o outcome
			o.verdict, o.attempt, o.err = b.Begin(bg, e, opts)
			outcomes <- o
		}()
	}
	synctest.Wait()
	return outcomes
}

func TestDeliver(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		attempt := b.want(e, ledger.Deliver)
		if attempt.Number != 1 || attempt.Reason != ledger.Initial || attempt.Seq != uint64(e.ReceivedAt.UnixMilli()) {
			t.Errorf("the attempt is number %d, %s, seq %d", attempt.Number, attempt.Reason, attempt.Seq)
		}
		b.wantState(e, ledger.None) // nothing is known of an attempt before its outcome
		time.Sleep(time.Second)     // of the bubble
		if err := attempt.Delivered(bg); err != nil {
			t.Fatal(err)
		}
		got := b.wantState(e, ledger.Delivered)
		if got.Attempts != 1 || got.Seq != attempt.Seq || got.DeliveredAt == nil || !got.DeliveredAt.Equal(time.Now()) || string(got.Body) != string(e.Body) {
			t.Errorf("the event is %+v", got)
		}
		attempt.End(bg, errRefused) // which is over already
		for range 3 {
			b.want(e, ledger.Duplicate)
		}
		if again := b.wantState(e, ledger.Delivered); len(again.Transitions) != 3 {
			t.Errorf("copies change the history to %+v", again.Transitions)
		}
	})
}

func TestThousandCopies(t *testing.T) {
	failure := errors.New("the app answered 500")
	for name, test1000 := range map[string]struct {
		end     func(*ledger.Attempt) error
		verdict ledger.Verdict
		err     error
		state   ledger.State
	}{
		"Success": {func(a *ledger.Attempt) error { return a.Delivered(bg) }, ledger.Duplicate, nil, ledger.Delivered},
		"Failure": {func(a *ledger.Attempt) error { return a.Failed(bg, failure, ledger.Again{}) }, 0, failure, ledger.Retrying},
		"GivenUp": {func(a *ledger.Attempt) error { a.End(bg, failure); return nil }, 0, failure, ledger.None},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				const n = 1000
				e := event("Success")
				outcomes := b.copies(n, e)
				first := <-outcomes
				if first.verdict != ledger.Deliver || first.attempt == nil || first.err != nil {
					t.Fatalf("the first outcome is %+v", first)
				}
				if len(outcomes) != 0 {
					t.Fatalf("%d copies did not wait", len(outcomes))
				}
				if err := test1000.end(first.attempt); err != nil {
					t.Fatal(err)
				}
				if got := first.attempt.Became(); got != test1000.state {
					t.Errorf("the attempt says that the event became %s, want %s", got, test1000.state)
				}
				for range n - 1 {
					o := <-outcomes
					if o.verdict != test1000.verdict || o.attempt != nil || !errors.Is(o.err, test1000.err) {
						t.Fatalf("a copy's outcome is %+v, want %d, %v", o, test1000.verdict, test1000.err)
					}
				}
				b.wantState(e, test1000.state)
			})
		})
	}
}

// Records do not wait for each other.
func TestRecordsAreIndependent(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		e := event("Success")
		defer b.want(e, ledger.Deliver).End(bg, errRefused)
		for _, change := range []func(*ledger.Event){
			func(e *ledger.Event) { e.ID = "2" },
			func(e *ledger.Event) { e.Route = "other" },
			func(e *ledger.Event) { e.AppID = "app-124" },
			func(e *ledger.Event) { e.Type = "ApiWithdrawal" },
		} {
			other := e
			change(&other)
			b.deliver(other)
		}
	})
}

// Another event of a record waits for the attempt in flight, and is decided on
// by what came of it.
func TestOtherEventWaits(t *testing.T) {
	for _, test1 := range []struct {
		name          string
		first, second string
		end           func(*ledger.Attempt) error
		want          ledger.Verdict
	}{
		{"ProcessingAfterSuccess", "Success", "Processing", func(a *ledger.Attempt) error { return a.Delivered(bg) }, ledger.Overtaken},
		{"ProcessingAfterFailure", "Success", "Processing", func(a *ledger.Attempt) error { return a.Failed(bg, errRefused, ledger.Again{}) }, ledger.Overtaken},
		{"ProcessingAfterNothing", "Success", "Processing", func(a *ledger.Attempt) error { a.End(bg, errRefused); return nil }, ledger.Deliver},
		{"SuccessAfterProcessing", "Processing", "Success", func(a *ledger.Attempt) error { return a.Delivered(bg) }, ledger.Deliver},
		{"SuccessAfterItsFailure", "Processing", "Success", func(a *ledger.Attempt) error { return a.Failed(bg, errRefused, ledger.Again{}) }, ledger.Deliver},
	} {
		t.Run(test1.name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				attempt := b.want(event(test1.first), ledger.Deliver)
				outcomes := b.copies(1, event(test1.second))
				if len(outcomes) != 0 {
					t.Fatalf("it does not wait: %+v", <-outcomes)
				}
				if err := test1.end(attempt); err != nil {
					t.Fatal(err)
				}
				o := <-outcomes
				if o.verdict != test1.want || o.err != nil {
					t.Errorf("the outcome is %+v, want %d", o, test1.want)
				}
				if o.attempt != nil {
					if err := o.attempt.Delivered(bg); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// Of many events of one record, one is in flight at a time, and all get their turn.
func TestOneAttemptPerRecord(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		var mu sync.Mutex
		flying := 0
		seqs := make(map[uint64]bool)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				verdict, attempt, err := b.Begin(bg, event(fmt.Sprint("unheard-of-", i)), opts)
				if verdict != ledger.Deliver || err != nil {
					t.Errorf("event %d: %d, %v", i, verdict, err)
					return
				}
				mu.Lock()
				if flying++; flying != 1 {
					t.Errorf("%d attempts are in flight", flying)
				}
				if seqs[attempt.Seq] {
					t.Errorf("seq %d is given twice", attempt.Seq)
				}
				seqs[attempt.Seq] = true
				mu.Unlock()
				time.Sleep(time.Millisecond) // of the bubble: the others come meanwhile
				mu.Lock()
				flying--
				mu.Unlock()
				if err := attempt.Delivered(bg); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestWaitIsOver(t *testing.T) {
	for _, second := range []string{"Success", "Processing"} {
		t.Run(second, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				attempt := b.want(event("Success"), ledger.Deliver)
				start := time.Now()
				if verdict, a, err := b.Begin(bg, event(second), opts); verdict != 0 || a != nil || !errors.Is(err, ledger.ErrInFlight) {
					t.Errorf("the outcome is %d, %v, %v", verdict, a, err)
				}
				if waited := time.Since(start); waited != opts.Wait {
					t.Errorf("it waited %s, want %s", waited, opts.Wait)
				}
				if err := attempt.Delivered(bg); err != nil {
					t.Fatal(err)
				}
				b.want(event("Success"), ledger.Duplicate)
			})
		})
	}
}

func TestContextEnds(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		attempt := b.want(event("Success"), ledger.Deliver)
		ctx, cancel := context.WithCancel(bg)
		result := make(chan error)
		go func() {
			_, _, err := b.Begin(ctx, event("Success"), opts)
			result <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		// The attempt is not the waiting one's to end.
		if err := attempt.Delivered(ctx); err != nil {
			t.Errorf("recording a yes although the sender has gone: %v", err)
		}
		b.wantState(event("Success"), ledger.Delivered)
	})
}

func TestSuperseded(t *testing.T) {
	for _, c := range []struct{ higher, lower string }{
		{"Success", "Processing"}, {"Failed", "Pending"}, {"Rejected", "WaitingApproval"}, {"Processing", "WaitingApproval"},
	} {
		t.Run(c.lower, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.deliver(event(c.higher))
				for range 2 {
					b.want(event(c.lower), ledger.Overtaken)
					got := b.wantState(event(c.lower), ledger.Superseded)
					if len(got.Transitions) != 2 || got.Attempts != 0 || len(got.Body) == 0 {
						t.Errorf("it is recorded as %+v", got)
					}
				}
			})
		})
	}
}

// A success supersedes what waits for its retry in the commit of its outcome,
// whichever that is.
func TestSupersedesRetrying(t *testing.T) {
	for name, end := range map[string]func(*book, ledger.Event) *ledger.Attempt{"Delivered": (*book).deliver, "Failed": (*book).fail} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.fail(event("WaitingApproval"))
				b.fail(event("Processing"))
				b.wantState(event("WaitingApproval"), ledger.Superseded)
				commits := 0
				b.store.commit = func(changes []ledger.Change) error {
					if commits++; len(changes) != 2 {
						t.Errorf("the commit has the changes %+v", changes)
					}
					return nil
				}
				end(b, event("Success"))
				if commits != 1 {
					t.Errorf("%d commits", commits)
				}
				b.wantState(event("Processing"), ledger.Superseded)
				b.want(event("Processing"), ledger.Overtaken)
			})
		})
	}
}

func TestOvertakenByAFailedSuccess(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		b.fail(event("Success"))
		b.want(event("Processing"), ledger.Overtaken)
		b.wantState(event("Processing"), ledger.Superseded)
		b.deliver(event("Success"))
	})
}

// Statuses that are not known, and those of one rank, leave each other alone.
func TestNotSuperseded(t *testing.T) {
	for _, c := range []struct{ first, second string }{
		{"Success", "Refunded"},
		{"Refunded", "Processing"},
		{"Success", ""},
		{"", "Processing"},
		{"Success", "Failed"},
		{"Failed", "Success"},
		{"Pending", "Processing"},
		{"Processing", "Pending"},
	} {
		t.Run(c.first+"Then"+c.second, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.fail(event(c.first))
				b.deliver(event(c.second))
				b.wantState(event(c.first), ledger.Retrying)
				b.deliver(event(c.first))
				b.wantState(event(c.first), ledger.Delivered)
				b.wantState(event(c.second), ledger.Delivered)
			})
		})
	}
}

func TestRiskIsAnotherEvent(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		var last uint64
		for _, risk := range []ledger.Risk{ledger.NotRisky, ledger.Risky, ledger.RiskUnknown} {
			e := event("Success")
			e.Risk = risk
			if a := b.deliver(e); a.Seq <= last {
				t.Errorf("seq %d follows %d", a.Seq, last)
			} else {
				last = a.Seq
			}
			b.want(e, ledger.Duplicate)
		}
	})
}

// What is held, given up, filtered or thrown away has not reached the app, and
// silences nothing.
func TestBlocksNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		path []ledger.State
		copy ledger.Verdict
	}{
		{"Held", []ledger.State{ledger.Received, ledger.Held}, ledger.OnHold},
		{"Dead", []ledger.State{ledger.Received, ledger.Delivering, ledger.Dead}, ledger.Deliver},
		{"Ignored", []ledger.State{ledger.Received, ledger.Ignored}, ledger.Deliver},
		{"Discarded", []ledger.State{ledger.Received, ledger.Discarded}, ledger.Duplicate},
	} {
		t.Run(c.name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.put(event("Success"), c.path...)
				b.deliver(event("Processing"))
				b.wantState(event("Success"), c.path[len(c.path)-1])
				if attempt := b.want(event("Success"), c.copy); attempt != nil {
					if err := attempt.Delivered(bg); err != nil {
						t.Error(err)
					}
					b.wantState(event("Success"), ledger.Delivered)
				}
			})
		})
	}
}

func TestFiltered(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		ignore := opts
		ignore.Ignore = "its type is not among types"
		for range 2 {
			verdict, attempt, err := b.Begin(bg, event("Success"), ignore)
			if verdict != ledger.Filtered || attempt != nil || err != nil {
				t.Errorf("the outcome is %d, %v, %v", verdict, attempt, err)
			}
			got := b.wantState(event("Success"), ledger.Ignored)
			if len(got.Transitions) != 2 || got.Transitions[1].Cause != ignore.Ignore {
				t.Errorf("the history is %+v", got.Transitions)
			}
		}
		b.fail(event("Failed"))
		if verdict, _, err := b.Begin(bg, event("Failed"), ignore); verdict != ledger.Filtered || err != nil {
			t.Errorf("a failed event that is filtered now: %d, %v", verdict, err)
		}
		b.wantState(event("Failed"), ledger.Ignored)
		b.deliver(event("Success")) // the filter was widened
		if verdict, _, err := b.Begin(bg, event("Success"), ignore); verdict != ledger.Duplicate || err != nil {
			t.Errorf("a delivered event that is filtered now: %d, %v", verdict, err)
		}
	})
}

func TestRetry(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		first := b.fail(event("Success"))
		for n := 2; n <= 4; n++ {
			time.Sleep(time.Minute)
			attempt := b.fail(event("Success"))
			if attempt.Number != n || attempt.Reason != ledger.Retry || attempt.Seq != first.Seq {
				t.Errorf("attempt %d is number %d, %s, seq %d; the first had %d", n, attempt.Number, attempt.Reason, attempt.Seq, first.Seq)
			}
		}
		got := b.wantState(event("Success"), ledger.Retrying)
		if got.Attempts != 4 || got.LastError != errRefused.Error() || got.Seq != first.Seq {
			t.Errorf("the event is %+v", got)
		}
		b.deliver(event("Success"))
		if got := b.wantState(event("Success"), ledger.Delivered); got.Attempts != 5 || got.LastError != "" {
			t.Errorf("the event is %+v", got)
		}
	})
}

func TestSeqGrowsWhenTheClockDoesNot(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		at := time.Now()
		var last uint64
		for i, back := range []time.Duration{0, 0, time.Hour, 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
			e := event(fmt.Sprint("unheard-of-", i))
			e.ReceivedAt = at.Add(-back)
			attempt := b.deliver(e)
			if attempt.Seq <= last {
				t.Errorf("seq %d follows %d", attempt.Seq, last)
			}
			last = attempt.Seq
		}
		other := event("Success")
		other.ID, other.ReceivedAt = "2", time.Unix(0, 0)
		if got := b.deliver(other).Seq; got != 1 {
			t.Errorf("at the beginning of time seq is %d", got)
		}
	})
}

// An attempt that is given up leaves no trace, also when its owner panics.
func TestEnd(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		b.fail(event("Success"))
		for range 3 {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the panic was swallowed")
					}
				}()
				attempt := b.want(event("Success"), ledger.Deliver)
				defer attempt.End(bg, errRefused)
				if attempt.Number != 2 || attempt.Reason != ledger.Retry {
					t.Errorf("it is number %d, %s", attempt.Number, attempt.Reason)
				}
				panic("handler")
			}()
			if got := b.wantState(event("Success"), ledger.Retrying); got.Attempts != 1 {
				t.Errorf("the event is %+v", got)
			}
		}
		b.deliver(event("Success"))
	})
}

// An error of the store reaches everybody, nothing is acknowledged, and the
// next delivery begins anew.
func TestStoreErrors(t *testing.T) {
	full := errors.New("no space left")
	fail := func([]ledger.Change) error { return full }
	for name, c := range map[string]struct {
		begun bool // an attempt begins before the store fails
		broke func(*book)
		end   func(*ledger.Attempt) error
	}{
		"Claim":     {false, func(b *book) { b.store.claim = func() error { time.Sleep(time.Second); return full } }, nil},
		"Delivered": {true, func(b *book) { b.store.commit = fail }, func(a *ledger.Attempt) error { return a.Delivered(bg) }},
		"Failed":    {true, func(b *book) { b.store.commit = fail }, func(a *ledger.Attempt) error { return a.Failed(bg, errRefused, ledger.Again{}) }},
		"Release":   {true, func(b *book) { b.store.release = func() error { return full } }, func(a *ledger.Attempt) error { a.End(bg, errRefused); return full }},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				const n = 10
				e := event("Success")
				if !c.begun {
					c.broke(b)
				}
				outcomes := b.copies(n, e)
				left := n
				if c.begun {
					first := <-outcomes
					left--
					c.broke(b)
					if err := c.end(first.attempt); !errors.Is(err, full) {
						t.Errorf("ending the attempt: %v", err)
					}
				}
				for range left {
					if o := <-outcomes; o.attempt != nil || !errors.Is(o.err, full) {
						t.Errorf("an outcome is %+v", o)
					}
				}
				b.wantState(e, ledger.None)
				b.store.claim, b.store.commit, b.store.release = nil, nil, nil
				if name == "Release" {
					time.Sleep(opts.Lease)
				}
				if name == "Delivered" {
					b.want(e, ledger.Duplicate) // the app has said yes
					return
				}
				if attempt := b.deliver(e); attempt.Number != 1 {
					t.Errorf("afterwards the attempt is number %d", attempt.Number)
				}
			})
		})
	}
}

// What the app said yes to is not forgotten because the store could not write
// it: until it can, nothing of the record is handed over, and then a lower
// status is overtaken.
func TestUnsavedYes(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		full := errors.New("no space left")
		attempt := b.want(event("Success"), ledger.Deliver)
		b.store.commit = func([]ledger.Change) error { return full }
		if err := attempt.Delivered(bg); !errors.Is(err, full) {
			t.Errorf("recording the yes: %v", err)
		}
		for _, status := range []string{"Processing", "Success"} {
			if _, attempt, err := b.Begin(bg, event(status), opts); attempt != nil || !errors.Is(err, full) {
				t.Errorf("%s meanwhile: %v, %v", status, attempt, err)
			}
		}
		b.store.commit = nil
		b.want(event("Processing"), ledger.Overtaken)
		b.want(event("Success"), ledger.Duplicate)
		if got := b.wantState(event("Success"), ledger.Delivered); got.Attempts != 1 {
			t.Errorf("the event is %+v", got)
		}
	})
}

// What is not forwarded is not acknowledged either unless it is recorded.
func TestStoreErrorsOfVerdicts(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		full := errors.New("no space left")
		b.deliver(event("Success"))
		b.store.commit = func([]ledger.Change) error { return full }
		if _, _, err := b.Begin(bg, event("Processing"), opts); !errors.Is(err, full) {
			t.Errorf("an overtaken event: %v", err)
		}
		ignore := opts
		ignore.Ignore = "filtered"
		if _, _, err := b.Begin(bg, event("Refunded"), ignore); !errors.Is(err, full) {
			t.Errorf("a filtered event: %v", err)
		}
		b.store.commit = nil
		b.want(event("Processing"), ledger.Overtaken)
	})
}

// A panic of the store is an error to those who wait for the decision.
func TestStorePanics(t *testing.T) {
	for name, broke := range map[string]func(*faulty){
		"Claim":  func(s *faulty) { s.claim = func() error { time.Sleep(time.Second); panic("claim") } },
		"Commit": func(s *faulty) { s.commit = func([]ledger.Change) error { time.Sleep(time.Second); panic("commit") } },
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.deliver(event("Success"))
				broke(b.store)
				go func() {
					defer func() { _ = recover() }()
					_, _, _ = b.Begin(bg, event("Processing"), opts)
				}()
				synctest.Wait()
				if verdict, attempt, err := b.Begin(bg, event("Processing"), opts); verdict != 0 || attempt != nil || err == nil {
					t.Errorf("the outcome is %d, %v, %v", verdict, attempt, err)
				}
				b.store.claim, b.store.commit = nil, nil
				time.Sleep(opts.Lease)
				b.want(event("Processing"), ledger.Overtaken)
			})
		})
	}
}

// Two processes share a store. The lease keeps them apart while it runs; what
// comes late is fenced, but for the app's yes.
func TestTwoProcesses(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		other := &book{Ledger: ledger.New(b.store, time.Now), store: b.store, t: t}
		slow := b.want(event("Success"), ledger.Deliver)
		if _, _, err := other.Begin(bg, event("Success"), opts); !errors.Is(err, ledger.ErrInFlight) {
			t.Errorf("while it is leased: %v", err)
		}
		time.Sleep(opts.Lease)
		successor := other.want(event("Success"), ledger.Deliver)
		if err := slow.Failed(bg, errRefused, ledger.Again{}); !errors.Is(err, ledger.ErrFenced) {
			t.Errorf("a late failure: %v", err)
		}
		if err := successor.Delivered(bg); err != nil {
			t.Fatal(err)
		}
		b.want(event("Success"), ledger.Duplicate)

		late := event("Failed")
		slow = b.want(late, ledger.Deliver)
		time.Sleep(opts.Lease)
		successor = other.want(late, ledger.Deliver)
		if err := successor.Failed(bg, errRefused, ledger.Again{}); err != nil {
			t.Fatal(err)
		}
		if err := slow.Delivered(bg); err != nil {
			t.Errorf("a late yes: %v", err)
		}
		other.want(late, ledger.Duplicate)
	})
}

// The app's yes to an event is recorded even if the lower one that it would
// supersede was, meanwhile, delivered after all.
func TestYesStandsAlone(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		other := &book{Ledger: ledger.New(b.store, time.Now), store: b.store, t: t}
		b.fail(event("Processing"))
		slow := b.want(event("Processing"), ledger.Deliver)
		time.Sleep(opts.Lease)
		success := other.want(event("Success"), ledger.Deliver)
		if err := slow.Delivered(bg); err != nil {
			t.Fatal(err)
		}
		if err := success.Delivered(bg); err != nil {
			t.Errorf("recording the yes: %v", err)
		}
		b.wantState(event("Processing"), ledger.Delivered)
		b.want(event("Success"), ledger.Duplicate)
	})
}
