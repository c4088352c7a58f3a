package bolt

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// inState is an event of a record of its own that ends in a state.
func inState(id string, state ledger.State) ledger.Change {
	c := delivered(id)
	steps := []ledger.State{ledger.Received, state}
	if state == ledger.Dead {
		steps = []ledger.State{ledger.Received, ledger.Delivering, state}
	}
	c.Transitions = nil
	for _, step := range steps {
		c.Transitions = append(c.Transitions, ledger.Transition{At: c.Event.ReceivedAt, State: step})
	}
	return c
}

func idsOf(t *testing.T, s *Store, query ledger.Query) (ids []string) {
	t.Helper()
	query.Limit = 100
	page, err := s.List(bg, query)
	if err != nil {
		t.Fatalf("%+v: %v", query, err)
	}
	for _, e := range page.Events {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	return ids
}

func mustCommit(t *testing.T, s *Store, changes ...ledger.Change) {
	t.Helper()
	for _, c := range changes {
		if err := commit(s, c); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFewAmongMany: what people look for is found by keys. Of the many others none is
// looked at: they cannot be read.
func TestFewAmongMany(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	s.disk.db.NoSync = true
	if got := idsOf(t, s, ledger.Query{State: ledger.Held}); len(got) != 0 {
		t.Errorf("before there is anything, held are %v", got)
	}
	mustCommit(t, s, inState("held", ledger.Held), inState("dead", ledger.Dead), inState("released", ledger.Held))
	released := inState("released", ledger.Retrying)
	released.Transitions = []ledger.Transition{{At: time.Now(), State: ledger.Retrying, Next: time.Now(), Reason: ledger.Release}}
	mustCommit(t, s, released)
	for i := range 50 {
		mustCommit(t, s, delivered(fmt.Sprint("other-", i)))
	}
	if err := s.disk.db.Update(func(tx *bbolt.Tx) error {
		for i := range 50 {
			if err := tx.Bucket(eventsBucket).Put(eventKey(delivered(fmt.Sprint("other-", i)).Event.Key), []byte("unreadable")); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		query ledger.Query
		want  []string
	}{
		{ledger.Query{State: ledger.Held}, []string{"held"}},
		{ledger.Query{State: ledger.Dead}, []string{"dead"}},
		{ledger.Query{State: ledger.Discarded}, nil},
		{ledger.Query{RecordID: "released"}, []string{"released"}},
		{ledger.Query{RecordID: "dead", State: ledger.Held}, nil},
		{ledger.Query{RecordID: "none"}, nil},
		{ledger.Query{State: ledger.Held, Until: delivered("").Event.ReceivedAt}, nil},
		{ledger.Query{State: ledger.Held, Since: delivered("").Event.ReceivedAt.Add(1)}, nil},
	} {
		if got := idsOf(t, s, c.query); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.query, got, c.want)
		}
	}
}

// TestAsideOfEarlierVersions: a file that a version without the list of held events has
// made, or has used since, has the list whole once it is opened; and until then, as where
// it cannot be written, they are looked for among all.
func TestAsideOfEarlierVersions(t *testing.T) {
	for name, change := range map[string]func(*bbolt.Tx) error{
		"made": func(tx *bbolt.Tx) error { return tx.DeleteBucket(asideBucket) },
		"lacks": func(tx *bbolt.Tx) error {
			k, _ := tx.Bucket(asideBucket).Cursor().First()
			return tx.Bucket(asideBucket).Delete(k)
		},
		"others": func(tx *bbolt.Tx) error { return swap(tx) },
	} {
		path := filepath.Join(t.TempDir(), "ledger.db")
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.disk.db.NoSync = true
		mustCommit(t, s, inState("1", ledger.Held), inState("2", ledger.Held), delivered("3"))
		if err := s.disk.db.Update(change); err != nil {
			t.Fatal(err)
		}
		mustCommit(t, s, delivered("4"))
		s.scans = true
		if got, want := idsOf(t, s, ledger.Query{State: ledger.Held}), []string{"1", "2"}; !slices.Equal(got, want) {
			t.Errorf("%s: among all are %v, want %v", name, got, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, path, Options{})
		if again.scans {
			t.Errorf("%s: the list is not made whole", name)
		}
		if got, want := idsOf(t, again, ledger.Query{State: ledger.Held}), []string{"1", "2"}; !slices.Equal(got, want) {
			t.Errorf("%s: held are %v, want %v", name, got, want)
		}
		mustCommit(t, again, inState("5", ledger.Held))
		if got, want := idsOf(t, again, ledger.Query{State: ledger.Held}), []string{"1", "2", "5"}; !slices.Equal(got, want) {
			t.Errorf("%s: then held are %v, want %v", name, got, want)
		}
	}
}

// swap has the list name an event that is delivered in the place of one that is held.
func swap(tx *bbolt.Tx) error {
	bucket := tx.Bucket(asideBucket)
	k, _ := bucket.Cursor().First()
	other := delivered("3").Event
	return errors.Join(bucket.Delete(k), bucket.Put(asideKey(ledger.Held, bodyKey(other.ReceivedAt, eventKey(other.Key))), nil))
}

// TestAsideWhileOpen: as long as a file of an earlier version could not be completed,
// what is held later is found with what was before.
func TestAsideWhileOpen(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	s.disk.db.NoSync = true
	mustCommit(t, s, inState("1", ledger.Held))
	if err := s.disk.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(asideBucket) }); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, inState("2", ledger.Held))
	if got, want := idsOf(t, s, ledger.Query{State: ledger.Held}), []string{"1", "2"}; !slices.Equal(got, want) {
		t.Errorf("held are %v, want %v", got, want)
	}
}

// TestMostLooked: a list looks at no more events than it is told, and goes on behind them.
func TestMostLooked(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	s.disk.db.NoSync = true
	for i := range 10 {
		c := delivered(fmt.Sprint(i))
		c.Event.ReceivedAt = c.Event.ReceivedAt.Add(time.Duration(i) * time.Second)
		if i < 2 {
			c.Event.OrderID = "searched"
		}
		mustCommit(t, s, c)
	}
	query := ledger.Query{Text: "searched", Limit: 5, Most: 4}
	for i, want := range []int{0, 0, 2} {
		page, err := s.List(bg, query)
		if err != nil || len(page.Events) != want || (page.Next == "") != (i == 2) {
			t.Fatalf("page %d: %+v, %v", i, page, err)
		}
		query.Cursor = page.Next
	}
}

// TestExamine: it is known how much room there is, and said where that is little. Nothing is
// said that is not counted.
func TestExamine(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	is, err := s.Examine(bg)
	if err != nil || slices.ContainsFunc(is.Facts, func(fact string) bool { return strings.HasPrefix(fact, "0 B") }) {
		t.Errorf("%+v, %v", is, err)
	}
	if room, ok := roomOn(filepath.Dir(s.path)); ok && (len(is.Facts) != 1 || (len(is.Care) > 0) != (room < leastRoom)) {
		t.Errorf("with %d bytes of room: %+v", room, is)
	}
}
