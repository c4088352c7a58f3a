package client_test

import (
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// The client can be used in any Go program: it needs two small modules, and
// nothing of Caddy's or of the rest of this one but helpers that need no more.
func TestDependencies(t *testing.T) {
	apiclienttest.Dependencies(t, []string{"client", "internal/apiclient"}, "github.com/cenkalti/backoff/v5", "github.com/shopspring/decimal")
}
