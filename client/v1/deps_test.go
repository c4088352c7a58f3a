package v1_test

import (
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// The client can be used in any Go program: it needs package client, and nothing of
// Caddy's, of the sandbox or of the gateway.
func TestDependencies(t *testing.T) {
	apiclienttest.Dependencies(t, []string{"client/v1", "client", "internal/apiclient"},
		"github.com/cenkalti/backoff/v5", "github.com/shopspring/decimal")
}
