package postgres

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	loadSQL        = `select e.version, e.epoch, e.data, b.body from ledger.events e left join ledger.bodies b on b.id = e.id where e.record = $1 and e.id = $2`
	bodySQL        = `select body from ledger.bodies where id = $1`
	findSQL        = `select id, version, epoch, data from ledger.events where event_id = $1`
	listSQL        = `select received, id, version, epoch, data from ledger.events` + pageSQL
	listRecordsSQL = `with found as materialized (select * from ledger.events where record = any($7))
		select received, id, version, epoch, data from found` + pageSQL
	listAsideSQL = `with page as materialized (select received, id, record from ledger.aside where state = $4` + withinSQL + `)
		select e.received, e.id, e.version, e.epoch, e.data from page p join ledger.events e on e.record = p.record and e.id = p.id
		order by e.received desc, e.id desc`
	pageSQL   = ` where ($4 = 0 or state = $4)` + withinSQL
	withinSQL = ` and (received, id) < ($1, $2) and received >= $3 and ($5::uuid is null or route = $5) order by received desc, id desc limit $6`
	dueSQL    = `select d.at, d.id, e.data from (
			select at, record, id from ledger.due where route = $1 and at >= $2 order by at, id limit $3) d
		left join ledger.events e on e.record = d.record and e.id = d.id order by d.at, d.id`
	countsSQL = `select r.name, c.state, c.n from (
			select route, state, sum(n)::bigint as n from ledger.counts group by route, state having sum(n) > 0) c
		left join ledger.routes r on r.id = c.route`
	// What another takes together at the same time is left to it.
	compactSQL = `with gone as (
			delete from ledger.counts where ctid = any(array(select ctid from ledger.counts for update skip locked)) returning route, state, n)
		insert into ledger.counts (route, state, n) select route, state, sum(n) from gone group by route, state having sum(n) <> 0`
	// The event is locked, too: one that becomes unfinished meanwhile keeps its body, or
	// brings another. "Offset 0" has each row looked up by its key, here as in takeSQL.
	pruneSQL = `with old as materialized (
			select b.id, b.record, b.received from ledger.bodies b
			where b.received < $1 and exists (select 1 from ledger.events e where e.record = b.record and e.id = b.id and e.state = any($2) offset 0)
			order by b.received, b.id limit $3 for update of b skip locked),
		done as materialized (
			select e.id from ledger.events e where e.record = any(array(select record from old)) and e.state = any($2) for update of e skip locked),
		gone as materialized (select o.* from old o where o.id in (select id from done)),
		answers as (
			delete from ledger.bodies b where b.received = any(array(select received from gone)) and b.record = any(array(select record from gone))
				and not exists (select 1 from ledger.events e where e.record = b.record and e.id = b.id offset 0))
		delete from ledger.bodies where id = any(array(select id from gone))`
	kindSQL = `with r as (insert into ledger.routes (id, name) values ($1, $2) on conflict do nothing)
		insert into ledger.kinds (id, route, app_id, type) values ($3, $2, $4, $5) on conflict do nothing`
	kindsSQL = `select route, app_id, type from ledger.kinds`
)

// Load implements [ledger.Store].
func (s *Store) Load(_ context.Context, key ledger.Key) (ledger.Event, error) {
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) (ledger.Event, error) {
		s.count("Load")
		id := eventID(key)
		var version, epoch int64
		var data, sealed []byte
		err := conn.QueryRow(ctx, s.sql.load, recordID(key.Record), id).Scan(&version, &epoch, &data, &sealed)
		if errors.Is(err, pgx.ErrNoRows) {
			return ledger.Event{Key: key}, ledger.ErrNotFound
		}
		if err != nil {
			return ledger.Event{Key: key}, err
		}
		r := readRow(id, version, epoch, data)
		if r.err != nil {
			return ledger.Event{Key: key}, r.err
		}
		setBody(&r.event, id, sealed)
		return r.event, nil
	})
}

// setBody gives an event its body, as it is kept; nil: it is not.
func setBody(event *ledger.Event, id digest, sealed []byte) {
	if sealed == nil {
		return
	}
	body, ok := encoding.Unseal(id[:], sealed)
	if !ok {
		event.BodyDamaged = true
		return
	}
	event.Body = body
}

// Find implements [ledger.Store].
func (s *Store) Find(ctx context.Context, eventID string) ([]ledger.Key, error) {
	id, err := uuid.Parse(eventID)
	if err != nil {
		return nil, nil // no event has such an id
	}
	return call(ctx, s, reads, func(ctx context.Context, conn *pgx.Conn) ([]ledger.Key, error) {
		s.count("Find")
		found, err := conn.Query(ctx, s.sql.find, digest(id))
		if err != nil {
			return nil, err
		}
		var keys []ledger.Key
		var at digest
		var version, epoch int64
		var data []byte
		_, err = pgx.ForEachRow(found, []any{&at, &version, &epoch, &data}, func() error {
			r := readRow(at, version, epoch, data)
			keys = append(keys, r.event.Key)
			return r.err
		})
		return keys, err
	})
}

// listed is an event in the list of all, which is ordered by when they were received.
type listed struct {
	received int64
	id       digest
	row      *row
}

// cursor is the cursor of a page that ends with the event.
func (l listed) cursor() string {
	return hex.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(l.received)), l.id[:]...))
}

