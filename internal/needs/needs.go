// Package needs is for tests that need a program which Go does not bring. Where
// it is missing, CI fails, and else the test is left out and counted: `make test`
// says at its end how many were.
package needs

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Command returns the path of the first of the programs that is here; a test
// that finds none of them ends.
func Command(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, names[0])
	return ""
}

// Missing ends a test that needs what is not here.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI has to have it: see .ci/tools", what)
	}
	LeaveOut(t, what, "make test installs it where it can (.ci/tools)")
}

// LeaveOut ends a test that needs what this machine cannot have, in CI too, and counts
// it.
func LeaveOut(t testing.TB, what, why string) {
	t.Helper()
	// The name of the file is another in each run, so that a cached result
	// counts nothing away.
	if file := os.Getenv("TESTS_LEFT_OUT"); file != "" {
		if err := note(file, what); err != nil {
			t.Fatal(err)
		}
	}
	t.Skipf("%s is missing: %s", what, why)
}

// note adds a line, in one write: the tests of other packages do so too.
func note(file, what string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(f, what); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
