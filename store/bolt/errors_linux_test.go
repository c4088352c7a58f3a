package bolt

import (
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/test/purchase"
)

// TestEveryOperationFails: whichever operation of a purchase fails, and whichever two,
// the purchase ends as if none had. Beside the calls that the purchase makes these are the
// file's writes and syncs.
func TestEveryOperationFails(t *testing.T) {
	purchase.Run(t, true, func(testing.TB) purchase.Opener { return openFailing })
}

func openFailing(t testing.TB, faults *purchase.Faults) purchase.Ledger {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := failIn(t, s, faults)
	return purchase.Ledger{Store: f, After: f.called, Reopen: func() (ledger.Store, error) { return Open(path, Options{}) }}
}

// The ways in which a write fails besides.
const (
	// torn: half of it is written.
	torn purchase.How = "torn"
	// notSynced: the sync after it fails. longNotSynced: and what a call after that would
	// write and sync to heal it.
	notSynced     purchase.How = "unsynced"
	longNotSynced purchase.How = "long-unsynced"
)

// failingFile is a store of whose file writes and syncs fail.
type failingFile struct {
	*Store
	faults *purchase.Faults
	// data writes to the file whatever bbolt's descriptor leads to, which is what bbolt
	// syncs.
	data *os.File

	files sync.Mutex
	// isMeta: the last write was one of the pages that say what is valid, with which a
	// commit ends.
	isMeta bool
	// calls is how many more calls of the store must end, after a commit has failed,
	// before the file can be synced again; 0: it can be.
	calls    int
	failures int64 // before that
}

// failIn has writes and syncs of a store's file fail.
func failIn(t testing.TB, s *Store, faults *purchase.Faults) *failingFile {
	t.Helper()
	kept, err := syscall.Dup(int(s.disk.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	f := &failingFile{Store: s, faults: faults, data: os.NewFile(uintptr(kept), s.path), isMeta: true}
	t.Cleanup(func() { f.data.Close() })
	// bbolt lets nobody but itself say how it writes.
	write := reflect.ValueOf(s.disk.db).Elem().FieldByName("ops").FieldByName("writeAt")
	*(*func([]byte, int64) (int, error))(unsafe.Pointer(write.UnsafeAddr())) = f.writeAt
	return f
}

// writeAt is how bbolt writes. A commit writes its pages, syncs them, and does the same
// with one of the first two pages.
func (f *failingFile) writeAt(b []byte, at int64) (int, error) {
	f.files.Lock()
	defer f.files.Unlock()
	isFirst := f.isMeta
	f.isMeta = at < 2*int64(f.disk.db.Info().PageSize)
	name, hows := "file page", []purchase.How{purchase.Fails, purchase.Lost, torn}
	if f.isMeta {
		name, hows = "file meta", hows[:2] // a sector is written or is not
	}
	if isFirst || f.isMeta {
		hows = append(hows, notSynced, longNotSynced)
	}
	switch how := f.faults.Next(name, hows...); how {
	case purchase.Fails:
		return 0, syscall.EIO
	case torn:
		n, _ := f.data.WriteAt(b[:len(b)/2], at)
		return n, syscall.EIO
	case purchase.Lost:
		_, _ = f.data.WriteAt(b, at)
		return 0, syscall.EIO
	case notSynced, longNotSynced:
		if f.calls = 1; how == longNotSynced {
			f.calls = 3
		}
		f.failures = f.disk.failures.Load()
		f.lead(os.DevNull)
	}
	return f.data.WriteAt(b, at)
}

// lead has bbolt's descriptor lead to another file; empty: to its own.
func (f *failingFile) lead(path string) {
	to := f.data
	if path != "" {
		other, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		defer other.Close()
		to = other
	}
	if err := syscall.Dup3(int(to.Fd()), int(f.disk.file.Fd()), 0); err != nil {
		panic(err)
	}
}

// called notes that a call of the store has ended.
func (f *failingFile) called() {
	f.files.Lock()
	defer f.files.Unlock()
	if f.calls == 0 || f.disk.failures.Load() == f.failures {
		return
	}
	if f.calls--; f.calls == 0 {
		f.lead("")
	}
}

// Close implements [ledger.Store].
func (f *failingFile) Close() error {
	f.files.Lock()
	if f.calls > 0 {
		f.calls = 0
		f.lead("")
	}
	f.files.Unlock()
	return f.Store.Close()
}
