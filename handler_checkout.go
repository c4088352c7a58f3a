package ccpayment

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
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
type Checkout struct {
	// The name of the merchant account. Default: the account at the top level
	// of the ccpayment app.
	Account string `json:"account,omitempty"`

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
	Expires caddy.Duration `json:"expires,omitempty"`

	// The methods that make an order. Default: POST; links: GET and POST;
	// intercept: any.
	Methods []string `json:"methods,omitempty"`

	// The form of the response: `redirect`, `json`, or `auto`, which redirects
	// browsers and sends others JSON. Default: `auto`.
	Respond string `json:"respond,omitempty"`

	// How many new orders a client's address may make in how long, such as
	// `10/1m`, or `off`.
	// Default: `10/1m`; intercept: `off`.
	Limit string `json:"limit,omitempty"`

	// The hosts of checkout pages that a buyer may be sent to. Default: the
	// gateway's; at CCPayment ccpayment.com, its subdomains, and base_url's host.
	CheckoutHosts []string `json:"checkout_hosts,omitempty"`

	app         *App
	account     *gateway.Account
	sessions    *checkout.Sessions
	linkSecrets func() []string
	paths       map[string]string // gjson paths of the fields in an app's response
	fixed       checkout.Request  // what is known at load
	min, max    string
	limits      *checkout.Limits
	logger      *zap.Logger
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
	name, err := placeholder.Optional(repl, "account", h.Account)
	if err != nil {
		return err
	}
	if h.account, err = h.app.account(name); err != nil {
		return err
	}
	if h.sessions, err = h.app.sessionsOf(h.account); err != nil {
		return err
	}
	return h.resolve(repl)
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Checkout) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.Intercept != nil {
		return h.intercept(w, r, next)
	}
	if !slices.Contains(h.Methods, r.Method) || isPrefetch(r) {
		w.Header().Set("Allow", strings.Join(h.Methods, ", "))
		return h.fail(w, r, badMethod("use "+strings.Join(h.Methods, " or ")), "")
	}
	var request checkout.Request
	var err error
	if len(h.LinkSecrets) > 0 {
		request, err = checkout.ReadLink(r.URL.RawQuery, h.linkSecrets(), h.account.Info.AccountID, h.app.now())
	} else {
		request, err = h.fromConfig(r)
	}
	if err != nil {
		return h.fail(w, r, err, "")
	}
	return h.checkOut(w, r, h.complete(r, request))
}

func badMethod(text string) error {
	return &checkout.Error{Status: http.StatusMethodNotAllowed, Code: "bad_method", Text: text}
}

// intercept calls the app, and opens the checkout session that the app's response
// asks for. The delivery of an event to the app passes untouched.
func (h *Checkout) intercept(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method == http.MethodHead || caddyhttp.GetVar(r.Context(), "ccpayment_event_id") != nil {
		return next.ServeHTTP(w, r)
	}
	ours := w.Header().Clone()
	iw := &interceptor{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, status: h.Intercept.Status}
	err := next.ServeHTTP(iw, r)
	if !iw.captured {
		return err
	}
	// Headers that the site had set before stay; the app's headers and trailers go.
	clear(w.Header())
	maps.Copy(w.Header(), ours)
	if err != nil {
		return err
	}
	request, err := h.fromResponse(iw)
	if errors.Is(err, checkout.ErrNoRequest) {
		return iw.passOn()
	}
	for _, cookie := range iw.header.Values("Set-Cookie") {
		w.Header().Add("Set-Cookie", cookie)
	}
	switch {
	case err != nil:
	case len(h.Methods) > 0 && !slices.Contains(h.Methods, r.Method):
		w.Header().Set("Allow", strings.Join(h.Methods, ", "))
		err = badMethod("use " + strings.Join(h.Methods, " or "))
	case isPrefetch(r):
		err = badMethod("an order is made when the page is visited, not ahead of it")
	}
	if err != nil {
		return h.fail(w, r, err, "")
	}
	return h.checkOut(w, r, h.complete(r, request))
}