// List implements [ledger.Store]. A cursor is where a page's last event stands in the
// list.
func (s *Store) List(ctx context.Context, query ledger.Query) (ledger.Page, error) {
	var page ledger.Page
	before := listed{received: math.MaxInt64}
	if !query.Until.IsZero() {
		before.received = nanos(query.Until)
	}
	if query.Cursor != "" {
		b, err := hex.DecodeString(query.Cursor)
		if err != nil || len(b) != 8+len(before.id) {
			return page, ledger.ErrCursor
		}
		before.received, before.id = int64(binary.BigEndian.Uint64(b)), digest(b[8:])
	}
	var last listed
	for looked := 0; ; looked += pageSize {
		if query.Most > 0 && looked >= query.Most {
			page.Next = before.cursor()
			return page, nil
		}
		list, err := s.listBefore(ctx, before, query)
		if err != nil {
			return page, err
		}
		for _, l := range list {
			if l.row.err != nil {
				return page, s.explain(l.row.err)
			}
			if !query.Matches(l.row.event) {
				continue
			}
			if len(page.Events) == query.Limit {
				page.Next = last.cursor()
				return page, nil
			}
			page.Events, last = append(page.Events, l.row.event), l
		}
		if len(list) < pageSize {
			return page, nil
		}
		before = list[len(list)-1]
	}
}

func (s *Store) listBefore(ctx context.Context, before listed, query ledger.Query) ([]listed, error) {
	since := int64(math.MinInt64)
	if !query.Since.IsZero() {
		since = nanos(query.Since)
	}
	var route *digest
	if query.Route != "" {
		id := routeID(query.Route)
		route = &id
	}
	sql, args := s.sql.list, []any{before.received, before.id, since, int16(query.State), route, pageSize}
	switch {
	case query.RecordID != "":
		records, err := s.recordsOf(ctx, query)
		if err != nil {
			return nil, err
		}
		sql, args = s.sql.listRecords, append(args, records)
	case query.State == ledger.Held, query.State == ledger.Dead, query.State == ledger.Discarded:
		sql = s.sql.listAside
	}
	return call(ctx, s, reads, func(ctx context.Context, conn *pgx.Conn) ([]listed, error) {
		s.count("List")
		batch := newBatch()
		batch.Queue(sql, args...)
		results, err := send(ctx, conn, batch)
		if err != nil {
			return nil, err
		}
		defer results.Close()
		found, err := results.Query()
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(found, func(from pgx.CollectableRow) (l listed, err error) {
			var version, epoch int64
			var data []byte
			err = from.Scan(&l.received, &l.id, &version, &epoch, &data)
			l.row = readRow(l.id, version, epoch, data)
			return l, err
		})
	})
}

// recordsOf returns the keys that a record with the query's id may have.
func (s *Store) recordsOf(ctx context.Context, query ledger.Query) (digests, error) {
	return call(ctx, s, reads, func(ctx context.Context, conn *pgx.Conn) (digests, error) {
		s.count("List")
		found, err := conn.Query(ctx, s.sql.kinds)
		if err != nil {
			return nil, err
		}
		records := digests{}
		var route, appID, kind []byte
		_, err = pgx.ForEachRow(found, []any{&route, &appID, &kind}, func() error {
			records = append(records, recordID(ledger.Record{Route: string(route), AppID: string(appID), Type: string(kind), ID: query.RecordID}))
			return nil
		})
		return records, err
	})
}

// Due implements [ledger.Store].
func (s *Store) Due(_ context.Context, route string, from time.Time, limit int) ([]ledger.Due, error) {
	start := int64(math.MinInt64)
	if !from.IsZero() {
		start = nanos(from)
	}
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) ([]ledger.Due, error) {
		s.count("Due")
		found, err := conn.Query(ctx, s.sql.due, routeID(route), start, limit)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(found, func(from pgx.CollectableRow) (ledger.Due, error) {
			var at int64
			var id digest
			var data []byte
			if err := from.Scan(&at, &id, &data); err != nil {
				return ledger.Due{}, err
			}
			due := ledger.Due{At: timeOf(at)}
			_, fields, err := encoding.ReadHeader(id[:], data)
			if err == nil {
				err = encoding.ReadKey(fields, &due.Key)
			}
			if err != nil {
				due.Key = ledger.Key{Record: unreadableRecord(route, id)}
				due.Err = s.explain(undecoded(err, "an event that is due, with the key %x", id[:]))
			}
			return due, nil
		})
	})
}

// Counts implements [ledger.Store]. There are as many changes to sum as there were
// commits since they were last taken together, which every session does now and then.
func (s *Store) Counts(ctx context.Context) ([]ledger.Count, error) {
	return call(ctx, s, reads, func(ctx context.Context, conn *pgx.Conn) ([]ledger.Count, error) {
		s.count("Counts")
		found, err := conn.Query(ctx, s.sql.counts)
		if err != nil {
			return nil, err
		}
		var counts []ledger.Count
		var name []byte
		var state int16
		var n int64
		_, err = pgx.ForEachRow(found, []any{&name, &state, &n}, func() error {
			counts = append(counts, ledger.Count{Route: string(name), State: ledger.State(state), N: uint64(n)})
			return nil
		})
		return counts, err
	})
}

// finished are the states in which an event's body may be deleted.
var finished = func() (states []int16) {
	for state := ledger.None + 1; state <= ledger.Discarded; state++ {
		if state.Finished() {
			states = append(states, int16(state))
		}
	}
	return states
}()

// Prune implements [ledger.Store].
func (s *Store) Prune(_ context.Context, before time.Time, limit int) (int, error) {
	return call(context.Background(), s, repeats, func(ctx context.Context, conn *pgx.Conn) (int, error) {
		s.count("Prune")
		deleted, err := conn.Exec(ctx, s.sql.prune, nanos(before), finished, limit)
		return int(deleted.RowsAffected()), err
	})
}
