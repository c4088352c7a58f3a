package bolt

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// committer lets concurrent updates share one synced commit. An update that comes
// while a commit runs waits for the next commit, which takes all updates that have
// come by then. There is no delay to tune: a lone update commits at once, and
// under load the disk's own pace makes the groups.
type committer struct {
	disk      *disk
	committed func(time.Duration)
	// patience is how long a group of updates waits for the disk.
	patience time.Duration

	counts tally // of the commit that runs

	running sync.Mutex                // held while groups are committed
	began   atomic.Pointer[time.Time] // when the commit that runs began; nil: none does

	mu     sync.Mutex
	next   *group // gathers while another commits
	isBusy bool   // a goroutine commits what gathers
}

// defaultPatience is longer than a disk in order takes, and shorter than the sender
// of a webhook waits.
const defaultPatience = 10 * time.Second

var (
	// errNothing rolls back a transaction in which every update failed.
	errNothing = errors.New("nothing to commit")
	errStuck   = errors.New("its disk does not answer")
)

type group struct {
	updates  []*update
	done     chan struct{}
	late     chan struct{} // closed when the first update has waited for too long
	timer    *time.Timer   // closes late
	panicked any           // what Options.Committed panicked with
}

func newGroup(patience time.Duration) *group {
	g := &group{done: make(chan struct{}), late: make(chan struct{})}
	g.timer = time.AfterFunc(patience, func() { close(g.late) })
	return g
}

type update struct {
	apply func(*bbolt.Tx) error
	err   error
	step  atomic.Int32
}

// The steps of an update. Its caller may leave while it waits or when it has
// been applied, and not in between: what it applies is the caller's.
const (
	waiting = iota
	applying
	applied
	left
)

// update runs apply in a transaction and returns when it is durable. apply
// must either write all it means to and return nil, or write nothing. When the
// disk does not answer in time the error is errStuck; apply does not begin after
// that, and what it has done may still become durable.
func (c *committer) update(apply func(*bbolt.Tx) error) error {
	if c.stuck() {
		return c.errStuck()
	}
	u := &update{apply: apply}
	c.mu.Lock()
	g, leads := c.next, false
	if g == nil {
		g, leads = newGroup(c.patience), true
		c.next = g
	}
	g.updates = append(g.updates, u)
	if !c.isBusy {
		c.isBusy = true
		go c.run()
	}
	c.mu.Unlock()

	select {
	case <-g.done:
	case <-g.late:
		if u.step.CompareAndSwap(waiting, left) || u.step.Load() == applied {
			return c.errStuck()
		}
		<-g.done
	}
	if leads && g.panicked != nil {
		panic(g.panicked)
	}
	return u.err
}

// stuck reports whether a commit has been running for too long. No update waits for
// it then: they would only become more.
func (c *committer) stuck() bool {
	began := c.began.Load()
	return began != nil && time.Since(*began) > c.patience
}

func (c *committer) errStuck() error {
	return fmt.Errorf("%w: a commit has not ended within %s", errStuck, c.patience)
}

// run commits groups until none has gathered. Those who waited for one run before it goes on
// with the next: what they have to write then is in that one, and not in another behind it.
func (c *committer) run() {
	c.running.Lock()
	defer c.running.Unlock()
	for g := c.take(); g != nil; g = c.take() {
		c.runOne(g)
		runtime.Gosched()
	}
}

// take returns the group that has gathered; nil: none has, and the next update begins a
// new run.
func (c *committer) take() *group {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.next
	c.next, c.isBusy = nil, g != nil
	return g
}

func (c *committer) runOne(g *group) {
	defer close(g.done)
	defer g.timer.Stop()
	defer func() { g.panicked = recover() }()
	c.commit(g)
}

// commit runs a group's updates in one transaction. An update that fails has
// written nothing and fails alone; when the transaction fails, all of them do.
func (c *committer) commit(g *group) {
	start := time.Now()
	c.began.Store(&start)
	c.counts = c.counts[:0]
	err := c.disk.commit(func(tx *bbolt.Tx) error {
		if err := g.apply(tx); err != nil {
			return err
		}
		return c.counts.write(tx)
	})
	c.began.Store(nil)
	if errors.Is(err, errNothing) {
		return
	}
	if err != nil {
		for _, u := range g.updates {
			// An update that writes nothing relies on what the others write.
			if errors.Is(u.err, errNothing) {
				u.err = nil
			}
			u.err = errors.Join(u.err, err)
		}
		return
	}
	if c.committed != nil {
		c.committed(time.Since(start))
	}
}

// apply runs the updates whose callers still wait.
func (g *group) apply(tx *bbolt.Tx) error {
	result := errNothing
	for _, u := range g.updates {
		if !u.step.CompareAndSwap(waiting, applying) {
			continue
		}
		if u.err = u.apply(tx); u.err == nil {
			result = nil
		}
		u.step.Store(applied)
	}
	return result
}
