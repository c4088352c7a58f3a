package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	lookSQL     = `select data from ledger.looks where id = $1`
	saveLookSQL = `insert into ledger.looks (id, data) values ($1, $2) on conflict (id) do update set data = excluded.data`
)

// LoadLook implements [ledger.Store].
func (s *Store) LoadLook(ctx context.Context, appID string) (ledger.Look, error) {
	return call(ctx, s, reads, func(ctx context.Context, conn *pgx.Conn) (ledger.Look, error) {
		s.count("LoadLook")
		id := lookID(appID)
		var data []byte
		err := conn.QueryRow(ctx, s.sql.look, id).Scan(&data)
		if errors.Is(err, pgx.ErrNoRows) {
			return ledger.Look{}, ledger.ErrNotFound
		}
		if err != nil {
			return ledger.Look{}, err
		}
		look, err := encoding.DecodeLook(id[:], data)
		if err != nil {
			err = damaged("how far the records of %s were compared", appID)
		}
		return look, err
	})
}

// SaveLook implements [ledger.Store].
func (s *Store) SaveLook(ctx context.Context, look ledger.Look) error {
	id := lookID(look.AppID)
	data, err := encoding.EncodeLook(id[:], look)
	if err != nil {
		return err
	}
	_, err = call(ctx, s, repeats, func(ctx context.Context, conn *pgx.Conn) (struct{}, error) {
		s.count("SaveLook")
		_, err := conn.Exec(ctx, s.sql.saveLook, id, data)
		return struct{}{}, err
	})
	return err
}
