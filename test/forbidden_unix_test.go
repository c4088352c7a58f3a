//go:build unix

package test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestForbiddenFolder(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"the ledger's own": "ledger.db",
		"the one above":    "shop/ledger.db",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, "http://127.0.0.1:1")
			dir := filepath.Join(s.dir, "forbidden")
			mustMkdir(t, dir)
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
			if os.Geteuid() == 0 {
				// Nothing is forbidden to root, so Caddy runs as nobody here, who
				// gets at the rest of the test's files.
				if err := os.Chmod(filepath.Dir(s.dir), 0o755); err != nil {
					t.Fatal(err)
				}
				const nobody = 65534
				s.attributes = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			}
			s.ledger = filepath.Join(dir, file)
			mustNotStart(t, s, "write permission")
		})
	}
}
