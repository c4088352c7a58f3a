package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// moveKey has the id of the ledger's move, in the bucket meta.
var moveKey = []byte("move")

// mostRead is about how many bytes of parts are read at a time.
const mostRead = 4 << 20

// exported are the buckets that a ledger's parts are in. The others follow from these.
var exported = []struct {
	bucket []byte
	read   func(tx *bbolt.Tx, key, value []byte) ledger.Part
}{
	{eventsBucket, eventPart},
	{ordersBucket, orderPart},
	{generationsBucket, generationPart},
	{flagsBucket, flagPart},
	{looksBucket, lookPart},
}

// export is a ledger that is being moved.
type export struct {
	s     *Store
	about ledger.Moving
}

// Export implements [ledger.Exporter].
func (m *Module) Export() (ledger.Export, error) {
	if isMissing(m.path) {
		return nil, fmt.Errorf("ledger %s: there is no such file", m.path)
	}
	s, err := Open(m.path, Options{LockTimeout: defaultWait, moved: true})
	if errors.Is(err, errInUse) {
		return nil, fmt.Errorf("%w; it is moved while nobody uses it: stop Caddy", err)
	}
	if err != nil {
		return nil, err
	}
	e := &export{s: s, about: ledger.Moving{From: m.path}}
	if err := e.identify(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return e, nil
}

// identify finds out what is being moved. A ledger gets its id when that is asked for
// the first time.
func (e *export) identify() error {
	look := func(tx *bbolt.Tx) error {
		e.about.ID = string(tx.Bucket(metaBucket).Get(moveKey))
		e.about.Version = strconv.Itoa(tx.ID()) // of the commit that is the last
		return nil
	}
	if err := e.s.view(look); err != nil {
		return err
	}
	if e.about.ID == "" {
		err := e.s.update(func(tx *bbolt.Tx) error {
			return tx.Bucket(metaBucket).Put(moveKey, []byte(uuid.NewString()))
		})
		if err == nil {
			err = e.s.view(look)
		}
		if err != nil {
			return err
		}
	}
	counts, err := e.s.Counts(context.Background())
	for _, count := range counts {
		e.about.Events += count.N
	}
	if errors.Is(err, ledger.ErrDamaged) || errors.Is(err, errDamaged) || errors.Is(err, ledger.ErrLater) {
		return nil // it is said to people only
	}
	return err
}

func (e *export) About() ledger.Moving { return e.about }

func (e *export) MovedTo() string { return e.s.movedTo }

// Read implements [ledger.Export]. A place is the number of a bucket and a key in it.
func (e *export) Read(after []byte, limit int) (parts []ledger.Part, place []byte, err error) {
	err = e.s.view(func(tx *bbolt.Tx) error {
		parts, place = nil, after
		at, key, size := 0, []byte(nil), 0
		if len(after) > 0 {
			at, key = int(after[0]), after[1:]
		}
		for ; at < len(exported); at, key = at+1, nil {
			from := exported[at]
			bucket := tx.Bucket(from.bucket)
			if bucket == nil {
				continue // earlier versions made none
			}
			cursor := bucket.Cursor()
			k, v := cursor.Seek(key)
			if key != nil && bytes.Equal(k, key) {
				k, v = cursor.Next()
			}
			for ; k != nil; k, v = cursor.Next() {
				part := from.read(tx, k, v)
				parts = append(parts, part)
				size += len(v) + len(part.Event.Body)
				if len(parts) == limit || size >= mostRead {
					place = append([]byte{byte(at)}, k...)
					return nil
				}
			}
		}
		if len(parts) > 0 {
			place = []byte{byte(len(exported))}
		}
		return nil
	})
	return parts, place, err
}

// End implements [ledger.Export].
func (e *export) End(to string) error {
	return e.s.update(func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(formatKey, []byte(movedFormat+to))
	})
}

func (e *export) Close() error { return e.s.Close() }

