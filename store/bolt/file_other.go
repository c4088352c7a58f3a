//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package bolt

import (
	"os"
	"time"
)

// mapped is left to bbolt: on Windows a file is as long as its map.
const mapped = 0

// unlock does nothing: closing the file ends bbolt's lock on it.
func unlock(*os.File) {}

// lockFolder does nothing: a file that another process has open cannot be replaced here.
func lockFolder(string, time.Duration) (release func(), err error) { return func() {}, nil }

// syncFolders does nothing: folders cannot be synced here.
func syncFolders(string) error { return nil }
