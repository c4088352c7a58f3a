package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var (
	errStuck = errors.New("the database does not answer in time")
	// errConflict: what a step was computed from has changed since.
	errConflict = errors.New("what was read has changed since")
	// errWarned: the server warned of a commit, which it does where it did not wait for
	// its standby.
	errWarned = errors.New("the commit was not waited for on the standby")
	// errTooLong: a list was given up.
	errTooLong = errors.New("it takes too long to find: ask for a shorter time, with since and until")
)

// The conditions by which PostgreSQL names errors.
const (
	deadlockDetected     = "40P01"
	serializationFailure = "40001"
	divisionByZero       = "22012"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
	cannotConnectNow     = "57P03"
	tooManyConnections   = "53300"
	undefinedTable       = "42P01"
	insufficientRights   = "42501"
)

// code returns the condition of an error that the server reports; empty: it is none.
func code(err error) string {
	var reported *pgconn.PgError
	if errors.As(err, &reported) {
		return reported.Code
	}
	return ""
}

// refused reports whether the server has refused the statement, so that it is known
// that nothing was committed. An error that ends the connection may come after a
// commit.
func refused(err error) bool {
	var reported *pgconn.PgError
	return errors.As(err, &reported) && reported.SeverityUnlocalized == "ERROR"
}

// explain names the ledger in an error of the database. What a store that works
// answers stays as it is.
func (s *Store) explain(err error) error {
	for _, plain := range []error{ledger.ErrNotFound, ledger.ErrFenced, ledger.ErrLeased, ledger.ErrClosed, ledger.ErrNoSession, ledger.ErrCursor, ledger.ErrTaken} {
		if errors.Is(err, plain) {
			return err
		}
	}
	if err == nil {
		return nil
	}
	if code(err) == queryCanceled {
		err = fmt.Errorf("%w: %w", errTooLong, err)
	}
	return fmt.Errorf("ledger %s: %w", s.name, err)
}

// undecoded says which value cannot be decoded, and why.
func undecoded(err error, format string, args ...any) error {
	if errors.Is(err, ledger.ErrLater) {
		return fmt.Errorf("%w: %s", ledger.ErrLater, fmt.Sprintf(format, args...))
	}
	return damaged(format, args...)
}

// damaged says which value cannot be read.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ledger.ErrDamaged, fmt.Sprintf(format, args...))
}

// away reports whether the database may only be away for now: it does not answer, or
// is starting.
func away(err error) bool {
	switch c := code(err); {
	case errors.As(err, new(refusal)):
		return false
	case c == cannotConnectNow, c == tooManyConnections, strings.HasPrefix(c, "08"), strings.HasPrefix(c, "57"):
		return true
	default:
		return c == ""
	}
}
