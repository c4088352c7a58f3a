package ccpayment

import (
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// TestLimitNames: each directive has a limit of its own among all processes, which has one
// name in all of them, and no secret in it.
func TestLimitNames(t *testing.T) {
	names := func() []string {
		var names []string
		a := new(App)
		for _, h := range []*Checkout{
			{Price: "1", account: &gateway.Account{}},
			{Price: "1", account: &gateway.Account{}},
			{Price: "2", account: &gateway.Account{}},
			{Price: "1", account: &gateway.Account{Name: "other"}},
			{LinkSecrets: []string{"hush"}, account: &gateway.Account{}},
		} {
			name, err := h.limitName()
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, a.nameLimit(name))
		}
		return names
	}
	seen := make(map[string]bool)
	for i, name := range names() {
		if seen[name] || name != names()[i] || strings.Contains(name, "hush") {
			t.Errorf("limit %d is called %q", i, name)
		}
		seen[name] = true
	}
}
