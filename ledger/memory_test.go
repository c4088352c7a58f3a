package ledger_test

import (
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
)

// database is a store in memory that several processes share, and connection a process's way
// to it.
type (
	database   = simstore.Database
	connection = simstore.Connection
)

func newDatabase() *database { return simstore.New(time.Now) }
