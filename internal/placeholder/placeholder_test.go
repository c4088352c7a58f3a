package placeholder

import (
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
