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

// Pooler is a pgbouncer in transaction mode.
type Pooler struct {
	bin, dir, port string
	process        *exec.Cmd
}

// Pooler starts pgbouncer in transaction mode before the server, until the test ends.
func (s *Server) Pooler(t testing.TB) *Pooler {
	t.Helper()
	p := &Pooler{bin: needs.Command(t, "pgbouncer", "/usr/sbin/pgbouncer"), port: processtest.Ports(t, 1)[0]}
	var err error
	if p.dir, err = os.MkdirTemp("", "pgbouncer"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(p.dir) })
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
`, s.Port, p.port)
	if err := os.WriteFile(filepath.Join(p.dir, "pgbouncer.ini"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := own(p.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	p.Run(t)
	return p
}

// Run starts the pooler again after [Pooler.Kill], and returns when it answers.
func (p *Pooler) Run(t testing.TB) {
	t.Helper()
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.process = exec.Command(p.bin, filepath.Join(p.dir, "pgbouncer.ini"))
	p.process.SysProcAttr = attributes()
	p.process.Stdout, p.process.Stderr = log, log
	if err := p.process.Start(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		conn, err := pgx.Connect(context.Background(), p.URL())
		if err == nil {
			_ = conn.Close(context.Background())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	said, _ := os.ReadFile(log.Name())
	t.Fatalf("pgbouncer does not answer:\n%s", said)
}

// Kill ends the pooler with all connections, from one moment to the next.
func (p *Pooler) Kill() {
	if p.process != nil && p.process.Process != nil {
		_ = p.process.Process.Kill()
		_ = p.process.Wait()
	}
}

// URL is that of the server's database, by way of the pooler.
func (p *Pooler) URL() string {
	return "postgres://test@127.0.0.1:" + p.port + "/postgres?sslmode=disable"
}
