// Command caddy is the Caddy that test/bench measures: the usual one, and beside it the
// least that a receiver of webhooks can do.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/seed-338f6760/caddy-ccpayment"
	_ "github.com/seed-338f6760/caddy-ccpayment/store/postgres"
	_ "github.com/seed-338f6760/caddy-ccpayment/test/bench/limit"
)

func main() { caddycmd.Main() }
