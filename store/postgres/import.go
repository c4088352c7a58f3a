package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// The table move is there while a ledger is being moved into the store, and has what is
// being moved and how far that is. Meanwhile the database refuses what any other process
// writes, also one that has had the store open before: a constraint asks for what only
// the connections of the move set. Sessions nobody begins.
const (
	beginMoveSQL = `
create table ledger.move (id text not null, version text not null, source text not null, place bytea, begun timestamptz not null default now());
alter table ledger.events add constraint moving check (coalesce(current_setting('ccpayment.move', true), '') = 'MOVE');
alter table ledger.orders add constraint moving check (coalesce(current_setting('ccpayment.move', true), '') = 'MOVE');
alter table ledger.sessions add constraint moving check (false) not valid`
	endMoveSQL = `
alter table ledger.events drop constraint moving;
alter table ledger.orders drop constraint moving;
alter table ledger.sessions drop constraint moving;
drop table ledger.move`
	emptySQL   = `truncate ledger.events, ledger.bodies, ledger.due, ledger.counts, ledger.orders, ledger.generations, ledger.flags, ledger.routes, ledger.kinds, ledger.aside, ledger.looks`
	isEmptySQL = `select not exists (select 1 from ledger.events) and not exists (select 1 from ledger.orders)
		and not exists (select 1 from ledger.flags) and not exists (select 1 from ledger.generations)`
	isUsedSQL = `select exists (select 1 from ledger.sessions where until > (extract(epoch from clock_timestamp()) * 1000000000)::bigint)`
	moveSQL   = `select id, version, source, place, to_char(begun at time zone 'utc', 'YYYY-MM-DD HH24:MI "UTC"') from ledger.move`
	isMoveSQL = `select exists (
		select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = 'move')`
)

// move is what is being moved into a store.
type move struct {
	ledger.Moving
	place []byte
	begun string
}

// readMove returns what is being moved into a schema; nil: nothing is.
func readMove(ctx context.Context, conn interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, schema string,
) (*move, error) {
	var is bool
	if err := conn.QueryRow(ctx, isMoveSQL, pgx.QueryExecModeSimpleProtocol, schema).Scan(&is); err != nil || !is {
		return nil, err
	}
	m := new(move)
	err := conn.QueryRow(ctx, in(schema, moveSQL), pgx.QueryExecModeSimpleProtocol).Scan(&m.ID, &m.Version, &m.From, &m.place, &m.begun)
	return m, err
}

// refuseMoving refuses a store that a ledger is being moved into.
func refuseMoving(ctx context.Context, conn *pgx.Conn, schema string) error {
	m, err := readMove(ctx, conn, schema)
	if err != nil || m == nil {
		return err
	}
	return refuse("the ledger %s is being moved into it since %s: wait until `caddy ccpayment move-ledger` has ended, or start that again, which goes on where it was",
		m.From, m.begun)
}

// imported is a store that a ledger is being moved into.
type imported struct {
	s  *Store
	id string // of the move
}

// Import implements [ledger.Importer].
func (m *Module) Import() (ledger.Import, error) {
	s, err := Open(Options{URL: m.url, Schema: m.Schema, MaxConns: leastConns, Replicas: m.Replicas, NoListen: true, imports: true})
	if err != nil {
		return nil, err
	}
	return &imported{s: s}, nil
}

func (i *imported) Name() string { return i.s.name }

// inTx runs statements in a transaction, and again where its connection was lost: all
// that it writes may be written twice. A refusal is final.
func (i *imported) inTx(run func(ctx context.Context, tx pgx.Tx) error) error {
	_, err := use(context.Background(), i.s, i.s.pool, repeats, func(ctx context.Context, conn *pgx.Conn) (struct{}, error) {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			// Everything is looked up by its key, whatever the server knows of new tables.
			_, err := tx.Exec(ctx, `set local enable_hashjoin = off; set local enable_mergejoin = off; set local enable_seqscan = off; set local lock_timeout = 0`)
			if err != nil {
				return err
			}
			return run(ctx, tx)
		})
		return struct{}{}, err
	})
	return i.s.explain(err)
}

