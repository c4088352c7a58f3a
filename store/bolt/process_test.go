//go:build linux || darwin

package bolt

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// children are what the test binary does instead of testing, as a process of
// its own.
var children = map[string]func(path string) error{
	"hold": childHold,
	"open": childOpen,
	"full": childFull,
	"loop": childLoop,
}

const childVariable = "BOLT_TEST_CHILD"

func TestMain(m *testing.M) {
	if child := os.Getenv(childVariable); child != "" {
		if err := children[child](os.Getenv("BOLT_TEST_PATH")); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func childCommand(t *testing.T, child, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+child, "BOLT_TEST_PATH="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// childHold has the file open until its input ends.
func childHold(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return s.Close()
}

// hold starts a process that has the file open until release is called.
func hold(t *testing.T, path string) (release func() error) {
	t.Helper()
	cmd := childCommand(t, "hold", path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceValue(func() error { return errors.Join(stdin.Close(), cmd.Wait()) })
	t.Cleanup(func() { _ = release() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "open\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return release
}

func TestOpenElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	release := hold(t, path)
	_, err := Open(path, Options{LockTimeout: 10 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("while another process has it: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if open(t, path, Options{}).Created {
		t.Error("the other's ledger is reported as created")
	}
}

// openWaiting opens the file as the module with an option wait does.
func openWaiting(path string, wait time.Duration, logger *zap.Logger) error {
	store, err := (&Module{path: path, Wait: caddy.Duration(wait)}).Open(ledger.OpenOptions{Logger: logger})
	if err != nil {
		return err
	}
	return store.Close()
}

// A start waits for the process that has the file, and goes on when that ends.
func TestCase28_Wait(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	release := hold(t, path)
	core, logs := observer.New(zap.WarnLevel)
	opened := make(chan error, 1)
	go func() { opened <- openWaiting(path, time.Minute, zap.New(core)) }()
	deadline := time.Now().Add(20 * time.Second)
	for logs.FilterMessageSnippet("waiting for it to end").Len() == 0 {
		if time.Now().After(deadline) {
			t.Fatal("nothing says that the start waits")
		}
		time.Sleep(10 * time.Millisecond)
	}
	select {
	case err := <-opened:
		t.Fatalf("while another process has it: %v", err)
	default:
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("after the other has ended: %v", err)
	}
}

// Where the other does not end, the error names the file, what is wrong and how
// long it was waited for.
func TestCase28_WaitInVain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	hold(t, path)
	for _, wait := range []time.Duration{0, 300 * time.Millisecond, 1500 * time.Millisecond} {
		want := cmp.Or(wait, time.Second)
		began := time.Now()
		err := openWaiting(path, wait, zap.NewNop())
		if took := time.Since(began); took < want-150*time.Millisecond || took > want+5*time.Second {
			t.Errorf("wait %s: it took %s", wait, took)
		}
		for _, part := range []string{path, "another process has it open", "stop the other one", "this start waited ", "the store's option wait"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("wait %s: the error lacks %q: %v", wait, part, err)
			}
		}
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "ledger.db")
	open(t, path, Options{})
	for _, name := range []string{path, filepath.Dir(path)} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others have access to %s: %v, %v", name, info.Mode(), err)
		}
	}
}

// A file that somebody cuts off while it is open is an error to who reads it;
// the process, and what else it serves, lives on.
func TestCutWhileOpen(t *testing.T) {
	path := fill(t, 200)
	s := open(t, path, Options{})
	c := delivered("1")
	if err := missing(s, c); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	_, loadErr := s.Load(bg, c.Event.Key)
	_, claimErr := s.Claim(bg, c.Event.Record, time.Minute)
	for name, err := range map[string]error{"Load": loadErr, "Claim": claimErr} {
		if err == nil || errors.Is(err, ledger.ErrNotFound) || !strings.Contains(err.Error(), "put a backup in its place") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// childOpen opens the file as a user without rights, and says what comes of it.
func childOpen(path string) error {
	if os.Getuid() == 0 { // whom no permission binds
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
			return err
		}
	}
	s, err := Open(path, Options{})
	if err == nil {
		return errors.Join(errors.New("it opens"), s.Close())
	}
	fmt.Println(err)
	return nil
}

func TestOpenWithoutPermission(t *testing.T) {
	content, err := os.ReadFile(fill(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		path   string
		folder os.FileMode
	}{
		"ReadOnlyFile":           {"ledger.db", 0o755},
		"FileInReadOnlyFolder":   {"other.db", 0o555},
		"FolderInReadOnlyFolder": {filepath.Join("folder", "ledger.db"), 0o555},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "ledger.db"), content, 0o444); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(folder, test.folder); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(folder, 0o755) })
			cmd := childCommand(t, "open", test.path)
			cmd.Dir = folder // the path is relative: the folders above are none of the child's
			out, err := cmd.Output()
			if err != nil || !bytes.Contains(out, []byte(test.path)) || !bytes.Contains(out, []byte("write permission")) {
				t.Errorf("the child says %q, %v", out, err)
			}
		})
	}
}

// childFull commits until there is no room, makes room and goes on.
func childFull(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	limit := func(bytes uint64) error {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			return err
		}
		l.Cur = min(bytes, l.Max)
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := limit(300_000); err != nil {
		return err
	}
	n := 0
	for err == nil {
		n++
		err = commit(s, delivered(fmt.Sprint(n)))
	}
	full := delivered(fmt.Sprint(n))
	if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "free space") {
		return fmt.Errorf("when it is full: %w", err)
	}
	if n < 20 {
		return fmt.Errorf("it is full after %d events: %w", n, err)
	}
	check := func(s *Store) error {
		for i := 1; i < n; i++ {
			if err := missing(s, delivered(fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return nil
	}
	if err := check(s); err != nil {
		return fmt.Errorf("while it is full: %w", err)
	}
	if err := missing(s, full); err == nil {
		return errors.New("what was refused is there")
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = Open(path, Options{}); err != nil {
		return fmt.Errorf("opening it while it is full: %w", err)
	}
	if err := limit(1 << 40); err != nil {
		return err
	}
	for i := n; i < 2*n; i++ {
		if err := commit(s, delivered(fmt.Sprint(i))); err != nil {
			return fmt.Errorf("after making room: %w", err)
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = Open(path, Options{}); err != nil {
		return err
	}
	n *= 2
	return errors.Join(check(s), s.Close())
}

func TestFull(t *testing.T) {
	if out, err := childCommand(t, "full", filepath.Join(t.TempDir(), "ledger.db")).Output(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// childLoop commits for ever, and prints the id of each event that is acknowledged.
func childLoop(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), g, i)
				if err := commit(s, delivered(id)); err != nil {
					fmt.Println("error", err)
					return
				}
				fmt.Println("acknowledged", id)
			}
		})
	}
	wg.Wait()
	return s.Close()
}

// TestKilled: whatever was acknowledged before a process is killed is there.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	var acknowledged []string
	for range 20 {
		cmd := childCommand(t, "loop", path)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		for n := rand.IntN(200); lines.Scan(); n-- {
			if id, ok := strings.CutPrefix(lines.Text(), "acknowledged "); ok {
				acknowledged = append(acknowledged, id)
			} else if lines.Text() != "open" {
				t.Errorf("the child says %q", lines.Text())
			}
			if n == 0 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed, as it should be
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range acknowledged {
			if err := missing(s, delivered(id)); err != nil {
				t.Errorf("acknowledged, and lost: %v", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) < 100 {
		t.Errorf("only %d events were acknowledged in all", len(acknowledged))
	}
}
