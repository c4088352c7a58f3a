package relay_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
)

// FuzzHeaderText: any value can stand in a header, ends no line, and is read
// back as it was.
func FuzzHeaderText(f *testing.F) {
	for _, value := range []string{"", "order-1", " 100 % ", "a\r\nCcpayment-Fulfill: true", "Бельё 👕", "%41", "\x00\xff", "two  spaces", "\t"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		text := relay.HeaderText(value)
		for i := range len(text) {
			if text[i] < 0x20 || text[i] > 0x7e {
				t.Fatalf("%q has a byte that is no header text", text)
			}
		}
		if text != strings.TrimSpace(text) {
			t.Fatalf("%q loses a space at its end", text)
		}
		if back, err := url.PathUnescape(text); err != nil || back != value {
			t.Fatalf("%q is read back as %q: %v", value, back, err)
		}
	})
}
