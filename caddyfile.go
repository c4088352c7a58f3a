package ccpayment

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/dustin/go-humanize"

	gatewayv2 "github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("ccpayment", parseApp)
	httpcaddyfile.RegisterHandlerDirective("ccpayment_webhook", parseWebhook)
	// After encode and request_header, before every directive that writes a response.
	// All are registered here, because each is put behind those registered before it.
	for _, directive := range []string{"ccpayment_webhook", "ccpayment_status", "ccpayment_checkout", "ccpayment_api", "ccpayment_console"} {
		httpcaddyfile.RegisterDirectiveOrder(directive, httpcaddyfile.Before, "invoke")
	}
}

// parseApp sets up the ccpayment app from Caddyfile tokens. Several blocks are
// merged. Syntax:
//
//	ccpayment {
//		app_id          <id>
//		app_secret      <secret>
//		previous_secret <secret> [<until>]
//		webhook_key     <file>
//		order_prefix    <text>
//		orders          <group>
//		private_key     <file>
//		base_url        <url>
//		api_timeout     <duration>
//		webhook_url     <url>
//		previous_webhook_url <url> [<until>]
//		file_grace      <duration>
//		testing         on | off
//		gateway <module> { … }
//		store <module> { … }
//		reconcile { … }
//		account <name> { … } # the same options, but for store, reconcile and account
//	}
//
// With a gateway, app_id and the like stand in its block.
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(App)
	if existing != nil {
		if err := caddy.StrictUnmarshalJSON(existing.(httpcaddyfile.App).Value, app); err != nil {
			return nil, d.Errf("merging ccpayment blocks: %v", err)
		}
	}
	d.Next() // consume the option's name
	if d.NextArg() {
		return nil, d.ArgErr()
	}
	for d.NextBlock(0) {
		switch option := d.Val(); option {
		case "store":
			if err := parseModule(d, "ccpayment.stores.", &app.StoreRaw); err != nil {
				return nil, err
			}
		case "reconcile":
			if err := app.Reconcile.ReadBlock(d); err != nil {
				return nil, err
			}
		case "account":
			if err := parseAccountBlock(d, app); err != nil {
				return nil, err
			}
		default:
			if err := parseAccount(d, &app.Account, option, accountOptions+", store, reconcile, account"); err != nil {
				return nil, err
			}
		}
	}
	return httpcaddyfile.App{Name: "ccpayment", Value: caddyconfig.JSON(app, nil)}, nil
}

func parseAccountBlock(d *caddyfile.Dispenser, app *App) error {
	var name string
	if !d.AllArgs(&name) {
		return d.ArgErr()
	}
	if strings.TrimSpace(name) == "" {
		return d.Err("the account's name is empty")
	}
	if app.Accounts[name] != nil {
		return d.Errf("account %s is given twice", name)
	}
	account := new(Account)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := parseAccount(d, account, d.Val(), accountOptions); err != nil {
			return err
		}
	}
	if app.Accounts == nil {
		app.Accounts = make(map[string]*Account)
	}
	app.Accounts[name] = account
	return nil
}

// accountOptions names an account's options, for error messages.
const accountOptions = "app_id, app_secret, previous_secret, webhook_key, order_prefix, orders, private_key, base_url, api_timeout, webhook_url, previous_webhook_url, file_grace, testing, gateway"

// parseAccount reads one option of an account.
func parseAccount(d *caddyfile.Dispenser, a *Account, option, allowed string) error {
	switch option {
	case "order_prefix":
		return options.Text(d, &a.OrderPrefix)
	case "orders":
		return options.Text(d, &a.Orders)
	case "api_timeout":
		return oneDuration(d, &a.APITimeout)
	case "testing":
		return options.Text(d, &a.Testing)
	case "file_grace":
		return parseFileGrace(d, a)
	case "gateway":
		return parseModule(d, "ccpayment.gateways.", &a.GatewayRaw)
	}
	if isOurs, err := a.ReadOption(d); isOurs {
		return err
	}
	if err := a.UnmarshalOption(d); !errors.Is(err, gatewayv2.ErrNoOption) {
		return err
	}
	return options.Unknown(d, option, allowed)
}

