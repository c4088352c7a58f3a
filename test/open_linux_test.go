package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
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
	processtest.Until(t, "the ledger is closed", func() bool { return timesOpen(t, s) == 0 })
}

func timesOpen(t *testing.T, s *server) int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", s.Cmd.Process.Pid)
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

// memory returns how many bytes of memory Caddy has that are not pages of files.
func memory(t *testing.T, s *server) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "RssAnon:" {
			continue
		}
		kilobytes, err := strconv.Atoi(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		return kilobytes << 10
	}
	t.Fatal("the system does not tell RssAnon")
	return 0
}
