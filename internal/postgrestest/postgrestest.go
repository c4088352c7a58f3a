// Package postgrestest runs PostgreSQL for tests: one server for each test package,
// from the programs that this machine has.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Server is a PostgreSQL server on a port of 127.0.0.1, with data that end with it.
// Commits are synced, as a ledger wants it.
type Server struct {
	// Port is where it listens, also after a restart.
	Port string

	bin, dir string
	host     string // besides 127.0.0.1; see StartRemote
	settings []string
	log      *os.File
	process  *exec.Cmd
	exited   chan struct{}
}

// shared is the server of the test package.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Main runs a package's tests, and ends the server that they share. It is for
// TestMain.
func Main(m *testing.M) int {
	defer func() {
		if shared.server != nil {
			shared.server.end()
		}
	}()
	return m.Run()
}

// Shared returns the server that the tests of a package share, which ends with
// [Main]. Where PostgreSQL is missing, the test ends; see [needs.Missing].
func Shared(t testing.TB) *Server {
	t.Helper()
	bin := programs(t)
	shared.once.Do(func() { shared.server, shared.err = start(bin, processtest.Port(), nil) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Start starts a server of the test's own, which ends with the test. A setting is
// one of postgresql.conf, such as "fsync=off".
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := start(programs(t), processtest.Ports(t, 1)[0], settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return s
}

// programs returns the folder of the newest PostgreSQL. Where there is none the test
// ends; see [needs.Missing].
func programs(t testing.TB) string {
	t.Helper()
	bin, err := folder()
	if err != nil {
		needs.Missing(t, "PostgreSQL")
	}
	return bin
}

// folder returns the folder of the newest PostgreSQL.
func folder() (string, error) {
	newest, folder := 0, ""
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	for _, path := range found {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err == nil && version > newest {
			newest, folder = version, filepath.Dir(path)
		}
	}
	if path, err := exec.LookPath("initdb"); folder == "" && err == nil {
		folder = filepath.Dir(path)
	}
	if folder == "" {
		return "", errors.New("there is no PostgreSQL here: install one, such as Debian's package postgresql")
	}
	return folder, nil
}

func start(bin, port string, settings []string) (*Server, error) {
	s, err := prepare(bin, port, settings)
	if err == nil {
		err = s.command("initdb", "-D", s.data(), "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	}
	if err == nil {
		err = s.Run()
	}
	if err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// prepare makes a server's folder, without its data.
func prepare(bin, port string, settings []string) (s *Server, err error) {
	s = &Server{Port: port, bin: bin, settings: settings}
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return s, err
	}
	if err := own(s.dir); err != nil {
		return s, err
	}
	s.log, err = os.Create(filepath.Join(s.dir, "log"))
	return s, err
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command runs one of PostgreSQL's programs to its end.
func (s *Server) command(name string, args ...string) error {
	command := exec.Command(filepath.Join(s.bin, name), args...)
	command.SysProcAttr = attributes()
	command.Dir = s.dir
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// Run starts the server again after [Server.Stop] or [Server.Kill], and returns when
// it answers.
func (s *Server) Run() error {
	args := []string{"-D", s.data(), "-p", s.Port, "-k", s.dir, "-h", "127.0.0.1"}
	for _, setting := range append([]string{"shared_buffers=32MB", "max_connections=200", "max_wal_size=256MB"}, s.settings...) {
		args = append(args, "-c", setting)
	}
	s.process = exec.Command(filepath.Join(s.bin, "postgres"), args...)
	s.process.SysProcAttr = attributes()
	s.process.Dir = s.dir
	s.process.Stdout, s.process.Stderr = s.log, s.log
	if err := s.process.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited = exited
	go func() {
		_ = s.process.Wait()
		close(exited)
	}()
	for range 600 {
		conn, err := pgx.Connect(context.Background(), s.URL())
		if err == nil {
			return conn.Close(context.Background())
		}
		select {
		case <-exited:
			return fmt.Errorf("PostgreSQL has ended:\n%s", s.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("PostgreSQL does not answer:\n%s", s.Log())
}

// Stop ends the server's connections and stops it, in order.
func (s *Server) Stop() { s.signal(syscall.SIGINT) }

// Kill stops the server at once, as a power cut would: what was not synced is lost.
func (s *Server) Kill() { s.signal(syscall.SIGQUIT) }

func (s *Server) signal(sig syscall.Signal) {
	if s.exited == nil {
		return
	}
	_ = s.process.Process.Signal(sig)
	<-s.exited
}

func (s *Server) end() {
	s.Kill()
	if s.log != nil {
		s.log.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// Log returns the end of what the server has written.
func (s *Server) Log() string {
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(log[max(0, len(log)-4000):])
}

// URL is that of the server's database, for a user who may do everything.
func (s *Server) URL() string {
	return "postgres://test@127.0.0.1:" + s.Port + "/postgres?sslmode=disable"
}

// Socket is the folder of the server's Unix socket.
func (s *Server) Socket() string { return s.dir }

// Exec runs SQL, and fails the test if that fails.
func (s *Server) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Value runs a query that returns one value, which it returns as a text.
func (s *Server) Value(t testing.TB, sql string, args ...any) string {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var value any
	if err := conn.QueryRow(context.Background(), sql, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return fmt.Sprint(value)
}

var (
	notInNames = regexp.MustCompile(`[^a-z0-9_]+`)
	schemas    = struct {
		sync.Mutex
		n int
	}{}
)

// Schema returns the name of a schema that no other test has. It is dropped when the
// test ends; nobody makes it here.
func (s *Server) Schema(t testing.TB) string {
	t.Helper()
	schemas.Lock()
	schemas.n++
	name := fmt.Sprintf("t%d_%s", schemas.n, notInNames.ReplaceAllString(strings.ToLower(t.Name()), "_"))
	schemas.Unlock()
	name = name[:min(len(name), 50)]
	t.Cleanup(func() {
		select {
		case <-s.exited:
		default:
			s.Exec(t, `drop schema if exists "`+name+`" cascade`)
		}
	})
	return name
}

// Open starts a server for a program that is no test, which ends it with Close.
func Open() (*Server, error) {
	bin, err := folder()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	return start(bin, port, nil)
}

// PID is the server's process, whose children are its connections'.
func (s *Server) PID() int { return s.process.Process.Pid }

// Version is that of the server's programs; empty: there are none.
func Version() string {
	bin, err := folder()
	if err != nil {
		return ""
	}
	out, _ := exec.Command(filepath.Join(bin, "postgres"), "-V").Output()
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "postgres (PostgreSQL) ")
}

// Close ends a server that Open has started.
func (s *Server) Close() { s.end() }

// UntilUsable waits until a store has its schema, which takes longer on a busy machine than
// opening it waits for.
func UntilUsable(t testing.TB, store ledger.Store) {
	t.Helper()
	processtest.Until(t, "the store can be used", func() bool {
		_, err := store.Counts(context.Background())
		return err == nil
	})
}
