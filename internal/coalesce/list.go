package coalesce

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// ListAge is how old a [List] may be before it is read again.
const ListAge = 10 * time.Minute

// List keeps a list that seldom changes, and uses an old one while it cannot be read. Its
// zero value is ready for use.
type List[T any] struct {
	kept    atomic.Pointer[listed[T]] // nil: none was read yet
	first   singleflight.Group
	reading atomic.Bool // a newer list is being read
}

type listed[T any] struct {
	list []T
	next time.Time // when it is to be read again
}

// again is how soon a list is read again after that has failed.
const again = time.Minute

// Get returns the list, which read reads. It waits only for the first list, with all others
// that do, until the caller's context ends; later ones are read in the background. Either
// goes on without the caller, so that read needs a timeout of its own. Callers share the list
// and must not change it.
func (c *List[T]) Get(ctx context.Context, now time.Time, read func(context.Context) ([]T, error)) ([]T, error) {
	kept := c.kept.Load()
	if kept == nil {
		return c.readFirst(ctx, now, read)
	}
	if now.After(kept.next) && c.reading.CompareAndSwap(false, true) {
		go func() {
			defer c.reading.Store(false)
			old := c.kept.Load()
			if !now.After(old.next) {
				return // it was read meanwhile
			}
			if _, err := c.refresh(ctx, now, read); err != nil {
				c.kept.Store(&listed[T]{old.list, now.Add(again)})
			}
		}()
	}
	return kept.list, nil
}

func (c *List[T]) readFirst(ctx context.Context, now time.Time, read func(context.Context) ([]T, error)) ([]T, error) {
	result := c.first.DoChan("", func() (any, error) {
		if kept := c.kept.Load(); kept != nil { // another caller's was the first
			return kept.list, nil
		}
		return c.refresh(ctx, now, read)
	})
	select {
	case r := <-result:
		list, _ := r.Val.([]T)
		return list, r.Err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *List[T]) refresh(ctx context.Context, now time.Time, read func(context.Context) ([]T, error)) ([]T, error) {
	list, err := once(func() ([]T, error) { return read(context.WithoutCancel(ctx)) })
	if err == nil {
		c.kept.Store(&listed[T]{list, now.Add(ListAge)})
	}
	return list, err
}
