package test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// checkLedgerIsOpenOnce looks at the files that Caddy has open: one file of the
// ledger, whatever was loaded or failed to load.
func checkLedgerIsOpenOnce(t *testing.T, s *server) {
	t.Helper()
	if n := timesOpen(t, s); n != 1 {
		t.Errorf("the ledger is open %d times", n)
	}
}

func waitUntilLedgerIsClosed(t *testing.T, s *server) {
	t.Helper()
	until(t, "the ledger is closed", func() bool { return timesOpen(t, s) == 0 })
}

func timesOpen(t *testing.T, s *server) int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := filepath.EvalSymlinks(s.ledger)
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for _, file := range files {
		// A connection may be closed meanwhile; the ledger may not.
		if name, err := os.Readlink(filepath.Join(dir, file.Name())); err == nil && name == ledger {
			open++
		}
	}
	return open
}
