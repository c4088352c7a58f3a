package ccpayment

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/internal/secrets"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	defaultRoute     = "webhook"
	defaultTolerance = 5 * time.Minute
	defaultMaxSize   = 64 << 10
	largestMaxSize   = 1 << 20
	defaultTimeout   = 30 * time.Second
	defaultWait      = 10 * time.Second
	defaultAck       = "2xx"

	defaultFirst  = 5 * time.Second
	defaultMax    = time.Hour
	defaultGiveUp = 72 * time.Hour

	bodyOriginal = "original"
	bodyEnriched = "enriched"
)

// Retry says when an event that the app has not acknowledged is retried.
type Retry struct {
	// The longest wait after the first failed attempt. It doubles with each
	// further one; the actual wait is random below it. Default: 5s.
	First caddy.Duration `json:"first,omitempty"`

	// The longest wait after any attempt, also where the app asks for more with
	// Retry-After. Default: 1h.
	Max caddy.Duration `json:"max,omitempty"`

	// How long an event is retried before it is dead. An operator, or another copy
	// of the webhook, makes a dead event due again. Default: 72h.
	GiveUp caddy.Duration `json:"give_up,omitempty"`
}

func (h *Webhook) setDefaults() {
	h.given = map[string]string{"confirm": h.Confirm, "risky": h.Risky, "late": h.Late, "accept_underpaid": h.AcceptUnderpaid, "stale": h.Stale, "body": h.Body}
	setDefault(&h.Route, defaultRoute)
	setDefault(&h.Scheme, "hmac")
	setDefault(&h.Tolerance, caddy.Duration(defaultTolerance))
	setDefault(&h.Stale, "confirm")
	setDefault(&h.Body, bodyOriginal)
	setDefault(&h.MaxSize, defaultMaxSize)
	setDefault(&h.Confirm, "on")
	setDefault(&h.Risky, "hold")
	setDefault(&h.Late, "fulfill")
	setDefault(&h.AcceptUnderpaid, "0%")
	if h.Sign == nil || h.Sign.Scheme == signStandard {
		setDefault(&h.Ack, defaultAck) // else the gateway's own; see ackText
	}
	setDefault(&h.Timeout, caddy.Duration(defaultTimeout))
	setDefault(&h.Wait, caddy.Duration(defaultWait))
	if h.Deliver == nil {
		return
	}
	if h.Retry == nil {
		h.Retry = new(Retry)
	}
	setDefault(&h.Retry.First, caddy.Duration(defaultFirst))
	setDefault(&h.Retry.Max, caddy.Duration(defaultMax))
	setDefault(&h.Retry.GiveUp, caddy.Duration(defaultGiveUp))
}

func setDefault[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}

// resolve replaces placeholders and builds the route.
func (h *Webhook) resolve() error {
	repl := caddy.NewReplacer()
	name, err := placeholder.Optional(repl, "account", h.Account)
	if err != nil {
		return err
	}
	account, err := h.app.account(name)
	if err != nil {
		return err
	}
	h.route = &relay.Route{
		Account: account, AccountOf: h.app.accountOf, Trust: h.Confirm == "off", Enrich: h.Body == bodyEnriched,
		Timeout: time.Duration(h.Timeout), Wait: time.Duration(h.Wait),
		Replay: h.app.replay, Report: h.report, Now: h.app.now,
	}
	if h.route.Name, err = placeholder.Required(repl, "route", h.Route); err != nil {
		return err
	}
	if h.webhooks, err = account.Webhooks(h.Scheme); err != nil {
		return err
	}
	if h.route.Types, err = placeholder.RequiredList(repl, "types", h.Types); err != nil {
		return err
	}
	if h.route.Statuses, err = placeholder.RequiredList(repl, "statuses", h.Statuses); err != nil {
		return err
	}
	if h.route.Ack, err = h.ackText(repl, account.Info); err != nil {
		return err
	}
	h.route.Token, err = secrets.Follow(h.app.secrets, "token of route "+h.route.Name, tokenOf(h.Token), h.Token)
	if err != nil {
		return err
	}
	if h.allowed, err = parseRanges(repl, h.AllowIPs, account.Info); err != nil {
		return err
	}
	policy, err := confirm.ParsePolicy(h.Confirm, h.Risky, h.Late, h.AcceptUnderpaid)
	if err = cmp.Or(err, confirm.CheckOptions(account.Info, h.given)); err != nil {
		return err
	}
	h.route.Confirm = &confirm.Confirmer{Policy: policy, Routes: h.app.routesThatConfirm, Now: h.app.now}
	return h.resolveSign()
}

// resolveSign sets up how requests to the app are signed.
func (h *Webhook) resolveSign() error {
	if h.Sign == nil {
		return nil
	}
	signer, err := secrets.Follow(h.app.secrets, "sign of route "+h.route.Name, func(repl placeholder.Replacer) (relay.Signer, error) {
		return h.Sign.signer(repl, h.route.Account)
	}, h.Sign.Secret, h.Sign.Previous)
	h.route.Sign = func(eventID string, now time.Time, body []byte) []relay.Field { return signer()(eventID, now, body) }
	return err
}

// ackText returns the text that acknowledges an event; empty: any 2xx does. An app that
// is sent the gateway's own signature was written for the gateway, and may say no with
// a 200 and other words: its yes is the gateway's word, unless ack says otherwise.
func (h *Webhook) ackText(repl *caddy.Replacer, info gateway.Info) (string, error) {
	if h.Ack == "" {
		return info.Ack.Body, nil
	}
	text, err := placeholder.Required(repl, "ack", h.Ack)
	if err != nil || text == defaultAck {
		return "", err
	}
	return text, nil
}

