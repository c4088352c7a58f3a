package sandbox

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// console writes log records as lines for people: the time, what it is, and
// the values that there are.
type console struct {
	mu  *sync.Mutex
	out io.Writer
}

func newConsole(out io.Writer) *slog.Logger { return slog.New(console{mu: &sync.Mutex{}, out: out}) }

func (console) Enabled(context.Context, slog.Level) bool { return true }

func (c console) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	fmt.Fprintf(&line, "%s  %-8s", r.Time.Format("15:04:05"), r.Message)
	r.Attrs(func(a slog.Attr) bool {
		switch text := a.Value.String(); {
		case text == "", a.Key == "http" && text == "0":
		case a.Key == "endpoint", a.Key == "type", a.Key == "status", a.Key == "msg":
			fmt.Fprintf(&line, " %s", oneLine(text))
		default:
			fmt.Fprintf(&line, " %s=%s", a.Key, oneLine(text))
		}
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := fmt.Fprintln(c.out, line.String())
	return err
}

// oneLine keeps what callers sent from forging lines or moving the cursor.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// The sandbox logs without groups or kept attributes.
func (c console) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c console) WithGroup(string) slog.Handler      { return c }
