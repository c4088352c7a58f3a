package cli

import (
	"io"
	"os"
	"testing"
)

// TestTerminalIsNotSteered: what others wrote into an id or a cause cannot colour, move,
// clear or turn around what a person reads.
func TestTerminalIsNotSteered(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = write
	events := table{}
	events.add("ID", "CAUSE")
	events.add("\x1b[2J\x1b]0;paid\a1", "a\u202eb\r\x00\u009b31m\tc\nd")
	events.print()
	os.Stdout = stdout
	_ = write.Close()
	text, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	if want := "ID              CAUSE\n·[2J·]0;paid·1  a·b···31m·c·d\n"; string(text) != want {
		t.Errorf("printed is %q, want %q", text, want)
	}
}
