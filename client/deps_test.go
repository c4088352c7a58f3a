package client_test

import (
	"bufio"
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The client can be used in any Go program: it needs two small modules, and
// nothing of Caddy's or of the rest of this one but helpers that need no more.
func TestDependencies(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}} {{with .Module}}{{.Path}} {{.Main}}{{end}}{{end}}", ".")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	var modules []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0:
		case len(fields) != 3 || strings.Contains(fields[0], "caddyserver"):
			t.Errorf("depends on %s", lines.Text())
		case fields[2] == "true":
			if fields[0] != fields[1]+"/client" && fields[0] != fields[1]+"/internal/apiclient" {
				t.Errorf("depends on %s", fields[0])
			}
		default:
			modules = append(modules, fields[1])
		}
	}
	slices.Sort(modules)
	if got, want := slices.Compact(modules), []string{"github.com/cenkalti/backoff/v5", "github.com/shopspring/decimal"}; !slices.Equal(got, want) {
		t.Errorf("needs %v, want %v", got, want)
	}
}