// tokenOf returns what resolves the text of a token.
func tokenOf(text string) func(placeholder.Replacer) (string, error) {
	return func(repl placeholder.Replacer) (string, error) {
		token, err := placeholder.OptionalSecret(repl, "token", text)
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(token, "{"):
			return "", errors.New("token begins with a brace: is it a placeholder that does not end?")
		case relay.HeaderText(token) != token || strings.Contains(token, " "):
			return "", errors.New("token must be printable ASCII without spaces and percent signs")
		}
		return token, nil
	}
}

// provisionDelivery sets up background delivery, where the option deliver asks for
// it.
func (h *Webhook) provisionDelivery(ctx caddy.Context) error {
	if h.Deliver == nil {
		if h.Retry != nil {
			return fmt.Errorf("retry needs deliver: without it, %s's retries are the retries", h.route.Account.Info.Title)
		}
		if slices.Contains(h.route.Types, gateway.OrderExpired) {
			return fmt.Errorf("types: %s is told on a route with an upstream or `deliver` only: give it one, or leave it out", gateway.OrderExpired)
		}
		return nil
	}
	found, err := placeholder.InRoutes(h.Deliver, isForeignHandler)
	if err != nil {
		return err
	}
	if unset := found.Unset(mapped(listsAround(ctx)), isSetHere); len(unset) > 0 {
		h.logger.Warn("`deliver` has placeholders that nothing in it sets, so they are empty: handlers before the directive, such as map and vars, "+
			"do not run for a delivery; move them into `deliver`",
			zap.String("route", h.route.Name), zap.Strings("placeholders", unset))
	}
	if err := h.Deliver.Provision(ctx); err != nil {
		return fmt.Errorf("provisioning deliver: %v", err)
	}
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return errors.New("deliver works in the routes of a server only")
	}
	end := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	h.route.App = storedApp{handler: h.Deliver.Compile(end), server: server, placeholders: found}
	h.route.Retry = ledger.Plan{
		First: time.Duration(h.Retry.First), Max: time.Duration(h.Retry.Max), GiveUp: time.Duration(h.Retry.GiveUp),
	}
	return nil
}

func parseRanges(repl *caddy.Replacer, texts []string, info gateway.Info) ([]netip.Prefix, error) {
	texts, err := placeholder.RequiredList(repl, "allow_ips", texts)
	if err != nil {
		return nil, err
	}
	var ranges []netip.Prefix
	for _, text := range texts {
		addresses := []string{text}
		if text == info.Name {
			if addresses = info.Addresses; len(addresses) == 0 {
				return nil, fmt.Errorf("allow_ips: %s publishes no addresses", info.Title)
			}
		}
		for _, address := range addresses {
			prefix, err := caddyhttp.CIDRExpressionToPrefix(address)
			if err != nil {
				return nil, fmt.Errorf("allow_ips: %q is neither %s, an IP address nor a CIDR range", address, info.Name)
			}
			ranges = append(ranges, prefix)
		}
	}
	return ranges, nil
}

// warn logs warnings for options that are valid and may still be a mistake.
func (h *Webhook) warn() {
	if h.route.Token() == "" && h.route.Sign == nil {
		h.logger.Warn("the app cannot tell our requests from others': set `token` or `sign`", zap.String("route", h.route.Name))
	}
	if h.Ack == "" && h.route.Ack != "" {
		h.logger.Warn("with `sign "+h.Sign.Scheme+"` the app acknowledges an event with a 2xx whose body has this word: "+
			"set `ack 2xx` if any 2xx of it is a yes",
			zap.String("route", h.route.Name), zap.String("word", h.route.Ack))
	}
	info := h.route.Account.Info
	types, statuses := make([]string, 0, len(info.Types)), make([]string, 0, len(info.Statuses))
	for _, t := range info.Types {
		types = append(types, t.Name)
	}
	if _, sells := h.route.Account.Gateway.(gateway.Checkouts); sells {
		types = append(types, gateway.OrderExpired)
	}
	for _, s := range info.Statuses {
		statuses = append(statuses, s.Name)
	}
	h.warnUnknown("types", h.route.Types, types)
	isPayment := func(name string) bool { t, _ := info.Type(name); return t.Kind == gateway.Payment }
	if slices.Contains(h.route.Types, gateway.OrderExpired) && !slices.ContainsFunc(h.route.Types, isPayment) {
		h.logger.Warn("`types` names OrderExpired and no type of payments, which never reach the app then: name every type that it needs",
			zap.String("route", h.route.Name), zap.Strings("known", types))
	}
	h.warnUnknown("statuses", h.route.Statuses, statuses)
}

// warnUnknown logs a warning for a filter with values that the gateway does not
// document: it may let no event through.
func (h *Webhook) warnUnknown(option string, values, known []string) {
	for _, value := range values {
		same := func(k string) bool { return k == value || option == "statuses" && strings.EqualFold(k, value) }
		if !slices.ContainsFunc(known, same) {
			h.logger.Warn("the filter names a value that is not known: check the spelling, because events of all others are acknowledged and never reach the app",
				zap.String("route", h.route.Name), zap.String("option", option), zap.String("value", value), zap.Strings("known", known))
		}
	}
}