func eventPart(tx *bbolt.Tx, key, value []byte) ledger.Part {
	part := ledger.Part{Kind: ledger.EventPart}
	parts, ok := splitKey(key)
	if !ok || len(parts) != 6 {
		part.Err = unreadable(key, ledger.ErrDamaged)
		return part
	}
	part.Event, part.Err = decodeEvent(key, value, keyOf(parts))
	if part.Err == nil && !bytes.Equal(eventKey(part.Event.Key), key) {
		part.Err = unreadable(key, ledger.ErrDamaged)
	}
	if part.Err == nil {
		part.Event.Body, part.Event.BodyDamaged = readBody(tx, bodyKey(part.Event.ReceivedAt, key))
	}
	return part
}

func orderPart(_ *bbolt.Tx, key, value []byte) ledger.Part {
	part := ledger.Part{Kind: ledger.OrderPart}
	part.Order, part.Err = decodeOrder(key, value)
	var ok bool
	if part.ID, ok = orderIDOf(key, part.Order.OrderID); !ok || part.Err != nil {
		part.Err = fmt.Errorf("%w: the order %s", valueError(part.Err), nameOf(key))
	}
	return part
}

// orderIDOf reads the id of an order from its key. Where that has but a digest of it, the
// id is one of those that it may be.
func orderIDOf(key []byte, candidates ...ledger.OrderID) (ledger.OrderID, bool) {
	parts, ok := splitKey(key)
	if !ok || len(parts) != 2 {
		return ledger.OrderID{}, false
	}
	if !hasDigest(parts) {
		return ledger.OrderID{AppID: parts[0].text, ID: parts[1].text}, true
	}
	at := slices.IndexFunc(candidates, func(id ledger.OrderID) bool { return bytes.Equal(orderKey(id), key) })
	if at < 0 {
		return ledger.OrderID{}, false
	}
	return candidates[at], true
}

func generationPart(tx *bbolt.Tx, key, value []byte) ledger.Part {
	part := ledger.Part{Kind: ledger.GenerationPart}
	of, ok := encoding.Unseal(key, value)
	if ok {
		// An order that cannot be read is needed for what its key has no more than a
		// digest of.
		order, _ := readOrder(tx, of)
		if part.Of, ok = orderIDOf(of, order.OrderID); ok {
			part.ID, ok = orderIDOf(key, order.GatewayIDs()...)
		}
	}
	if !ok {
		part.Err = fmt.Errorf("%w: which order %s at the gateway belongs to", errDamagedValue, nameOf(key))
	}
	return part
}

func flagPart(tx *bbolt.Tx, key, value []byte) ledger.Part {
	part := ledger.Part{Kind: ledger.FlagPart}
	at, ok := encoding.Unseal(key, value)
	if ok {
		holder, err := readKey(tx, at)
		if ok = err == nil; ok {
			part.Holder = holder
		}
	}
	parts, isKey := splitKey(key)
	switch {
	case !isKey || len(parts) != 4:
		ok = false
	case !hasDigest(parts):
		part.Flag = ledger.Flag{Name: parts[0].text, AppID: parts[1].text, Type: parts[2].text, ID: parts[3].text}
	case ok:
		// It is one of those of the event that it is bound to, whose order may have been
		// found since.
		holder, _ := readEventAt(tx, at)
		candidates := append(holder.Flags(), ledger.FulfillOf(holder.AppID, holder.GatewayOrderID))
		i := slices.IndexFunc(candidates, func(f ledger.Flag) bool { return bytes.Equal(flagKey(f), key) })
		if ok = i >= 0; ok {
			part.Flag = candidates[i]
		}
	}
	if !ok {
		part.Err = fmt.Errorf("%w: which event has the flag %s", errDamagedValue, nameOf(key))
	}
	return part
}

func hasDigest(parts []part) bool {
	return slices.ContainsFunc(parts, func(p part) bool { return p.digest })
}

// nameOf is a key for people to read.
func nameOf(key []byte) string {
	parts, ok := splitKey(key)
	if !ok {
		return fmt.Sprintf("with the key %q", key)
	}
	var texts []string
	for _, p := range parts {
		texts = append(texts, p.text)
	}
	return fmt.Sprintf("%q", texts)
}

// Interface guards
var (
	_ ledger.Exporter = (*Module)(nil)
	_ ledger.Export   = (*export)(nil)
)
