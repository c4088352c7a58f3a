package ccpayment_test

import (
	"strings"
	"testing"
)

// TestBaseURLWithoutPath: an address of the API without its path is warned of when the
// configuration is loaded, and not found out with the first payment.
func TestBaseURLWithoutPath(t *testing.T) {
	for path, want := range map[string]int{"": 1, "/": 1, "/ccpayment/v2": 0} {
		s := start(t, setup{account: "base_url http://127.0.0.1:1" + path})
		if got := strings.Count(s.logs(), "base_url has no path"); got != want {
			t.Errorf("%q: %d warnings", path, got)
		}
	}
}
