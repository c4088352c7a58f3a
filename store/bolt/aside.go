package bolt

import (
	"bytes"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// asideBucket has the events that people look for among many others, by state and then as
// the list of what was received. It is made with the first of them: where there is none,
// and the counts have some, an earlier version has kept the file.
var asideBucket = []byte("aside")

func isAside(state ledger.State) bool {
	return state == ledger.Held || state == ledger.Dead || state == ledger.Discarded
}

// asideKey is the key of an event in the bucket; entry is its key in the list of what was
// received.
func asideKey(state ledger.State, entry []byte) []byte {
	return append(append(make([]byte, 0, 1+len(entry)), byte(state)), entry...)
}

// putAside moves the event in the bucket. Before the write is counted.
func (w *write) putAside(tx *bbolt.Tx) error {
	if w.before == w.state || !isAside(w.before) && !isAside(w.state) {
		return nil
	}
	bucket := tx.Bucket(asideBucket)
	if bucket == nil {
		if n, err := countAside(tx); err != nil || n > 0 {
			return nil // it would not have those of before: they are looked for among all
		}
		var err error
		if bucket, err = tx.CreateBucket(asideBucket); err != nil {
			return err
		}
	}
	if isAside(w.before) {
		if err := bucket.Delete(asideKey(w.before, w.bodyKey)); err != nil {
			return err
		}
	}
	if !isAside(w.state) {
		return nil
	}
	return bucket.Put(asideKey(w.state, w.bodyKey), nil)
}

// countAside is how many events the bucket should have.
func countAside(tx *bbolt.Tx) (n uint64, err error) {
	err = tx.Bucket(countsBucket).ForEach(func(k, v []byte) error {
		if !isAside(ledger.State(k[len(k)-1])) {
			return nil
		}
		count, err := readCount(k, v)
		n += count
		return err
	})
	return n, err
}

// isComplete reports whether the bucket has the events that it should have, and no other:
// an earlier version may have used the file since.
func isComplete(tx *bbolt.Tx) bool {
	want, err := countAside(tx)
	if err != nil {
		return false
	}
	bucket := tx.Bucket(asideBucket)
	if bucket == nil {
		return want == 0
	}
	var n uint64
	err = bucket.ForEach(func(k, _ []byte) error {
		if len(k) <= 1+timeSize {
			return errDamagedValue
		}
		key := k[1+timeSize:]
		summary, err := readSummary(key, tx.Bucket(eventsBucket).Get(key))
		if err == nil && summary.State != ledger.State(k[0]) {
			err = fmt.Errorf("%w: the list of events in state %s", errDamagedValue, ledger.State(k[0]))
		}
		n++
		return err
	})
	return err == nil && n == want
}

// completeAside makes the bucket anew where it is not complete, before the store is used.
// Where that cannot be, as on a full disk, its events are looked for among all.
func (s *Store) completeAside() {
	var keys [][]byte
	is := false
	err := guard(func() error {
		return s.disk.db.View(func(tx *bbolt.Tx) error {
			if is = isComplete(tx); is {
				return nil
			}
			return tx.Bucket(eventsBucket).ForEach(func(k, v []byte) error {
				summary, _, err := encoding.ReadHeader(k, v)
				if err == nil && isAside(summary.State) { // what is damaged is found by whoever reads it
					keys = append(keys, asideKey(summary.State, bodyKey(summary.ReceivedAt, k)))
				}
				return nil
			})
		})
	})
	if err == nil && !is {
		err = s.update(func(tx *bbolt.Tx) error { return remakeAside(tx, keys) })
	}
	s.scans = err != nil
}

func remakeAside(tx *bbolt.Tx, keys [][]byte) error {
	if tx.Bucket(asideBucket) != nil {
		if err := tx.DeleteBucket(asideBucket); err != nil {
			return err
		}
	}
	bucket, err := tx.CreateBucket(asideBucket)
	if err != nil {
		return err
	}
	slices.SortFunc(keys, bytes.Compare)
	for _, key := range keys {
		if err := bucket.Put(key, nil); err != nil {
			return err
		}
	}
	return nil
}

// entries returns the entries in the list of what was received that stand before a place
// and may be what a query selects, one with each call, the newest first; nil: no more.
func (s *Store) entries(tx *bbolt.Tx, query ledger.Query, before []byte) (func() []byte, error) {
	if query.RecordID != "" {
		return entriesOf(tx, query.RecordID, before)
	}
	if isAside(query.State) && !s.scans {
		bucket := tx.Bucket(asideBucket)
		if bucket != nil {
			return backwards(bucket, []byte{byte(query.State)}, before), nil
		}
		if n, err := countAside(tx); err == nil && n == 0 {
			return func() []byte { return nil }, nil
		}
	}
	return backwards(tx.Bucket(receivedBucket), nil, before), nil
}

// backwards returns what stands in a bucket behind a prefix and before a place, from the
// last on.
func backwards(bucket *bbolt.Bucket, prefix, before []byte) func() []byte {
	cursor := bucket.Cursor()
	place := append(bytes.Clone(prefix), before...)
	k, _ := cursor.Seek(place)
	if k == nil {
		k, _ = cursor.Last()
	}
	for k != nil && bytes.Compare(k, place) >= 0 {
		k, _ = cursor.Prev()
	}
	return func() []byte {
		entry := k
		if entry == nil || !bytes.HasPrefix(entry, prefix) {
			return nil
		}
		k, _ = cursor.Prev()
		return entry[len(prefix):]
	}
}

// entriesOf returns those of the events of a record, whose routes and types are looked
// through.
func entriesOf(tx *bbolt.Tx, recordID string, before []byte) (func() []byte, error) {
	var found [][]byte
	cursor := tx.Bucket(eventsBucket).Cursor()
	for k, _ := cursor.First(); k != nil; {
		kind, ok := beginningOf(k, 3) // route, app id, type
		if !ok {
			return nil, unreadable(k, ledger.ErrDamaged)
		}
		kind = bytes.Clone(kind)
		prefix := appendPart(bytes.Clone(kind), recordID)
		for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
			summary, err := readSummary(k, v)
			if err != nil {
				return nil, err
			}
			if entry := bodyKey(summary.ReceivedAt, k); bytes.Compare(entry, before) < 0 {
				found = append(found, entry)
			}
		}
		kind[len(kind)-1]++ // behind all of its kind
		k, _ = cursor.Seek(kind)
	}
	return newestOf(found), nil
}

func newestOf(entries [][]byte) func() []byte {
	slices.SortFunc(entries, func(a, b []byte) int { return bytes.Compare(b, a) })
	return func() []byte {
		if len(entries) == 0 {
			return nil
		}
		entry := entries[0]
		entries = entries[1:]
		return entry
	}
}

// beginningOf returns the first parts of a key, as they stand there.
func beginningOf(key []byte, parts int) ([]byte, bool) {
	for i := 0; i+1 < len(key); i++ {
		if key[i] != 0 {
			continue
		}
		i++
		if key[i] == partEnd || key[i] == digestEnd {
			if parts--; parts == 0 {
				return key[:i+1], true
			}
		}
	}
	return nil, false
}
