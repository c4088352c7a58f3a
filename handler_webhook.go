package ccpayment

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/metrics"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func init() {
	caddy.RegisterModule(new(Webhook))
}

// Webhook receives a payment gateway's webhooks: it verifies each, and delivers
// each event to the app exactly once, with what was verified in headers that a
// client cannot forge. With deliver, a webhook is acknowledged once the ledger has
// the event on disk, and the event is delivered in the background; without, the
// event is delivered to the next handler, and the webhook is acknowledged only when
// the app has acknowledged the event and the ledger has recorded that.
//
// The handler writes every response to the gateway itself: the app's body and
// headers never reach the gateway, and errors do not go through `handle_errors`. A
// request with a signature is left out of the access log, which would show the
// signature.
//
// For the handlers that follow, these placeholders are set, and each as the
// variable `{vars.ccpayment_…}` too, for the `vars` matcher:
//
// Placeholder | Description
// ------------|---------------
// `{http.ccpayment.gateway}` | The gateway's name
// `{http.ccpayment.kind}` | payment, deposit, payout or other
// `{http.ccpayment.testing}` | true on an account with `testing on`
// `{http.ccpayment.type}` | The event's type, such as ApiDeposit
// `{http.ccpayment.status}` | Its status, as the gateway writes it
// `{http.ccpayment.record_id}` | The gateway's id of the record
// `{http.ccpayment.order_id}` | The app's order id
// `{http.ccpayment.reference_id}` | The reference id of a deposit address
// `{http.ccpayment.user_id}` | The user id of a wallet
// `{http.ccpayment.risky}` | true, false or unknown
// `{http.ccpayment.event_id}` | The Idempotency-Key
// `{http.ccpayment.seq}` | The event's sequence number among those of its record
// `{http.ccpayment.attempt}` | The number of the attempt, from 1
// `{http.ccpayment.attempt_reason}` | initial, retry, replay, release or backfill
//
// A confirmed event also sets, as far as it has them, confirmed, coin, chain,
// txid, amount, fee, usd_price, order_state, order_amount_due, order_amount_paid,
// order_currency, order_late, reason, fulfill, credit and payout, with the values
// of the headers of these names.
//
// Client-sent headers that begin with `Ccpayment-` are removed from every
// request of the server that the handler is part of.
type Webhook struct {
	// The name of the merchant account. Default: the account at the top level
	// of the ccpayment app.
	Account string `json:"account,omitempty"`

	// The name of this route in the ledger: events are delivered once per
	// route. Two handlers may share a name only with the same options, and then
	// count as one. Default: `webhook`.
	Route string `json:"route,omitempty"`

	// How webhooks are signed: `hmac`, or `rsa` with the account's
	// webhook_key (experimental). Default: `hmac`.
	Scheme string `json:"scheme,omitempty"`

	// How far a webhook's timestamp may be from our clock, before or after.
	// Default: 5m.
	Tolerance caddy.Duration `json:"tolerance,omitempty"`

	// What happens to a webhook that verifies but is outside the tolerance:
	// `reject`, or `confirm`, which confirms its event with the gateway's API
	// whatever the option confirm says. Default: `confirm`.
	Stale string `json:"stale,omitempty"`

	// The client addresses that may send webhooks: IPs and CIDR ranges, or the
	// gateway's name, such as `ccpayment`, for the addresses that it publishes.
	// The client's address is found by Caddy's trusted_proxies. Default: any.
	AllowIPs []string `json:"allow_ips,omitempty"`

	// The largest body that is read, in bytes; at most 1 MiB. Default: 65536.
	MaxSize int64 `json:"max_size,omitempty"`

	// Whether events are confirmed with the gateway's API before they are
	// delivered: `on` or `off`. With `off` the app is never told to fulfil or credit,
	// and must ask the API itself. Default: `on`.
	Confirm string `json:"confirm,omitempty"`

	// What becomes of payments that the gateway flags as risky, or does not call
	// clean: `hold` or `forward`. With confirm only. Default: `hold`.
	Risky string `json:"risky,omitempty"`

	// Whether a payment after its order's expiry counts: `fulfill` or `hold`.
	// With confirm only. Default: `fulfill`.
	Late string `json:"late,omitempty"`

	// How much of an order's amount may be missing, such as `1%`. With confirm
	// only. Default: `0%`.
	AcceptUnderpaid string `json:"accept_underpaid,omitempty"`

	// The types that are delivered to the app; events of other types are recorded
	// and acknowledged only. With `OrderExpired`, and with deliver only, the app is told of
	// orders of our checkout that expire. Default: all that come.
	Types []string `json:"types,omitempty"`

	// The statuses that are delivered to the app, compared without case; events of
	// other statuses are recorded and acknowledged only. Default: all.
	Statuses []string `json:"statuses,omitempty"`

	// What body the app gets: the `original`, byte for byte, or one `enriched`
	// with the records that confirmed the event. Default: `original`.
	Body string `json:"body,omitempty"`

	// Sent to the app as `Authorization: Bearer <token>`. Default: none.
	Token string `json:"token,omitempty"`

	// How requests to the app are signed. Default: not at all.
	Sign *AppSignature `json:"sign,omitempty"`

	// What counts as the app's acknowledgement: `2xx`, or a text that the body of
	// a 2xx response must have within its first 64 KiB, as a whole word and in any
	// case. A JSON response whose `success`, `ok`, `status`, `result` or `code` says no
	// is no acknowledgement then. Default: `2xx`; where requests are signed
	// as the gateway signs, the gateway's own word, `Success` for CCPayment.
	Ack string `json:"ack,omitempty"`

	// The handlers that deliver events to the app: with them, an event is
	// committed, acknowledged, and delivered in the background, with retries of
	// our own. Without, the next handler delivers it while the gateway waits.
	Deliver caddyhttp.RouteList `json:"deliver,omitempty"`

	// When failed deliveries are retried; with deliver only.
	Retry *Retry `json:"retry,omitempty"`

	// How long one attempt at the app may take. Default: 30s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How long a copy of a webhook waits for the outcome of the delivery attempt
	// that is in flight. Default: 10s.
	Wait caddy.Duration `json:"wait,omitempty"`

	app         *App
	given       map[string]string // options before their defaults
	webhooks    gateway.Webhooks  // of the account, by the scheme
	route       *relay.Route
	allowed     []netip.Prefix
	warnProxies sync.Once
	warnAck     sync.Once
	server      *caddyhttp.Server
	findProxies sync.Once
	proxyTrust  []netip.Prefix // of the reverse_proxy handlers
	events      *emitter
	logger      *zap.Logger
	// These limit log lines, so that a flood does not fill the disk: one limit for
	// rejected webhooks, one for what is wrong here, so that the first cannot hide
	// the second.
	rejections, troubles *rate.Limiter

	webhookTime, deliveryTime, deliveryLag prometheus.Observer
	clockSkew                              prometheus.Gauge
}

