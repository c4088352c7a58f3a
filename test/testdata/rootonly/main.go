// Command rootonly lists the modules that importing the root package brings.
package main

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"

	_ "github.com/seed-338f6760/caddy-ccpayment"
)

func main() {
	for _, name := range caddy.Modules() {
		fmt.Println(name)
	}
}
