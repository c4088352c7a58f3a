//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package bolt

import (
	"errors"
	"math/bits"
	"os"
	"path/filepath"
	"syscall"
	"time"

	bolterrors "go.etcd.io/bbolt/errors"
)

// lockStep is how long one waits for a folder's lock between two tries: making a file
// takes a few syncs.
const lockStep = 10 * time.Millisecond

// mapped is how much of the address space the file gets at once: 1 GiB, or 16 MiB
// of a 32-bit one. A file that outgrows its map waits for the transactions that read
// it, and all commits wait with it: a backup that is read slowly would hold them up.
const mapped = 1 << (18 + 6*bits.UintSize/32)

// unlock lets go of bbolt's lock on a file. Closing the file is not enough
// here while a memory map of it is left.
func unlock(file *os.File) {
	_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
}

// lockFolder locks a folder against others that make a ledger in it, and returns what
// ends that. A folder that cannot be locked, as on NFS, is not.
func lockFolder(name string, timeout time.Duration) (release func(), err error) {
	folder, err := os.Open(name)
	if os.IsPermission(err) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	isTaken := func() bool {
		return errors.Is(syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
	}
	for deadline := time.Now().Add(timeout); isTaken(); time.Sleep(lockStep) {
		if time.Now().After(deadline) {
			return nil, errors.Join(bolterrors.ErrTimeout, folder.Close())
		}
	}
	return func() { _ = folder.Close() }, nil
}

// syncFolders makes the name of a new file durable, and that of its folder,
// which may be new as well: without its name a synced file is lost in a power
// cut all the same.
func syncFolders(path string) error {
	for _, name := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		folder, err := os.Open(name)
		if os.IsPermission(err) {
			continue // a folder that we may not read is not one that we made
		}
		if err != nil {
			return err
		}
		if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
			return err
		}
	}
	return nil
}
