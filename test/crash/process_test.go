package crash

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

const loopback = "127.0.0.1"

// process is a program that can be killed and started again, with the same
// arguments and a number of its own.
type process struct {
	t     *testing.T
	args  []string
	env   []string
	ready string // a URL that responds when the program has started
	run   int    // from 1

	*processtest.Process
}

// start runs the program and returns once it responds.
func (p *process) start(env ...string) {
	p.t.Helper()
	p.run++
	env = append(append(os.Environ(), p.env...), append(env, fmt.Sprintf("%s=%d", runVariable, p.run))...)
	p.Process = processtest.Start(p.t, env, p.args[0], p.args[1:]...)
	p.Answers(p.t, p.ready)
}

// kill ends the program as a crash does, and stop as a service manager does.
func (p *process) kill() { p.End(p.t, syscall.SIGKILL) }
func (p *process) stop() { p.End(p.t, syscall.SIGTERM) }