// CaddyModule returns the Caddy module information.
func (*Webhook) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ccpayment_webhook",
		New: func() caddy.Module { return new(Webhook) },
	}
}

// Provision resolves the options.
func (h *Webhook) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.rejections = rate.NewLimiter(linesPerSecond, linesPerSecond)
	h.troubles = rate.NewLimiter(linesPerSecond, linesPerSecond)

	var err error
	if h.app, err = appOf(ctx); err != nil {
		return err
	}
	h.setDefaults()
	config, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encoding the options: %v", err)
	}
	if err := h.resolve(); err != nil {
		return err
	}
	h.provisionMetrics()
	if h.events, err = newEmitter(ctx); err != nil {
		return err
	}
	first, err := h.app.claimRoute(h.route.Name, options.WithoutGroups(config))
	if err != nil {
		return err
	}
	if err := h.provisionDelivery(ctx); err != nil {
		return err
	}
	if first {
		h.app.addRoute(h)
		h.warn()
	} else {
		h.logger.Warn("the route stands more than once and hands each event over at one of its places only: "+
			"if they lead to different apps, give each its own with `route`", zap.String("route", h.route.Name))
	}

	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		if !guardServer(server) {
			h.logger.Warn("client-sent Ccpayment headers are removed from the requests of this route only: "+
				"in a named route, add `request_header -Ccpayment-*` to the sites that invoke it",
				zap.String("route", h.route.Name))
		}
		h.server = server
	}
	return nil
}

