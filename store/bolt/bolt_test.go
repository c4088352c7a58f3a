package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/ledger/ledgertest"
)

var bg = context.Background()

func TestStore(t *testing.T) {
	ledgertest.Run(t, ledgertest.Features{}, func(t *testing.T, now func() time.Time) func() ledger.Store {
		return func() ledger.Store {
			return open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{Now: now})
		}
	})
}

func open(t testing.TB, path string, opts Options) *Store {
	t.Helper()
	s, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// delivered returns a delivered event of a record of its own.
func delivered(id string) ledger.Change {
	at := time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC)
	return ledger.Change{
		Event: ledger.Event{
			Key: ledger.Key{
				Record: ledger.Record{Route: "webhook", AppID: "app-123", Type: "ApiDeposit", ID: id},
				Status: "success", Risk: ledger.NotRisky,
			},
			Status: "Success", ReceivedAt: at, Body: []byte(`{"type":"ApiDeposit","msg":{"recordId":"` + id + `"}}`),
		},
		Transitions: []ledger.Transition{
			{At: at, State: ledger.Received},
			{At: at, State: ledger.Delivering, Attempt: 1, Seq: 1},
			{At: at, State: ledger.Delivered, Attempt: 1},
		},
	}
}

func commit(s *Store, c ledger.Change) error {
	claim, err := s.Claim(bg, c.Event.Record, time.Minute)
	if err != nil {
		return err
	}
	if err := s.Commit(bg, claim, []ledger.Change{c}); err != nil {
		return errors.Join(err, s.Unlock(bg, claim))
	}
	return nil
}

// missing returns what the store does not have of a committed event.
func missing(s *Store, c ledger.Change) error {
	event, err := s.Load(bg, c.Event.Key)
	if err != nil {
		return fmt.Errorf("event %s: %w", c.Event.ID, err)
	}
	if event.State != ledger.Delivered || !bytes.Equal(event.Body, c.Event.Body) {
		return fmt.Errorf("event %s is %s with body %q", c.Event.ID, event.State, event.Body)
	}
	return nil
}

