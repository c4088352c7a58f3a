package test

import (
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
	"syscall"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
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
	// stored is the site that acknowledges at once and delivers in the background.
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

// server is a Caddy with its ports, its directory and its ledger, running or not.
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
	*processtest.Process
}

// newServer returns a server that is not started yet; app is the app's URL.
func newServer(t *testing.T, app string) *server {
	t.Helper()
	ports := processtest.Ports(t, 2)
	s := &server{t: t, dir: t.TempDir(), admin: net.JoinHostPort(loopback, ports[0]), port: ports[1], program: binary}
	s.ledger = filepath.Join(s.dir, "data", "ledger.db")
	s.hook = "http://" + net.JoinHostPort(loopback, s.port) + "/hook"
	s.env = append(os.Environ(),
		"CCPAYMENT_APP_ID="+appID, "CCPAYMENT_APP_SECRET="+appSecret,
		"ADMIN="+s.admin, "PORT="+s.port, "LEDGER="+s.ledger, "APP="+app,
		"XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir,
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

// start runs Caddy and returns once the site responds.
func (s *server) start(caddyfile string) {
	s.t.Helper()
	s.Process = startProcess(s.t, s.program, s.env, "run", "--config", s.file(caddyfile), "--adapter", "caddyfile")
	s.Answers(s.t, strings.TrimSuffix(s.hook, "/hook"))
}

// stop ends Caddy as a service manager does, and waits until it is gone.
func (s *server) stop() {
	s.t.Helper()
	s.End(s.t, syscall.SIGTERM)
	if s.Err != nil {
		s.t.Errorf("Caddy ended with %v\n%s", s.Err, s.Output.Tail())
	}
}

// load gives the Caddyfile to the running Caddy through its admin endpoint. The
// load replaces that too, and at times its connection breaks before the response:
// then it is loaded again.
func (s *server) load(caddyfile string) error {
	err := s.loadOnce(caddyfile)
	if processtest.CutOff(err) {
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
	response, err := processtest.Once.Do(request)
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
	ctx, cancel := context.WithTimeout(s.t.Context(), processtest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.SysProcAttr = s.env, s.attributes
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), processtest.DataRace) {
		s.t.Errorf("a data race:\n%s", out)
	}
	return string(out), err
}

// startProcess starts a process that ends with the test at the latest.
func startProcess(t *testing.T, program string, env []string, args ...string) *processtest.Process {
	t.Helper()
	p := processtest.Start(t, env, program, args...)
	t.Cleanup(func() {
		p.End(t, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("Caddy's log ends:\n%s", p.Output.Tail())
		}
	})
	return p
}
