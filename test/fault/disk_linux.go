package fault

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// What can be wrong with a disk, as [Inject] takes it.
var (
	SyncFails = []string{"fdatasync,fsync:error=EIO"}
	// SecondSyncFails: what a commit has written can be synced, and not that it is valid.
	SecondSyncFails = []string{"fdatasync:error=EIO:when=2+2", "fsync:error=EIO"}
	// ReadOnly: the system has made the disk read-only, as it does after an error. (By hand
	// that cannot be done while a file is open for writing.)
	ReadOnly = []string{"pwrite64,ftruncate:error=EROFS", "fdatasync,fsync:error=EROFS"}
	// Full: nothing more can be written.
	Full = []string{"pwrite64,ftruncate,fallocate:error=ENOSPC"}
)

// MissingDisk ends a test that the machine has no means for. CI has to have them, or to say
// with DISK_FAULTS=off that its machine does not allow it.
func MissingDisk(t testing.TB, what string, err error) {
	t.Helper()
	t.Log(err)
	if os.Getenv("DISK_FAULTS") == "off" {
		needs.LeaveOut(t, what, "DISK_FAULTS=off")
	}
	needs.Missing(t, what)
}

// Inject makes system calls of a process on a file fail, in ways that strace knows, until
// mend is called or the process has ended.
func Inject(t testing.TB, p *processtest.Process, file string, faults ...string) (mend func()) {
	t.Helper()
	args := []string{"-f", "-qq", "-o", "/dev/null", "-p", fmt.Sprint(p.Cmd.Process.Pid), "-P", file}
	for _, fault := range faults {
		args = append(args, "-e", "inject="+fault)
	}
	strace := exec.Command("strace", args...)
	var says processtest.Output
	strace.Stdout, strace.Stderr = &says, &says
	if err := strace.Start(); err != nil {
		MissingDisk(t, "strace to make system calls fail", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = strace.Wait() // it is interrupted
	}()
	processtest.Until(t, "every thread is traced", func() bool {
		if p.Gone() {
			return true
		}
		select {
		case <-ended:
			MissingDisk(t, "leave to trace a process", errors.New(says.String()))
		default:
		}
		return isTraced(t, p)
	})
	return func() {
		if err := strace.Process.Signal(syscall.SIGTERM); err != nil && !p.Gone() {
			t.Errorf("strace has ended: %s", says.String())
		}
		<-ended
	}
}

// isTraced reports whether every thread of a process is traced.
func isTraced(t testing.TB, p *processtest.Process) bool {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(status), "TracerPid:\t0\n") {
			return false
		}
	}
	return true
}
