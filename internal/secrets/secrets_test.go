package secrets

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
)

// plain replaces no placeholder.
type plain struct{}

func (plain) ReplaceOrErr(input string, _, _ bool) (string, error) { return input, nil }

// bench is a watcher, the files that it looks at, and what it has used of them.
type bench struct {
	*Watcher
	t     *testing.T
	logs  *observer.ObservedLogs
	dir   string
	fails func(text string) error // why a secret cannot be used; nil: it can

	mu   sync.Mutex
	used []string // the texts that were used, the latest last
}

func newBench(t *testing.T) *bench {
	core, logs := observer.New(zap.InfoLevel)
	return &bench{t: t, Watcher: New(plain{}, zap.New(core)), logs: logs, dir: t.TempDir()}
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// watch has the secret of a name and files followed.
func (b *bench) watch(name string, files ...string) {
	b.t.Helper()
	var text strings.Builder
	for _, file := range files {
		text.WriteString("{file." + b.path(file) + "}")
	}
	_, err := Follow(b.Watcher, name, func(repl placeholder.Replacer) (string, error) {
		value, err := placeholder.Secret(repl, "secret", text.String())
		if err == nil && b.fails != nil {
			err = b.fails(value)
		}
		if err == nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.used = append(b.used, value)
		}
		return value, err
	}, text.String())
	if err != nil {
		b.t.Fatal(err)
	}
}

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// expect compares what was used since, and how the first secret stands.
func (b *bench) expect(when string, generation int, failure string, used ...string) {
	b.t.Helper()
	status := b.Status()[0]
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.used, used) || status.Generation != generation || !strings.Contains(status.Error, failure) || (failure == "") != (status.Error == "") {
		b.t.Errorf("%s: used %q, generation %d, error %q; want %q, %d, %q", when, b.used, status.Generation, status.Error, used, generation, failure)
	}
	b.used = nil
}

// failures are the log's lines that say that a file cannot be used.
func (b *bench) failures() int { return b.logs.FilterLevelExact(zap.ErrorLevel).Len() }

// TestFileChanges: a change is used within ten seconds, once two looks have found the
// same; what is removed, empty or broken is not, and what was used before stays in use.
func TestFileChanges(t *testing.T) {
	b := newBench(t)
	b.fails = func(text string) error {
		if text == "corrupt" {
			return errors.New("the key cannot be parsed")
		}
		return nil
	}
	b.write("s", "one")
	synctest.Test(t, func(t *testing.T) {
		b.watch("app_secret", "s")
		b.Run(t.Context())
		wait(time.Minute)
		b.expect("unchanged", 1, "", "one")

		for _, half := range []string{"t", "tw"} { // it is being written
			b.write("s", half)
			wait(interval)
			b.expect("half written", 1, "")
		}
		b.write("s", "two")
		wait(10 * time.Second)
		b.expect("changed", 2, "", "two")

		for _, bad := range []struct {
			what, failure string
			do            func()
		}{
			{"empty", "is empty", func() { b.write("s", "") }},
			{"corrupt", "cannot be parsed", func() { b.write("s", "corrupt") }},
			{"zeros", "NUL", func() { b.write("s", "\x00\x00") }},
			{"large", "larger", func() { b.write("s", strings.Repeat("x", largest+1)) }},
			{"removed", "no such file", func() {
				if err := os.Remove(b.path("s")); err != nil {
					t.Fatal(err)
				}
			}},
			{"a folder", "not a regular file", func() {
				if err := os.Mkdir(b.path("s"), 0o700); err != nil {
					t.Fatal(err)
				}
			}},
		} {
			bad.do()
			wait(2 * time.Minute)
			b.expect(bad.what, 2, bad.failure)
		}
		if err := os.Remove(b.path("s")); err != nil {
			t.Fatal(err)
		}
		b.write("s", "two")
		wait(10 * time.Second)
		b.expect("back again", 2, "")
		b.write("s", "three")
		wait(10 * time.Second)
		b.expect("changed again", 3, "", "three")
	})
	if n := b.failures(); n != 6 {
		t.Errorf("%d lines say that the file cannot be used: one for each way", n)
	}
	for _, line := range b.logs.All() {
		for _, field := range line.Context {
			if strings.Contains(field.String, "three") {
				t.Errorf("%q shows the secret", line.Message)
			}
		}
	}
}

