package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
)

// Case 26: a new ledger that a power cut tore: wherever it came while the file was made,
// the next start has a ledger. What was not synced is lost: the file that is being made
// is torn in every way until it has its name.
func TestCase26_TornWhileItIsMade(t *testing.T) {
	steps := map[string]func(whole []byte) []byte{
		"as it is":   func(b []byte) []byte { return b },
		"zeros":      func(b []byte) []byte { return make([]byte, min(len(b), 16<<10)) },
		"cut to 8K":  func(b []byte) []byte { return b[:min(len(b), 8<<10)] },
		"cut to 1":   func(b []byte) []byte { return b[:min(len(b), 1)] },
		"never made": func([]byte) []byte { return nil },
	}
	reached := make(map[string]bool)
	open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{}) // which is not disturbed
	folder := t.TempDir()
	path := filepath.Join(folder, "ledger.db")
	open(t, path, Options{reached: func(step string) error {
		reached[step] = true
		content, err := os.ReadFile(path)
		if isThere := err == nil; isThere != (step == "renamed") {
			t.Errorf("when it is %s, the file is there: %t", step, isThere)
		}
		temporary, err := os.ReadFile(path + ".new")
		if isThere := err == nil; isThere == (step == "renamed") {
			t.Errorf("when it is %s, the unfinished file is there: %t", step, isThere)
		}
		for name, tear := range steps {
			after := filepath.Join(t.TempDir(), "ledger.db")
			if content != nil { // its name is given to what is synced, so it is whole
				if err := os.WriteFile(after, content, 0o600); err != nil {
					t.Fatal(err)
				}
			} else if torn := tear(temporary); torn != nil {
				if err := os.WriteFile(after+".new", torn, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, after, Options{})
			if s.Created != (step != "renamed") {
				t.Errorf("%s when it was %s: created %t", name, step, s.Created)
			}
			if err := accept(s, delivered("1")); err != nil {
				t.Errorf("%s when it was %s: %v", name, step, err)
			}
		}
		return nil
	}})
	if len(reached) != 3 {
		t.Errorf("only these steps were reached: %v", reached)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*")); len(left) != 1 {
		t.Errorf("left in the folder: %v", left)
	}
}

// Case 26: a step that fails leaves no file, and the next try makes one.
func TestCase26_FailsWhileItIsMade(t *testing.T) {
	for _, at := range []string{"begun", "written"} {
		folder := t.TempDir()
		path := filepath.Join(folder, "ledger.db")
		failure := errors.New("the disk fails")
		_, err := Open(path, Options{reached: func(step string) error {
			if step == at {
				return failure
			}
			return nil
		}})
		if !errors.Is(err, failure) {
			t.Errorf("%s: %v", at, err)
		}
		if left, _ := filepath.Glob(filepath.Join(folder, "*")); len(left) != 0 {
			t.Errorf("%s: left in the folder: %v", at, left)
		}
		if s := open(t, path, Options{}); !s.Created {
			t.Errorf("%s: the next one did not make it", at)
		}
	}
}

// Case 26: of many that make the ledger at the same moment one has it, and what it has
// open is the file that has the name.
func TestCase26_MadeByMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	var wg sync.WaitGroup
	stores, errs := make([]*Store, 8), make([]error, 8)
	for i := range stores {
		wg.Go(func() { stores[i], errs[i] = Open(path, Options{}) })
	}
	wg.Wait()
	opened := 0
	for i, s := range stores {
		if s == nil {
			if !errors.Is(errs[i], errInUse) {
				t.Error(errs[i])
			}
			continue
		}
		opened++
		has, err := s.disk.file.Stat()
		named, errNamed := os.Stat(path)
		if err != nil || errNamed != nil || !os.SameFile(has, named) {
			t.Errorf("the store has a file without a name: %v, %v", err, errNamed)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if opened != 1 {
		t.Errorf("%d have it open", opened)
	}
}

// Case 26: a link to where the ledger is to be stays one.
func TestCase26_MadeThroughALink(t *testing.T) {
	folder := t.TempDir()
	path, target := filepath.Join(folder, "ledger.db"), filepath.Join(folder, "disk", "real.db")
	if err := os.Mkdir(filepath.Dir(target), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("disk", "real.db"), path); err != nil {
		t.Log(err)
		needs.Missing(t, "a file system with symbolic links")
	}
	open(t, path, Options{})
	if _, err := os.Lstat(target); err != nil {
		t.Error(err)
	}
	if to, err := os.Readlink(path); err != nil {
		t.Errorf("%q, %v", to, err)
	}
}

// Case 26: a ledger that is torn all the same, as by an earlier version, is refused in
// words that say what to do, and left as it is.
func TestCase26_RefusalsSayWhatToDo(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "ledger.db")
	if err := open(t, whole, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	torn := map[string][]byte{"zeros": make([]byte, 16<<10), "one byte": {0}}
	for size := 1 << 10; size <= 32<<10; size += 1 << 10 {
		torn[fmt.Sprintf("cut to %d bytes", size)] = content[:size]
	}
	for page := 0; page < 8<<12; page += 1 << 12 {
		damaged := bytes.Clone(content)
		clear(damaged[page : page+1<<12])
		torn[fmt.Sprintf("without the page at %d", page)] = damaged
	}
	for name, content := range torn {
		path := filepath.Join(t.TempDir(), "ledger.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{})
		if err == nil { // one of the first two pages is enough, and some are not in use
			if err := s.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if text := err.Error(); !strings.Contains(text, "put a backup in its place, or move it away") ||
			strings.Contains(text, "nil pointer") || strings.Contains(text, "runtime error") || strings.Contains(text, "assertion") || strings.Contains(text, "index out of") {
			t.Errorf("%s: %s", name, text)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
			t.Errorf("%s: the file was changed, %v", name, err)
		}
	}
}
