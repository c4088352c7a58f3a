package ccpayment

// The default modules, which a Caddy built with this package has.
import (
	_ "github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
	_ "github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment_v1"
	_ "github.com/seed-338f6760/caddy-ccpayment/gateway/coinpayments"
	_ "github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)
