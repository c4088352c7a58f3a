package coinpayments_test

import (
	"regexp"
	"strings"
	"testing"

	client "github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

var placeholder = regexp.MustCompile(`{[^}]*}`)

// TestEveryRouteOfTheClient: what the client and the API proxy call is served.
func TestEveryRouteOfTheClient(t *testing.T) {
	w := start(t)
	for _, route := range client.Routes() {
		path := strings.TrimPrefix(placeholder.ReplaceAllString(route.Pattern, "x"), "/api")
		got := w.call(route.Method, path, "{}")
		if got.status == 404 && strings.Contains(got.Str("detail"), "is no route") || got.status == 405 {
			t.Errorf("%s: %d %s", route, got.status, got.Str("detail"))
		}
	}
}
