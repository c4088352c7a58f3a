package ledger

import (
	"context"
	"errors"
	"io"
	"time"

	"go.uber.org/zap"
)

// Driver opens a [Store]. A Caddy module in the namespace ccpayment.stores is a
// Driver.
type Driver interface {
	// Key names the file or the database that is opened: two configurations whose drivers
	// have one key share one open ledger. Only the key of a [Cluster] may have more of the
	// options, behind a #, because only that may be open twice.
	Key() string
	// Retention is how long the bodies of finished events are kept.
	Retention() time.Duration
	// Open opens the store.
	Open(opts OpenOptions) (Store, error)
}

// OpenOptions are what a [Driver] is given to open a store.
type OpenOptions struct {
	Logger *zap.Logger
	// Committed, if set, is called after each durable commit with the time it took.
	Committed func(took time.Duration)
}

// What a [Store] may be able to do besides; see [Ledger.Size], [Ledger.Backup] and
// [Ledger.Examine].
type (
	// Sizer is a store that knows its size in bytes.
	Sizer interface{ Size() (int64, error) }

	// Snapshotter is a store that writes a consistent copy of itself while it is in
	// use.
	Snapshotter interface{ Backup(w io.Writer) error }

	// Examiner is a store that knows how what it is kept in stands.
	Examiner interface {
		Examine(ctx context.Context) (Condition, error)
	}
)

// Condition is how what a store is kept in stands, in sentences for people.
type Condition struct {
	// Facts are good to know, and Care is what somebody should change.
	Facts, Care []string
}

// ErrUnsupported: the store lacks the ability that is asked for.
var ErrUnsupported = errors.New("the store cannot do this")

// Size returns the size of the store in bytes. The error is [ErrUnsupported]
// where the store is no [Sizer].
func (l *Ledger) Size() (int64, error) {
	if s, ok := l.Reader.(Sizer); ok {
		return s.Size()
	}
	return 0, ErrUnsupported
}

// Backup writes a consistent copy of the store, which stays in use. The error is
// [ErrUnsupported], and nothing is written, where the store is no [Snapshotter].
func (l *Ledger) Backup(w io.Writer) error {
	if s, ok := l.Reader.(Snapshotter); ok {
		return s.Backup(w)
	}
	return ErrUnsupported
}

// Examine looks at what the store is kept in. The error is [ErrUnsupported] where the
// store is no [Examiner].
func (l *Ledger) Examine(ctx context.Context) (Condition, error) {
	if s, ok := l.Reader.(Examiner); ok {
		return s.Examine(ctx)
	}
	return Condition{}, ErrUnsupported
}

// Prune deletes old bodies; see [Store.Prune].
func (l *Ledger) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return l.store.Prune(ctx, before, limit)
}

// Close closes the store; see [Store.Close]. It waits for no attempt.
func (l *Ledger) Close() error { return l.store.Close() }
