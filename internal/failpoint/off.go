//go:build !failpoint

// Package failpoint names the places in the code at which a crash differs from
// one a moment earlier or later. The tests of crashes end the process there. In
// a normal build nothing of it remains.
package failpoint

// Reach does nothing in a build without the tag failpoint.
func Reach(string) {}
