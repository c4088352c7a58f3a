//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package bolt

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Who takes a copy slowly holds up nobody, however much the ledger grows
// meanwhile, and gets what was there when the copy began.
func TestSlowBackup(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	before := delivered("before")
	if err := commit(s, before); err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(s.Backup(writer)) }()
	first := make([]byte, 1)
	if _, err := io.ReadFull(reader, first); err != nil {
		t.Fatal(err)
	}
	for i := range 40 { // 4 MiB, where bbolt's own map begins with 32 KiB
		c := delivered(fmt.Sprint(i))
		c.Event.Body = bytes.Repeat([]byte{' '}, 100<<10)
		if err := commit(s, c); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, append(first, rest...), 0o600); err != nil {
		t.Fatal(err)
	}
	backup := open(t, path, Options{})
	if err := missing(backup, before); err != nil {
		t.Error(err)
	}
}
