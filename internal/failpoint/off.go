//go:build !failpoint

package failpoint

// Reach does nothing in a build without the tag failpoint.
func Reach(string) {}
