package placeholder

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
)

// Started: a configuration works already in this process, so that the next one is loaded by
// a Caddy that runs, and not by one that starts.
var Started atomic.Bool

// explain returns why a text's placeholders have no value. Caddy's own error says of a
// file that cannot be read that its placeholder is empty.
func explain(text string, err error) error {
	for _, file := range Files(text) {
		if !strings.Contains(err.Error(), "{file."+file+"}") {
			continue // the error is not about it, or is not Caddy's
		}
		if failure := readable(file); failure != nil {
			return failure
		}
	}
	switch {
	case !strings.Contains(text, "{env."):
		return err
	case Started.Load():
		return fmt.Errorf("%w (a running Caddy keeps the environment that it was started with: restart it, or use a file, {file./path}, which is read again when it changes)", err)
	default:
		return fmt.Errorf("%w (set it in the environment that Caddy is started with)", err)
	}
}

// readable returns why a file that holds a value cannot be used; nil: it can.
func readable(name string) error {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() { // opening a pipe would wait for who writes to it
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	begins, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err == nil && strings.TrimSpace(string(begins)) == "" {
		err = fmt.Errorf("%s is empty", name)
	}
	return err
}

// shellVariable matches a variable in a shell's way, which Caddy takes for plain text.
var shellVariable = regexp.MustCompile(`^\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})$`)
