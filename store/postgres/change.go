package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// row is an event as it was read.
type row struct {
	version int64
	epoch   uint64
	event   ledger.Event
	err     error // why it cannot be read
}

// rows are the events of a record.
type rows map[digest]*row

// readRow reads an event from its columns.
func readRow(id digest, version, epoch int64, data []byte) *row {
	r := &row{version: version, epoch: uint64(epoch)}
	if r.event, r.err = encoding.DecodeEvent(id[:], data, ledger.Key{}); r.err == nil && eventID(r.event.Key) != id {
		r.err = ledger.ErrDamaged
	}
	if r.err != nil {
		r.err = undecoded(r.err, "an event of record %s, with the key %x", r.event.ID, id[:])
	}
	return r
}

func (r *row) summary() ledger.Summary {
	e := &r.event
	return ledger.Summary{Key: e.Key, State: e.State, Seq: e.Seq, Attempts: e.Attempts, ReceivedAt: e.ReceivedAt, Epoch: r.epoch}
}

// eventWrite is an event as it is to be written.
type eventWrite struct {
	record, id, eventID, route digest
	// version is what was read; 0: the event is new.
	version       int64
	before, state ledger.State
	received      int64
	oldDue, due   *int64
	data, body    []byte // sealed
	replaces      bool   // the body replaces one that is damaged
	answerID      digest
	answer        []byte // sealed; nil: there is none that is to be kept
	event         ledger.Event
}

// orderWrite is an order as it is to be written.
type orderWrite struct {
	id      digest
	place   []byte
	version int64
	data    []byte
	ends    *int64 // nil: never
	// generations are the orders at the gateway that were made for it.
	generations []digest
}

// change is what one step writes, all or nothing.
type change struct {
	// record and epoch are of the claim whose lease the step needs; epoch 0: none.
	record digest
	epoch  uint64
	// by is the epoch that is noted with the events.
	by uint64
	// ends: the lease ends with it.
	ends   bool
	events []eventWrite
	orders []orderWrite
	// flags are bound to holder, unless they are another's.
	flags  []ledger.Flag
	holder digest
	// method is whose round trip it is.
	method string
}

// strict reports whether the step is more than one row can tell: then what cannot be
// written of it takes the whole statement back.
func (c *change) strict() bool {
	return len(c.events)+len(c.orders) > 1 || len(c.orders) > 0 && len(c.orders[0].generations) > 0
}

// keys are those of the rows that the step writes, of events, orders and generations.
func (c *change) keys() digests {
	var keys digests
	for i := range c.events {
		keys = append(keys, c.events[i].id)
	}
	for i := range c.orders {
		keys = append(append(keys, c.orders[i].id), c.orders[i].generations...)
	}
	return keys
}

// prepare computes what a change comes to, and encodes it. Known is the event as the
// store has it, or nil.
func (s *Store) prepare(c ledger.Change, known *row) (eventWrite, error) {
	id := eventID(c.Event.Key)
	w := eventWrite{record: recordID(c.Event.Key.Record), id: id, eventID: digest(c.Event.Key.UUID()), route: routeID(c.Event.Route)}
	var before *ledger.Event
	if known != nil {
		if known.err != nil {
			return w, known.err
		}
		copied := known.event
		copied.Transitions = append([]ledger.Transition(nil), copied.Transitions...)
		before, w.version = &copied, known.version
	}
	plain, err := c.Write(before, func() (bool, error) {
		body, isDamaged, err := s.readBody(id)
		w.replaces = isDamaged
		return body != nil, err
	})
	if err != nil {
		return w, err
	}
	w.before, w.state, w.received = plain.Before, plain.Event.State, nanos(plain.Event.ReceivedAt)
	w.oldDue, w.due = optionalNanos(plain.DueBefore), optionalNanos(plain.DueAfter)
	body := plain.Body
	if body == nil && w.before.Finished() && !w.state.Finished() {
		body = c.Event.Body // which may be pruned before this is written
	}
	if body != nil {
		w.body = encoding.Seal(id[:], body)
	}
	if plain.Answer != nil {
		w.answerID = answerID(id, plain.Answer.Slot())
		if w.answer, err = encoding.EncodeAnswer(w.answerID[:], plain.Answer); err != nil {
			return w, err
		}
	}
	w.data, err = encoding.EncodeEvent(id[:], &plain.Event, true)
	w.event = plain.Event
	w.event.Body = nil
	return w, err
}

