package bolt

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// A change that cannot be written at all leaves nothing of its commit behind.
func TestCommitOfWhatCannotBeEncoded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	good, bad := delivered("1"), delivered("1")
	bad.Event.Key.Status = "failed"
	bad.Event.ReceivedAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	claim, err := s.Claim(bg, good.Event.Record, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(bg, claim, []ledger.Change{good, bad}); err == nil {
		t.Fatal("the year 10000 is written")
	}
	if _, err := s.Load(bg, good.Event.Key); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("half of a refused commit: %v", err)
	}
}

// Whoever comes while a commit runs shares the next one.
func TestGroupCommit(t *testing.T) {
	const n = 50
	var commits atomic.Int32
	blocked, goOn := make(chan struct{}), make(chan struct{})
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{Committed: func(d time.Duration) {
		if d <= 0 {
			t.Errorf("a commit took %s", d)
		}
		if commits.Add(1) == 1 {
			close(blocked)
			<-goOn
		}
	}})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := commit(s, delivered("first")); err != nil {
			t.Error(err)
		}
	})
	<-blocked
	var done atomic.Int32
	for i := range n {
		wg.Go(func() {
			c := delivered(fmt.Sprint(i))
			if i == n/2 {
				c.Transitions = c.Transitions[1:2] // refused; it fails alone
			}
			if err := commit(s, c); (err != nil) != (i == n/2) {
				t.Errorf("commit %d: %v", i, err)
			}
			done.Add(1)
		})
	}
	waiting := func() int {
		s.commits.mu.Lock()
		defer s.commits.mu.Unlock()
		if s.commits.next == nil {
			return 0
		}
		return len(s.commits.next.updates)
	}
	eventually(t, func() bool { return waiting() == n })
	if done.Load() != 0 {
		t.Error("updates are acknowledged before their commit")
	}
	close(goOn)
	wg.Wait()
	if got := commits.Load(); got != 2 {
		t.Errorf("%d commits, want 2", got)
	}
	for i := range n {
		err := missing(s, delivered(fmt.Sprint(i)))
		if i == n/2 {
			if !errors.Is(err, ledger.ErrNotFound) {
				t.Errorf("the refused one: %v", err)
			}
		} else if err != nil {
			t.Error(err)
		}
	}
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	timeout := time.After(10 * time.Second)
	for !condition() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("it does not come to it")
		}
	}
}

// A panic in one update fails the group, and is neither taken for a success
// nor in the way of those who come later.
func TestPanicInCommit(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	s.commits.running.Lock() // so that all meet in one group
	results := make([]error, 3)
	var wg sync.WaitGroup
	for i, apply := range []func(*bbolt.Tx) error{
		func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte("before"), []byte("1")) },
		func(*bbolt.Tx) error { panic("page 7 already freed") },
		func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte("after"), []byte("1")) },
	} {
		wg.Go(func() { results[i] = s.update(apply) })
		eventually(t, func() bool {
			s.commits.mu.Lock()
			defer s.commits.mu.Unlock()
			return s.commits.next != nil && len(s.commits.next.updates) == i+1
		})
	}
	s.commits.running.Unlock()
	wg.Wait()
	for i, err := range results {
		if err == nil || !strings.Contains(err.Error(), "page 7 already freed") {
			t.Errorf("update %d: %v", i, err)
		}
	}
	if err := s.view(func(tx *bbolt.Tx) error {
		for _, key := range []string{"before", "after"} {
			if tx.Bucket(metaBucket).Get([]byte(key)) != nil {
				return fmt.Errorf("%q was written by a commit that failed", key)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := commit(s, delivered("1")); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

// A panic of who is told of a commit is that one's own: the commit stands, and
// the next is not held up.
func TestPanicInCommitted(t *testing.T) {
	first := true
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{Committed: func(time.Duration) {
		if first {
			first = false
			panic("metrics")
		}
	}})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = commit(s, delivered("1"))
	}()
	if err := commit(s, delivered("2")); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"1", "2"} {
		if err := missing(s, delivered(id)); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "ledger.db"), Options{})
	var id atomic.Int64
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := commit(s, delivered(fmt.Sprint(id.Add(1)))); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkClaimDelivered is what a copy of a delivered event costs.
func BenchmarkClaimDelivered(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "ledger.db"), Options{})
	c := delivered("1")
	if err := commit(s, c); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		claim, err := s.Claim(bg, c.Event.Record, time.Minute)
		if err != nil || len(claim.Events) != 1 {
			b.Fatal(claim.Events, err)
		}
		if err := s.Unlock(bg, claim); err != nil {
			b.Fatal(err)
		}
	}
}
