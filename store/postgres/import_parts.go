package postgres

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// placeSQL goes on to the next place, from that of the parts before.
	placeSQL = `update ledger.move set place = $2 where place is not distinct from $1`

	importKindsSQL = `
with t as materialized (
	select distinct on (id) * from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[], $5::bytea[]) as t(id, route, name, app_id, type)),
r as (insert into ledger.routes (id, name) select distinct on (route) route, name from t on conflict do nothing)
insert into ledger.kinds (id, route, app_id, type) select id, name, app_id, type from t on conflict do nothing`
	importEventsSQL = `
with ch as materialized (
	select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::smallint[], $7::bigint[], $8::bytea[], $9::bytea[])
		as t(record, id, event_id, route, received, state, due, data, body)),
made as (
	insert into ledger.events (record, id, event_id, route, received, version, epoch, state, data)
	select record, id, event_id, route, received, 1, 0, state, data from ch
	on conflict (record, id) do nothing returning id),
put_aside as (
	insert into ledger.aside (state, received, id, record, route)
	select state, received, id, record, route from ch where state in ` + asideSQL + `
	on conflict do nothing),
kept as (
	insert into ledger.bodies (id, record, received, body)
	select id, record, received, body from ch where body is not null
	on conflict (id) do nothing),
planned as (
	insert into ledger.due (route, at, record, id)
	select route, due, record, id from ch where due is not null
	on conflict do nothing)
insert into ledger.counts (route, state, n)
select route, state, count(*) from ch where id in (select id from made) group by route, state`
	importOrdersSQL = `insert into ledger.orders (id, place, version, data, ends)
		select id, place, 1, data, ends from unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bigint[]) as t(id, place, data, ends) on conflict (id) do nothing`
	importGenerationsSQL = `insert into ledger.generations (id, order_id)
		select id, order_id from unnest($1::uuid[], $2::uuid[]) as t(id, order_id) on conflict (id) do nothing`
	importFlagsSQL = `insert into ledger.flags (flag, holder)
		select flag, holder from unnest($1::uuid[], $2::uuid[]) as t(flag, holder) on conflict (flag) do nothing`
	importLooksSQL = `insert into ledger.looks (id, data)
		select id, data from unnest($1::uuid[], $2::bytea[]) as t(id, data) on conflict (id) do nothing`

	importedEventsSQL = `
select t.n, e.event_id, e.route, e.received, e.state, e.data, b.record, b.body, d.at, r.name
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[]) with ordinality as t(record, id, route, due, n)
	join ledger.events e on e.record = t.record and e.id = t.id
	left join ledger.bodies b on b.id = t.id
	left join ledger.due d on d.route = t.route and d.at = t.due and d.id = t.id
	left join ledger.routes r on r.id = e.route`
	importedOrdersSQL = `select t.n, o.place, o.data from unnest($1::uuid[]) with ordinality as t(id, n) join ledger.orders o on o.id = t.id`
	importedLinksSQL  = `
select 1, t.n, g.order_id from unnest($1::uuid[]) with ordinality as t(id, n) join ledger.generations g on g.id = t.id union all
select 2, t.n, f.holder from unnest($2::uuid[]) with ordinality as t(id, n) join ledger.flags f on f.flag = t.id`

	importedSQL = `select (select count(*) from ledger.events), (select count(*) from ledger.bodies), (select count(*) from ledger.due),
		(select count(*) from ledger.orders), (select count(*) from ledger.generations), (select count(*) from ledger.flags), (select count(*) from ledger.looks)`
)

// eventColumns are parameters of events.
type eventColumns struct {
	record, id, eventID, route digests
	received                   []int64
	state                      []int16
	due                        optional
	data, body                 [][]byte
	kind                       digests
	routes, appIDs, types      [][]byte
}

func (c *eventColumns) add(e *ledger.Event) error {
	id := eventID(e.Key)
	c.record, c.id, c.eventID = append(c.record, recordID(e.Record)), append(c.id, id), append(c.eventID, digest(e.UUID()))
	c.route, c.routes = append(c.route, routeID(e.Route)), append(c.routes, []byte(e.Route))
	c.kind, c.appIDs, c.types = append(c.kind, kindID(e.Record)), append(c.appIDs, []byte(e.AppID)), append(c.types, []byte(e.Type))
	c.received, c.state = append(c.received, nanos(e.ReceivedAt)), append(c.state, int16(e.State))
	c.due = append(c.due, optionalNanos(e.NextAttemptAt))
	var body []byte
	switch {
	case e.BodyDamaged:
		body = []byte{} // which cannot be read either: a copy brings another
	case e.Body != nil:
		body = encoding.Seal(id[:], e.Body)
	}
	c.body = append(c.body, body)
	data, err := encoding.EncodeEvent(id[:], e, true)
	c.data = append(c.data, data)
	return err
}

