//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package bolt

import (
	"math/bits"
	"os"
	"path/filepath"
	"syscall"
)

// mapped is how much of the address space the file gets at once: 1 GiB, or 16 MiB
// of a 32-bit one. A file that outgrows its map waits for the transactions that read
// it, and all commits wait with it: a backup that is read slowly would hold them up.
const mapped = 1 << (18 + 6*bits.UintSize/32)

// unlock lets go of bbolt's lock on a file. Closing the file is not enough
// here while a memory map of it is left.
func unlock(file *os.File) {
	_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
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
		if err := folder.Sync(); err != nil {
			return err
		}
		if err := folder.Close(); err != nil {
			return err
		}
	}
	return nil
}
