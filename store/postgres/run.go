package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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

// The states of a call. What nobody waits for any more is not begun.
const (
	waiting = iota
	running
	left
)

// statement is a statement that runs on a connection and returns a value.
type statement[T any] func(ctx context.Context, conn *pgx.Conn) (T, error)

// call runs a statement for a caller, who waits for as long as the store's patience
// has it. No context ends it: pgx would have the server cancel it, and a commit that
// is cancelled while it waits for its standby is visible on the primary alone. So the
// caller leaves, and the statement goes on with its connection.
func call[T any](s *Store, k kind, run statement[T]) (T, error) {
	var state atomic.Int32
	done := make(chan answer[T], 1)
	if !s.enter() {
		var none T
		return none, ledger.ErrClosed
	}
	go func() {
		defer s.active.Done()
		out, err := use(s, k, func(ctx context.Context, conn *pgx.Conn) (T, error) {
			if !state.CompareAndSwap(waiting, running) && state.Load() == left {
				var none T
				return none, errLeft
			}
			return run(ctx, conn)
		})
		done <- answer[T]{out, err}
	}()
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	var err error
	select {
	case a := <-done:
		return a.out, s.explain(a.err)
	case <-timer.C:
		err = errStuck
		if !state.CompareAndSwap(waiting, left) && k == writes {
			err = fmt.Errorf("%w: %w", ledger.ErrUnknown, errStuck)
		}
	}
	var none T
	return none, s.explain(err)
}

// mostTries bounds how often a statement is tried again.
const mostTries = 10

// use runs a statement on a connection of the pool, and again where that can do no
// harm.
func use[T any](s *Store, k kind, run statement[T]) (T, error) {
	var none T
	for try := 1; ; try++ {
		if err := s.usable(); err != nil {
			return none, err
		}
		ctx := context.Background()
		pooled, err := s.pool.Acquire(ctx)
		if errors.As(err, new(refusal)) && !s.opts.imports {
			s.lose(err)
		}
		if err != nil && try == 1 {
			continue // nothing was sent
		}
		if err != nil {
			return none, err
		}
		conn := pooled.Conn()
		warned(conn.PgConn())
		out, err := run(ctx, conn)
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

// limit is what a batch begins with.
type limit string

// noWait: no statement of the batch waits for longer for what another has locked, who
// may have been cut off in the middle of a batch of its own.
const noWait limit = `select set_config('lock_timeout', '3s', true)`

func newBatch(l limit) *pgx.Batch {
	batch := new(pgx.Batch)
	batch.Queue(string(l))
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
		ledger.ErrNotFound, ledger.ErrDamaged, ledger.ErrNoSession, ledger.ErrLeased, ledger.ErrFenced, errConflict, errLeft,
	} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
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
