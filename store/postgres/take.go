package postgres

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// takeSQL leases the records of a route's due events, the earliest first, and passes
	// over those that others have in hand. A row that is due is locked before its lease,
	// as everywhere. It waits for nobody, as claimSQL does not.
	takeSQL = `
with ` + clockSQL + `,
` + mineSQL + `,
head as materialized (
	select d.record, d.id, d.at from ledger.due d
	where d.route = $4 and d.at <= (select now from clock) and exists (select 1 from mine)
		and not exists (
			select 1 from ledger.leases l join ledger.sessions s on s.id = l.session
			where l.record = d.record and l.until > (select now from clock) and s.until > (select now from clock) and l.token <> $7 offset 0)
	order by d.at, d.id limit $5 for update of d skip locked),
first as materialized (select distinct on (record) record, id, at from head order by record, at, id),
there as materialized (select l.record from ledger.leases l where l.record = any(array(select record from first))),
free as materialized (
	select l.record from ledger.leases l where l.record = any(array(select record from first)) order by l.record for update skip locked),
got as (
	insert into ledger.leases as l (record, session, epoch, until, ends, token)
	select t.record, mine.id, nextval('ledger.epochs'), clock.now + least($6::bigint, $3::bigint), clock.now + $6, $7
	from first t cross join mine cross join clock
	where t.record in (select record from free) or t.record not in (select record from there) and ` + mayInsertSQL + `
	order by t.record
	on conflict (record) do update set session = excluded.session, epoch = nextval('ledger.epochs'),
		until = excluded.until, ends = excluded.ends, token = excluded.token
	where l.until <= (select now from clock) or l.token = excluded.token
		or not exists (select 1 from ledger.sessions s where s.id = l.session and s.until > (select now from clock))
	returning record, epoch)
select got.record, got.epoch, first.id, first.at from mine left join (got join first on first.record = got.record) on true`
	// takenSQL reads the events of the records $1, and the bodies of the events $2. It is
	// a statement of its own, for the reason that leasedSQL is.
	takenSQL = `
select e.record, e.id, e.version, e.epoch, e.data, b.body
from ledger.events e left join ledger.bodies b on b.id = e.id and e.id = any($2) where e.record = any($1)`
)

// leased is a due event whose record was taken.
type leased struct {
	record, id digest
	epoch      uint64
	at         int64
}

// Take implements [ledger.Cluster].
func (s *Store) Take(_ context.Context, route string, ttl time.Duration, limit int) ([]ledger.Taken, error) {
	session, ok := s.session.id()
	if !ok {
		return nil, ledger.ErrNoSession
	}
	token := newToken()
	list, err := call(context.Background(), s, repeats, func(ctx context.Context, conn *pgx.Conn) ([]leased, error) {
		s.count("Take")
		found, err := conn.Query(ctx, s.sql.take, s.clock(), session, int64(ledger.SessionTTL), routeID(route), limit, int64(ttl), token)
		if err != nil {
			return nil, err
		}
		lives := false
		var record, id *digest
		var epoch, at *int64
		var list []leased
		_, err = pgx.ForEachRow(found, []any{&record, &epoch, &id, &at}, func() error {
			lives = true
			if record != nil {
				list = append(list, leased{*record, *id, uint64(*epoch), *at})
			}
			return nil
		})
		if err == nil && !lives {
			err = ledger.ErrNoSession
		}
		return list, err
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	slices.SortFunc(list, func(a, b leased) int {
		return cmp.Or(cmp.Compare(a.at, b.at), bytes.Compare(a.id[:], b.id[:]))
	})
	records, err := s.readTaken(list)
	if err != nil {
		for _, l := range list {
			_, _ = entered(s, &s.unlocks, unlock{l.record, l.epoch}) // else they end with their time
		}
		return nil, err
	}
	var all []ledger.Taken
	for _, l := range list {
		taken := s.taken(route, l, records[l.record])
		if taken.Err == nil && taken.Event.NextAttemptAt == nil {
			// It was delivered, by one whose lease had ended, since it was seen as due.
			_, _ = entered(s, &s.unlocks, unlock{l.record, l.epoch})
			continue
		}
		all = append(all, taken)
	}
	return all, nil
}

// readTaken reads the events of the records that were taken.
func (s *Store) readTaken(list []leased) (map[digest]rows, error) {
	records, ids := make(digests, 0, len(list)), make(digests, 0, len(list))
	for _, l := range list {
		records, ids = append(records, l.record), append(ids, l.id)
	}
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) (map[digest]rows, error) {
		s.count("Take")
		found, err := conn.Query(ctx, s.sql.taken, records, ids)
		if err != nil {
			return nil, err
		}
		read := make(map[digest]rows)
		var record, id digest
		var version, epoch int64
		var data, sealed []byte
		_, err = pgx.ForEachRow(found, []any{&record, &id, &version, &epoch, &data, &sealed}, func() error {
			r := readRow(id, version, epoch, data)
			setBody(&r.event, id, sealed)
			if read[record] == nil {
				read[record] = make(rows)
			}
			read[record][id] = r
			return nil
		})
		return read, err
	})
}

// taken is a due event with its claim.
func (s *Store) taken(route string, l leased, known rows) ledger.Taken {
	t := ledger.Taken{Claim: ledger.Claim{Record: unreadableRecord(route, l.record), Epoch: l.epoch}}
	for id, r := range known {
		if r.err != nil {
			t.Err = r.err
			continue
		}
		t.Claim.Record = r.event.Record
		t.Claim.Events = append(t.Claim.Events, r.summary())
		if id == l.id {
			t.Event = r.event
			without := *r // what commits know of it has no body
			without.event.Body, without.event.BodyDamaged = nil, false
			known[id] = &without
		}
	}
	if known[l.id] == nil {
		t.Err = damaged("there is no event with the key %x, which stands in the list of what is due", l.id[:])
	}
	if t.Err != nil {
		t.Err = s.explain(t.Err)
		if r := known[l.id]; r == nil || r.err != nil {
			t.Event = ledger.Event{Key: ledger.Key{Record: unreadableRecord(route, l.id)}}
		}
	}
	s.held.put(l.epoch, known)
	return t
}
