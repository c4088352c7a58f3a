package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// drainSQL takes a budget that would be full later than $3 from now for one that was
	// just spent: that was by a clock that has been set back since.
	drainSQL = `
with ` + clockSQL + `
update ledger.budgets b set full_at = clock.now + $3 from clock where b.id = $2 and b.full_at > clock.now + $3`
	// spendSQL takes one from a budget: its row has when the budget holds all that it
	// can, which each one that is taken puts off by $3. Nothing is taken where that
	// would be later than $4 from now.
	spendSQL = `
with ` + clockSQL + `
insert into ledger.budgets as b (id, full_at) select $2, clock.now + $3 from clock
on conflict (id) do update set full_at = greatest(b.full_at, (select now from clock)) + $3
where greatest(b.full_at, (select now from clock)) + $3 <= (select now from clock) + $4
returning full_at`
	budgetSQL = `with ` + clockSQL + ` select b.full_at + $3 - $4 - clock.now from ledger.budgets b, clock where b.id = $2`
)

// Spend implements [ledger.Cluster].
func (s *Store) Spend(ctx context.Context, budget string, every time.Duration, burst int) (time.Duration, error) {
	id, step, most := budgetID(budget), int64(every), int64(every)*int64(max(burst, 1))
	return call(ctx, s, repeats, func(ctx context.Context, conn *pgx.Conn) (time.Duration, error) {
		s.count("Spend")
		var batch pgx.Batch
		batch.Queue(s.sql.drain, s.clock(), id, most)
		batch.Queue(s.sql.spend, s.clock(), id, step, most)
		batch.Queue(s.sql.budget, s.clock(), id, step, most)
		results := conn.SendBatch(ctx, &batch)
		defer results.Close()
		var fullAt, wait int64
		if _, err := results.Exec(); err != nil {
			return 0, err
		}
		err := results.QueryRow().Scan(&fullAt)
		isTaken := err == nil
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return 0, err
		}
		if err := results.QueryRow().Scan(&wait); err != nil {
			return 0, err
		}
		if isTaken {
			wait = 0
		}
		return time.Duration(max(wait, 0)), results.Close()
	})
}
