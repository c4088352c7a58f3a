package ccpayment

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestListsAreKept: a list is read once for all callers, and used while a newer one
// cannot be read.
func TestListsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		var down atomic.Bool
		list := cachedList[int32]{read: func(context.Context) ([]int32, error) {
			if down.Load() {
				return nil, errors.New("CCPayment is away")
			}
			return []int32{reads.Add(1)}, nil
		}}
		want := func(what string, n int32) {
			t.Helper()
			got, err := list.get(t.Context(), time.Now())
			if err != nil || len(got) != 1 || got[0] != n {
				t.Errorf("%s: %v, %v, want list %d", what, got, err, n)
			}
		}
		down.Store(true)
		if _, err := list.get(t.Context(), time.Now()); err == nil {
			t.Error("the first list was had from nowhere")
		}
		down.Store(false)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { want("at once", 1) })
		}
		all.Wait()
		time.Sleep(symbolsAge - time.Minute)
		want("while it is new", 1)

		down.Store(true)
		time.Sleep(2 * time.Minute)
		for range 10 {
			want("while CCPayment is away", 1)
			time.Sleep(time.Minute)
		}
		down.Store(false)
		want("when it is back", 1)
		synctest.Wait()
		want("a moment later", 2)
		if got := reads.Load(); got != 2 {
			t.Errorf("it was read %d times", got)
		}
	})
}
