package operator_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// shared is a store that several processes share, whose clock is ahead of ours.
type shared struct {
	ledger.Store
	ahead time.Duration
}

func (s shared) Keep(context.Context, ledger.Session, []uint64) (ledger.News, error) {
	return ledger.News{Session: "1", Now: time.Now().Add(s.ahead)}, nil
}

func (s shared) Take(context.Context, string, time.Duration, int) ([]ledger.Taken, error) {
	return nil, nil
}

func (s shared) Spend(context.Context, string, time.Duration, int) (time.Duration, error) {
	return 0, nil
}

func (s shared) Wake(ledger.Hint)         {}
func (s shared) OnWake(func(ledger.Hint)) {}

// TestAges: for how long events have waited is told by the clock that their times are of.
func TestAges(t *testing.T) {
	o, keys := newOperator(t, mute{}, operator.Route{Name: "delivers", Delivers: true})
	o.Ledger = ledger.New(shared{o.Ledger.Reader.(ledger.Store), time.Hour}, time.Now)
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		o.Ledger.Share(ctx, func() ledger.Session { return ledger.Session{} }, func(error) {})
	}()
	defer func() { end(); <-ended }()
	if _, err := o.Release(t.Context(), keys[0], "fine", false); err != nil { // it waits since
		t.Fatal(err)
	}
	status, err := o.Status(t.Context())
	if err != nil || len(status.Routes) != 1 {
		t.Fatalf("%+v, %v", status, err)
	}
	census := operator.NewCensus()
	census.Add(t.Context(), o.Ledger, nil)
	for _, age := range []time.Duration{status.Routes[0].OldestPending, census.Oldest["delivers"]} {
		if age <= 0 || age > time.Minute {
			t.Errorf("what was released just now is said to wait for %s", age)
		}
	}
}

// TestRecentCensus: a database that is away keeps nobody, and a census serves for a while.
func TestRecentCensus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r operator.Recent
		var counts atomic.Int32
		takes := func(d time.Duration) func(context.Context) *operator.Census {
			return func(context.Context) *operator.Census {
				counts.Add(1)
				time.Sleep(d)
				return &operator.Census{Sized: true}
			}
		}
		begun := time.Now()
		for range 3 {
			if r.Census(takes(10 * time.Second)).Sized {
				t.Error("it is counted before it is")
			}
		}
		if took := time.Since(begun); took > 4*time.Second || counts.Load() != 1 {
			t.Errorf("three who asked waited for %s, and %d counted", took, counts.Load())
		}
		time.Sleep(10 * time.Second)
		for range 3 {
			if !r.Census(takes(0)).Sized {
				t.Error("it is not counted")
			}
		}
		if counts.Load() != 1 {
			t.Errorf("it was counted %d times", counts.Load())
		}
		time.Sleep(10 * time.Second)
		if r.Census(takes(0)); counts.Load() != 2 {
			t.Errorf("later it was counted %d times", counts.Load())
		}
	})
}
