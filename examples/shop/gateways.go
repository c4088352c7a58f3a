package main

import (
	"net/url"
	"slices"
)

// gateway is a payment gateway that buyers can choose. Caddy has an account there.
type gateway struct {
	Account string // its name in the Caddyfile, which goes into the 402; empty: the one at the top
	Name    string
	About   string
	Status  string // the path at which Caddy says how an order of this account stands
	// Refunds: the gateway itself sends back what is too little or too much.
	Refunds bool
}

var gateways = []gateway{
	{
		Account: "", Name: "CCPayment", Status: "/status",
		About: "If you send too little, you can send the rest.",
	},
	{
		Account: "coins", Name: "CoinPayments", Status: "/coins-status", Refunds: true,
		About: "If you send too little, it is sent back to you.",
	},
}

// gatewayOf returns the gateway that a form or an address names; nil: it names none.
func gatewayOf(values url.Values) *gateway {
	i := slices.IndexFunc(gateways, func(g gateway) bool { return values.Has("account") && g.Account == values.Get("account") })
	if i < 0 {
		return nil
	}
	return &gateways[i]
}
