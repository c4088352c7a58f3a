package postgrestest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// Pooler starts pgbouncer in transaction mode before the server, until the test ends,
// and returns the URL by which it leads there.
func Pooler(t testing.TB, s *Server) string {
	t.Helper()
	bin := needs.Command(t, "pgbouncer", "/usr/sbin/pgbouncer")
	dir, err := os.MkdirTemp("", "pgbouncer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := processtest.Ports(t, 1)[0]
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
postgres = host=127.0.0.1 port=%s dbname=postgres user=test
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
server_idle_timeout = 5
`, s.Port, port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := own(dir); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	process := exec.Command(bin, config)
	process.SysProcAttr = attributes()
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	url := "postgres://test@127.0.0.1:" + port + "/postgres?sslmode=disable"
	for range 100 {
		conn, err := pgx.Connect(context.Background(), url)
		if err == nil {
			_ = conn.Close(context.Background())
			return url
		}
		time.Sleep(50 * time.Millisecond)
	}
	said, _ := os.ReadFile(log.Name())
	t.Fatalf("pgbouncer does not answer:\n%s", said)
	return ""
}
