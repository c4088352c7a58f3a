package ccpayment

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("ccpayment_status", parseStatus)
	httpcaddyfile.RegisterHandlerDirective("ccpayment_checkout", parseCheckout)
}

// parseCheckout sets up the checkout handler from Caddyfile tokens. Syntax:
//
//	ccpayment_checkout [<matcher>] {
//		account      <name…>
//		intercept    [<status>] {
//			<field> <gjson path>
//		}
//		link_secret  <secret> [<previous>]
//		price        <amount>
//		buyer_price  <field> <min> <max>
//		currency     <symbol> | fiat:<id> | coin:<id>
//		coin         <symbol> | coin:<id> <chain>
//		order_id     <text>
//		product      <text>
//		buyer_email  <text>
//		return_url   <url>
//		close_url    <url>
//		notify_url   <url>
//		expires      <duration>
//		methods      <method…>
//		respond      auto | redirect | json
//		status_token on | off
//		limit        <n>/<duration> | off
//		checkout_hosts <host…>
//	}
func parseCheckout(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // consume the directive's name
	if h.NextArg() {
		return nil, h.ArgErr()
	}
	c := new(Checkout)
	for h.NextBlock(0) {
		if err := parseCheckoutOption(h.Dispenser, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func parseCheckoutOption(d *caddyfile.Dispenser, c *Checkout) error {
	fields := map[string]*string{
		"price": &c.Price, "currency": &c.Currency, "order_id": &c.OrderID, "product": &c.Product,
		"buyer_email": &c.BuyerEmail, "return_url": &c.ReturnURL, "close_url": &c.CloseURL, "notify_url": &c.NotifyURL,
		"respond": &c.Respond, "status_token": &c.StatusToken, "limit": &c.Limit,
	}
	option := d.Val()
	if to, ok := fields[option]; ok {
		return options.Text(d, to)
	}
	switch option {
	case "account":
		return options.TextAndMore(d, &c.Account, &c.OtherAccounts)
	case "intercept":
		return parseIntercept(d, c)
	case "link_secret":
		if err := options.Texts(d, &c.LinkSecrets); err != nil {
			return err
		}
		if len(c.LinkSecrets) > 2 {
			return d.ArgErr()
		}
		return nil
	case "buyer_price":
		if c.BuyerPrice != nil {
			return d.Err("buyer_price is given twice")
		}
		c.BuyerPrice = new(BuyerPrice)
		if !d.AllArgs(&c.BuyerPrice.Field, &c.BuyerPrice.Min, &c.BuyerPrice.Max) {
			return d.Err("buyer_price takes a field's name, a smallest and a largest amount")
		}
		return nil
	case "coin":
		if c.Coin != "" {
			return d.Err("coin is given twice")
		}
		if !d.AllArgs(&c.Coin, &c.Chain) {
			return d.Err("coin takes a symbol or coin:<id>, and a chain")
		}
		return nil
	case "expires":
		return options.LateDuration(d, &c.Expires, caddy.ParseDuration)
	case "methods":
		return options.Texts(d, &c.Methods)
	case "checkout_hosts":
		return options.Texts(d, &c.CheckoutHosts)
	default:
		return options.Unknown(d, option, "account, intercept, link_secret, price, buyer_price, currency, coin, order_id, product, "+
			"buyer_email, return_url, close_url, notify_url, expires, methods, respond, status_token, limit, checkout_hosts")
	}
}

func parseIntercept(d *caddyfile.Dispenser, c *Checkout) error {
	if c.Intercept != nil {
		return d.Err("intercept is given twice")
	}
	c.Intercept = new(Intercept)
	if d.NextArg() {
		status, err := strconv.Atoi(d.Val())
		if err != nil {
			return d.Errf("intercept: %q is no status such as 402", d.Val())
		}
		c.Intercept.Status = status
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		field := d.Val()
		if !slices.Contains(checkout.Fields, field) {
			return options.Unknown(d, field, strings.Join(checkout.Fields, ", "))
		}
		var path string
		if !d.AllArgs(&path) {
			return d.ArgErr()
		}
		if c.Intercept.Paths == nil {
			c.Intercept.Paths = make(map[string]string)
		}
		if c.Intercept.Paths[field] != "" {
			return d.Errf("%s is given twice", field)
		}
		c.Intercept.Paths[field] = path
	}
	return nil
}

// parseStatus sets up the status handler from Caddyfile tokens. Syntax:
//
//	ccpayment_status [<matcher>] {
//		account <name>
//		cors    <origin…> | *
//	}
func parseStatus(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // consume the directive's name
	if h.NextArg() {
		return nil, h.ArgErr()
	}
	status := new(Status)
	for h.NextBlock(0) {
		var err error
		switch option := h.Val(); option {
		case "account":
			err = options.Text(h.Dispenser, &status.Account)
		case "cors":
			err = options.Texts(h.Dispenser, &status.CORS)
		default:
			err = options.Unknown(h.Dispenser, option, "account, cors")
		}
		if err != nil {
			return nil, err
		}
	}
	return status, nil
}
