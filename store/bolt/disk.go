package bolt

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// disk is bbolt's file and how much of what it shows is on the disk. bbolt
// shows a commit before it is synced, and goes on showing it where that fails:
// then the system may have given the page up, so that a later sync that succeeds
// says nothing of it. After a power cut the commit would be gone, and what the
// next ones wrote over its predecessor with it.
type disk struct {
	db   *bbolt.DB
	file *os.File // bbolt's own

	// durable is the last transaction that is known to be synced.
	durable atomic.Int64
	// doubtful: nothing that the file shows is relied upon before it was written
	// and synced again.
	doubtful atomic.Bool
	// failures counts the commits that failed.
	failures atomic.Int64
	// broken: bbolt has lost its way in a damaged file, and holds its lock for ever.
	broken atomic.Bool
}

var errBroken = fmt.Errorf("%w: it can be read, and not be written any more", errDamaged)

// commit runs apply in a transaction and syncs it. One commit runs at a time.
func (d *disk) commit(apply func(*bbolt.Tx) error) error {
	if d.broken.Load() {
		return errBroken
	}
	if err := d.settle(); err != nil {
		return err
	}
	var tx *bbolt.Tx
	var id int
	err := guard(func() error {
		return d.db.Update(func(t *bbolt.Tx) error {
			tx, id = t, t.ID()
			return apply(t)
		})
	})
	switch {
	case err == nil:
		d.durable.Store(int64(id))
	case errors.Is(err, errNothing), errors.Is(err, bolterrors.ErrDatabaseNotOpen):
	default:
		d.doubtful.Store(true)
		d.failures.Add(1)
		// A transaction that ends lets go of its file. One that panics while it is
		// rolled back never ends.
		d.broken.Store(tx != nil && tx.DB() != nil)
	}
	return err
}

// settle removes the doubt. A commit syncs its pages before it writes the first
// two, which say what is valid: these are written once more, as they are.
func (d *disk) settle() error {
	if !d.doubtful.Load() {
		return nil
	}
	err := guard(func() error {
		return d.db.View(func(tx *bbolt.Tx) error { // during which the file is not closed
			valid := make([]byte, 2*d.db.Info().PageSize)
			if _, err := d.file.ReadAt(valid, 0); err != nil {
				return err
			}
			if _, err := d.file.WriteAt(valid, 0); err != nil {
				return err
			}
			if err := d.file.Sync(); err != nil {
				return err
			}
			d.durable.Store(int64(tx.ID()))
			return nil
		})
	})
	if err == nil {
		d.doubtful.Store(false)
	}
	return err
}

// abandon closes the file of a broken disk, for whose lock bbolt would wait for
// ever.
func (d *disk) abandon() error {
	unlock(d.file)
	return d.file.Close()
}
