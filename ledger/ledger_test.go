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
	opts = ledger.Options{Lease: time.Minute, Wait: 10 * time.Second, Rank: rank}
)

// rank orders the statuses of the tests.
func rank(status string) int {
	switch status {
	case "waitingapproval":
		return 1
	case "pending", "processing":
		return 2
	case "success", "failed", "rejected":
		return 3
	default:
		return 0
	}
}

var errRefused = errors.New("the app refused")

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
	if err := succeed(bg, attempt); err != nil {
		b.t.Fatal(err)
	}
	return attempt
}

func (b *book) fail(e ledger.Event) *ledger.Attempt {
	b.t.Helper()
	attempt := b.want(e, ledger.Deliver)
	if err := fail(attempt, errRefused, ledger.Again{}); err != nil {
		b.t.Fatal(err)
	}
	return attempt
}

// The ends of an attempt.
func succeed(ctx context.Context, a *ledger.Attempt) error {
	_, err := a.Finish(ctx, ledger.Ending{State: ledger.Delivered})
	return err
}

func fail(a *ledger.Attempt, failure error, again ledger.Again) error {
	_, err := a.Finish(bg, ledger.Ending{State: ledger.Retrying, Failure: failure, Again: again})
	return err
}

func hold(a *ledger.Attempt, cause string) error {
	_, err := a.Finish(bg, ledger.Ending{State: ledger.Held, Failure: errors.New(cause)})
	return err
}

func giveUp(a *ledger.Attempt, failure error) error {
	_, err := a.Finish(bg, ledger.Ending{Failure: failure})
	return err
}

// put commits the event in the last of the states, past the ledger's rules.
func (b *book) put(e ledger.Event, states ...ledger.State) {
	b.t.Helper()
	claim, err := b.store.Claim(bg, e.Record, time.Minute)
	if err != nil {
		b.t.Fatal(err)
	}
	c := ledger.Change{Event: e, Confirmation: e.Confirmation}
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
		if err := succeed(bg, attempt); err != nil {
			t.Fatal(err)
		}
		got := b.wantState(e, ledger.Delivered)
		if got.Attempts != 1 || got.Seq != attempt.Seq || got.DeliveredAt == nil || !got.DeliveredAt.Equal(time.Now()) || string(got.Body) != string(e.Body) {
			t.Errorf("the event is %+v", got)
		}
		if state, err := attempt.Finish(bg, ledger.Ending{Failure: errRefused}); state != ledger.None || err != nil { // it is over already
			t.Errorf("a second end: %s, %v", state, err)
		}
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
		end     ledger.Ending
		verdict ledger.Verdict
		err     error
		state   ledger.State
	}{
		"Success": {ledger.Ending{State: ledger.Delivered}, ledger.Duplicate, nil, ledger.Delivered},
		"Failure": {ledger.Ending{State: ledger.Retrying, Failure: failure}, 0, failure, ledger.Retrying},
		"GivenUp": {ledger.Ending{Failure: failure}, 0, failure, ledger.None},
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
				if became, err := first.attempt.Finish(bg, test1000.end); became != test1000.state || err != nil {
					t.Fatalf("the attempt says that the event became %s, %v, want %s", became, err, test1000.state)
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
		defer giveUp(b.want(e, ledger.Deliver), errRefused)
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
				if err := succeed(bg, attempt); err != nil {
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
				if err := succeed(bg, attempt); err != nil {
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
		if err := succeed(ctx, attempt); err != nil {
			t.Errorf("recording a yes although the sender has gone: %v", err)
		}
		b.wantState(event("Success"), ledger.Delivered)
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
