package coinpayments_test

import (
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// The client can be used in any Go program: it needs three small modules, and nothing of
// Caddy's, of the sandbox or of the gateway.
func TestDependencies(t *testing.T) {
	apiclienttest.Dependencies(t, []string{"client/coinpayments", "internal/apiclient"},
		"github.com/cenkalti/backoff/v5", "github.com/shopspring/decimal", "golang.org/x/time")
}
