package coalesce

import (
	"context"
	"sync"
	"time"
)

// ListAge is how old a [List] may be before it is read again.
const ListAge = 10 * time.Minute

// List keeps a list that seldom changes, and uses an old one while it cannot be read. Its
// zero value is ready for use.
type List[T any] struct {
	mu      sync.Mutex // held while the first list is read: all wait for that one
	list    []T
	readAt  time.Time
	reading bool // a newer list is being read
}

// Get returns the list, which read reads. It waits only for the first list; later ones
// are read in the background, so that read needs a timeout of its own. Callers share the
// list and must not change it.
func (c *List[T]) Get(ctx context.Context, now time.Time, read func(context.Context) ([]T, error)) ([]T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil {
		list, err := read(ctx)
		if err != nil {
			return nil, err
		}
		c.list, c.readAt = list, now
	}
	if now.Sub(c.readAt) > ListAge && !c.reading {
		c.reading = true
		go c.refresh(context.WithoutCancel(ctx), now, read)
	}
	return c.list, nil
}

func (c *List[T]) refresh(ctx context.Context, now time.Time, read func(context.Context) ([]T, error)) {
	list, err := read(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if err == nil {
		c.list, c.readAt = list, now
	}
}
