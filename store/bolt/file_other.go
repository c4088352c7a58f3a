//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package bolt

import "os"

// mapped is left to bbolt: on Windows a file is as long as its map.
const mapped = 0

// unlock does nothing: closing the file ends bbolt's lock on it.
func unlock(*os.File) {}

// syncFolders does nothing: folders cannot be synced here.
func syncFolders(string) error { return nil }
