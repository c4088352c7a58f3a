package postgres

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// clockSQL is the time that a statement runs by: what it is given, or the server's.
	clockSQL = `clock as materialized (select coalesce($1::bigint, (extract(epoch from clock_timestamp()) * 1000000000)::bigint) as now)`
	// mineSQL is the session $2, if it lives and leases may be given. Where all leases
	// were lost, their holders may not know for as long as a session lives, $3.
	mineSQL = `mine as materialized (select s.id from ledger.sessions s, ledger.boots b, clock where s.id = $2 and s.until > clock.now and b.at <= clock.now - $3)`
)

// claimSQL takes leases for the session $2, if it lives: those that are free, have run
// out, are of a session that has ended, or were taken by the same call, whose answer
// was lost. The epoch is counted when the row is locked, so that it only grows. It
// waits for nobody: whoever has a lease's row locked may have been cut off in the middle
// of a batch, and a row that is only being inserted has an advisory lock.
const claimSQL = `
with ` + clockSQL + `,
` + mineSQL + `,
there as materialized (select l.record from ledger.leases l where l.record = any($4)),
free as materialized (select l.record from ledger.leases l where l.record = any($4) order by l.record for update skip locked),
got as (
	insert into ledger.leases as l (record, session, epoch, until, ends, token)
	select t.record, mine.id, nextval('ledger.epochs'), clock.now + least(t.ttl, $3::bigint), clock.now + t.ttl, t.token
	from unnest($4::uuid[], $5::bigint[], $6::uuid[]) as t(record, ttl, token) cross join mine cross join clock
	where t.record in (select record from free) or t.record not in (select record from there) and ` + mayInsertSQL + `
	order by t.record
	on conflict (record) do update set session = excluded.session, epoch = nextval('ledger.epochs'),
		until = excluded.until, ends = excluded.ends, token = excluded.token
	where l.until <= (select now from clock) or l.token = excluded.token
		or not exists (select 1 from ledger.sessions s where s.id = l.session and s.until > (select now from clock))
	returning record)
select exists (select 1 from mine), (select count(*) from got)`

// mayInsertSQL is true for one transaction at a time that inserts the lease of t.record.
const mayInsertSQL = `pg_try_advisory_xact_lock(uuid_hash_extended(t.record, 'ledger.leases'::regclass::oid::bigint))`

// leasedSQL reads the leases and the events of records. It is a statement of its own:
// what a lease that was waited for left is not in the snapshot of the one that waited.
const leasedSQL = `
select l.record, l.epoch, l.until, l.token, e.id, e.version, e.epoch, e.data
from ledger.leases l left join ledger.events e on e.record = l.record where l.record = any($1)`

const unlockSQL = `
with own as materialized (
	select l.record, l.epoch from unnest($1::uuid[], $2::bigint[]) as t(record, epoch)
		join ledger.leases l on l.record = t.record and l.epoch = t.epoch and l.session = $3
	order by l.record for update of l)
update ledger.leases l set until = 0 from own where l.record = own.record and l.epoch = own.epoch`

const ownsSQL = `
with ` + clockSQL + `
select exists (select 1 from clock, ledger.leases l join ledger.sessions s on s.id = l.session
	where l.record = $2 and l.epoch = $3 and l.session = $4 and l.until > clock.now and s.until > clock.now)`

const readRecordSQL = `select id, version, epoch, data from ledger.events where record = $1`

// wanted is a record that is to be claimed.
type wanted struct {
	record, token digest
	ttl           time.Duration
}

// got is what came of it.
type got struct {
	epoch uint64
	rows  rows
}

// Claim implements [ledger.Store].
func (s *Store) Claim(_ context.Context, record ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	claim, err := s.claim(record, ttl)
	if err != nil && claim.Epoch != 0 {
		return ledger.Claim{}, errors.Join(err, s.Unlock(context.Background(), claim))
	}
	return claim, err
}

func (s *Store) claim(record ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	id := recordID(record)
	taken, err := entered(s, &s.claims, wanted{record: id, token: newToken(), ttl: ttl})
	if err != nil {
		return ledger.Claim{}, err
	}
	claim := ledger.Claim{Record: record, Epoch: taken.epoch}
	s.held.put(claim.Epoch, taken.rows)
	for _, r := range taken.rows {
		if r.err != nil {
			return claim, s.explain(r.err)
		}
		claim.Events = append(claim.Events, r.summary())
	}
	return claim, nil
}

// lease is a record's lease and events, as they are read after leases were taken.
type lease struct {
	epoch uint64
	until int64
	token digest
	rows  rows
}

