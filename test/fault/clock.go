package fault

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ClockVariable names the file that the clock of a [TimedCaddy] is set with.
const ClockVariable = "CLOCK_AHEAD"

// TimedCaddy builds a Caddy of which the clock can be set while it runs: the time of day is
// changed where the program reads it, the machine's own is left alone. It has no race
// detector, to be built in half the time.
func TimedCaddy(dir, tags string) (binary string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	root, err := output("go", "env", "GOROOT")
	if err != nil {
		return "", err
	}
	module, err := output("go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	original := filepath.Join(root, "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	text := string(source)
	for _, change := range [][2]string{
		{"import (", "import (\n\t\"sync/atomic\""},
		{"func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n", "var Ahead atomic.Int64\n\nfunc Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec += Ahead.Load()\n"},
	} {
		if strings.Count(text, change[0]) != 1 {
			return "", fmt.Errorf("time.go is another than this test knows: %q", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	replaced := filepath.Join(dir, "time.go")
	if err := os.WriteFile(replaced, []byte(text), 0o644); err != nil {
		return "", err
	}
	reader := filepath.Join(module, "test", "testdata", "clock", "ahead.go")
	command := filepath.Join(module, "cmd", "caddy", "ahead.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: replaced, command: reader}})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o644); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "caddy")
	build := exec.Command("go", "build", "-overlay", file, "-tags", tags, "-o", binary, filepath.Join(module, "cmd", "caddy"))
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building Caddy: %w\n%s", err, text)
	}
	return binary, nil
}

// SetClock sets the clock of a [TimedCaddy] by its file, to be so much ahead of ours.
func SetClock(file string, ahead time.Duration) error {
	whole := file + ".new"
	if err := os.WriteFile(whole, fmt.Append(nil, int(ahead.Seconds())), 0o644); err != nil {
		return err
	}
	return os.Rename(whole, file)
}

// output is what a command prints, in one line.
func output(name string, args ...string) (string, error) {
	text, err := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(text)), err
}
