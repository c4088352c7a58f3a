package test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

// licences are those, by their SPDX ids, under which a binary may be passed on together
// with ours, which is Apache-2.0.
var licences = []string{
	"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-2-Clause-Views", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "Unlicense",
	"OFL-1.1", // of fonts
}

// enough is how much of a licence file, in percent, must be text of known licences: the
// rest is names and notices.
const enough = 75

// TestLicences: everything that Caddy with the plugin is built of has a licence under
// which it may be passed on. A new dependency whose licence is another, is missing or is
// not recognised fails with its name.
func TestLicences(t *testing.T) {
	t.Parallel()
	checked := 0
	for module, dir := range dependencies(t) {
		if strings.HasPrefix(module, modulePath) {
			continue
		}
		checked++
		files := licenceFiles(t, dir)
		if len(files) == 0 {
			t.Errorf("%s has no file with its licence", module)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found := licensecheck.Scan(text)
			if found.Percent < enough {
				t.Errorf("%s: only %.0f%% of %s is text of a known licence", module, found.Percent, filepath.Base(file))
			}
			for _, match := range found.Match {
				if !slices.Contains(licences, match.ID) {
					t.Errorf("%s: %s has %s", module, filepath.Base(file), match.ID)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d dependencies were looked at", checked)
	}
}

// dependencies are the modules of which Caddy is built on the systems that it is released
// for, by their paths and versions, with their folders.
func dependencies(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, system := range []string{"linux", "darwin", "windows"} {
		list := exec.Command("go", "list", "-deps", "-json=Module", "-tags", tags, "../cmd/caddy")
		list.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		list.Stderr = os.Stderr
		out, err := list.Output()
		if err != nil {
			t.Fatalf("go list for %s: %v", system, err)
		}
		for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
			var p struct {
				Module *struct{ Path, Version, Dir string }
			}
			err := decoder.Decode(&p)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Module != nil { // nil: Go's own library
				found[p.Module.Path+" "+p.Module.Version] = p.Module.Dir
			}
		}
	}
	return found
}

// licenceFiles are the files at the top of a module that say its licence.
func licenceFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name, _, _ := strings.Cut(strings.ToUpper(entry.Name()), ".")
		if !entry.IsDir() && slices.Contains([]string{"LICENSE", "LICENCE", "COPYING", "UNLICENSE"}, name) {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	return files
}