// parseFileGrace reads file_grace, which may be 0.
func parseFileGrace(d *caddyfile.Dispenser, a *Account) error {
	text, err := options.Once(d, a.FileGrace != nil)
	if err != nil {
		return err
	}
	grace, err := caddy.ParseDuration(text)
	if err != nil {
		return d.Errf("file_grace: %v", err)
	}
	if grace < 0 {
		return d.Err("file_grace must not be less than zero")
	}
	a.FileGrace = (*caddy.Duration)(&grace)
	return nil
}

// parseModule reads an option that names a module of a namespace, and its block.
func parseModule(d *caddyfile.Dispenser, namespace string, to *json.RawMessage) error {
	option := d.Val()
	if *to != nil {
		return d.Errf("%s is given twice", option)
	}
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	module, err := caddyfile.UnmarshalModule(d, namespace+name)
	if err != nil {
		return err
	}
	*to = caddyconfig.JSONModuleObject(module, "module", name, nil)
	return nil
}

// parseWebhook sets up the webhook handler from Caddyfile tokens. Syntax:
//
//	ccpayment_webhook [<matcher>] [<upstream…>] {
//		account   <name>
//		route     <name>
//		scheme    hmac | rsa
//		tolerance <duration>
//		stale     confirm | reject
//		allow_ips <gateway> | <cidr…>
//		max_size  <size>
//		confirm   on | off
//		risky     hold | forward
//		late      fulfill | hold
//		accept_underpaid <n>%
//		types     <type…>
//		statuses  <status…>
//		body      original | enriched
//		token     <secret>
//		sign      <gateway> | standard <secret> [<previous>]
//		ack       2xx | <text>
//		timeout   <duration>
//		wait      <duration>
//		deliver { <handler directives> }
//		retry {
//			first   <duration>
//			max     <duration>
//			give_up <duration>
//		}
//	}
//
// An upstream is short for deliver with a reverse_proxy to it. A gateway is named as the
// account names it, such as ccpayment.
func parseWebhook(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // consume the directive's name
	webhook := new(Webhook)
	if upstreams := h.RemainingArgs(); len(upstreams) > 0 {
		if err := parseUpstreams(h, webhook, upstreams); err != nil {
			return nil, err
		}
	}
	for h.NextBlock(0) {
		var err error
		switch h.Val() {
		case "deliver":
			err = parseDeliver(h, webhook)
		default:
			err = parseWebhookOption(h.Dispenser, webhook)
		}
		if err != nil {
			return nil, err
		}
	}
	return webhook, nil
}

// parseUpstreams reads the short form of deliver: the upstreams of a reverse_proxy.
func parseUpstreams(h httpcaddyfile.Helper, w *Webhook, upstreams []string) error {
	for _, upstream := range upstreams {
		switch {
		case strings.HasPrefix(upstream, "/"):
			return h.Errf("%q is no upstream: for more than one path, use a named matcher, `@hooks path /hook %s`", upstream, upstream)
		case strings.HasPrefix(upstream, "unix/"), strings.HasPrefix(upstream, "unix+h2c/"): // a socket
		case !strings.ContainsAny(upstream, ":.{"):
			if port, err := strconv.Atoi(upstream); err == nil {
				return h.Errf("%q is neither a matcher nor an upstream: an upstream has a host, localhost:%d", upstream, port)
			}
			return h.Errf("%q is neither a matcher nor an upstream: a path begins with a slash, /%s, and an upstream has a port, %s:3000", upstream, upstream, upstream)
		}
	}
	line := []caddyfile.Token{h.Token()}
	line[0].Text = "reverse_proxy"
	for _, upstream := range upstreams {
		token := line[0]
		token.Text = upstream
		line = append(line, token)
	}
	proxy := new(reverseproxy.Handler)
	if err := proxy.UnmarshalCaddyfile(caddyfile.NewDispenser(line)); err != nil {
		return err
	}
	w.Deliver = caddyhttp.RouteList{{
		HandlersRaw: []json.RawMessage{caddyconfig.JSONModuleObject(proxy, "handler", "reverse_proxy", nil)},
	}}
	return nil
}

