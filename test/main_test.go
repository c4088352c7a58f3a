package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// What the binary is built from: without it a change there would leave a
	// cached result of these tests standing.
	_ "github.com/seed-338f6760/caddy-ccpayment"
	_ "github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// binary is the Caddy that the tests run.
var binary string

// tags leave out databases that the plugin has no use for, as builds of Caddy
// commonly do.
const tags = "nobadger,nomysql,nopgx"

func TestMain(m *testing.M) {
	// A second race is reported too, and neither ends the process early; and
	// a process that ends does not wait a second for more to be found.
	if err := os.Setenv("GORACE", "halt_on_error=0 atexit_sleep_ms=50"); err != nil {
		os.Exit(fail(err))
	}
	os.Exit(run(m))
}

// run builds Caddy, with the race detector where the machine has it, from the sources
// that stand here.
// CADDY names another one, for a look at one build by hand. Nothing sets it by
// itself: a binary that was built before the last change, or without the race
// detector, would pass where it should not.
func run(m *testing.M) int {
	if binary = os.Getenv("CADDY"); binary != "" {
		absolute, err := filepath.Abs(binary)
		if err != nil {
			return fail(err)
		}
		binary = absolute
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "ccpayment-test-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	// One of the tests runs it as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		return fail(err)
	}
	binary = filepath.Join(dir, "caddy")
	args := []string{"build", "-tags", tags, "-o", binary}
	if hasRace() {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../cmd/caddy")...).CombinedOutput(); err != nil {
		return fail(fmt.Errorf("building Caddy: %w\n%s", err, out))
	}
	return m.Run()
}

// hasRace reports whether Go can use a C compiler, which the race detector needs; .ci/test
// says where it cannot.
func hasRace() bool {
	out, err := exec.Command("go", "env", "CGO_ENABLED").Output()
	return err == nil && strings.TrimSpace(string(out)) == "1"
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
