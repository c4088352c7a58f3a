package ccpayment

// The default modules, so that building Caddy with this package brings them.
import (
	_ "github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)
