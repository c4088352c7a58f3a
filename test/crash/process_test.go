package crash

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const loopback = "127.0.0.1"

// process is a program that can be killed and started again, with the same
// arguments and a number of its own.
type process struct {
	t     *testing.T
	name  string
	args  []string
	env   []string
	ready string // a URL that it answers when it has started
	run   int    // from 1

	cmd    *exec.Cmd
	output *output
	ended  chan struct{} // closed once it is gone
}

// start runs the program and returns once it answers.
func (p *process) start(env ...string) {
	p.t.Helper()
	p.run++
	p.output, p.ended = new(output), make(chan struct{})
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Env = append(append(os.Environ(), p.env...), append(env, fmt.Sprintf("%s=%d", runVariable, p.run))...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // how it ended is ours to say
		close(ended)
	}(p.cmd, p.ended)
	until(p.t, p.name+" answers", func() bool {
		if p.gone() {
			p.t.Fatalf("%s ended:\n%s", p.name, p.output.tail())
		}
		response, err := once.Get(p.ready)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill ends the program as a crash does, and stop as a service manager does.
func (p *process) kill() { p.signal(syscall.SIGKILL) }
func (p *process) stop() { p.signal(syscall.SIGTERM) }

func (p *process) signal(signal syscall.Signal) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(signal) // it may have ended by itself
	p.end()
}

// end waits until the program has ended.
func (p *process) end() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s did not end:\n%s", p.name, p.output.tail())
	}
	for _, word := range []string{"DATA RACE", "panic:", "http: panic"} {
		if text := p.output.String(); strings.Contains(text, word) {
			p.t.Errorf("%s in what %s wrote:\n%s", word, p.name, text)
		}
	}
}

// once makes a connection for each request.
var once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

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

func (o *output) tail() string {
	text := o.String()
	return text[max(0, len(text)-4000):]
}

// patience is how long a condition may take: far longer than it does.
const patience = 90 * time.Second

// until waits for the condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// freePorts returns ports that nobody listens on, below those that the system
// gives to outgoing connections: while a program is down its port stays free.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
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
