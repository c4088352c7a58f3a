package ccpayment

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
)

func init() {
	caddy.RegisterModule(new(Checkout))
}

// Checkout makes an order at the gateway and redirects the buyer to its checkout
// page, at a price that the buyer cannot change: one in the response of the app
// behind Caddy, in a signed link, or in the configuration. A repeated request for
// the same order gets the same checkout.
//
// Errors for browsers go through Caddy's `handle_errors`, with these placeholders:
//
// Placeholder | Description
// ------------|---------------
// `{http.ccpayment.error}` | What is wrong, in one word
// `{http.ccpayment.gateway_code}` | The gateway's error code, if it refused the order
// `{http.ccpayment.cause}` | What the log says of it, for development: it is not for buyers
type Checkout struct {
	// The name of the merchant account. Default: the account at the top level
	// of the ccpayment app.
	Account string `json:"account,omitempty"`

	// Further accounts, any of which the app's response may choose by its name, in the
	// field `account`. Links and configured prices use the first.
	OtherAccounts []string `json:"other_accounts,omitempty"`

	// Take the terms from the app's response. Default, where there is no other
	// source: a response with status 402.
	Intercept *Intercept `json:"intercept,omitempty"`

	// Take the terms from a link that is signed with one of these secrets.
	LinkSecrets []string `json:"link_secrets,omitempty"`

	// Take the terms from the configuration, with this price.
	Price string `json:"price,omitempty"`

	// Take the terms from the configuration, with a price that the buyer names,
	// for donations.
	BuyerPrice *BuyerPrice `json:"buyer_price,omitempty"`

	// What the price is in: a symbol, `fiat:<id>` or `coin:<id>`. Default: `USD`.
	Currency string `json:"currency,omitempty"`

	// The coin that the order is paid in, a symbol or `coin:<id>`, and its chain.
	// Default: the buyer picks the coin.
	Coin  string `json:"coin,omitempty"`
	Chain string `json:"chain,omitempty"`

	// The order's id. Default: a new UUIDv7.
	OrderID string `json:"order_id,omitempty"`

	// What the checkout page says is bought.
	Product string `json:"product,omitempty"`

	// The buyer's e-mail address, which the gateway writes to about the payment.
	BuyerEmail string `json:"buyer_email,omitempty"`

	// Where the checkout page sends the buyer after paying (return_url) and on
	// leaving (close_url).
	ReturnURL string `json:"return_url,omitempty"`
	CloseURL  string `json:"close_url,omitempty"`

	// The URL that the gateway sends the order's webhooks to. Default: the account's webhook_url.
	NotifyURL string `json:"notify_url,omitempty"`

	// How long the order can be paid. Default: the gateway's; at CCPayment 24 hours
	// for invoices and 10 days for deposit orders.
	Expires options.DurationText `json:"expires,omitempty"`

	// The methods that make an order. Default: POST; links: GET and POST;
	// intercept: any but HEAD, OPTIONS and TRACE, which never make one.
	Methods []string `json:"methods,omitempty"`

	// The form of the response: `redirect`, `json`, or `auto`, which redirects
	// browsers, htmx, Inertia and Turbo, each in its own way, and sends others JSON.
	// Default: `auto`.
	Respond string `json:"respond,omitempty"`

	// Whether the order's status token is added to return_url, for the page that asks
	// ccpayment_status: `on` or `off`. Default: `on`.
	StatusToken string `json:"status_token,omitempty"`

	// How many new orders a client's address may make in how long, such as
	// `10/1m`, or `off`.
	// Default: `10/1m`; intercept: `off`.
	Limit string `json:"limit,omitempty"`

	// The hosts of checkout pages that a buyer may be sent to. Default: the
	// gateway's; at CCPayment ccpayment.com, its subdomains, and base_url's host.
	CheckoutHosts []string `json:"checkout_hosts,omitempty"`

	app                 *App
	account             *gateway.Account // the first
	choices             checkout.Choices
	linkSecrets         func() []string
	paths               map[string]string // gjson paths of the fields in an app's response
	fixed               checkout.Request  // what is known at load
	returnURL, closeURL string            // with the request's placeholders
	min, max            string
	bounds              checkout.Bounds
	limits              *checkout.Limits
	count               func(account, outcome string)
	warned              rate.Sometimes // of a response that asks for no checkout
	warnLimit           rate.Sometimes // of clients that the limit may not tell apart
	logger              *zap.Logger
}

