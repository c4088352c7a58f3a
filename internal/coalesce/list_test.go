package coalesce

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errAway = errors.New("the API is away")

// TestFirstList: all who wait for the first list share one read of it, also one that fails,
// and wait no longer than they may.
func TestFirstList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list List[string]
		reads := 0
		hangs := func(context.Context) ([]string, error) { reads++; time.Sleep(time.Minute); return nil, errAway }
		began := time.Now()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got, err := list.Get(t.Context(), began, hangs); !errors.Is(err, errAway) || time.Since(began) != time.Minute {
					t.Errorf("%q, %v after %s", got, err, time.Since(began))
				}
			})
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := list.Get(ctx, began, hangs); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("who may wait for a second has %v after %s", err, time.Since(began))
			}
		})
		all.Wait()
		if reads != 1 {
			t.Errorf("the list was read %d times", reads)
		}
		if _, err := list.Get(t.Context(), began, func(context.Context) ([]string, error) { panic("a wrong answer") }); err == nil {
			t.Error("a read that panics has no error")
		}
		if got, err := list.Get(t.Context(), began, func(context.Context) ([]string, error) { return []string{"USD"}, nil }); err != nil || fmt.Sprint(got) != "[USD]" {
			t.Errorf("afterwards: %q, %v", got, err)
		}
	})
}

// TestOldList: an old list serves while a newer one is read, once, and also where that fails.
func TestOldList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list List[int]
		reads := 0
		get := func(want int, err error) {
			t.Helper()
			got, failure := list.Get(t.Context(), time.Now(), func(context.Context) ([]int, error) {
				reads++
				if time.Sleep(time.Second); err != nil {
					return nil, err
				}
				return []int{reads}, nil
			})
			if failure != nil || fmt.Sprint(got) != fmt.Sprintf("[%d]", want) {
				t.Errorf("%v, %v, want %d", got, failure, want)
			}
		}
		get(1, nil)
		time.Sleep(ListAge + 1)
		get(1, errAway)
		get(1, errAway)
		time.Sleep(again)
		get(1, nil) // a minute after the failure, and not at each call
		time.Sleep(2 * time.Second)
		get(1, nil)
		time.Sleep(2 * time.Second)
		get(3, nil)
		if reads != 3 {
			t.Errorf("the list was read %d times", reads)
		}
	})
}