// Validate checks the options.
func (h *Webhook) Validate() error {
	switch h.Stale {
	case "confirm", "reject":
	default:
		return fmt.Errorf("unknown stale %q: use confirm or reject", h.Stale)
	}
	switch h.Body {
	case bodyOriginal, bodyEnriched:
	default:
		return fmt.Errorf("unknown body %q: use original or enriched", h.Body)
	}
	switch h.Confirm {
	case "on", "off":
	default:
		return fmt.Errorf("unknown confirm %q: use on or off", h.Confirm)
	}
	if h.MaxSize < 0 || h.MaxSize > largestMaxSize {
		return fmt.Errorf("max_size must be from 1 byte to %d: a webhook has a few hundred", largestMaxSize)
	}
	if h.Tolerance < 0 || h.Timeout < 0 || h.Wait < 0 {
		return errors.New("tolerance, timeout and wait must be positive")
	}
	if h.Retry != nil && (h.Retry.First < 0 || h.Retry.Max < h.Retry.First || h.Retry.GiveUp < h.Retry.Max) {
		return errors.New("retry: first, max and give_up must be positive and not decrease in this order")
	}
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler. It always writes the response
// itself.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	start := h.app.now()
	if len(r.Header.Values(h.route.Account.Info.SignatureHeader)) > 0 {
		caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	}
	notice, reply := h.receive(w, r, next)
	reply.Write(w)

	account := h.route.Account
	metrics.Webhooks.WithLabelValues(account.Name, h.route.Name, metrics.TypeLabel(notice, account.Info), reply.Outcome).Inc()
	h.webhookTime.Observe(h.app.now().Sub(start).Seconds())
	if c := h.logger.Check(zap.DebugLevel, "answered webhook"); c != nil {
		c.Write(zap.String("route", h.route.Name), zap.String("type", notice.Type), zap.Int("status", reply.Status), zap.String("outcome", reply.Outcome))
	}
	return nil
}

// receive takes a webhook through limits, signature, ledger and app, and returns
// the reply to the gateway. The notice is empty where the webhook was refused before
// its body was parsed.
func (h *Webhook) receive(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) (n gateway.Notice, reply relay.Reply) {
	body, reply, ok := h.readBody(w, r)
	if !ok {
		return n, h.reject(r, reply)
	}
	account := h.route.Account
	now := h.app.now() // not earlier: a slow sender must not stretch the tolerance
	signedAt, err := h.webhooks.Verify(gateway.Request{Method: r.Method, URL: account.WebhookURL, PreviousURLs: account.PreviousWebhookURLs, Header: r.Header, Body: body}, now)
	if !errors.Is(err, gateway.ErrMalformed) { // whatever its gateway calls the header of the signature
		caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	}
	switch {
	case errors.Is(err, gateway.ErrMalformed):
		return n, h.reject(r, badRequest("bad_headers", err))
	case err != nil:
		return n, h.reject(r, relay.Refuse(http.StatusUnauthorized, "bad_signature", "the signature does not match", err))
	}
	skew := now.Sub(signedAt)
	h.clockSkew.Set(skew.Seconds())
	lastHour.Skew(account.Name, skew)
	stale := skew.Abs() > time.Duration(h.Tolerance)
	if stale && h.Stale == "reject" {
		return n, h.reject(r, tooStale(skew))
	}
	if n, err = h.webhooks.Read(body); err != nil {
		return n, h.reject(r, badRequest("unreadable", err))
	}
	if stale && !account.Info.Confirms(n.Type) {
		return n, h.reject(r, tooStale(skew))
	}
	if n.Ping {
		return n, relay.Reply{Status: http.StatusOK, Outcome: "activated", Ack: account.Info.PingAck}
	}
	request := requestOf(r, stale)
	request.Forwarded = h.forwarded(r)
	event := h.route.Event(n, request, body, now)
	l, release, err := h.app.ledger.Acquire()
	if err != nil {
		h.report(relay.Outcome{Kind: relay.Unavailable, Err: err})
		reply = relay.Unusable(err)
		refusals.Answered(r.Context(), event, reply.Status, reply.Outcome, account.Info.RetriesOf(n.Type), nil)
		return n, reply
	}
	defer release()
	reply = h.route.Receive(r.Context(), n, event, liveApp{r, next, request.Forwarded}, l)
	refusals.Answered(r.Context(), event, reply.Status, reply.Outcome, account.Info.RetriesOf(n.Type), l)
	return n, reply
}

