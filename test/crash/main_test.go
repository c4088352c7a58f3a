package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	// What the binary is built from: without it a change there would leave a
	// cached result of these tests standing.
	_ "github.com/seed-338f6760/caddy-ccpayment"
)

// binary is the Caddy that is killed.
var binary string

// tags leave out databases that the plugin has no use for, and let Caddy be
// ended at the fail points that the tests name.
const tags = "nobadger,nomysql,nopgx,failpoint"

func TestMain(m *testing.M) {
	if file := os.Getenv(inboxVariable); file != "" {
		fmt.Fprintln(os.Stderr, runApp(file))
		os.Exit(1)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ccpayment-crash-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "caddy")
	args := []string{"build", "-tags", tags, "-o", binary}
	if race {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../../cmd/caddy")...).CombinedOutput(); err != nil {
		return fail(fmt.Errorf("building Caddy: %w\n%s", err, out))
	}
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
