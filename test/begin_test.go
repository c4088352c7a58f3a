package test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

func TestValidateTouchesNoLedger(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	s := newServer(t, app.url)
	file := s.file(globals + site)
	validate := func() {
		t.Helper()
		if out, err := s.command("validate", "--config", file, "--adapter", "caddyfile"); err != nil {
			t.Errorf("validate: %v\n%s", err, out)
		}
	}
	validate()
	if _, err := os.Stat(filepath.Dir(s.ledger)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("validate made the ledger's folder: %v", err)
	}

	s.start(globals + site)
	mustAcknowledge(t, s, newEvent())
	validate()
	s.stop()

	damaged := bytes.Repeat([]byte("no ledger "), 2000)
	if err := os.WriteFile(s.ledger, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	validate()
	if got, err := os.ReadFile(s.ledger); err != nil || !bytes.Equal(got, damaged) {
		t.Errorf("validate changed the file, %v", err)
	}
}

func TestUnusableLedger(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(t *testing.T, s *server)
		want    string
	}{
		"another process has it": {
			func(t *testing.T, s *server) {
				other := newServer(t, startApp(t).url)
				other.env = append(other.env, "LEDGER="+s.ledger)
				other.start(globals + site)
			},
			"stop the other one or give each its own path",
		},
		"it is damaged": {
			func(t *testing.T, s *server) {
				mustMkdir(t, filepath.Dir(s.ledger))
				if err := os.WriteFile(s.ledger, bytes.Repeat([]byte("no ledger "), 2000), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			"put a backup in its place",
		},
		"it is a folder": {
			func(t *testing.T, s *server) { mustMkdir(t, s.ledger) },
			"its path must be that of a file in a folder",
		},
		"its folder is a file": {
			func(t *testing.T, s *server) { s.ledger = filepath.Join(s.file(""), "ledger.db") },
			"its path must be that of a file in a folder",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, "http://127.0.0.1:1")
			test.prepare(t, s)
			mustNotStart(t, s, test.want)
		})
	}
}

// mustNotStart checks that what keeps the ledger from being opened keeps Caddy
// from starting, and that it says which file it is and what to do.
func mustNotStart(t *testing.T, s *server, advice string) {
	t.Helper()
	s.env = append(s.env, "LEDGER="+s.ledger)
	out, err := s.command("run", "--config", s.file(globals+site), "--adapter", "caddyfile")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() < 1 {
		t.Errorf("Caddy should end with an exit status, not %v", err)
	}
	if !strings.Contains(out, advice) || !strings.Contains(out, s.ledger) {
		t.Errorf("it should name %s and say %q:\n%s", s.ledger, advice, out)
	}
}

// waits is what a Caddy logs whose start waits for the ledger.
const waits = "another process has the ledger open"

// startWaiting starts a Caddy that is to have the ledger of another, and returns
// once it waits for that.
func startWaiting(t *testing.T, other *server) *server {
	t.Helper()
	s := newServer(t, startApp(t).url)
	s.env = append(s.env, "LEDGER="+other.ledger)
	patient := strings.Replace(globals, "path {$LEDGER}", "path {$LEDGER}\n\t\t\twait 2m", 1)
	s.Process = startProcess(t, s.program, s.env, "run", "--config", s.file(patient+site), "--adapter", "caddyfile")
	processtest.Until(t, "the second Caddy waits for the ledger", func() bool { return strings.Contains(s.Output.String(), waits) })
	return s
}

// TestCase28_Replaced: a Caddy that takes another's place starts when that has ended,
// with all that it knew.
func TestCase28_Replaced(t *testing.T) {
	t.Parallel()
	old := newServer(t, startApp(t).url)
	old.start(globals + site)
	e := newEvent()
	mustAcknowledge(t, old, e)
	next := startWaiting(t, old)
	mustAcknowledge(t, old, newEvent())
	old.stop()
	next.Answers(t, strings.TrimSuffix(next.hook, "/hook"))
	mustAcknowledge(t, next, e)
	mustAcknowledge(t, next, newEvent())
	next.stop()
}

// TestCase28_StoppedWhileItWaits: a Caddy that waits for the ledger ends when it is
// told to, and not when the wait is over.
func TestCase28_StoppedWhileItWaits(t *testing.T) {
	t.Parallel()
	old := newServer(t, startApp(t).url)
	old.start(globals + site)
	next := startWaiting(t, old)
	next.End(t, syscall.SIGTERM)
	if !strings.Contains(next.Output.Tail(), "another process has it open") {
		t.Errorf("it should say why it has not started:\n%s", next.Output.Tail())
	}
	mustAcknowledge(t, old, newEvent())
}

func mustMkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}
