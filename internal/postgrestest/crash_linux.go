package postgrestest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// Crash kills all processes of the server at once, as the death of its machine does:
// none of them ends what it has in hand. What they have written is not lost.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	all := s.halt(t)
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-s.exited
	processtest.Until(t, "all processes of the server have ended", func() bool {
		return !slices.ContainsFunc(all, func(pid int) bool {
			state, _ := stat(pid)
			return state != "" && state != "Z"
		})
	})
	s.forgetMemory()
}

// Pause stops all processes of the server, so that it does nothing, until resume is
// called or the test ends.
func (s *Server) Pause(t testing.TB) (resume func()) {
	t.Helper()
	all := s.halt(t)
	resume = sync.OnceFunc(func() {
		for _, pid := range all {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	})
	t.Cleanup(resume)
	return resume
}

// halt stops all processes of the server, first the one that starts the others.
func (s *Server) halt(t testing.TB) (pids []int) {
	t.Helper()
	first := s.process.Process.Pid
	pids = []int{first}
	_ = syscall.Kill(first, syscall.SIGSTOP)
	processtest.Until(t, "the server has stopped", func() bool {
		state, _ := stat(first)
		return state == "T"
	})
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if _, parent := stat(pid); err == nil && parent == first {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			pids = append(pids, pid)
		}
	}
	return pids
}

// stat returns the state of a process, as proc(5) has it, and its parent; empty: it has
// ended.
func stat(pid int) (state string, parent int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ") // the name, which may have anything in it
	_, _ = fmt.Sscan(rest, &state, &parent)
	return state, parent
}

// forgetMemory removes the segment of shared memory that a server which was killed
// leaves to the system. The seventh line of its postmaster.pid has its key and its id.
func (s *Server) forgetMemory() {
	text, _ := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	if len(lines) < 7 {
		return
	}
	if fields := strings.Fields(lines[6]); len(fields) == 2 {
		if id, err := strconv.Atoi(fields[1]); err == nil {
			const remove = 0 // IPC_RMID
			_, _, _ = syscall.Syscall(syscall.SYS_SHMCTL, uintptr(id), remove, 0)
		}
	}
}
