package bolt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// accept takes in what the ledger may know, as a delivery that is answered then.
func accept(s *Store, c ledger.Change) error {
	return s.Accept(bg, c.Event.Key, func(known *ledger.Event) *ledger.Change {
		if known != nil {
			return nil
		}
		return &c
	})
}

// A copy of what is committed and not synced yet waits for that.
func TestCopyWaitsForTheSync(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	c := delivered("1")
	if err := accept(s, c); err != nil {
		t.Fatal(err)
	}
	s.commits.running.Lock() // as if that commit still ran
	synced := s.disk.durable.Add(-1) + 1
	answered := make(chan error, 1)
	go func() { answered <- accept(s, c) }()
	eventually(t, func() bool {
		s.commits.mu.Lock()
		defer s.commits.mu.Unlock()
		return s.commits.next != nil
	})
	select {
	case err := <-answered:
		t.Fatalf("a copy was answered before the sync, with %v", err)
	default:
	}
	s.disk.durable.Store(synced)
	s.commits.running.Unlock()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestFailedCommit: after a commit that failed nothing is relied upon, not even
// what can be read, until the disk has taken what the file shows.
func TestFailedCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, Options{})
	c := delivered("1")
	if err := accept(s, c); err != nil {
		t.Fatal(err)
	}
	file := s.disk.file
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	s.commits.running.Lock()
	s.disk.file = readOnly // which cannot be written: the disk is out of order
	s.disk.doubtful.Store(true)
	s.commits.running.Unlock()

	_, loadErr := s.Load(bg, c.Event.Key)
	_, claimErr := s.Claim(bg, c.Event.Record, time.Minute)
	_, dueErr := s.Due(bg, c.Event.Route, time.Time{}, 10)
	for name, err := range map[string]error{
		"a copy": accept(s, c), "another": accept(s, delivered("2")), "Load": loadErr, "Claim": claimErr, "Due": dueErr,
	} {
		if err == nil || errors.Is(err, ledger.ErrNotFound) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}

	s.commits.running.Lock()
	s.disk.file = file
	s.commits.running.Unlock()
	for _, c := range []ledger.Change{c, delivered("2")} {
		if err := accept(s, c); err != nil {
			t.Errorf("once the disk is in order: %v", err)
		}
		if err := missing(s, c); err != nil {
			t.Error(err)
		}
	}
}

// What is read while a commit fails may be of that commit.
func TestReadDuringFailure(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	err := s.view(func(*bbolt.Tx) error {
		return errors.Join(ledger.ErrNotFound, s.disk.commit(func(*bbolt.Tx) error { return syscall.EIO }))
	})
	if !errors.Is(err, errCommitFailed) || errors.Is(err, ledger.ErrNotFound) {
		t.Error(err)
	}
}

// TestDiskDoesNotAnswer: who waits for a disk that hangs is told so in bounded
// time, who comes then at once, and it goes on when the disk does.
func TestDiskDoesNotAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.commits.patience = time.Second
	hangs, hung := make(chan struct{}), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(hangs) })
	defer goOn()
	var caller sync.WaitGroup
	caller.Go(func() {
		// The caller of what is being applied stays: it is his.
		if err := s.update(func(*bbolt.Tx) error { close(hung); <-hangs; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-hung
	for range 3 { // the first waits, the others need not
		err := accept(s, delivered("1"))
		if !errors.Is(err, errStuck) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "goes on by itself") {
			t.Fatal(err)
		}
	}
	if err := s.Close(); !errors.Is(err, errStuck) {
		t.Errorf("closing: %v", err)
	}
	goOn()
	caller.Wait()
	again := open(t, path, Options{LockTimeout: 10 * time.Second})
	if err := missing(again, delivered("1")); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("what nobody waited for any more: %v", err)
	}
}

// TestPanicInRollback: bbolt then keeps its lock. Nobody waits for it.
func TestPanicInRollback(t *testing.T) {
	path := fill(t, 10)
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	// It reads its list of free pages again to roll back.
	page := int64(os.Getpagesize())
	for at := 2 * page; at < 40*page; at += page {
		header := make([]byte, 16)
		if _, err := s.disk.file.ReadAt(header, at); err != nil {
			break
		}
		if header[8] == 0x10 {
			if _, err := s.disk.file.WriteAt(make([]byte, page), at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.update(func(*bbolt.Tx) error { panic("page 7 already freed") }); !errors.Is(err, errDamaged) {
		t.Error(err)
	}
	if !s.disk.broken.Load() {
		t.Fatal("bbolt has kept no lock: this shows nothing")
	}
	_, loadErr := s.Load(bg, delivered("1").Event.Key)
	for name, err := range map[string]error{"an update": accept(s, delivered("new")), "Load": loadErr} {
		if !errors.Is(err, errDamaged) || errors.Is(err, ledger.ErrDamaged) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

// A commit that breaks bbolt while the file is closed does not keep Close.
func TestBrokenWhileClosing(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "ledger.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.commits.patience = 50 * time.Millisecond
	tx, err := s.disk.db.Begin(true) // as if it were the commit's, which never ends
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	eventually(t, func() bool { // bbolt waits for its lock
		stacks := make([]byte, 1<<20)
		return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("bbolt.(*DB).Close"))
	})
	s.disk.broken.Store(true)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := tx.Rollback(); err != nil { // so that the rest of Close ends, too
		t.Error(err)
	}
}
