package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// patience is how long a caller waits for the database: longer than one in order
// takes, and shorter than the sender of a webhook waits.
const patience = 10 * time.Second

// kind says what is known of a statement whose connection was lost.
type kind uint8

const (
	// reads: it changes nothing. It is tried again.
	reads kind = iota
	// repeats: it may be run twice. It is tried again.
	repeats
	// writes: nobody knows what became of it.
	writes
)

// statement is a statement that runs on a connection and returns a value.
type statement[T any] func(ctx context.Context, conn *pgx.Conn) (T, error)

// call runs a statement for a caller, who waits until the context ends, and no longer
// than the store's patience has it. A caller of whom that must not be gives a context
// that does not end.
func call[T any](ctx context.Context, s *Store, k kind, run statement[T]) (T, error) {
	return callOn(ctx, s, s.pool, k, run)
}

// callOn is call with a connection of a pool. The context ends no statement: pgx would
// have the server cancel it, and a commit that is cancelled while it waits for its
// standby is visible on the primary alone. So the caller leaves, and the statement goes
// on with its connection. One that waits for a connection is given up.
func callOn[T any](ctx context.Context, s *Store, pool *pgxpool.Pool, k kind, run statement[T]) (T, error) {
	done := make(chan answer[T], 1)
	var none T
	if !s.enter() {
		return none, ledger.ErrClosed
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience, errStuck)
	defer cancel()
	go func() {
		defer s.active.Done()
		out, err := use(ctx, s, pool, k, run)
		done <- answer[T]{out, err}
	}()
	select {
	case a := <-done:
		return a.out, s.explain(a.err)
	case <-ctx.Done():
		return none, s.explain(context.Cause(ctx))
	}
}

// mostTries bounds how often a statement is tried again.
const mostTries = 10

// use runs a statement on a connection of the pool, and again where that can do no
// harm. The context ends the waiting for a connection.
func use[T any](ctx context.Context, s *Store, pool *pgxpool.Pool, k kind, run statement[T]) (T, error) {
	var none T
	for try := 1; ; try++ {
		if err := s.usable(); err != nil {
			return none, err
		}
		pooled, err := pool.Acquire(ctx)
		if errors.As(err, new(refusal)) && !s.opts.imports {
			s.lose(err)
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return none, context.Cause(ctx)
		case err != nil && try == 1:
			continue // nothing was sent
		case err != nil:
			return none, err
		}
		conn := pooled.Conn()
		warned(conn.PgConn())
		out, err := run(context.WithoutCancel(ctx), conn)
		isWarned := warned(conn.PgConn())
		pooled.Release()
		switch c := code(err); {
		case err == nil && isWarned && k == writes:
			return none, fmt.Errorf("%w: %w", ledger.ErrUnknown, errWarned)
		case err == nil:
			return out, nil
		case refused(err) && c != deadlockDetected && c != serializationFailure:
			return none, err
		case isLedger(err):
			return none, err
		case refused(err), pgconn.SafeToRetry(err), k != writes:
			if try == mostTries {
				return none, err
			}
		default:
			return none, fmt.Errorf("%w: %w", ledger.ErrUnknown, err)
		}
	}
}

// newBatch is a batch of what people ask, which commits nothing: a statement of it that
// takes too long is ended, and gives its connection back.
func newBatch() *pgx.Batch {
	batch := new(pgx.Batch)
	batch.Queue(`select set_config('statement_timeout', '8s', true)`)
	return batch
}

// send sends a batch of newBatch, and returns the results of what was queued after that.
func send(ctx context.Context, conn *pgx.Conn, batch *pgx.Batch) (pgx.BatchResults, error) {
	results := conn.SendBatch(ctx, batch)
	if _, err := results.Exec(); err != nil {
		return nil, errors.Join(err, results.Close())
	}
	return results, nil
}

// isLedger reports whether an error is no failure of the connection.
func isLedger(err error) bool {
	for _, own := range []error{
		ledger.ErrNotFound, ledger.ErrDamaged, ledger.ErrLater, ledger.ErrNoSession, ledger.ErrLeased, ledger.ErrFenced, errConflict,
	} {
		if errors.Is(err, own) {
			return true
		}
	}
	return errors.As(err, new(refusal))
}

// warning is where a connection keeps that the server has warned.
const warning = "warned"

// warned reports whether the server has warned of a commit since it was last asked.
func warned(conn *pgconn.PgConn) bool {
	_, is := conn.CustomData()[warning]
	delete(conn.CustomData(), warning)
	return is
}

func onNotice(conn *pgconn.PgConn, notice *pgconn.Notice) {
	// It also warns of other things, such as with every commit when it needs vacuuming.
	if notice.SeverityUnlocalized == "WARNING" && notice.File == "syncrep.c" {
		conn.CustomData()[warning] = true
	}
}
