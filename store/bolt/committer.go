package bolt

import (
	"errors"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// committer lets concurrent updates share one synced commit. Whoever comes
// while a commit runs waits for the next one, which takes everybody who has
// come by then. There is no delay to tune: a lone update commits at once, and
// under load the disk's own pace makes the groups.
type committer struct {
	db        *bbolt.DB
	committed func(time.Duration)

	running sync.Mutex // held by the group that commits

	mu   sync.Mutex
	next *group // gathers while another commits
}

// errNothing rolls back a transaction in which every update failed.
var errNothing = errors.New("nothing to commit")

type group struct {
	updates []*update
	done    chan struct{}
}

type update struct {
	apply func(*bbolt.Tx) error
	err   error
}

// update runs apply in a transaction and returns when it is durable. apply
// must either write all it means to and return nil, or write nothing.
func (c *committer) update(apply func(*bbolt.Tx) error) error {
	u := &update{apply: apply}
	c.mu.Lock()
	g, leads := c.next, false
	if g == nil {
		g, leads = &group{done: make(chan struct{})}, true
		c.next = g
	}
	g.updates = append(g.updates, u)
	c.mu.Unlock()

	if !leads {
		<-g.done
		return u.err
	}
	c.running.Lock()
	defer close(g.done)
	defer c.running.Unlock()
	c.mu.Lock()
	c.next = nil // the group is full: it is our turn
	c.mu.Unlock()
	c.commit(g)
	return u.err
}

// commit runs a group's updates in one transaction. An update that fails has
// written nothing and fails alone; when the transaction fails, all of them do.
func (c *committer) commit(g *group) {
	start := time.Now()
	err := c.transact(g)
	if errors.Is(err, errNothing) {
		return
	}
	if err != nil {
		for _, u := range g.updates {
			u.err = errors.Join(u.err, err)
		}
		return
	}
	if c.committed != nil {
		c.committed(time.Since(start))
	}
}

func (c *committer) transact(g *group) error {
	return guard(func() error {
		return c.db.Update(func(tx *bbolt.Tx) error {
			result := errNothing
			for _, u := range g.updates {
				if u.err = u.apply(tx); u.err == nil {
					result = nil
				}
			}
			return result
		})
	})
}
