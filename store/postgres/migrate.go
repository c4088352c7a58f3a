package postgres

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

//go:embed migrations
var files embed.FS

// migrations lead from each version of the schema to the next, the first from none to 1.
// A migration only adds: the version before must run on what it leaves. What has become
// useless is removed one version later.
var migrations = func() (all []string) {
	for {
		sql, err := files.ReadFile(fmt.Sprintf("migrations/%d.sql", len(all)+1))
		if err != nil {
			return all
		}
		all = append(all, string(sql))
	}
}()

// known is this binary's version of the schema. A binary runs on that one and on the
// next, so that the processes that share a ledger can be updated one after the other.
func (s *Store) known() int { return len(s.opts.migrations) }

// migrate brings the schema to this binary's version, in one transaction, and reports
// whether it was made.
func (s *Store) migrate(ctx context.Context, conn *pgx.Conn) (isNew bool, err error) {
	schema := s.opts.Schema
	version, err := s.versionOf(ctx, conn)
	if err != nil || version >= s.known() {
		return false, err
	}
	// At any other level what is read behind the lock would be as it was before the wait for it.
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended($1, 0))`, pgx.QueryExecModeSimpleProtocol, "ccpayment "+schema); err != nil {
			return err
		}
		// Another process may have been quicker.
		if version, err = s.versionOf(ctx, tx); err != nil || version >= s.known() {
			return err
		}
		note := `update ledger.meta set version = $1`
		if isNew = version == 0; isNew {
			note = `insert into ledger.meta (version) values ($1)`
			err = makeSchema(ctx, tx, schema)
		} else {
			err = s.leaveNoneBehind(ctx, tx)
		}
		if err != nil {
			return err
		}
		for next := version + 1; next <= s.known(); next++ {
			if _, err := tx.Exec(ctx, in(schema, s.opts.migrations[next-1]), pgx.QueryExecModeSimpleProtocol); err != nil {
				return fmt.Errorf("migration %d: %w", next, err)
			}
		}
		_, err := tx.Exec(ctx, in(schema, note), pgx.QueryExecModeSimpleProtocol, s.known())
		return err
	})
	if code(err) == insufficientRights {
		err = fmt.Errorf("%w; give the user the right to create on the database, or make the schema %s for it", err, schema)
	}
	return isNew, err
}

const livingSQL = `select options from ledger.sessions where until > (extract(epoch from clock_timestamp()) * 1000000000)::bigint`

// leaveNoneBehind refuses to migrate a schema away under a process that runs and does not
// know what comes of it.
func (s *Store) leaveNoneBehind(ctx context.Context, tx pgx.Tx) error {
	found, err := tx.Query(ctx, in(s.opts.Schema, livingSQL), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	var options []byte
	_, err = pgx.ForEachRow(found, []any{&options}, func() error {
		if of := readSaid(options); of.Schema+1 < s.known() {
			return refuse("its schema would get version %d, and %s runs on it, which knows those up to %d: "+
				"update that to a version of the plugin in between first, or stop all that are older; one that was killed counts for %s",
				s.known(), cmp.Or(of.Name, "a Caddy"), of.Schema+1, ledger.SessionTTL)
		}
		return nil
	})
	return err
}

// makeSchema makes the schema where it is missing. It looks first: "if not exists" asks
// for the right to create it although it is there.
func makeSchema(ctx context.Context, tx pgx.Tx, schema string) error {
	var is bool
	err := tx.QueryRow(ctx, `select exists (select 1 from pg_namespace where nspname = $1)`, pgx.QueryExecModeSimpleProtocol, schema).Scan(&is)
	if err != nil || is {
		return err
	}
	_, err = tx.Exec(ctx, `create schema `+pgx.Identifier{schema}.Sanitize(), pgx.QueryExecModeSimpleProtocol)
	return err
}

// versionOf returns the version of the schema; 0: there is no ledger in it. It refuses
// one that is too new.
func (s *Store) versionOf(ctx context.Context, conn interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
},
) (int, error) {
	schema := s.opts.Schema
	// Asked first, because in a transaction a statement that fails ends it; and of the
	// tables themselves, because the server goes on in a transaction by what it once
	// knew of names.
	var is bool
	err := conn.QueryRow(ctx, `select exists (
		select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = 'meta')`,
		pgx.QueryExecModeSimpleProtocol, schema).Scan(&is)
	if err != nil || !is {
		return 0, err
	}
	var version int
	err = conn.QueryRow(ctx, in(schema, `select version from ledger.meta`), pgx.QueryExecModeSimpleProtocol).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, refuse("the schema %s has a table meta that is not a ledger's: choose another schema", schema)
	}
	if err == nil && version > s.known()+1 {
		return 0, refuse("its schema has version %d, and this version of the plugin knows those up to %d: update it to the version that the other processes run",
			version, s.known()+1)
	}
	return version, err
}
