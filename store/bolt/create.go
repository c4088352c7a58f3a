package bolt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// allocated is by how much the file grows, which costs a sync of its own: some
// five hundred events. bbolt's 16 MiB would make every small ledger that large.
const allocated = 1 << 20

// unfinished ends the name of a file that is being made.
const unfinished = ".new"

// create makes the ledger's file if there is none, and reports whether it did. The file
// is made under another name and gets its own when it is whole and synced, so that a
// power cut leaves either a ledger or none. An empty file that somebody else has made is
// left as it is: it may be a mount, which cannot be replaced.
func create(path string, opts Options) (made bool, err error) {
	reached := func(step string) error {
		if opts.reached == nil {
			return nil
		}
		return opts.reached(step)
	}
	if !isMissing(path) {
		return false, nil
	}
	// A link to a file that is not there yet stays a link.
	if target, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		return create(target, opts)
	}
	// Another process may be at it: the second must not put a new ledger in the place of
	// one that the first has opened.
	release, err := lockFolder(filepath.Dir(path), opts.LockTimeout)
	if err != nil {
		return false, err
	}
	defer release()
	if !isMissing(path) {
		return false, nil
	}
	temporary := path + unfinished
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) { // what a power cut has left
		return false, err
	}
	d, err := openDisk(temporary, opts.LockTimeout)
	if err == nil {
		err = errors.Join(reached("begun"), d.makeBuckets(), d.file.Sync(), d.db.Close())
	}
	if err == nil {
		err = reached("written")
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return false, errors.Join(err, removeIfThere(temporary))
	}
	if err := reached("renamed"); err != nil {
		return true, err
	}
	return true, syncFolders(path)
}

func isMissing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// openDisk opens a file with bbolt, which makes an empty one if there is none.
func openDisk(path string, timeout time.Duration) (*disk, error) {
	d := &disk{}
	open := func(mapped int) error {
		return guard(func() (err error) {
			d.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
				Timeout:         timeout,
				FreelistType:    bbolt.FreelistMapType,
				NoStatistics:    true, // which readers would wait for each other to count
				InitialMmapSize: mapped,
				OpenFile: func(name string, flag int, perm os.FileMode) (_ *os.File, err error) {
					d.file, err = os.OpenFile(name, flag, perm)
					return d.file, err
				},
			})
			return err
		})
	}
	err := open(mapped)
	if errors.Is(err, syscall.ENOMEM) { // the process may not have so much address space
		err = open(0)
	}
	if err != nil {
		if d.file != nil {
			// A damaged page can make bbolt panic before it lets go of these.
			unlock(d.file)
			_ = d.file.Close()
		}
		return nil, err
	}
	d.db.AllocSize = allocated
	return d, nil
}

// makeBuckets makes an empty file a ledger.
func (d *disk) makeBuckets() error {
	return d.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(metaBucket).Put(formatKey, []byte(format))
	})
}
