package relay

import (
	"net/http"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestFailedElsewhere: a copy at another Caddy is answered as the event itself is.
func TestFailedElsewhere(t *testing.T) {
	for cause, test := range map[string]struct {
		isTried bool
		want    int
	}{
		"the app answered 500":   {true, http.StatusBadGateway},
		noAnswer + "30s":         {true, http.StatusGatewayTimeout},
		"the records are behind": {false, http.StatusServiceUnavailable},
	} {
		reply := new(Route).notBegun(t.Context(), &ledger.SharedError{Cause: cause, Tried: test.isTried})
		if reply.Status != test.want || reply.Outcome != "shared" {
			t.Errorf("%s: %+v, want %d", cause, reply, test.want)
		}
	}
}
