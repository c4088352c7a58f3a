package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// process is a program that runs beside the demo and writes to a log file.
type process struct {
	name    string
	logFile string
	cmd     *exec.Cmd
	ended   chan struct{} // closed once it is gone
}

// startProcess starts the command with env added to the demo's own.
func startProcess(name, logFile string, env []string, command ...string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has a handle of its own
	p := &process{name: name, logFile: logFile, ended: make(chan struct{})}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended does not matter, and its log says why
		close(p.ended)
	}()
	return p, nil
}

// until waits for the condition, as long as the process lives and the limit
// lasts.
func (p *process) until(ctx context.Context, limit time.Duration, condition func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition(ctx) {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended before it answered", p.name)
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to answer: %w", p.name, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// stop returns once the process is gone: asked politely first, then not.
func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // where it is gone already, ended says so
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// isDown reports whether the process has ended.
func (p *process) isDown() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// printTail prints the last lines of the log to standard error, without those
// about the demo's own questions to Caddy's admin endpoint.
func (p *process) printTail(lines int) {
	text, err := os.ReadFile(p.logFile)
	if err != nil {
		return
	}
	all := slices.DeleteFunc(bytes.Split(bytes.TrimSpace(text), []byte("\n")), func(line []byte) bool {
		return bytes.Contains(line, []byte(`"logger":"admin.api"`))
	})
	last := all[max(0, len(all)-lines):]
	fmt.Fprintf(os.Stderr, "\nthe last lines of %s's log:\n%s\n", p.name, bytes.Join(last, []byte("\n")))
}