// fromConfig returns the checkout request that the configuration describes.
func (h *Checkout) fromConfig(r *http.Request) (checkout.Request, error) {
	request := h.fixed
	if request.OrderID == "" || strings.Contains(request.OrderID, requestUUID) {
		id, err := uuid.NewV7()
		if err != nil {
			return request, checkout.Unavailable(err)
		}
		request.OrderID = strings.ReplaceAll(request.OrderID, requestUUID, id.String())
		if h.fixed.OrderID == "" {
			request.OrderID = id.String()
		}
	}
	if h.BuyerPrice != nil {
		r.Body = http.MaxBytesReader(nil, r.Body, checkout.LargestRequest)
		price := strings.TrimSpace(r.FormValue(h.BuyerPrice.Field))
		if err := h.checkBuyerPrice(price); err != nil {
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
func (h *Checkout) complete(r *http.Request, request checkout.Request) checkout.Request {
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
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
		{&request.ReturnURL, h.ReturnURL},
		{&request.CloseURL, h.CloseURL},
	} {
		if *field.to == "" {
			*field.to = repl.ReplaceAll(field.from, "")
		}
	}
	if request.Expires == 0 {
		request.Expires = h.fixed.Expires
	}
	request.NotifyURL = h.fixed.NotifyURL
	return request
}

// checkOut opens the request's checkout session and sends the buyer to its page.
func (h *Checkout) checkOut(w http.ResponseWriter, r *http.Request, request checkout.Request) error {
	if h.limits != nil {
		request.Limits, request.Client = h.limits, clientIP(r.Context(), r.RemoteAddr)
	}
	session, err := h.sessions.Open(r.Context(), request)
	if err == nil {
		err = checkout.CheckHost(session.CheckoutURL, h.CheckoutHosts, h.account.Info.Title)
	}
	var field *gateway.FieldError
	if h.BuyerPrice != nil && errors.As(err, &field) && field.Field == "price" {
		err = badAmount(field) // only the gateway knows how many decimals the currency has
	}
	if err != nil {
		return h.fail(w, r, err, h.sessions.WithToken(request.ReturnURL, request.OrderID))
	}
	if session.IsNew {
		h.logger.Info("made an order", zap.String("order_id", session.OrderID), zap.String("gateway_order_id", session.ID))
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	if h.wantsPage(r) {
		header.Set("Location", session.CheckoutURL)
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	status := http.StatusOK
	if session.IsNew {
		status = http.StatusCreated
	}
	return writeJSON(w, status, checkout.ViewOf(session))
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}

// fail responds with an error: to programs in JSON; for browsers it returns the error
// to Caddy, which shows it by `handle_errors`. It redirects a buyer whose order is
// paid to back, if that is not empty.
func (h *Checkout) fail(w http.ResponseWriter, r *http.Request, err error, back string) error {
	var e *checkout.Error
	if !errors.As(err, &e) {
		e = &checkout.Error{Status: http.StatusInternalServerError, Code: "internal", Text: "the checkout failed", Cause: err}
	}
	if e.Status >= http.StatusInternalServerError {
		h.logger.Error("no checkout", zap.String("code", e.Code), zap.Int("status", e.Status), zap.Error(redacted(e)))
	}
	w.Header().Set("Cache-Control", "no-store")
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds()+0.999)))
	}
	if h.wantsPage(r) {
		repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		repl.Set("http.ccpayment.error", e.Code)
		repl.Set("http.ccpayment.gateway_code", e.GatewayCode) // empty rather than unknown, so that no page shows the placeholder
		if e.Code == "paid" && back != "" && checkout.CheckURL("return_url", back, h.account.Info) == nil {
			w.Header().Set("Location", back)
			w.WriteHeader(http.StatusSeeOther)
			return nil
		}
		return caddyhttp.Error(e.Status, errors.New(e.Text)) // without the cause: Caddy logs this error too, and our line has the cause
	}
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message = e.Code, e.Text
	return writeJSON(w, e.Status, body)
}

// wantsPage reports whether the response is for a browser that navigates, and not in
// JSON for a program.
func (h *Checkout) wantsPage(r *http.Request) bool {
	switch h.Respond {
	case "redirect":
		return true
	case "json":
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// isPrefetch reports whether the browser fetches the page ahead of a visit.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if purpose := strings.ToLower(r.Header.Get(name)); strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "preview") {
			return true
		}
	}
	return false
}

// clientIP returns the client's address by Caddy's trusted_proxies; for IPv6 the /64
// network, because one client has many addresses in it.
func clientIP(ctx context.Context, remote string) string {
	text, _ := caddyhttp.GetVar(ctx, caddyhttp.ClientIPVarKey).(string)
	if text == "" {
		text, _, _ = net.SplitHostPort(remote)
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return text
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		network, _ := ip.Prefix(64)
		return network.String()
	}
	return ip.String()
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Checkout)(nil)
	_ caddyhttp.MiddlewareHandler = (*Checkout)(nil)
)
