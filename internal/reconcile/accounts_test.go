package reconcile

import (
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestRouteOfAnotherCaddy: an only route is told where nothing names one, unless another Caddy
// serves a route that is not known here.
func TestRouteOfAnotherCaddy(t *testing.T) {
	here := map[string]bool{"first": true}
	for route, want := range map[string]bool{"first": false, "second": true} {
		others := []ledger.Session{{Name: "other", Routes: []ledger.SessionRoute{{Name: route}}}}
		if got := serveMore(others, here); got != want {
			t.Errorf("another Caddy with the route %s serves more: %t", route, got)
		}
	}
}