func (s *Store) runClaims(steps []*step[wanted, got]) {
	s.count("Claim")
	slices.SortFunc(steps, func(a, b *step[wanted, got]) int { return bytes.Compare(a.in.record[:], b.in.record[:]) })
	var records, tokens digests
	var ttls []int64
	for i, step := range steps {
		if i > 0 && step.in.record == steps[i-1].in.record {
			continue // the first has it, if any
		}
		records, tokens, ttls = append(records, step.in.record), append(tokens, step.in.token), append(ttls, int64(step.in.ttl))
	}
	session, ok := s.session.id()
	if !ok {
		for _, step := range steps {
			step.answer(got{}, ledger.ErrNoSession)
		}
		return
	}
	leases, err := use(context.Background(), s, s.pool, repeats, func(ctx context.Context, conn *pgx.Conn) (map[digest]*lease, error) {
		var batch pgx.Batch
		batch.Queue(s.sql.claim, s.clock(), session, int64(ledger.SessionTTL), records, ttls, tokens)
		batch.Queue(s.sql.leased, records)
		results := conn.SendBatch(ctx, &batch)
		defer results.Close()
		var lives bool
		var n int
		if err := results.QueryRow().Scan(&lives, &n); err != nil {
			return nil, err
		}
		if !lives {
			return nil, ledger.ErrNoSession
		}
		leases, err := readLeases(results)
		if err != nil {
			return nil, err
		}
		return leases, results.Close()
	})
	for _, step := range steps {
		switch l := leases[step.in.record]; {
		case err != nil:
			step.answer(got{}, err)
		case l == nil: // another is about to take it, or it has ended since and is gone
			step.answer(got{}, &ledger.LeasedError{})
		case l.token != step.in.token:
			step.answer(got{}, &ledger.LeasedError{Epoch: l.epoch, Until: timeOf(l.until)})
		default:
			step.answer(got{l.epoch, l.rows}, nil)
		}
	}
}

func readLeases(results pgx.BatchResults) (map[digest]*lease, error) {
	found, err := results.Query()
	if err != nil {
		return nil, err
	}
	leases := make(map[digest]*lease)
	var record, token digest
	var epoch, until int64
	var id *digest
	var version, by *int64
	var data []byte
	_, err = pgx.ForEachRow(found, []any{&record, &epoch, &until, &token, &id, &version, &by, &data}, func() error {
		l := leases[record]
		if l == nil {
			l = &lease{epoch: uint64(epoch), until: until, token: token, rows: make(rows)}
			leases[record] = l
		}
		if id != nil {
			l.rows[*id] = readRow(*id, *version, *by, data)
		}
		return nil
	})
	return leases, err
}

// unlock is a lease that is to end.
type unlock struct {
	record digest
	epoch  uint64
}

// Unlock implements [ledger.Store].
func (s *Store) Unlock(_ context.Context, claim ledger.Claim) error {
	s.held.drop(claim.Epoch)
	_, err := entered(s, &s.unlocks, unlock{recordID(claim.Record), claim.Epoch})
	return err
}

func (s *Store) runUnlocks(steps []*step[unlock, struct{}]) {
	s.count("Unlock")
	records, epochs := make(digests, 0, len(steps)), make([]int64, 0, len(steps))
	for _, step := range steps {
		records, epochs = append(records, step.in.record), append(epochs, int64(step.in.epoch))
	}
	session, _ := s.session.id()
	_, err := use(context.Background(), s, s.pool, repeats, func(ctx context.Context, conn *pgx.Conn) (struct{}, error) {
		_, err := conn.Exec(ctx, s.sql.unlock, records, epochs, session)
		return struct{}{}, err
	})
	if refused(err) && len(steps) > 1 {
		for _, alone := range steps { // one is in the way of the others
			s.runUnlocks([]*step[unlock, struct{}]{alone})
		}
		return
	}
	for _, step := range steps {
		step.answer(struct{}{}, err)
	}
}

// owns reports whether the claim still holds its record.
func (s *Store) owns(claim ledger.Claim) (bool, error) {
	session, _ := s.session.id()
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) (owns bool, err error) {
		s.count("owns")
		err = conn.QueryRow(ctx, s.sql.owns, s.clock(), recordID(claim.Record), int64(claim.Epoch), session).Scan(&owns)
		return owns, err
	})
}

// readRecord reads the events of a record.
func (s *Store) readRecord(method string, record digest) (rows, error) {
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) (rows, error) {
		s.count(method)
		found, err := conn.Query(ctx, s.sql.readRecord, record)
		if err != nil {
			return nil, err
		}
		known := make(rows)
		var id digest
		var version, epoch int64
		var data []byte
		_, err = pgx.ForEachRow(found, []any{&id, &version, &epoch, &data}, func() error {
			known[id] = readRow(id, version, epoch, data)
			return nil
		})
		return known, err
	})
}

// heldClaims keep what claims have read, so that their commits need not read it again.
// What is forgotten is read.
type heldClaims struct {
	mu   sync.Mutex
	rows map[uint64]rows
}

// mostHeld bounds the memory that claims can cost which nobody ends.
const mostHeld = 4096

func (h *heldClaims) put(epoch uint64, r rows) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rows == nil || len(h.rows) >= mostHeld {
		h.rows = make(map[uint64]rows)
	}
	h.rows[epoch] = r
}

// get returns what a claim has read; nil: it is not known.
func (h *heldClaims) get(epoch uint64) rows {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rows[epoch]
}

func (h *heldClaims) drop(epoch uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rows, epoch)
}

// update notes what a claim has written of an event.
func (h *heldClaims) update(epoch uint64, w eventWrite) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.rows[epoch]
	if !ok {
		return
	}
	updated := make(rows, len(known)+1) // whoever has the old one may read it
	for id, r := range known {
		updated[id] = r
	}
	updated[w.id] = &row{version: w.version + 1, epoch: epoch, event: w.event}
	h.rows[epoch] = updated
}
