package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// LoadOrder implements [ledger.Store]. It waits until the order is durable, because
// a buyer is sent to pay it.
func (s *Store) LoadOrder(_ context.Context, id ledger.OrderID) (order ledger.Order, err error) {
	var seen int64
	err = s.view(func(tx *bbolt.Tx) error {
		seen = int64(tx.ID())
		order, err = readOrder(tx, orderKey(id))
		return err
	})
	if err == nil {
		err = s.waitFor(seen)
	}
	return order, err
}

// UpdateOrder implements [ledger.Store].
func (s *Store) UpdateOrder(_ context.Context, id ledger.OrderID, update func(*ledger.Order)) error {
	return s.update(func(tx *bbolt.Tx) error {
		key := orderKey(id)
		order, err := readOrder(tx, key)
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
		known, oldEnd := order.GatewayIDs(), endingKey(order, key)
		update(&order)
		value, err := encoding.EncodeOrder(key, &order)
		if err != nil {
			return err
		}
		var added [][]byte
		for _, made := range order.GatewayIDs() {
			if slices.Contains(known, made) {
				continue
			}
			gatewayKey := orderKey(made)
			of, err := generationOf(tx, gatewayKey)
			if err != nil {
				return err
			}
			if of != nil && !bytes.Equal(of, key) {
				return ledger.ErrTaken
			}
			added = append(added, gatewayKey)
		}
		for _, gatewayKey := range added {
			if err := tx.Bucket(generationsBucket).Put(gatewayKey, encoding.Seal(gatewayKey, key)); err != nil {
				return err
			}
		}
		if err := putEnding(tx, oldEnd, endingKey(order, key)); err != nil {
			return err
		}
		return tx.Bucket(ordersBucket).Put(key, value)
	})
}

// endingKey is the key of an order in the list of those that end; nil: it does not.
func endingKey(order ledger.Order, key []byte) []byte {
	if order.Checkout == nil || order.Checkout.EndAt.IsZero() {
		return nil
	}
	return append(timeKey(order.Checkout.EndAt), key...)
}

// putEnding moves an order in the list of those that end.
func putEnding(tx *bbolt.Tx, before, after []byte) error {
	if bytes.Equal(before, after) {
		return nil
	}
	bucket, err := tx.CreateBucketIfNotExists(endingsBucket)
	if err == nil && before != nil {
		err = bucket.Delete(before)
	}
	if err == nil && after != nil {
		err = bucket.Put(after, nil)
	}
	return err
}

// Ending implements [ledger.Store].
func (s *Store) Ending(_ context.Context, until time.Time, limit int) ([]ledger.Order, error) {
	var orders []ledger.Order
	err := s.view(func(tx *bbolt.Tx) error {
		orders = nil
		bucket := tx.Bucket(endingsBucket)
		if bucket == nil {
			return nil
		}
		end := timeKey(until)
		cursor := bucket.Cursor()
		for k, _ := cursor.First(); k != nil && len(orders) < limit && bytes.Compare(k[:min(len(k), timeSize)], end) <= 0; k, _ = cursor.Next() {
			if key, err := afterTime(k); err == nil {
				if order, err := readOrder(tx, key); err == nil {
					orders = append(orders, order)
				}
			}
		}
		return nil
	})
	return orders, err
}

// generationOf returns the key of the order that an order at the gateway was made for;
// nil: of none.
func generationOf(tx *bbolt.Tx, gatewayKey []byte) ([]byte, error) {
	sealed := tx.Bucket(generationsBucket).Get(gatewayKey)
	if sealed == nil {
		return nil, nil
	}
	of, ok := encoding.Unseal(gatewayKey, sealed)
	if !ok {
		return nil, fmt.Errorf("%w: which order an order at the gateway belongs to", errDamagedValue)
	}
	return of, nil
}