// requestOf returns what the ledger keeps of a webhook's request.
func requestOf(r *http.Request, stale bool) ledger.Request {
	return ledger.Request{
		Method:      r.Method,
		URI:         r.RequestURI,
		Host:        r.Host,
		RemoteAddr:  r.RemoteAddr,
		TLS:         r.TLS != nil,
		ContentType: r.Header.Get("Content-Type"),
		UserAgent:   r.Header.Get("User-Agent"),
		Stale:       stale,
	}
}

func badRequest(outcome string, err error) relay.Reply {
	return relay.Refuse(http.StatusBadRequest, outcome, err.Error(), err)
}

// tooStale is the reply to a webhook whose timestamp is outside the tolerance.
func tooStale(skew time.Duration) relay.Reply {
	return relay.Refuse(http.StatusUnauthorized, "stale", "the timestamp is too far from now",
		fmt.Errorf("signed %s away from our time: is the clock right?", skew.Round(time.Second)))
}

var tooLarge = relay.Refuse(http.StatusRequestEntityTooLarge, "too_large", "the body is too large", nil)

// linesPerSecond is how many lines a second a flood may write to the log.
const linesPerSecond = 10

// bodyTimeout is how long the body of a webhook may take to arrive; gateways need a moment.
var bodyTimeout = 30 * time.Second

// readBody checks the method, the size and the client's address, and reads the
// body. It returns false with the reply to a request that fails a check.
func (h *Webhook) readBody(w http.ResponseWriter, r *http.Request) ([]byte, relay.Reply, bool) {
	relay.LimitBodyTime(w, r, bodyTimeout)
	if r.Method != http.MethodPost {
		reply := relay.Refuse(http.StatusMethodNotAllowed, "bad_method", "webhooks are POSTed", nil)
		reply.Allow = http.MethodPost
		return nil, reply, false
	}
	if r.ContentLength > h.MaxSize {
		return nil, tooLarge, false
	}
	if !h.allows(r) {
		return nil, relay.Refuse(http.StatusForbidden, "bad_ip", "this address may not deliver webhooks", doubtClientIP(r)), false
	}
	body, err := relay.ReadBody(w, r, h.MaxSize)
	switch {
	case err == nil:
		return body, relay.Reply{}, true
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, tooLarge, false
	default:
		return nil, relay.Refuse(http.StatusBadRequest, "unreadable", "the body broke off", err), false
	}
}

func (h *Webhook) allows(r *http.Request) bool {
	if len(h.allowed) == 0 {
		return true
	}
	if isForgeable(r) {
		h.warnProxies.Do(func() {
			h.logger.Warn("allow_ips can be passed with a forged X-Forwarded-For: set trusted_proxies_strict",
				zap.String("route", h.route.Name))
		})
	}
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(h.allowed, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// reject reports a refused webhook, logs it at most [linesPerSecond] times a second,
// and returns its reply.
func (h *Webhook) reject(r *http.Request, reply relay.Reply) relay.Reply {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	h.reportRejected(reply.Outcome, ip)
	if h.rejections.Allow() {
		h.logger.Warn("rejected a webhook", zap.String("route", h.route.Name), zap.String("reason", reply.Outcome),
			zap.String("client_ip", ip), zap.NamedError("cause", redacted(reply.Err)))
	}
	return reply
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Webhook)(nil)
	_ caddy.Validator             = (*Webhook)(nil)
	_ caddyhttp.MiddlewareHandler = (*Webhook)(nil)
)
