//go:build !(darwin || freebsd || linux)

package bolt

// roomOn returns false: how much room there is, is not known here.
func roomOn(string) (uint64, bool) { return 0, false }