// OrderOf implements [ledger.Store].
func (s *Store) OrderOf(_ context.Context, id ledger.OrderID) (order ledger.Order, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		key := orderKey(id)
		of, err := generationOf(tx, key)
		if err != nil {
			return fmt.Errorf("order %s: %w", id.ID, err)
		}
		if of != nil {
			key = of
		}
		order, err = readOrder(tx, key)
		return err
	})
	return order, err
}

// Orders implements [ledger.Store]. A cursor is the key of a page's last order.
func (s *Store) Orders(_ context.Context, query ledger.OrderQuery) (ledger.OrderPage, error) {
	var page ledger.OrderPage
	after, err := hex.DecodeString(query.Cursor)
	if err != nil {
		return page, ledger.ErrCursor
	}
	err = s.view(func(tx *bbolt.Tx) error {
		page = ledger.OrderPage{}
		cursor := tx.Bucket(ordersBucket).Cursor()
		k, v := cursor.Seek(after)
		switch {
		case bytes.Equal(k, after):
			k, v = cursor.Next()
		case len(after) > 0: // no order is ever deleted
			return ledger.ErrCursor
		}
		last, behind := []byte(nil), after
		for ; k != nil; k, v = cursor.Next() {
			if bytes.Compare(k, behind) <= 0 { // the list would go round, or leave some out
				return fmt.Errorf("%w: the key %.60x is not in the order of the others", errDamaged, k)
			}
			behind = k
			order, err := decodeOrder(k, v)
			if err == nil && !query.Matches(order) {
				continue
			}
			if len(page.Orders)+len(page.Damaged) == query.Limit {
				page.Next = hex.EncodeToString(last)
				break
			}
			if last = k; err != nil {
				page.Damaged = append(page.Damaged, s.explain(fmt.Errorf("%w with the key %.60x", err, k)))
				continue
			}
			page.Orders = append(page.Orders, order)
		}
		return nil
	})
	return page, err
}

// Backup implements [ledger.Snapshotter]. The copy is a ledger's file.
func (s *Store) Backup(w io.Writer) error {
	return s.view(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
}

// afterTime returns the event's key of an entry that is ordered by time.
func afterTime(entry []byte) ([]byte, error) {
	if len(entry) <= timeSize {
		return nil, fmt.Errorf("%w: an entry in a list of events: %q", errDamagedValue, entry)
	}
	return entry[timeSize:], nil
}

// Find implements [ledger.Store]. It looks through the received events, newest
// first, because an index by id would cost every commit a page of its own.
func (s *Store) Find(_ context.Context, eventID string) ([]ledger.Key, error) {
	id, err := uuid.Parse(eventID)
	if err != nil {
		return nil, nil // no event has such an id
	}
	var keys []ledger.Key
	err = s.view(func(tx *bbolt.Tx) error {
		keys = nil
		var entries [][]byte
		cursor := tx.Bucket(receivedBucket).Cursor()
		for k, v := cursor.Last(); k != nil; k, v = cursor.Prev() {
			if bytes.HasPrefix(v, id[:]) { // which is checked below: to check all takes long
				entries = append(entries, k)
			}
		}
		for _, k := range entries {
			if _, ok := encoding.Unseal(k, tx.Bucket(receivedBucket).Get(k)); !ok {
				continue
			}
			key, err := afterTime(k)
			if err != nil {
				return err
			}
			event, err := readEventAt(tx, key)
			if err != nil {
				return err
			}
			keys = append(keys, event.Key)
		}
		if len(keys) == 0 && hasDamagedID(tx) {
			return fmt.Errorf("%w: the id of an event, which may be this one", errDamagedValue)
		}
		return nil
	})
	return keys, err
}

// hasDamagedID reports whether the id of any event is damaged, which hides that one.
func hasDamagedID(tx *bbolt.Tx) bool {
	cursor := tx.Bucket(receivedBucket).Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		if _, ok := encoding.Unseal(k, v); !ok {
			return true
		}
	}
	return false
}

