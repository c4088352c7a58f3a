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

// TestLeftOutHelper is one that CI's machine cannot run.
func TestLeftOutHelper(t *testing.T) {
	if os.Getenv("NEEDS_HELPER") == "" {
		return
	}
	needs.LeaveOut(t, "leave to mount", "DISK_FAULTS=off")
}

// What a machine cannot have is counted in CI as well.
func TestLeaveOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "left-out")
	cmd := exec.Command(os.Args[0], "-test.run", "^TestLeftOutHelper$", "-test.v")
	cmd.Env = append(os.Environ(), "NEEDS_HELPER=1", "CI=true", "TESTS_LEFT_OUT="+file)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- SKIP") || !strings.Contains(string(out), "leave to mount is missing: DISK_FAULTS=off") {
		t.Errorf("%v\n%s", err, out)
	}
	if noted, err := os.ReadFile(file); err != nil || string(noted) != "leave to mount\n" {
		t.Errorf("noted: %q, %v", noted, err)
	}
}

// CI fails where the image cannot be tried, unless it is told that its machine cannot.
func TestImageIsNotLeftOut(t *testing.T) {
	bin := t.TempDir() // a machine without buildah, on which nothing can be installed
	for _, name := range []string{"bash", "dirname"} {
		path, err := exec.LookPath(name)
		if err != nil {
			needs.Missing(t, name)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range map[string]string{"ldd": "exit 1", "id": "echo 1000"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!"+filepath.Join(bin, "bash")+"\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		env    []string
		passes bool
	}{{nil, true}, {[]string{"CI=true"}, false}, {[]string{"CI=true", "IMAGE_CHECK=off"}, true}} {
		cmd := exec.Command(filepath.Join(bin, "bash"), "../../.ci/image")
		cmd.Env = append([]string{"PATH=" + bin}, test.env...)
		out, err := cmd.CombinedOutput()
		if (err == nil) != test.passes || !strings.Contains(string(out), "the image is NOT TESTED") ||
			len(test.env) > 0 && !strings.Contains(string(out), "IMAGE_CHECK=off") {
			t.Errorf("%q: %v\n%s", test.env, err, out)
		}
	}
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
