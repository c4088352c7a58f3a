package hint

import "testing"

// TestNearest: names that begin alike are meant, the longest beginning first, and no more
// than five.
func TestNearest(t *testing.T) {
	names := []string{"USDT", "USDC", "EUR", "UAH", "USDT"}
	for text, want := range map[string]string{
		"usdx": ": is one of these meant, USDT, USDC?",
		"ux":   ": is one of these meant, USDT, USDC, UAH?",
		"e":    ": is one of these meant, EUR?",
		"xyz":  "", "": "",
	} {
		if got := Nearest(text, names); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := Nearest("a", []string{"a1", "a2", "a3", "a4", "a5", "a6"}); got != ": is one of these meant, a1, a2, a3, a4, a5?" {
		t.Error(got)
	}
}