// TestTransient: what failed for a passing cause is tried again, at last once a minute,
// and the log says it once.
func TestTransient(t *testing.T) {
	b := newBench(t)
	b.write("s", "one")
	var failing atomic.Bool
	var tries atomic.Int32
	b.fails = func(string) error {
		if failing.Load() {
			tries.Add(1)
			return errors.New("too many open files")
		}
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		b.watch("app_secret", "s")
		b.Run(t.Context())
		failing.Store(true)
		b.write("s", "two")
		wait(time.Hour)
		b.expect("while it fails", 1, "too many open files", "one")
		if n := tries.Load(); n < 55 || n > 70 || b.failures() != 1 {
			t.Errorf("%d tries in an hour, and %d lines in the log", n, b.failures())
		}
		failing.Store(false)
		wait(rarest + interval)
		b.expect("when it has passed", 2, "", "two")
	})
}

// TestUsedIsWhatWasSeen: a file that changes right when its secret is used does not
// leave the former one in use.
func TestUsedIsWhatWasSeen(t *testing.T) {
	b := newBench(t)
	b.write("s", "one")
	b.fails = func(text string) error {
		if text == "two" {
			b.write("s", "three")
		}
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		b.watch("app_secret", "s")
		b.Run(t.Context())
		b.write("s", "two")
		wait(20 * time.Second)
		b.expect("changed twice", 3, "", "one", "two", "three")
	})
}

// TestEachFile: a file that cannot be used keeps no other's change from being used, and
// takes part when it can.
func TestEachFile(t *testing.T) {
	b := newBench(t)
	b.write("a", "a1 ")
	b.write("b", "b1")
	synctest.Test(t, func(t *testing.T) {
		b.watch("link_secret", "a", "b")
		b.Run(t.Context())
		if err := os.Remove(b.path("b")); err != nil {
			t.Fatal(err)
		}
		wait(10 * time.Second)
		b.expect("one is gone", 1, "no such file", "a1 b1")
		b.write("a", "a2 ")
		wait(10 * time.Second)
		b.expect("the other has changed", 2, "no such file", "a2 b1")
		b.write("b", "b2")
		wait(10 * time.Second)
		b.expect("it is back", 3, "", "a2 b2")
		b.write("a", "a3 ")
		b.write("b", "b3")
		wait(10 * time.Second)
		b.expect("both have changed", 4, "", "a3 b3")
	})
}

// TestHanging: while a file is being read, or a secret applied, the status is there, and
// other secrets follow their files.
func TestHanging(t *testing.T) {
	for what, hang := range map[string]func(b *bench, until <-chan struct{}){
		"reading": func(b *bench, until <-chan struct{}) {
			b.read = func(files []string) contents {
				if files[0] == b.path("hangs") {
					<-until
				}
				return read(files)
			}
		},
		"applying": func(b *bench, until <-chan struct{}) {
			b.fails = func(text string) error {
				if text == "h2" {
					<-until
				}
				return nil
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := newBench(t)
			b.write("hangs", "h1")
			b.write("fine", "f1")
			synctest.Test(t, func(t *testing.T) {
				until := make(chan struct{})
				b.watch("hanging", "hangs")
				b.watch("fine", "fine")
				hang(b, until)
				b.Run(t.Context())
				b.expect("at first", 1, "", "h1", "f1")
				b.write("hangs", "h2")
				wait(time.Minute)
				b.write("fine", "f2")
				wait(10 * time.Second)
				failure := ""
				if what == "reading" {
					failure = "the disk does not respond"
				}
				b.expect("while it hangs", 1, failure, "f2")
				if fine := b.Status()[1]; fine.Generation != 2 || fine.Error != "" {
					t.Errorf("the other secret: %+v", fine)
				}
				close(until)
				wait(10 * time.Second)
				b.expect("after that", 2, "", "h2")
			})
		})
	}
}

// TestRegisteredOnce: two handlers of one secret are one line of the status, and both
// follow it.
func TestRegisteredOnce(t *testing.T) {
	b := newBench(t)
	b.write("s", "one")
	b.write("other", "o1")
	synctest.Test(t, func(t *testing.T) {
		b.watch("token", "s")
		b.watch("token", "s")
		b.watch("token", "other")
		if _, err := Follow(b.Watcher, "plain", func(placeholder.Replacer) (int, error) { return 1, nil }, "text"); err != nil {
			t.Fatal(err)
		}
		b.Run(t.Context())
		if list := b.Status(); len(list) != 2 {
			t.Errorf("the status has %+v", list)
		}
		b.write("s", "two")
		wait(10 * time.Second)
		b.expect("changed", 2, "", "one", "one", "o1", "two", "two")
	})
}
