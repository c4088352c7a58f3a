//go:build unix

package shop

import (
	"sync"
	"syscall"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// Pause stops the program for a while, so that it does nothing, and notes it as a cut
// if it is one.
func (p *Process) Pause(isCut bool) (resume func()) {
	p.t.Helper()
	from, run, process := time.Now(), p.Run, p.Cmd.Process
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if isCut {
			p.runs.cut(history.Cut{Caddy: run, From: from, To: time.Now()})
		}
		if err := process.Signal(syscall.SIGCONT); err != nil {
			p.t.Error(err)
		}
	})
}
