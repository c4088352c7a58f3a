package needs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
)

// TestHelper is the test that needs what is not here, run by TestCase32_Missing in
// processes of its own.
func TestHelper(t *testing.T) {
	if os.Getenv("NEEDS_HELPER") == "" {
		return
	}
	t.Run("browser", func(t *testing.T) { needs.Command(t, "chromium-of-nobody", "chrome-of-nobody") })
	t.Run("here", func(t *testing.T) { needs.Command(t, "nothing-of-nobody", os.Args[0]) })
	t.Run("php", func(t *testing.T) { needs.Missing(t, "php with pdo_sqlite") })
}

// What is missing fails CI, and is else left out and noted for the count.
func TestCase32_Missing(t *testing.T) {
	run := func(ci, file string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestHelper$", "-test.v")
		cmd.Env = append(os.Environ(), "NEEDS_HELPER=1", "CI="+ci, "TESTS_LEFT_OUT="+file)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	file := filepath.Join(t.TempDir(), "left-out")
	for _, name := range []string{"", file} {
		out, err := run("", name)
		if err != nil || strings.Count(out, "--- SKIP") != 2 || strings.Count(out, "--- PASS: TestHelper/here") != 1 || !strings.Contains(out, "chromium-of-nobody is missing") {
			t.Errorf("without CI: %v\n%s", err, out)
		}
	}
	if noted, err := os.ReadFile(file); err != nil || string(noted) != "chromium-of-nobody\nphp with pdo_sqlite\n" {
		t.Errorf("noted: %q, %v", noted, err)
	}
	out, err := run("true", file)
	if err == nil || strings.Count(out, "--- FAIL: TestHelper/") != 2 || !strings.Contains(out, "CI has to have it") {
		t.Errorf("with CI: %v\n%s", err, out)
	}
}
