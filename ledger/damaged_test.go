package ledger_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// damageEvents flips a bit of each event in a file that nobody has open, and
// returns their values by their keys.
func damageEvents(t *testing.T, path string) map[string]string {
	t.Helper()
	values := make(map[string]string)
	inBucket(t, path, "events", func(events *bbolt.Bucket) error {
		var keys [][]byte
		err := events.ForEach(func(k, _ []byte) error { keys = append(keys, bytes.Clone(k)); return nil })
		for _, k := range keys {
			damaged := bytes.Clone(events.Get(k))
			damaged[len(damaged)/2] ^= 1
			values[string(k)] = string(damaged)
			if err := events.Put(k, damaged); err != nil {
				return err
			}
		}
		return err
	})
	return values
}

func inBucket(t *testing.T, path, name string, f func(*bbolt.Bucket) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket([]byte(name))) })
	if err != nil || db.Close() != nil {
		t.Fatal(err)
	}
}

// TestDamagedListOfDue: an event that stands under a wrong key there is reported,
// keeps no other waiting, and is delivered when those that wait are replayed.
func TestDamagedListOfDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		b, closeIt := openBook(t, path)
		misplaced, other := numbered(17, "Success"), numbered(2, "Success")
		b.accept(misplaced, ledger.Accepted)
		b.accept(other, ledger.Accepted)
		closeIt()
		inBucket(t, path, "due", func(due *bbolt.Bucket) error {
			k, _ := due.Cursor().First()
			wrong := bytes.Replace(k, []byte("\x0117\x00"), []byte("\x0113\x00"), 1)
			return errors.Join(due.Delete(bytes.Clone(k)), due.Put(wrong, nil))
		})
		b, closeIt = openBook(t, path)
		defer closeIt()
		app := &app{}
		began := time.Now()
		told := make(chan string, 10)
		defer b.run(ledger.Dispatcher{
			Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 32, Rank: rank, Work: app.work,
			Failed:  func(err error) { t.Errorf("the dispatcher calls the ledger out of order: %v", err) },
			Damaged: func(eventID string, err error) { told <- eventID + " " + err.Error() },
		})()
		synctest.Wait()
		if got := b.load(other).State; got != ledger.Delivered || time.Since(began) > 0 {
			t.Errorf("the other is %s after %s", got, time.Since(began))
		}
		if len(told) != 1 {
			t.Fatalf("told %d times", len(told))
		}
		if line := <-told; !strings.HasPrefix(line, numbered(13, "Success").EventID()) || !strings.Contains(line, "replay") {
			t.Errorf("told %q", line)
		}
		time.Sleep(time.Second) // in the bubble: what is replayed is due at another time
		if err := b.Replay(bg, misplaced.Key, "the log says so"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := b.load(misplaced).State; got != ledger.Delivered {
			t.Errorf("after a replay it is %s", got)
		}
	})
}

// openBook opens the ledger in a file, which the caller closes.
func openBook(t *testing.T, path string) (*book, func()) {
	t.Helper()
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	store := &faulty{Store: s}
	return &book{Ledger: ledger.New(store, time.Now), store: store, t: t}, func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDamagedEvents: events that the disk has changed are reported once, by id, and
// again an hour later; they stay as they are, a copy is not acknowledged,
// and no other event of the route waits for them.
func TestDamagedEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		b, closeIt := openBook(t, path)
		const n = 300 // more than are read at once
		tooLong := numbered(n, strings.Repeat("s", 300))
		sibling := numbered(0, "Processing")
		b.accept(sibling, ledger.Accepted)
		for i := 1; i < n; i++ {
			b.accept(numbered(i, "Success"), ledger.Accepted)
		}
		b.accept(tooLong, ledger.Accepted)
		closeIt()
		damaged := damageEvents(t, path)

		b, closeIt = openBook(t, path)
		app := &app{}
		var mu sync.Mutex
		told := make(map[string][]error)
		stop := b.run(ledger.Dispatcher{
			Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 32, Rank: rank, Work: app.work,
			Failed: func(err error) { t.Errorf("the dispatcher calls the ledger out of order: %v", err) },
			Damaged: func(eventID string, err error) {
				mu.Lock()
				defer mu.Unlock()
				told[eventID] = append(told[eventID], err)
			},
		})
		defer stop()
		// Of this record it is not known what became of the event before.
		blocked := numbered(0, "Success")
		b.accept(blocked, ledger.Accepted)
		const others = 50
		for i := range others {
			began := time.Now()
			other := numbered(1000+i, "Success")
			b.accept(other, ledger.Accepted)
			synctest.Wait()
			if got := b.load(other).State; got != ledger.Delivered || time.Since(began) > 0 {
				t.Fatalf("another event is %s after %s", got, time.Since(began))
			}
		}
		check := func(times int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(told) != n+2 || len(app.called()) != others {
				t.Errorf("told of %d events, and %d calls", len(told), len(app.called()))
			}
			for id, errs := range told {
				if len(errs) != times || !strings.Contains(errs[0].Error(), "put a backup in its place") {
					t.Errorf("told %d times of %q: %v", len(errs), id, errs)
				}
			}
		}
		check(1)
		time.Sleep(59 * time.Minute)
		check(1)
		time.Sleep(time.Minute)
		check(2)
		stop()
		for id, says := range map[string]string{
			sibling.EventID():                `ApiDeposit of record 0, status "processing"`,
			blocked.EventID():                `ApiDeposit of record 0, status "processing"`,
			numbered(1, "Success").EventID(): `ApiDeposit of record 1, status "success"`,
			"":                               `ApiDeposit of record 300, `, // its key has a digest for the status
		} {
			if !slices.ContainsFunc(told[id], func(err error) bool { return strings.Contains(err.Error(), says) }) {
				t.Errorf("of %q is told: %v, want %s", id, told[id], says)
			}
		}
		if _, err := b.Accept(bg, sibling, ""); err == nil {
			t.Error("a copy is acknowledged")
		}
		closeIt()
		inBucket(t, path, "events", func(events *bbolt.Bucket) error {
			for k, v := range damaged {
				if string(events.Get([]byte(k))) != v {
					t.Errorf("the value of %q is another", k)
				}
			}
			return nil
		})
	})
}