// Begun implements [ledger.Import].
func (i *imported) Begun() (ledger.Moving, error) {
	var is ledger.Moving
	err := i.inTx(func(ctx context.Context, tx pgx.Tx) error {
		m, err := readMove(ctx, tx, i.s.opts.Schema)
		if m != nil {
			is = m.Moving
		}
		return err
	})
	return is, err
}

// Begin implements [ledger.Import].
func (i *imported) Begin(about ledger.Moving) ([]byte, error) {
	var place []byte
	schema := i.s.opts.Schema
	err := i.inTx(func(ctx context.Context, tx pgx.Tx) error {
		place = nil
		exec := func(sql string, args ...any) error {
			_, err := tx.Exec(ctx, in(schema, sql), append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
			return err
		}
		if err := exec(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, "ccpayment "+schema); err != nil {
			return err
		}
		m, err := readMove(ctx, tx, schema)
		switch {
		case err != nil:
			return err
		case m != nil && m.ID != about.ID:
			return refuse("another ledger, %s, is being moved into it since %s: choose another schema, or drop this one to give that move up", m.From, m.begun)
		case m != nil && m.Version == about.Version:
			place = m.place
			return nil
		case m != nil:
			if err := exec(emptySQL); err != nil {
				return err
			}
			return exec(`update ledger.move set version = $1, place = null`, about.Version)
		}
		if err := i.refuseUsed(ctx, tx); err != nil {
			return err
		}
		// A Caddy that was started on it may have left its looks.
		if err := exec(emptySQL); err != nil {
			return err
		}
		if err := exec(strings.ReplaceAll(beginMoveSQL, "MOVE", strings.ReplaceAll(about.ID, "'", "''"))); err != nil {
			return err
		}
		return exec(`insert into ledger.move (id, version, source) values ($1, $2, $3)`, about.ID, about.Version, strings.ToValidUTF8(about.From, "?"))
	})
	i.id = about.ID
	return place, err
}

// refuseUsed refuses a store that has a ledger, or a process that uses it.
func (i *imported) refuseUsed(ctx context.Context, tx pgx.Tx) error {
	schema := i.s.opts.Schema
	if _, err := tx.Exec(ctx, in(schema, `lock table ledger.sessions, ledger.events, ledger.orders in access exclusive mode`)); err != nil {
		return err
	}
	var isEmpty, isUsed bool
	if err := tx.QueryRow(ctx, in(schema, isEmptySQL)).Scan(&isEmpty); err != nil {
		return err
	}
	if !isEmpty {
		return refuse("it has a ledger already, and two cannot be made one: choose another schema")
	}
	if err := tx.QueryRow(ctx, in(schema, isUsedSQL)).Scan(&isUsed); err != nil {
		return err
	}
	if isUsed {
		return refuse("a Caddy uses it: stop all that do; one that was killed counts for %s", ledger.SessionTTL)
	}
	return nil
}

// Settle implements [ledger.Import].
func (i *imported) Settle() error { return i.s.Sync(context.Background()) }

// End implements [ledger.Import].
func (i *imported) End() error {
	return i.inTx(func(ctx context.Context, tx pgx.Tx) error {
		m, err := readMove(ctx, tx, i.s.opts.Schema)
		if err != nil || m == nil { // it has ended
			return err
		}
		_, err = tx.Exec(ctx, in(i.s.opts.Schema, endMoveSQL), pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

func (i *imported) Close() error { return i.s.Close() }

// ofKind returns the parts of a kind, and where each stands among all.
func ofKind(parts []ledger.Part, kind ledger.PartKind) (at []int) {
	for n := range parts {
		if parts[n].Kind == kind {
			at = append(at, n)
		}
	}
	return slices.Clip(at)
}

// Interface guards
var (
	_ ledger.Importer = (*Module)(nil)
	_ ledger.Import   = (*imported)(nil)
)