// fill makes a closed ledger file of n events and returns its path.
func fill(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.disk.db.Update(func(tx *bbolt.Tx) error {
		var counts tally
		for i := range n {
			w, err := prepareChange(tx, delivered(fmt.Sprint(i)), nil)
			if err != nil {
				return err
			}
			if err := w.put(tx, time.Now(), &counts); err != nil {
				return err
			}
		}
		return counts.write(tx)
	}); err != nil {
		t.Fatal(err)
	}
	// A second commit finds free pages at the front for its list of free pages.
	if err := s.disk.db.Update(func(*bbolt.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folders", "ledger.db")
	one, two := delivered("1"), delivered("2")

	first, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !first.Created {
		t.Error("a new ledger is not reported as created")
	}
	if err := commit(first, one); err != nil {
		t.Fatal(err)
	}
	before, err := first.Load(bg, one.Event.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	for range 3 {
		again, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if again.Created {
			t.Error("a ledger that was there is reported as created")
		}
		after, err := again.Load(bg, one.Event.Key)
		if err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("reopening makes of %+v\n%+v, %v", before, after, err)
		}
		claim, err := again.Claim(bg, one.Event.Record, time.Minute)
		if err != nil || len(claim.Events) != 1 || claim.Events[0].State != ledger.Delivered {
			t.Errorf("after reopening the claim knows %+v, %v", claim.Events, err)
		}
		if err := commit(again, two); err != nil {
			t.Error(err)
		}
		if size, err := again.Size(); err != nil || size <= 0 {
			t.Errorf("size %d, %v", size, err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A crash can leave a file that was only just begun. What is opened then is as
// new and as empty as without it.
func TestCreatedFromRemains(t *testing.T) {
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	begun := filepath.Join(folder, "begun.db")
	db, err := bbolt.Open(begun, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, begun} {
		s := open(t, path, Options{})
		if !s.Created {
			t.Errorf("%s is not reported as created", path)
		}
		if err := commit(s, delivered("1")); err != nil {
			t.Error(err)
		}
	}
}

// bucket makes a bbolt file with one bucket, and a key in it.
func bucket(t *testing.T, path, name, key, value string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(name))
		if err != nil {
			return err
		}
		return b.Put([]byte(key), []byte(value))
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Whatever stands at the path, the error says what it is and what to do, and
// the file is left as it was.
func TestOpenRefuses(t *testing.T) {
	whole, err := os.ReadFile(fill(t, 2000))
	if err != nil {
		t.Fatal(err)
	}
	write := func(content []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"Garbage", write(bytes.Repeat([]byte("not a ledger\n"), 10_000)), "put a backup in its place"},
		{"OneByte", write([]byte{0}), "put a backup in its place"},
		{"Text", write([]byte("hello")), "put a backup in its place"},
		{"Zeros", write(make([]byte, 1<<16)), "put a backup in its place"},
		{"HalfAPage", write(whole[:2000]), "put a backup in its place"},
		{"OnePage", write(whole[:4096]), "put a backup in its place"},
		{"TwoPages", write(whole[:8192]), "put a backup in its place"},
		{"AQuarter", write(whole[:len(whole)/4]), "put a backup in its place"},
		{"AHalf", write(whole[:len(whole)/2]), "it was cut off at"},
		{"SomebodyElses", func(t *testing.T, path string) { t.Helper(); bucket(t, path, "photos", "k", "v") }, "choose another path"},
		{"AnotherMeta", func(t *testing.T, path string) { t.Helper(); bucket(t, path, "meta", "k", "v") }, "choose another path"},
		{"NewerFormat", func(t *testing.T, path string) {
			t.Helper()
			write(whole)(t, path)
			bucket(t, path, "meta", "format", "4")
		}, `its format is "4"`},
		{"OlderFormat", func(t *testing.T, path string) {
			t.Helper()
			write(whole)(t, path)
			bucket(t, path, "meta", "format", "2")
		}, `its format is "2"; choose another path, or run the version that made it`},
		{"AFolder", func(t *testing.T, path string) {
			t.Helper()
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "must be that of a file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			test.make(t, path)
			before, _ := os.ReadFile(path)
			for range 2 { // the first try must not leave it locked
				s, err := Open(path, Options{LockTimeout: 50 * time.Millisecond})
				if err == nil {
					t.Fatal("it opens", s.Close())
				}
				if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("the error is %q, want the path and %q", err, test.want)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("opening has changed the file")
			}
		})
	}
}

func TestOpenBelowAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(file, "ledger.db"), filepath.Join(file, "folder", "ledger.db")} {
		_, err := Open(path, Options{})
		if err == nil || !strings.Contains(err.Error(), "must be that of a file in a folder") {
			t.Errorf("the error is %v", err)
		}
	}
}

// Each error of the file comes with what to do about it.
func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "write", Path: "ledger.db", Err: syscall.ENOSPC}, "free space"},
		{errors.New("file resize error: " + syscall.ENOSPC.Error()), "free space"},
		{errors.New("file sync error: " + syscall.EDQUOT.Error()), "free space"},
		{&fs.PathError{Op: "open", Path: "ledger.db", Err: syscall.EROFS}, "write permission"},
		{&fs.PathError{Op: "open", Path: "ledger.db", Err: syscall.EACCES}, "write permission"},
	} {
		err := explain("ledger.db", test.err)
		if !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q does not wrap %q and say %q", err, test.err, test.want)
		}
	}
}

func TestClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := delivered("1")
	claim, err := s.Claim(bg, c.Event.Record, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, claimErr := s.Claim(bg, delivered("2").Event.Record, time.Minute)
	_, loadErr := s.Load(bg, c.Event.Key)
	_, pruneErr := s.Prune(bg, time.Now(), 10)
	_, sizeErr := s.Size()
	for name, err := range map[string]error{
		"Claim": claimErr, "Commit": s.Commit(bg, claim, []ledger.Change{c}), "Load": loadErr, "Prune": pruneErr, "Size": sizeErr,
	} {
		if !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("%s: %v, want %v", name, err, ledger.ErrClosed)
		}
	}
	if _, err := open(t, path, Options{}).Load(bg, c.Event.Key); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("what was committed after closing: %v", err)
	}
}

// Closing amid work: what is acknowledged is kept, the rest is told.
func TestCloseUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged sync.Map
	var wg sync.WaitGroup
	some := make(chan struct{}, 1000)
	for g := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				c := delivered(fmt.Sprintf("%d-%d", g, i))
				if err := commit(s, c); err != nil {
					if !errors.Is(err, ledger.ErrClosed) {
						t.Errorf("while closing: %v", err)
					}
					return
				}
				acknowledged.Store(c.Event.ID, c)
				select {
				case some <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 100 {
		<-some
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	again := open(t, path, Options{})
	acknowledged.Range(func(_, c any) bool {
		if err := missing(again, c.(ledger.Change)); err != nil {
			t.Error(err)
		}
		return true
	})
}