// Intercept says which of the app's responses ask for a checkout.
type Intercept struct {
	// The response's HTTP status. Default: 402.
	Status int `json:"status,omitempty"`
	// The gjson path of each field in the response's JSON. Default: the fields'
	// names.
	Paths map[string]string `json:"paths,omitempty"`
}

// BuyerPrice lets the buyer name the amount.
type BuyerPrice struct {
	// The name of the form or query field.
	Field string `json:"field,omitempty"`
	// The smallest and the largest amount that may be named, in the order's
	// currency.
	Min string `json:"min,omitempty"`
	Max string `json:"max,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Checkout) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ccpayment_checkout",
		New: func() caddy.Module { return new(Checkout) },
	}
}

// Provision resolves the options.
func (h *Checkout) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	var err error
	if h.app, err = appOf(ctx); err != nil {
		return err
	}
	repl := caddy.NewReplacer()
	if h.choices, err = h.app.choices(repl, h.Account, h.OtherAccounts); err != nil {
		return err
	}
	h.account = h.choices[0].Account()
	return h.resolve(repl, hasName(ctx))
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Checkout) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.Intercept != nil {
		return h.intercept(w, r, next)
	}
	if !slices.Contains(h.Methods, r.Method) || checkout.IsPrefetch(r) {
		w.Header().Set("Allow", strings.Join(h.Methods, ", "))
		return h.fail(w, r, badMethod("use "+strings.Join(h.Methods, " or ")), checkout.Request{})
	}
	var request checkout.Request
	var err error
	if len(h.LinkSecrets) > 0 {
		request, err = checkout.ReadLink(r.URL.RawQuery, h.linkSecrets(), h.account.Info.AccountID, h.app.now())
	} else {
		request, err = h.fromConfig(r)
	}
	if err != nil {
		return h.fail(w, r, err, request)
	}
	return h.checkOut(w, r, request)
}

func badMethod(text string) error {
	return &checkout.Error{Status: http.StatusMethodNotAllowed, Code: "bad_method", Text: text}
}

// fromConfig returns the checkout request that the configuration describes.
func (h *Checkout) fromConfig(r *http.Request) (checkout.Request, error) {
	request := h.fixed
	var err error
	if request.OrderID, err = checkout.NewOrderID(h.fixed.OrderID); err != nil {
		return request, checkout.Unavailable(err)
	}
	if h.BuyerPrice != nil {
		r.Body = http.MaxBytesReader(nil, r.Body, checkout.LargestRequest)
		price := strings.TrimSpace(r.FormValue(h.BuyerPrice.Field))
		if err := h.bounds.Check(price); err != nil {
			return request, badAmount(err)
		}
		request.Price = price
	}
	return request, nil
}

func badAmount(err error) error {
	return &checkout.Error{Status: http.StatusBadRequest, Code: "bad_amount", Text: err.Error()}
}

// complete fills in what the source of the terms left out: from the configuration,
// with the HTTP request's placeholders.
func (h *Checkout) complete(r *http.Request, request checkout.Request, at checkout.Choice) checkout.Request {
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	replace := func(text string) string { return repl.ReplaceAll(text, "") }
	if request.Currency == "" {
		request.Currency = h.fixed.Currency
	}
	if request.Coin == "" && h.fixed.Coin != "" {
		request.Coin, request.Chain = h.fixed.Coin, h.fixed.Chain
	}
	for _, field := range []struct {
		to   *string
		from string
	}{
		{&request.Product, h.Product},
		{&request.BuyerEmail, h.BuyerEmail},
	} {
		if *field.to == "" {
			*field.to = replace(field.from)
		}
	}
	request.NoStatusToken = h.StatusToken == "off"
	if request.ReturnURL == "" {
		request.ReturnURL = at.Target("return_url", h.returnURL, replace, &request)
	}
	if request.CloseURL == "" {
		request.CloseURL = at.Target("close_url", h.closeURL, replace, &request)
	}
	if request.Expires == 0 {
		request.Expires = h.fixed.Expires
	}
	request.NotifyURL = at.NotifyURL
	return request
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Checkout)(nil)
	_ caddyhttp.MiddlewareHandler = (*Checkout)(nil)
)
