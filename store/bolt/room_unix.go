//go:build darwin || freebsd || linux

package bolt

import "syscall"

// roomOn returns how much room the disk of a folder has for us; false: that is not known.
func roomOn(folder string) (uint64, bool) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return 0, false
	}
	return uint64(max(disk.Bavail, 0)) * uint64(disk.Bsize), true //nolint:gosec,unconvert // of other types elsewhere
}
