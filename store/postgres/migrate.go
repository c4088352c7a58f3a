package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// migrations are numbered from 1, and lead from each version of the schema to the
// next. A migration only adds: the version before must run on what it leaves. What has
// become useless is removed one version later.
//
//go:embed migrations
var migrations embed.FS

// schemaVersion is the number of the last migration. A binary runs on its own version
// of the schema and on the next, so that the processes that share a ledger can be
// updated one after the other.
const schemaVersion = 1

// migrate brings the schema to this binary's version, in one transaction, and reports
// whether it was made.
func migrate(ctx context.Context, conn *pgx.Conn, schema string) (isNew bool, err error) {
	version, err := versionOf(ctx, conn, schema)
	if err != nil || version >= schemaVersion {
		return false, err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended($1, 0))`, pgx.QueryExecModeSimpleProtocol, "ccpayment "+schema); err != nil {
			return err
		}
		// Another process may have been quicker.
		if version, err = versionOf(ctx, conn, schema); err != nil || version >= schemaVersion {
			return err
		}
		isNew = version == 0
		if isNew {
			if _, err := tx.Exec(ctx, in(schema, `create schema if not exists `+pgx.Identifier{schema}.Sanitize()), pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
		}
		for next := version + 1; next <= schemaVersion; next++ {
			sql, err := migrations.ReadFile(fmt.Sprintf("migrations/%d.sql", next))
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, in(schema, string(sql)), pgx.QueryExecModeSimpleProtocol); err != nil {
				return fmt.Errorf("migration %d: %w", next, err)
			}
		}
		note := `update ledger.meta set version = $1`
		if isNew {
			note = `insert into ledger.meta (version) values ($1)`
		}
		_, err := tx.Exec(ctx, in(schema, note), pgx.QueryExecModeSimpleProtocol, schemaVersion)
		return err
	})
	if code(err) == insufficientRights {
		err = fmt.Errorf("%w; give the user the right to create on the database, or make the schema %s for it", err, schema)
	}
	return isNew, err
}

// versionOf returns the version of the schema; 0: there is no ledger in it. It refuses
// one that is too new.
func versionOf(ctx context.Context, conn interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, schema string,
) (int, error) {
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
	if err == nil && version > schemaVersion+1 {
		return 0, refuse("its schema has version %d, and this version of the plugin knows those up to %d: update it to the version that the other processes run",
			version, schemaVersion+1)
	}
	return version, err
}
