package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// write is a [ledger.Write], encoded. It is prepared before anything is written, so
// that a change that is refused leaves no trace in a commit that it shares with
// others.
type write struct {
	route          string
	before, state  ledger.State // of the event, without the write and with it
	key, value     []byte
	bodyKey        []byte // in the buckets of bodies and of what was received
	body, id       []byte // sealed; nil: they are not written
	oldDue, newDue []byte // keys in the due bucket; nil where the event is not due
	// answerKey and answer are what the app answered; nil: nothing that is to be kept.
	answerKey, answer []byte
	counts            []ledger.CountChange
	order             *ledger.Write // nil where the change has no order
	orderKey          []byte
}

// prepareAhead encodes a change of an event that the store does not have, before the
// commit's turn: one that runs has all others wait. Nil: the commit has to do it.
func prepareAhead(key []byte, change ledger.Change) *write {
	w, err := encode(key, change, nil, nil)
	if err != nil {
		return nil // the commit finds out as well
	}
	return w
}

// isStillNew reports whether the store does not have the event by now either.
func (w *write) isStillNew(tx *bbolt.Tx) bool {
	return w != nil && tx.Bucket(eventsBucket).Get(w.key) == nil
}

// prepareChange reads what the change applies to, and encodes what it leaves, unless that
// was done ahead and still holds.
func prepareChange(tx *bbolt.Tx, change ledger.Change, ahead *write) (*write, error) {
	if ahead.isStillNew(tx) {
		return ahead, ahead.checkOrder(tx)
	}
	key := eventKey(change.Event.Key)
	known, err := findEvent(tx, key, change.Event.Key)
	if err != nil {
		return nil, err
	}
	return prepareChangeOf(tx, key, change, known)
}

// prepareChangeOf is prepareChange where the event has been read already; nil:
// there is none.
func prepareChangeOf(tx *bbolt.Tx, key []byte, change ledger.Change, known *ledger.Event) (*write, error) {
	w, err := encode(key, change, known, func() (bool, error) {
		body, _ := readBody(tx, bodyKey(known.ReceivedAt, key))
		return body != nil, nil
	})
	if err != nil {
		return nil, err
	}
	return w, w.checkOrder(tx)
}

func encode(key []byte, change ledger.Change, known *ledger.Event, hasBody func() (bool, error)) (*write, error) {
	plain, err := change.Write(known, hasBody)
	if err != nil {
		return nil, err
	}
	w := &write{
		route: plain.Event.Route, before: plain.Before, state: plain.Event.State, key: key, bodyKey: bodyKey(plain.Event.ReceivedAt, key), counts: plain.Counts(),
		oldDue: dueKey(plain.Event.Route, plain.DueBefore, key), newDue: dueKey(plain.Event.Route, plain.DueAfter, key),
	}
	if w.value, err = encodeEvent(key, &plain.Event); err != nil {
		return nil, err
	}
	if plain.Body != nil {
		w.body = encoding.Seal(w.bodyKey, plain.Body)
	}
	if plain.IsNew {
		id := plain.Event.UUID()
		w.id = encoding.Seal(w.bodyKey, id[:])
	}
	if plain.Answer != nil {
		w.answerKey = answerKey(w.bodyKey, plain.Answer.Slot())
		if w.answer, err = encoding.EncodeAnswer(w.answerKey, plain.Answer); err != nil {
			return nil, err
		}
	}
	if plain.Order != nil {
		w.order, w.orderKey = &ledger.Write{Order: plain.Order}, orderKey(plain.Order.OrderID)
	}
	return w, nil
}

// checkOrder returns an error where the order cannot be read that is to be written.
func (w *write) checkOrder(tx *bbolt.Tx) error {
	if w.order == nil {
		return nil
	}
	_, err := readOrder(tx, w.orderKey)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	return err
}

func putAll(tx *bbolt.Tx, writes []*write, now time.Time, counts *tally) error {
	for _, w := range writes {
		if err := w.put(tx, now, counts); err != nil {
			return err
		}
	}
	return nil
}