// Write implements [ledger.Import].
func (i *imported) Write(parts []ledger.Part, before, place []byte) error {
	var events eventColumns
	var orders, generations, of, flags, holders, looks digests
	var places, values, lookValues [][]byte
	var ends optional
	for n := range parts {
		switch p := &parts[n]; p.Kind {
		case ledger.EventPart:
			if err := events.add(&p.Event); err != nil {
				return err
			}
		case ledger.OrderPart:
			id := orderID(p.ID)
			data, err := encoding.EncodeOrder(id[:], &p.Order)
			if err != nil {
				return err
			}
			orders, places, values = append(orders, id), append(places, placeOf(p.ID)), append(values, data)
			ends = append(ends, endOf(&p.Order))
		case ledger.GenerationPart:
			generations, of = append(generations, orderID(p.ID)), append(of, orderID(p.Of))
		case ledger.FlagPart:
			flags, holders = append(flags, flagID(p.Flag)), append(holders, eventID(p.Holder))
		case ledger.LookPart:
			id := lookID(p.Look.AppID)
			data, err := encoding.EncodeLook(id[:], p.Look)
			if err != nil {
				return err
			}
			looks, lookValues = append(looks, id), append(lookValues, data)
		default:
			return fmt.Errorf("a part of the unknown kind %d", p.Kind)
		}
	}
	var batch pgx.Batch
	queue := func(n int, sql string, args ...any) {
		if n > 0 {
			batch.Queue(in(i.s.opts.Schema, sql), args...)
		}
	}
	queue(1, placeSQL, before, place)
	batch.Queue(`select set_config('ccpayment.move', $1, true)`, i.id)
	queue(len(events.id), importKindsSQL, events.kind, events.route, events.routes, events.appIDs, events.types)
	queue(len(events.id), importEventsSQL, events.record, events.id, events.eventID, events.route, events.received, events.state, events.due, events.data, events.body)
	queue(len(orders), importOrdersSQL, orders, places, values, ends)
	queue(len(generations), importGenerationsSQL, generations, of)
	queue(len(flags), importFlagsSQL, flags, holders)
	queue(len(looks), importLooksSQL, looks, lookValues)
	err := i.inTx(func(ctx context.Context, tx pgx.Tx) error {
		results := tx.SendBatch(ctx, &batch)
		defer results.Close()
		done, err := results.Exec()
		if err != nil {
			return err
		}
		if done.RowsAffected() == 1 {
			return results.Close()
		}
		if err := results.Close(); err != nil {
			return err
		}
		return errMovedOn
	})
	if errors.Is(err, errMovedOn) {
		// Perhaps it was written, and the answer was lost.
		now, err := i.readPlace()
		if err == nil && !bytes.Equal(now, place) {
			err = i.s.explain(errMovedOn)
		}
		return err
	}
	return err
}

var errMovedOn = refuse("another process moves a ledger into it at the same time")

func (i *imported) readPlace() (place []byte, err error) {
	err = i.inTx(func(ctx context.Context, tx pgx.Tx) error {
		m, err := readMove(ctx, tx, i.s.opts.Schema)
		if m != nil {
			place = m.place
		}
		return err
	})
	return place, err
}

// Read implements [ledger.Import].
func (i *imported) Read(parts []ledger.Part) ([]ledger.Part, error) {
	var read []ledger.Part
	err := i.inTx(func(ctx context.Context, tx pgx.Tx) error {
		read = make([]ledger.Part, len(parts))
		for n, p := range parts {
			read[n] = ledger.Part{Kind: p.Kind, ID: p.ID, Flag: p.Flag, Err: ledger.ErrNotFound}
		}
		return errors.Join(i.readEvents(ctx, tx, parts, read), i.readOrders(ctx, tx, parts, read), i.readLinks(ctx, tx, parts, read), i.readLooks(ctx, tx, parts, read))
	})
	return read, err
}

