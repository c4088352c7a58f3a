package ccpayment_test

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestPrefixesOverlap: two shops at one CCPayment account whose prefixes begin alike are
// a mistake, and one without a prefix is a warning.
func TestPrefixesOverlap(t *testing.T) {
	account := func(name, prefix string) string {
		return "account " + name + " {\n app_id app-9\n app_secret s\n " + prefix + "\n}\n"
	}
	s := start(t, setup{account: account("a", "order_prefix shop-a-") + account("b", "")})
	if logs := s.logs(); !strings.Contains(logs, `account \"b\" has no order_prefix`) {
		t.Error("the log does not warn of an account without a prefix")
	}
	bad := setup{account: account("a", "order_prefix shop-") + account("b", "order_prefix shop-b-")}
	err := caddy.Load(adapt(t, s.names.Replace(bad.caddyfile())), true)
	if err == nil || !strings.Contains(err.Error(), "order_prefix shop-b- begins with the other's") {
		t.Errorf("overlapping prefixes: %v", err)
	}
}
