package placeholder

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// plain replaces nothing.
type plain struct{}

func (plain) ReplaceOrErr(input string, _, _ bool) (string, error) { return input, nil }

// TestSecret: what a broken, truncated or wrongly saved file holds is no secret, and the
// error does not say what it is.
func TestSecret(t *testing.T) {
	for _, good := range []string{"secret-1", "secret-1\n", "  secret 1\r\n", "ключ-é"} {
		if got, err := Secret(plain{}, "app_secret", good); err != nil || got != strings.TrimSpace(good) {
			t.Errorf("%q: %q, %v", good, got, err)
		}
	}
	for bad, want := range map[string]string{
		strings.Repeat("\x00", 32): "NUL", "secret-1\x00\x00": "NUL", "secret-1\nsecret-2\n": "more than one line", "secret-1\rsecret-2": "more than one line",
		"\xef\xbb\xbfsecret-1": "byte order mark", "\xef\xbb\xbf": "byte order mark", "secret\t1": "control", "secret\u00851": "control", "secret-1\x7f": "control",
		"": "is empty", " \n": "is blank",
	} {
		value, err := Secret(plain{}, "app_secret", bad)
		if err == nil || value != "" || !strings.Contains(err.Error(), "app_secret") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret-1") {
			t.Errorf("%q: %q, %v; want an error with %q", bad, value, err, want)
		}
		if list, err := SecretList(plain{}, "app_secret", []string{"fine", bad}); err == nil {
			t.Errorf("%q in a list: %q", bad, list)
		}
		if value, err := OptionalSecret(plain{}, "app_secret", bad); (err == nil) != (bad == "") || value != "" {
			t.Errorf("%q, optional: %q, %v", bad, value, err)
		}
	}
}

// TestFiles: the placeholders of files are found, wherever they stand.
func TestFiles(t *testing.T) {
	got := Files("{file./a b}", "x{file.C:\\s}y{env.X}{file./a b}", `{file.}\{file./c}`, "plain")
	if want := []string{"/a b", `C:\s`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWithFiles: what a file holds is taken as it is, but for the end of its line.
func TestWithFiles(t *testing.T) {
	failure := errors.New("no such file")
	repl := WithFiles(plain{}, func(file string) ([]byte, error) {
		text, ok := map[string]string{"/a": "{file./b}\r\n", "/b": "b\n\n", "/empty": "\n"}[file]
		if !ok {
			return nil, failure
		}
		return []byte(text), nil
	})
	for text, want := range map[string]string{"plain": "plain", "{file./a}": "{file./b}", "x{file./b}{file./a}y": "xb\n{file./b}y", `\{file./a}`: `\{file./a}`} {
		if got, err := repl.ReplaceOrErr(text, true, true); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := Required(repl, "token", "x{file./c}"); !errors.Is(err, failure) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	if _, err := Required(repl, "token", "{file./empty}"); err == nil || err.Error() != "token: /empty is empty" {
		t.Errorf("an empty file: %v", err)
	}
}