// parseDeliver reads handler directives as they stand in a site.
func parseDeliver(h httpcaddyfile.Helper, w *Webhook) error {
	if w.Deliver != nil {
		return h.Err("deliver is given twice: an upstream after the directive is one, too")
	}
	handler, err := httpcaddyfile.ParseSegmentAsSubroute(h.WithDispenser(h.NewFromNextSegment()))
	if err != nil {
		return err
	}
	subroute, ok := handler.(*caddyhttp.Subroute)
	if !ok || len(subroute.Routes) == 0 {
		return h.Err("deliver is empty: put a reverse_proxy to the app in it")
	}
	w.Deliver = subroute.Routes
	return nil
}

// parseRetry reads the block of the option retry.
func parseRetry(d *caddyfile.Dispenser, w *Webhook) error {
	if w.Retry != nil {
		return d.Err("retry is given twice")
	}
	if d.NextArg() {
		return d.Err("retry takes a block: `retry { first 5s … }`, each option on a line of its own")
	}
	w.Retry = new(Retry)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch option := d.Val(); option {
		case "first":
			err = oneDuration(d, &w.Retry.First)
		case "max":
			err = oneDuration(d, &w.Retry.Max)
		case "give_up":
			err = oneDuration(d, &w.Retry.GiveUp)
		default:
			err = options.Unknown(d, option, "first, max, give_up")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parseWebhookOption(d *caddyfile.Dispenser, w *Webhook) error {
	switch option := d.Val(); option {
	case "account":
		return options.Text(d, &w.Account)
	case "route":
		return options.Text(d, &w.Route)
	case "scheme":
		return options.Text(d, &w.Scheme)
	case "tolerance":
		return oneDuration(d, &w.Tolerance)
	case "stale":
		return options.Text(d, &w.Stale)
	case "allow_ips":
		return options.Texts(d, &w.AllowIPs)
	case "max_size":
		return oneSize(d, &w.MaxSize)
	case "confirm":
		return options.Text(d, &w.Confirm)
	case "risky":
		return options.Text(d, &w.Risky)
	case "late":
		return options.Text(d, &w.Late)
	case "accept_underpaid":
		return options.Text(d, &w.AcceptUnderpaid)
	case "types":
		return options.Texts(d, &w.Types)
	case "statuses":
		return options.Texts(d, &w.Statuses)
	case "body":
		return options.Text(d, &w.Body)
	case "token":
		return options.Text(d, &w.Token)
	case "sign":
		return parseSign(d, w)
	case "ack":
		return options.Text(d, &w.Ack)
	case "timeout":
		return oneDuration(d, &w.Timeout)
	case "wait":
		return oneDuration(d, &w.Wait)
	case "retry":
		return parseRetry(d, w)
	default:
		return options.Unknown(d, option, "account, route, scheme, tolerance, stale, allow_ips, max_size, confirm, "+
			"risky, late, accept_underpaid, types, statuses, body, token, sign, ack, timeout, wait, deliver, retry")
	}
}

func parseSign(d *caddyfile.Dispenser, w *Webhook) error {
	if w.Sign != nil {
		return d.Err("sign is given twice")
	}
	args := d.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] != "standard":
		w.Sign = &AppSignature{Scheme: args[0]}
	case len(args) == 2 && args[0] == "standard":
		w.Sign = &AppSignature{Scheme: "standard", Secret: args[1]}
	case len(args) == 3 && args[0] == "standard":
		w.Sign = &AppSignature{Scheme: "standard", Secret: args[1], Previous: args[2]}
	default:
		return d.Err("sign takes the gateway's name, as `sign ccpayment`, or `standard <secret> [<previous>]`")
	}
	return nil
}

func oneDuration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	return options.Duration(d, to, caddy.ParseDuration)
}

func oneSize(d *caddyfile.Dispenser, to *int64) error {
	option := d.Val()
	text, err := options.Once(d, *to != 0)
	if err != nil {
		return err
	}
	size, err := humanize.ParseBytes(text)
	if err != nil {
		return d.Errf("%s: %q is not a size like 64KiB", option, text)
	}
	if size == 0 || size > largestMaxSize {
		return d.Errf("%s must be from 1B to 1MiB: a webhook has a few hundred bytes", option)
	}
	*to = int64(size)
	return nil
}
