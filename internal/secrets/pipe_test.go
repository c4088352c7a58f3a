//go:build unix

package secrets

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestPipe: a pipe is not read, which would wait for whoever writes to it.
func TestPipe(t *testing.T) {
	b := newBench(t)
	b.write("s", "one")
	synctest.Test(t, func(t *testing.T) {
		b.watch("app_secret", "s")
		b.Run(t.Context())
		if err := os.Remove(b.path("s")); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(b.path("s"), 0o600); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		b.expect("a pipe", 1, "not a regular file", "one")
	})
	if _, err := ReadFile(b.path("s")); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("reading a pipe: %v", err)
	}
}
