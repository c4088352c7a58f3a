package simstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/ledger/ledgertest"
)

// TestStore: what the worlds play over does what stores do.
func TestStore(t *testing.T) {
	t.Run("alone", func(t *testing.T) {
		ledgertest.Run(t, ledgertest.Features{}, func(_ *testing.T, now func() time.Time) func() ledger.Store {
			return func() ledger.Store {
				c := simstore.New(now).Connect("a")
				c.BeAlone()
				return simstore.Alone(c)
			}
		})
	})
	t.Run("shared", func(t *testing.T) {
		ledgertest.Run(t, ledgertest.Features{Shared: true}, func(_ *testing.T, now func() time.Time) func() ledger.Store {
			d, n := simstore.New(now), 0
			return func() ledger.Store { n++; return d.Connect(fmt.Sprint("process", n)) }
		})
	})
}
