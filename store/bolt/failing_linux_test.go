package bolt

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"
)

// unwritable makes every write to the store's file fail until it is mended.
func unwritable(t *testing.T, s *Store, path string) (mend func()) {
	t.Helper()
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	fd := int(s.disk.file.Fd())
	kept, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Dup3(int(readOnly.Fd()), fd, 0); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Dup3(kept, fd, 0); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Close(kept)
	}
}

// together runs the functions so that their updates share one commit.
func together(t *testing.T, s *Store, during func(), functions ...func() error) []error {
	t.Helper()
	s.commits.running.Lock()
	errs := make([]chan error, len(functions))
	for i, f := range functions {
		errs[i] = make(chan error, 1)
		go func() { errs[i] <- f() }()
		eventually(t, func() bool {
			s.commits.mu.Lock()
			defer s.commits.mu.Unlock()
			return s.commits.next != nil && len(s.commits.next.updates) == i+1
		})
	}
	during()
	s.commits.running.Unlock()
	results := make([]error, len(functions))
	for i := range errs {
		results[i] = <-errs[i]
	}
	return results
}

// TestCopyInACommitThatFails: a copy that shares the commit of the first delivery
// is not acknowledged where that commit fails.
func TestCopyInACommitThatFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, Options{})
	if err := accept(s, delivered("0")); err != nil { // nothing is in doubt
		t.Fatal(err)
	}
	c := delivered("1")
	var mend func()
	errs := together(t, s, func() { mend = unwritable(t, s, path) },
		func() error { return accept(s, c) }, func() error { return accept(s, c) })
	mend()
	for i, err := range errs {
		if err == nil {
			t.Errorf("delivery %d is acknowledged", i+1)
		}
	}
	if err := missing(s, c); err != nil {
		t.Logf("and the ledger has lost it: %v", err)
	}
}

// TestDoubtInACommitThatFails: who asks whether the doubt is gone in a commit
// that fails is not told that it is.
func TestDoubtInACommitThatFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, Options{})
	if err := accept(s, delivered("0")); err != nil {
		t.Fatal(err)
	}
	s.disk.doubtful.Store(true)
	read := false
	errs := together(t, s, func() {},
		func() error {
			return s.update(func(*bbolt.Tx) error { return nil })
		},
		func() error {
			return s.view(func(*bbolt.Tx) error { read = true; return nil })
		},
		func() error { return s.update(func(*bbolt.Tx) error { panic("a damaged page") }) })
	if slices.Contains(errs, nil) || read {
		t.Errorf("read %t, %v", read, errs)
	}
}
