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
	ledger.Write
	key, value     []byte
	bodyKey        []byte
	oldDue, newDue []byte // keys in the due bucket; nil where the event is not due
	orderKey       []byte // nil where the change has no order
	// answerKey and answer are what the app answered; nil: nothing that is to be kept.
	answerKey, answer []byte
}

// prepareChange reads what the change applies to, and encodes what it leaves.
func prepareChange(tx *bbolt.Tx, change ledger.Change) (write, error) {
	known, err := findEvent(tx, change.Event.Key)
	if err != nil {
		return write{}, err
	}
	return prepareChangeOf(tx, change, known)
}

// prepareChangeOf is prepareChange where the event has been read already; nil:
// there is none.
func prepareChangeOf(tx *bbolt.Tx, change ledger.Change, known *ledger.Event) (write, error) {
	key := eventKey(change.Event.Key)
	plain, err := change.Write(known, func() (bool, error) {
		body, _ := readBody(tx, bodyKey(known.ReceivedAt, key))
		return body != nil, nil
	})
	if err != nil {
		return write{}, err
	}
	value, err := encodeEvent(key, &plain.Event)
	if err != nil {
		return write{}, err
	}
	w := write{
		Write: plain, key: key, value: value, bodyKey: bodyKey(plain.Event.ReceivedAt, key),
		oldDue: dueKey(plain.Event.Route, plain.DueBefore, key), newDue: dueKey(plain.Event.Route, plain.DueAfter, key),
	}
	if w.Answer != nil {
		w.answerKey = answerKey(w.bodyKey, w.Answer.Slot())
		if w.answer, err = encoding.EncodeAnswer(w.answerKey, w.Answer); err != nil {
			return write{}, err
		}
	}
	if w.Order == nil {
		return w, nil
	}
	w.orderKey = orderKey(w.Order.OrderID)
	_, err = readOrder(tx, w.orderKey)
	if errors.Is(err, ledger.ErrNotFound) {
		err = nil
	}
	return w, err
}

func putAll(tx *bbolt.Tx, writes []write, now time.Time) error {
	for _, w := range writes {
		if err := w.put(tx, now); err != nil {
			return err
		}
	}
	return nil
}

func (w write) put(tx *bbolt.Tx, now time.Time) error {
	if err := tx.Bucket(eventsBucket).Put(w.key, w.value); err != nil {
		return err
	}
	if w.Body != nil {
		if err := growing(tx, bodiesBucket).Put(w.bodyKey, encoding.Seal(w.bodyKey, w.Body)); err != nil {
			return err
		}
	}
	if w.IsNew {
		id := w.Event.UUID()
		if err := growing(tx, receivedBucket).Put(w.bodyKey, encoding.Seal(w.bodyKey, id[:])); err != nil {
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
	if err := w.count(tx.Bucket(countsBucket)); err != nil {
		return err
	}
	if w.orderKey == nil {
		return nil
	}
	// Read again: an earlier write of this commit may have changed it.
	order, err := readOrder(tx, w.orderKey)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	order = w.MergeOrder(order, now)
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
func (w write) putDue(bucket *bbolt.Bucket) error {
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

// count keeps how many events each route has in each state.
func (w write) count(bucket *bbolt.Bucket) error {
	for _, c := range w.Counts() {
		key := append(appendPart(nil, w.Event.Route), byte(c.State))
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
		return order, fmt.Errorf("%w: an order", errDamagedValue)
	}
	return order, nil
}
