package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Sync implements [ledger.Cluster]. Where the server waits for a standby, what was read
// may be on the primary alone. The log is in order: whatever was visible before a commit
// that is durable is durable, too. So it takes a commit that begins now.
func (s *Store) Sync(context.Context) error {
	if !s.replicated.Load() {
		return nil
	}
	_, err := entered(s, &s.syncs, struct{}{})
	return err
}

func (s *Store) runSyncs(steps []*step[struct{}, struct{}]) {
	s.count("Sync")
	_, err := use(context.Background(), s, s.pool, repeats, func(ctx context.Context, conn *pgx.Conn) (struct{}, error) {
		warned(conn.PgConn())
		_, err := conn.Exec(ctx, `select pg_logical_emit_message(true, 'ccpayment', '')`)
		if err == nil && warned(conn.PgConn()) {
			err = errWarned
		}
		return struct{}{}, err
	})
	for _, step := range steps {
		step.answer(struct{}{}, err)
	}
}