func (i *imported) readEvents(ctx context.Context, tx pgx.Tx, parts, read []ledger.Part) error {
	at := ofKind(parts, ledger.EventPart)
	if len(at) == 0 {
		return nil
	}
	var want eventColumns
	for _, n := range at {
		if err := want.add(&parts[n].Event); err != nil {
			return err
		}
	}
	found, err := tx.Query(ctx, in(i.s.opts.Schema, importedEventsSQL), want.record, want.id, want.route, want.due)
	if err != nil {
		return err
	}
	var row int64
	var event, route digest
	var received int64
	var state int16
	var data, body, name []byte
	var bodyOf *digest
	var due *int64
	_, err = pgx.ForEachRow(found, []any{&row, &event, &route, &received, &state, &data, &bodyOf, &body, &due, &name}, func() error {
		n := at[row-1]
		p, id := &read[n], want.id[row-1]
		r := readRow(id, 1, 0, data)
		p.Event, p.Err = r.event, r.err
		if p.Err != nil {
			return nil
		}
		e := &p.Event
		setBody(e, id, body)
		switch {
		case event != digest(e.UUID()), route != routeID(e.Route), received != nanos(e.ReceivedAt), state != int16(e.State):
			p.Err = errors.New("the columns of its row do not agree with its value")
		case bodyOf != nil && *bodyOf != want.record[row-1]:
			p.Err = errors.New("its body is another record's")
		case string(name) != e.Route:
			p.Err = errors.New("the name of its route is another")
		case due == nil && e.NextAttemptAt != nil:
			p.Err = errors.New("it is not in the list of those that are due")
		}
		return nil
	})
	return err
}

func (i *imported) readOrders(ctx context.Context, tx pgx.Tx, parts, read []ledger.Part) error {
	at := ofKind(parts, ledger.OrderPart)
	if len(at) == 0 {
		return nil
	}
	var ids digests
	for _, n := range at {
		ids = append(ids, orderID(parts[n].ID))
	}
	found, err := tx.Query(ctx, in(i.s.opts.Schema, importedOrdersSQL), ids)
	if err != nil {
		return err
	}
	var row int64
	var place, data []byte
	_, err = pgx.ForEachRow(found, []any{&row, &place, &data}, func() error {
		p := &read[at[row-1]]
		p.Order, p.Err = encoding.DecodeOrder(ids[row-1][:], data)
		if p.Err == nil && !bytes.Equal(place, placeOf(p.ID)) {
			p.Err = errors.New("its place among the orders is another")
		}
		return nil
	})
	return err
}

// readLinks reads generations and flags, of which there are digests only.
func (i *imported) readLinks(ctx context.Context, tx pgx.Tx, parts, read []ledger.Part) error {
	generations, flags := ofKind(parts, ledger.GenerationPart), ofKind(parts, ledger.FlagPart)
	if len(generations)+len(flags) == 0 {
		return nil
	}
	generationIDs, flagIDs := digests{}, digests{}
	for _, n := range generations {
		generationIDs = append(generationIDs, orderID(parts[n].ID))
	}
	for _, n := range flags {
		flagIDs = append(flagIDs, flagID(parts[n].Flag))
	}
	found, err := tx.Query(ctx, in(i.s.opts.Schema, importedLinksSQL), generationIDs, flagIDs)
	if err != nil {
		return err
	}
	var list, row int64
	var to digest
	_, err = pgx.ForEachRow(found, []any{&list, &row, &to}, func() error {
		if list == 1 {
			n := generations[row-1]
			read[n].Err, read[n].Of = nil, parts[n].Of
			if to != orderID(parts[n].Of) {
				read[n].Of = ledger.OrderID{ID: hex.EncodeToString(to[:])}
			}
			return nil
		}
		n := flags[row-1]
		read[n].Err, read[n].Holder = nil, parts[n].Holder
		if to != eventID(parts[n].Holder) {
			read[n].Holder = ledger.Key{Record: ledger.Record{ID: hex.EncodeToString(to[:])}}
		}
		return nil
	})
	return err
}

func (i *imported) readLooks(ctx context.Context, tx pgx.Tx, parts, read []ledger.Part) error {
	for _, n := range ofKind(parts, ledger.LookPart) {
		id := lookID(parts[n].Look.AppID)
		var data []byte
		switch err := tx.QueryRow(ctx, in(i.s.opts.Schema, lookSQL), id).Scan(&data); {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return err
		default:
			read[n].Look, read[n].Err = encoding.DecodeLook(id[:], data)
		}
	}
	return nil
}

// Tally implements [ledger.Import].
func (i *imported) Tally() (ledger.Tally, error) {
	counts, err := i.s.Counts(context.Background())
	if err != nil {
		return nil, err
	}
	tally := make(ledger.Tally)
	for _, c := range counts {
		tally[ledger.TallyState(c.Route, c.State)] = c.N
	}
	err = i.inTx(func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local enable_seqscan = on`); err != nil {
			return err
		}
		var n [7]uint64
		err := tx.QueryRow(ctx, in(i.s.opts.Schema, importedSQL)).Scan(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6])
		for at, what := range []string{
			ledger.TallyEvents, ledger.TallyBodies, ledger.TallyDue, ledger.TallyOrders, ledger.TallyGenerations, ledger.TallyFlags, ledger.TallyLooks,
		} {
			if n[at] > 0 {
				tally[what] = n[at]
			}
		}
		return err
	})
	return tally, err
}
