package shop

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// Process is a program that can be killed and started again, with the same
// arguments and a number of its own.
type Process struct {
	*processtest.Process
	// Run is the number of the run, from 1.
	Run int

	t     *testing.T
	runs  *runs
	args  []string
	env   []string
	ready string // a URL that responds when the program has started
}

// Start runs the program and returns once it responds.
func (p *Process) Start(env ...string) {
	p.t.Helper()
	p.Begin(env...)
	p.Answers(p.t, p.ready)
}

// Begin runs the program and does not wait for it.
func (p *Process) Begin(env ...string) {
	p.t.Helper()
	p.Run = p.runs.next()
	env = append(append(os.Environ(), p.env...), append(env, fmt.Sprintf("%s=%d", runVariable, p.Run))...)
	p.Process = processtest.Start(p.t, env, p.args[0], p.args[1:]...)
}

// Kill ends the program as a crash does.
func (p *Process) Kill() {
	p.t.Helper()
	p.strike()
	p.Wait(p.t)
}

// strike kills the program and does not wait for its end.
func (p *Process) strike() {
	p.t.Helper()
	p.runs.cut(history.Cut{Caddy: p.Run, From: time.Now()})
	if err := p.Cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("killing: %v", err)
	}
}

// Responds reports whether the program has started, and has not ended.
func (p *Process) Responds() bool {
	if p.Gone() {
		return false
	}
	response, err := processtest.Once.Get(p.ready)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Stop ends the program as a service manager does.
func (p *Process) Stop() {
	p.t.Helper()
	p.End(p.t, syscall.SIGTERM)
}

// Becomes has another program be run from the next start on.
func (p *Process) Becomes(binary string) { p.args = append([]string{binary}, p.args[1:]...) }

// Died waits until the program has ended itself, as from a crash.
func (p *Process) Died() {
	p.t.Helper()
	p.Wait(p.t)
	p.runs.cut(history.Cut{Caddy: p.Run, From: time.Now()})
}

// logsVariable names a folder for all that the processes of tests that fail have
// written in their last run.
const logsVariable = "SHOP_LOGS"

func (p *Process) keepLog() {
	dir := os.Getenv(logsVariable)
	if dir == "" {
		return
	}
	name := strings.NewReplacer("/", "-", " ", "-").Replace(fmt.Sprintf("%s-%s-%d", p.t.Name(), filepath.Base(p.args[0]), p.Run))
	if err := os.WriteFile(filepath.Join(dir, name), []byte(p.Output.String()), 0o600); err != nil {
		p.t.Error(err)
	}
}

// runs numbers the runs of the processes that share it, and knows what cut them off.
type runs struct {
	mu   sync.Mutex
	n    int
	cuts []history.Cut
}

func (r *runs) next() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	return r.n
}

func (r *runs) cut(c history.Cut) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cuts = append(r.cuts, c)
}
