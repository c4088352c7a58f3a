package simstore

import (
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Seeds are those of the worlds to try: WORLD=<seed> is one, WORLDS=<n> are as many.
func Seeds(t testing.TB, usual int) (first, n int) {
	t.Helper()
	read := func(name string) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil || n < 1 {
			t.Fatalf("%s=%s is no number of a world", name, os.Getenv(name))
		}
		return n
	}
	switch {
	case os.Getenv("WORLD") != "":
		return read("WORLD"), 1
	case os.Getenv("WORLDS") != "":
		return 1, read("WORLDS")
	}
	return 1, usual
}

// Trace is the history of a world. Lines of one instant may come in any order, so its digest
// is a sum.
type Trace struct {
	// Shows: people see it.
	Shows bool

	mu     sync.Mutex
	digest uint64
}

// Log adds a line.
func (t *Trace) Log(at time.Duration, format string, args ...any) {
	line := fmt.Sprintf("%12s ", at) + fmt.Sprintf(format, args...)
	h := fnv.New64a()
	_, _ = h.Write([]byte(line)) // which never fails
	t.mu.Lock()
	defer t.mu.Unlock()
	t.digest += h.Sum64()
	if t.Shows {
		fmt.Fprintln(os.Stderr, line)
	}
}

// Digest is the same for equal histories.
func (t *Trace) Digest() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.digest
}