// put writes all but the counts, which are added up for the whole commit.
func (w *write) put(tx *bbolt.Tx, now time.Time, counts *tally) error {
	if err := tx.Bucket(eventsBucket).Put(w.key, w.value); err != nil {
		return err
	}
	if w.body != nil {
		if err := growing(tx, bodiesBucket).Put(w.bodyKey, w.body); err != nil {
			return err
		}
	}
	if w.id != nil {
		if err := growing(tx, receivedBucket).Put(w.bodyKey, w.id); err != nil {
			return err
		}
	}
	if err := putAnswer(tx, w.answerKey, w.answer); err != nil {
		return err
	}
	if err := w.putDue(tx.Bucket(dueBucket)); err != nil {
		return err
	}
	if err := w.putAside(tx); err != nil {
		return err
	}
	for _, c := range w.counts {
		counts.add(w.route, c)
	}
	if w.order == nil {
		return nil
	}
	// Read again: an earlier write of this commit may have changed it.
	order, err := readOrder(tx, w.orderKey)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	order = w.order.MergeOrder(order, now)
	value, err := encoding.EncodeOrder(w.orderKey, &order)
	if err != nil {
		return err
	}
	return tx.Bucket(ordersBucket).Put(w.orderKey, value)
}

// growing returns a bucket that grows at one end. Its pages are filled before a
// new one is begun: else bbolt leaves them half empty, for keys that come in
// between.
func growing(tx *bbolt.Tx, name []byte) *bbolt.Bucket {
	bucket := tx.Bucket(name)
	bucket.FillPercent = 0.9
	return bucket
}

// putDue moves the event in the list of due events.
func (w *write) putDue(bucket *bbolt.Bucket) error {
	if string(w.oldDue) == string(w.newDue) {
		return nil
	}
	if w.oldDue != nil {
		if err := bucket.Delete(w.oldDue); err != nil {
			return err
		}
	}
	if w.newDue == nil {
		return nil
	}
	return bucket.Put(w.newDue, nil)
}

// tally is how the numbers of events in the routes' states change with a commit.
type tally []routeCount

type routeCount struct {
	route string
	ledger.CountChange
}

func (t *tally) add(route string, by ledger.CountChange) {
	for i := range *t {
		if c := &(*t)[i]; c.State == by.State && c.route == route {
			c.By += by.By
			return
		}
	}
	*t = append(*t, routeCount{route, by})
}

// write keeps how many events each route has in each state.
func (t tally) write(tx *bbolt.Tx) error {
	bucket := tx.Bucket(countsBucket)
	for _, c := range t {
		if c.By == 0 {
			continue
		}
		key := append(appendPart(nil, c.route), byte(c.State))
		known, err := readCount(key, bucket.Get(key))
		if err != nil {
			continue // it stays damaged, which Counts reports: events are accepted all the same
		}
		if err := bucket.Put(key, encoding.Seal(key, binary.BigEndian.AppendUint64(nil, known+uint64(c.By)))); err != nil {
			return err
		}
	}
	return nil
}

// readCount reads a count; nil: nothing was counted yet.
func readCount(key, value []byte) (uint64, error) {
	if value == nil {
		return 0, nil
	}
	whole, ok := encoding.Unseal(key, value)
	if !ok || len(whole) != 8 {
		return 0, fmt.Errorf("%w: a count cannot be read", errDamaged)
	}
	return binary.BigEndian.Uint64(whole), nil
}

// dueKey orders the due events of a route by when they are due; nil where the
// event is not due.
func dueKey(route string, at *time.Time, eventKey []byte) []byte {
	if at == nil {
		return nil
	}
	key := make([]byte, 0, 192)
	key = appendTime(appendPart(key, route), *at)
	return append(key, eventKey...)
}

func orderKey(id ledger.OrderID) []byte {
	return appendPart(appendPart(nil, id.AppID), id.ID)
}

func readOrder(tx *bbolt.Tx, key []byte) (ledger.Order, error) {
	value := tx.Bucket(ordersBucket).Get(key)
	if value == nil {
		return ledger.Order{}, ledger.ErrNotFound
	}
	return decodeOrder(key, value)
}

func decodeOrder(key, value []byte) (ledger.Order, error) {
	order, err := encoding.DecodeOrder(key, value)
	if err != nil {
		return order, fmt.Errorf("%w: an order", valueError(err))
	}
	return order, nil
}