// List implements [ledger.Store]. A cursor is the key of a page's last event in the
// list of received events.
func (s *Store) List(_ context.Context, query ledger.Query) (ledger.Page, error) {
	var page ledger.Page
	before := []byte{0xff}
	if !query.Until.IsZero() {
		before = timeKey(query.Until)
	}
	if query.Cursor != "" {
		last, err := hex.DecodeString(query.Cursor)
		if err != nil || len(last) <= timeSize {
			return page, ledger.ErrCursor
		}
		before = last
	}
	err := s.view(func(tx *bbolt.Tx) error {
		page = ledger.Page{}
		next, err := s.entries(tx, query, before)
		if err != nil {
			return err
		}
		var last, seen []byte
		looked := 0
		for k := next(); k != nil; k = next() {
			if !query.Since.IsZero() && bytes.Compare(k, timeKey(query.Since)) < 0 {
				break
			}
			if looked++; query.Most > 0 && looked > query.Most {
				page.Next = hex.EncodeToString(seen)
				break
			}
			seen = k
			event, err := matching(tx, query, k)
			if err != nil {
				return err
			}
			if event == nil {
				continue
			}
			if len(page.Events) == query.Limit {
				page.Next = hex.EncodeToString(last)
				break
			}
			page.Events, last = append(page.Events, *event), k
		}
		return nil
	})
	return page, err
}

// matching returns the event of an entry in the list of received events; nil: the query
// does not select it.
func matching(tx *bbolt.Tx, query ledger.Query, entry []byte) (*ledger.Event, error) {
	key, err := afterTime(entry)
	if err != nil {
		return nil, err
	}
	if query.State != ledger.None {
		summary, err := readSummary(key, tx.Bucket(eventsBucket).Get(key))
		if err != nil || summary.State != query.State {
			return nil, err
		}
	}
	event, err := readEventAt(tx, key)
	if err != nil || !query.Matches(event) {
		return nil, err
	}
	return &event, nil
}

// Due implements [ledger.Store].
func (s *Store) Due(_ context.Context, route string, from time.Time, limit int) ([]ledger.Due, error) {
	var due []ledger.Due
	prefix := appendPart(nil, route)
	start := prefix
	if !from.IsZero() {
		start = appendTime(bytes.Clone(prefix), from)
	}
	err := s.view(func(tx *bbolt.Tx) error {
		due = nil
		cursor := tx.Bucket(dueBucket).Cursor()
		for k, _ := cursor.Seek(start); bytes.HasPrefix(k, prefix) && len(due) < limit; k, _ = cursor.Next() {
			d := readDue(tx, k[len(prefix):])
			if d.Err != nil {
				d.Key, d.Err = ledger.Key{Record: ledger.Record{Route: route, ID: string(k)}}, s.explain(d.Err)
			}
			due = append(due, d)
		}
		return nil
	})
	return due, err
}

// readDue reads an entry in the list of a route's due events.
func readDue(tx *bbolt.Tx, entry []byte) (d ledger.Due) {
	eventKey, err := afterTime(entry)
	if err != nil {
		return ledger.Due{Err: err}
	}
	d.At = time.Unix(0, int64(binary.BigEndian.Uint64(entry))).UTC()
	d.Key, d.Err = readKey(tx, eventKey)
	return d
}

// Counts implements [ledger.Store].
func (s *Store) Counts(context.Context) ([]ledger.Count, error) {
	var counts []ledger.Count
	err := s.view(func(tx *bbolt.Tx) error {
		counts = nil
		return tx.Bucket(countsBucket).ForEach(func(k, v []byte) error {
			parts, ok := splitKey(k[:len(k)-1])
			n, err := readCount(k, v)
			if err == nil && (!ok || len(parts) != 1) {
				err = fmt.Errorf("%w: the key of a count cannot be read", errDamaged)
			}
			if err != nil {
				return err
			}
			if n > 0 {
				counts = append(counts, ledger.Count{Route: parts[0].text, State: ledger.State(k[len(k)-1]), N: n})
			}
			return nil
		})
	})
	return counts, err
}
