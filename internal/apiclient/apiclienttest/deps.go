package apiclienttest

import (
	"bufio"
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Dependencies checks what the package of the test is built from: packages of ours, by
// their paths in the module, and other modules.
func Dependencies(t *testing.T, ours []string, modules ...string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}} {{with .Module}}{{.Path}} {{.Main}}{{end}}{{end}}", ".")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	var needs []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0:
		case len(fields) != 3 || strings.Contains(fields[0], "caddyserver"):
			t.Errorf("depends on %s", lines.Text())
		case fields[2] == "true":
			if name := strings.TrimPrefix(fields[0], fields[1]+"/"); !slices.Contains(ours, name) {
				t.Errorf("depends on %s", name)
			}
		default:
			needs = append(needs, fields[1])
		}
	}
	slices.Sort(needs)
	if got := slices.Compact(needs); !slices.Equal(got, modules) {
		t.Errorf("needs %v, want %v", got, modules)
	}
}
