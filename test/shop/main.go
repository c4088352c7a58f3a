// Package shop is what the tests that break Caddy share: a shop between a CCPayment
// that is the sandbox and an app with an inbox, with one Caddy or several, each a
// process of its own. All three write down what they have seen, for package history.
package shop

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	// What the binary is built from: without it a change there would leave a
	// cached result of the tests standing.
	_ "github.com/seed-338f6760/caddy-ccpayment"
	_ "github.com/seed-338f6760/caddy-ccpayment/store/postgres"
)

// binary is the Caddy that is killed.
var binary string

// race: the tests of ./test have such a Caddy anyway. Here it is killed and started so often
// that the detector would take most of the time.
var race = flag.Bool("caddy-race", false, "build Caddy with the race detector")

// tags leave out databases that the plugin has no use for, and let Caddy be
// ended at the fail points that the tests name.
const tags = "nobadger,nomysql,nopgx,failpoint"

// binaryVariable names a Caddy, built with these tags, that is used as it is.
const binaryVariable = "FAILPOINT_CADDY"

// Main builds Caddy and runs a package's tests. It is for TestMain, and does not
// return where the process is the app.
func Main(run func() int) int {
	flag.Parse()
	if file := os.Getenv(inboxVariable); file != "" {
		fmt.Fprintln(os.Stderr, runApp(file))
		os.Exit(1)
	}
	if binary = os.Getenv(binaryVariable); binary != "" {
		return run()
	}
	dir, err := os.MkdirTemp("", "ccpayment-shop-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "caddy")
	if err := build(binary); err != nil {
		return fail(err)
	}
	return run()
}

// build builds Caddy with more flags of go build.
func build(to string, flags ...string) error {
	args := append([]string{"build", "-tags", tags, "-o", to}, flags...)
	if *race {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../../cmd/caddy")...).CombinedOutput(); err != nil {
		return fmt.Errorf("building Caddy: %w\n%s", err, out)
	}
	return nil
}

// Changed builds a Caddy of which some files are others, or are added, until the test
// ends, and returns its path. Files are by their path from the test's folder.
func Changed(t *testing.T, files map[string]string) (binary string) {
	t.Helper()
	dir := t.TempDir()
	var overlay struct{ Replace map[string]string }
	overlay.Replace = make(map[string]string)
	for name, text := range files {
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		overlay.Replace[path] = filepath.Join(dir, fmt.Sprint(len(overlay.Replace)))
		if err := os.WriteFile(overlay.Replace[path], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "caddy")
	if err := build(binary, "-overlay", list); err != nil {
		t.Fatal(err)
	}
	return binary
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
