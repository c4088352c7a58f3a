package ccpayment

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("ccpayment_api", parseAPI)
}

// parseAPI sets up the API handler from Caddyfile tokens. Syntax:
//
//	ccpayment_api [<matcher>] {
//		account <name…>
//		allow   read | deposit | withdraw | swap | wallet | webhook | <endpoint…> | notify_url
//		token   <secret>
//		cache   off | <duration> [<endpoint…>]
//	}
func parseAPI(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // consume the directive's name
	if h.NextArg() {
		return nil, h.ArgErr()
	}
	api := new(API)
	for h.NextBlock(0) {
		var err error
		switch option := h.Val(); option {
		case "account":
			err = options.TextAndMore(h.Dispenser, &api.Account, &api.OtherAccounts)
		case "allow":
			err = options.Texts(h.Dispenser, &api.Allow)
		case "token":
			err = options.Text(h.Dispenser, &api.Token)
		case "cache":
			err = parseAPICache(h.Dispenser, api)
		default:
			err = options.Unknown(h.Dispenser, option, "account, allow, token, cache")
		}
		if err != nil {
			return nil, err
		}
	}
	return api, nil
}

func parseAPICache(d *caddyfile.Dispenser, api *API) error {
	if api.Cache != nil {
		return d.Err("cache is given twice")
	}
	api.Cache = new(APICache)
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	if args[0] == "off" {
		if api.Cache.Off = true; len(args) > 1 {
			return d.ArgErr()
		}
		return nil
	}
	duration, err := caddy.ParseDuration(args[0])
	if err != nil {
		return d.Errf("cache: %v; it takes off, or a duration and names of endpoints", err)
	}
	if duration <= 0 {
		return d.Err("cache must be longer than zero, or off")
	}
	api.Cache.For, api.Cache.Endpoints = caddy.Duration(duration), args[1:]
	return nil
}
