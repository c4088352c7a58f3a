package placeholder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// caddys fails as Caddy's replacer does where a placeholder has no value.
type caddys struct{}

func (caddys) ReplaceOrErr(input string, _, _ bool) (string, error) {
	return "", fmt.Errorf("evaluated placeholder %s is empty", input)
}

// TestNoValue: the error says why a file's placeholder has no value, and of a variable
// what to do, which is another thing in a Caddy that runs.
func TestNoValue(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const running = "a running Caddy keeps the environment"
	for text, want := range map[string]string{
		"{file." + dir + "/none}": "app_secret: stat " + dir + "/none: no such file",
		"{file." + empty + "}":    "app_secret: " + empty + " is empty",
		"{file." + dir + "}":      "is not a regular file",
		"{env.NAME}":              "{env.NAME} is empty (set it in the environment that Caddy is started with)",
		"{system.nothing}":        "evaluated placeholder {system.nothing} is empty",
	} {
		if _, err := Required(caddys{}, "app_secret", text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), running) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	Started.Store(true)
	defer Started.Store(false)
	if _, err := Required(caddys{}, "app_secret", "{env.NAME}"); err == nil || !strings.Contains(err.Error(), running) {
		t.Errorf("in a Caddy that runs: %v", err)
	}
}

// TestShellVariable: a shell's way to write a variable is no value, and the error does not
// show what was written.
func TestShellVariable(t *testing.T) {
	for _, text := range []string{"$SHOP_TOKEN", "${SHOP_TOKEN}", "$x"} {
		if value, err := Optional(plain{}, "token", text); err == nil || value != "" || !strings.Contains(err.Error(), "write {env.NAME}") || strings.Contains(err.Error(), text) {
			t.Errorf("%s: %q, %v", text, value, err)
		}
	}
	for _, text := range []string{"$", "$2b$10$x", "$SHOP-TOKEN", "a$SHOP", "$5.00"} {
		if value, err := Optional(plain{}, "token", text); err != nil || value != text {
			t.Errorf("%s: %q, %v", text, value, err)
		}
	}
}