// readBody returns the body of an event; nil: there is none, or it is damaged.
func (s *Store) readBody(id digest) (body []byte, isDamaged bool, err error) {
	sealed, err := call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) (sealed []byte, err error) {
		s.count("Body")
		err = conn.QueryRow(ctx, s.sql.readBody, id).Scan(&sealed)
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return sealed, err
	})
	if err != nil || sealed == nil {
		return nil, false, err
	}
	body, ok := encoding.Unseal(id[:], sealed)
	if !ok {
		return nil, true, nil
	}
	return body, false, nil
}

// order is an order as it was read.
type order struct {
	version int64
	order   ledger.Order
}

// mergeOrders reads the orders of changes, and merges what the changes have seen.
func (s *Store) mergeOrders(method string, changes []ledger.Change) ([]orderWrite, error) {
	var ids digests
	for _, c := range changes {
		if c.Order != nil {
			ids = append(ids, orderID(c.Order.OrderID))
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	known, err := s.readOrders(method, ids)
	if err != nil {
		return nil, err
	}
	var merged []digest
	for _, c := range changes {
		if c.Order == nil {
			continue
		}
		id := orderID(c.Order.OrderID)
		o := known.orders[id]
		if o == nil {
			o = new(order)
			known.orders[id] = o
		}
		o.order = ledger.Write{Order: c.Order}.MergeOrder(o.order, known.now)
		merged = append(merged, id)
	}
	var writes []orderWrite
	for _, id := range merged {
		o := known.orders[id]
		if o == nil {
			continue // it is in the list already
		}
		delete(known.orders, id)
		w, err := encodeOrder(id, o)
		if err != nil {
			return nil, err
		}
		writes = append(writes, w)
	}
	return writes, nil
}

func encodeOrder(id digest, o *order) (orderWrite, error) {
	data, err := encoding.EncodeOrder(id[:], &o.order)
	return orderWrite{id: id, place: placeOf(o.order.OrderID), version: o.version, data: data, ends: endOf(&o.order)}, err
}

// endOf is when the order ends; nil: never.
func endOf(o *ledger.Order) *int64 {
	if o.Checkout == nil || o.Checkout.EndAt.IsZero() {
		return nil
	}
	return optionalNanos(&o.Checkout.EndAt)
}

// knownOrders are orders as they were read, and what the store's clock showed then.
type knownOrders struct {
	orders map[digest]*order
	now    time.Time
}

func (s *Store) readOrders(method string, ids digests) (knownOrders, error) {
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) (knownOrders, error) {
		s.count(method)
		known := knownOrders{orders: make(map[digest]*order)}
		found, err := conn.Query(ctx, s.sql.readOrders, s.clock(), ids)
		if err != nil {
			return known, err
		}
		var now int64
		var id *digest
		var version *int64
		var data []byte
		_, err = pgx.ForEachRow(found, []any{&now, &id, &version, &data}, func() error {
			if id == nil {
				return nil // none of them is there
			}
			read, err := encoding.DecodeOrder(id[:], data)
			if err != nil {
				return undecoded(err, "the order with the key %x", id[:])
			}
			known.orders[*id] = &order{*version, read}
			return nil
		})
		known.now = timeOf(now)
		return known, err
	})
}

// knowKinds has the names of routes and of kinds of records in the database before
// anything of them is.
func (s *Store) knowKinds(changes []ledger.Change) error {
	for _, c := range changes {
		r := c.Event.Record
		id := kindID(r)
		if _, ok := s.kinds.Load(id); ok {
			continue
		}
		_, err := call(context.Background(), s, repeats, func(ctx context.Context, conn *pgx.Conn) (struct{}, error) {
			_, err := conn.Exec(ctx, s.sql.kind, routeID(r.Route), []byte(r.Route), id, []byte(r.AppID), []byte(r.Type))
			return struct{}{}, err
		})
		if err != nil {
			return err
		}
		s.kinds.Store(id, true)
	}
	return nil
}

// optional is a parameter of the type bigint[] that may have nulls in it.
type optional = pgtype.FlatArray[*int64]
