package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const loopback = "127.0.0.1"

// globals and site are a Caddyfile that leaves to the environment what differs
// between two servers.
const (
	globals = `{
	admin {$ADMIN}
	auto_https disable_redirects
	metrics
	ccpayment {
		store bolt {
			path {$LEDGER}
		}
	}
}
`
	site = `http://127.0.0.1:{$PORT} {
	ccpayment_webhook /hook {
		confirm off
		token ` + token + `
	}
	reverse_proxy {$APP}
}
`
	// stored is the site that answers at once and hands over in the background.
	stored = `http://127.0.0.1:{$PORT} {
` + handler + `	respond here
}
`
	handler = `	ccpayment_webhook /hook {
		confirm off
		token ` + token + `
		deliver {
			reverse_proxy {$APP}
		}
		retry {
			first 200ms
			max 1s
		}
	}
`
)

const (
	appID     = "test-app"
	appSecret = "test-secret"
	token     = "test-token"
)

// server is one place to run Caddy: its ports, its directory and its ledger.
type server struct {
	t      *testing.T
	dir    string
	ledger string
	admin  string // its address
	port   string
	hook   string
	env    []string
	// program is the Caddy that is started here.
	program string
	// attributes are those of the commands, not of the server itself.
	attributes *syscall.SysProcAttr
	*process
}

// newServer finds a place; the app is what it will proxy to.
func newServer(t *testing.T, app string) *server {
	t.Helper()
	ports := freePorts(t, 2)
	s := &server{t: t, dir: t.TempDir(), admin: net.JoinHostPort(loopback, ports[0]), port: ports[1], program: binary}
	s.ledger = filepath.Join(s.dir, "data", "ledger.db")
	s.hook = "http://" + net.JoinHostPort(loopback, s.port) + "/hook"
	s.env = append(os.Environ(),
		"CCPAYMENT_APP_ID="+appID, "CCPAYMENT_APP_SECRET="+appSecret,
		"ADMIN="+s.admin, "PORT="+s.port, "LEDGER="+s.ledger, "APP="+app,
		"XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir,
		// A second race is reported too, and neither ends the process early.
		"GORACE=halt_on_error=0",
	)
	return s
}

// file writes a Caddyfile and returns its name.
func (s *server) file(caddyfile string) string {
	s.t.Helper()
	name := filepath.Join(s.dir, fmt.Sprintf("Caddyfile.%d", rand.Uint64()))
	if err := os.WriteFile(name, []byte(caddyfile), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return name
}

// start runs Caddy and returns once the site answers.
func (s *server) start(caddyfile string) {
	s.t.Helper()
	s.process = startProcess(s.t, s.program, s.env, "run", "--config", s.file(caddyfile), "--adapter", "caddyfile")
	until(s.t, "the site answers", func() bool {
		select {
		case <-s.ended:
			s.t.Fatalf("Caddy ended: %v\n%s", s.err, s.output.tail())
		default:
		}
		response, err := once.Get(strings.TrimSuffix(s.hook, "/hook"))
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// stop ends Caddy as a service manager does, and waits until it is gone.
func (s *server) stop() {
	s.t.Helper()
	s.signal(s.t, syscall.SIGTERM)
	if s.err != nil {
		s.t.Errorf("Caddy ended with %v\n%s", s.err, s.output.tail())
	}
}

// load gives the Caddyfile to the running Caddy through its admin endpoint. The
// load replaces that too, and at times its connection breaks before the answer:
// then it is loaded again.
func (s *server) load(caddyfile string) error {
	err := s.loadOnce(caddyfile)
	if errors.Is(err, syscall.ECONNRESET) {
		err = s.loadOnce(caddyfile)
	}
	return err
}

func (s *server) loadOnce(caddyfile string) error {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.admin+"/load", strings.NewReader(caddyfile))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Header.Set("Cache-Control", "must-revalidate") // load it even if nothing changed
	response, err := once.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(string(text))
	}
	return err
}

// command runs another Caddy to its end, with the server's environment.
func (s *server) command(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.SysProcAttr = s.env, s.attributes
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), dataRace) {
		s.t.Errorf("a data race:\n%s", out)
	}
	return string(out), err
}

// once makes a connection for each request: the admin endpoint is replaced by
// every reload.
var once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// process is a running Caddy.
type process struct {
	cmd    *exec.Cmd
	output output
	ended  chan struct{} // closed once it is gone; then err is set
	err    error
}

const dataRace = "DATA RACE"

func startProcess(t *testing.T, program string, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.signal(t, syscall.SIGKILL)
		for _, word := range []string{dataRace, "panic:", "http: panic"} {
			if before, after, found := strings.Cut(p.output.String(), word); found {
				t.Errorf("%s in Caddy's log:\n%s%s%s", word, last(before, 1000), word, first(after, 8000))
			}
		}
		if t.Failed() {
			t.Logf("Caddy's log ends:\n%s", p.output.tail())
		}
	})
	return p
}

// signal sends the signal and waits until the process is gone.
func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("sending %v: %v", sig, err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Errorf("Caddy did not end after %v\n%s", sig, p.output.tail())
	}
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) tail() string { return last(o.String(), 4000) }

func first(s string, n int) string { return s[:min(n, len(s))] }
func last(s string, n int) string  { return s[max(0, len(s)-n):] }

// patience is how long a condition may take: far longer than it does.
const patience = 60 * time.Second

// until waits for the condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// freePorts returns ports that nobody listens on. They are below those that
// the system gives to outgoing connections: a sender that tries again while
// the server is away must not take the server's port.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for range 1000 {
		port := fmt.Sprint(20000 + rand.IntN(12000))
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, port))
		if err != nil {
			continue
		}
		defer listener.Close()
		if ports = append(ports, port); len(ports) == n {
			return ports
		}
	}
	t.Fatal("no free ports")
	return nil
}
