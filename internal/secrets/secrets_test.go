package secrets

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// use is a secret in use, read from a file.
type use struct {
	file   string
	values []string // those that were used, the latest last
}

func (u *use) apply() error {
	text, err := os.ReadFile(u.file)
	if err == nil && strings.HasPrefix(string(text), "corrupt") {
		err = errors.New("the key cannot be parsed")
	}
	if err == nil {
		u.values = append(u.values, string(text))
	}
	return err
}

// TestFileChanges: a change is used within ten seconds, once it has stood for one;
// what is removed, empty or broken is not, and what was used before stays in use.
func TestFileChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	core, logs := observer.New(zap.InfoLevel)
	u := &use{file: file}
	synctest.Test(t, func(t *testing.T) {
		w := New(zap.New(core))
		w.Watch(Source{Name: "app_secret", Files: []string{file}, Apply: u.apply})
		go w.Run(t.Context())
		wait := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		expect := func(when string, generation int, failure string, values ...string) {
			t.Helper()
			status := w.Status()[0]
			if !slices.Equal(u.values, values) || status.Generation != generation || !strings.Contains(status.Error, failure) || (failure == "") != (status.Error == "") {
				t.Errorf("%s: used %v, generation %d, error %q; want %v, %d, %q", when, u.values, status.Generation, status.Error, values, generation, failure)
			}
		}
		wait(time.Minute)
		expect("unchanged", 1, "")

		write("tw")
		wait(interval)
		write("two") // half of it was there a moment before
		wait(10 * time.Second)
		expect("changed", 2, "", "two")

		for _, bad := range []struct {
			what, failure string
			do            func()
		}{
			{"empty", "is empty", func() { write("") }},
			{"corrupt", "cannot be parsed", func() { write("corrupt") }},
			{"removed", "no such file", func() {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}},
		} {
			bad.do()
			wait(time.Minute)
			expect(bad.what, 2, bad.failure, "two")
		}
		write("two")
		wait(10 * time.Second)
		expect("back again", 2, "", "two")
		write("three")
		wait(10 * time.Second)
		expect("changed again", 3, "", "two", "three")
	})
	if failures := logs.FilterLevelExact(zap.ErrorLevel).Len(); failures != 3 {
		t.Errorf("%d lines say that the file cannot be used: one for each way", failures)
	}
	for _, line := range logs.All() {
		for _, field := range line.Context {
			if strings.Contains(field.String, "three") {
				t.Errorf("%q shows the secret", line.Message)
			}
		}
	}
}

// TestFiles: the placeholders of files are found, wherever they stand.
func TestFiles(t *testing.T) {
	got := Files("{file./a b}", "x{file.C:\\s}y{env.X}{file./a b}", "{file.}", "plain")
	if want := []string{"/a b", `C:\s`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
