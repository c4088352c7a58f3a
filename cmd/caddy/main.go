// Command caddy is Caddy with this plugin and all that belongs to it.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/seed-338f6760/caddy-ccpayment"
	_ "github.com/seed-338f6760/caddy-ccpayment/sandbox"
	_ "github.com/seed-338f6760/caddy-ccpayment/store/postgres"
)

func main() { caddycmd.Main() }
