// Package processtest is for tests that run servers as processes of their own: it starts
// and ends them, captures their output, and waits for conditions.
package processtest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is the time limit of everything that is waited for: far more than it takes.
const Patience = 90 * time.Second

// Once is a client that makes a new connection for each request, because the process
// behind an address may be another each time.
var Once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Patience}

// CutOff reports whether a request with Once failed because the server closed its
// connection, perhaps before it read it: one that waits at a listener while a reload
// closes that.
func CutOff(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)
}

// DataRace is the text in a report of the race detector.
const DataRace = "DATA RACE"

// Process is a program that was started.
type Process struct {
	Cmd *exec.Cmd
	// Output is what the process writes to standard output and standard error.
	Output Output
	// Ended is closed once the process has ended. Then Err is its exit error.
	Ended chan struct{}
	Err   error

	check sync.Once
}

// Start starts the program. The caller must end it.
func Start(t testing.TB, env []string, program string, args ...string) *Process {
	t.Helper()
	p := &Process{Cmd: exec.Command(program, args...), Ended: make(chan struct{})}
	p.Cmd.Env = env
	p.Cmd.Stdout, p.Cmd.Stderr = &p.Output, &p.Output
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.Err = p.Cmd.Wait()
		close(p.Ended)
	}()
	return p
}

// Gone reports whether the process has ended.
func (p *Process) Gone() bool {
	select {
	case <-p.Ended:
		return true
	default:
		return false
	}
}

// Answers waits until a GET of the URL has the response 200.
func (p *Process) Answers(t testing.TB, url string) {
	t.Helper()
	Until(t, url+" answers", func() bool {
		if p.Gone() {
			t.Fatalf("%s ended: %v\n%s", p.Cmd.Path, p.Err, p.Output.Tail())
		}
		response, err := Once.Get(url)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// End sends the process a signal, unless it has ended, and waits until it has.
func (p *Process) End(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := p.Cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("sending %v: %v", signal, err)
	}
	p.Wait(t)
}

// Wait waits until the process has ended. It fails the test if the output has a panic or
// a data race.
func (p *Process) Wait(t testing.TB) {
	t.Helper()
	select {
	case <-p.Ended:
	case <-time.After(Patience):
		t.Errorf("%s did not end\n%s", p.Cmd.Path, p.Output.Tail())
	}
	p.check.Do(func() {
		for _, word := range []string{DataRace, "panic:", "http: panic"} {
			if before, after, found := strings.Cut(p.Output.String(), word); found {
				t.Errorf("%s in what %s wrote:\n%s%s%s", word, p.Cmd.Path, last(before, 1000), word, after[:min(len(after), 8000)])
			}
		}
	})
}

// Output is a buffer for concurrent writers. The zero value is empty and ready to use.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Tail returns the last 4000 bytes, for a message.
func (o *Output) Tail() string { return last(o.String(), 4000) }

func last(s string, n int) string { return s[max(0, len(s)-n):] }

// Until waits for a condition, and fails the test if it is not true within [Patience].
func Until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(Patience)
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
