package ccpayment

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/shopspring/decimal"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

const (
	defaultRoute     = "webhook"
	defaultTolerance = 5 * time.Minute
	defaultMaxSize   = 64 << 10
	largestMaxSize   = 1 << 20
	defaultTimeout   = 30 * time.Second
	defaultWait      = 10 * time.Second
	defaultAck       = "2xx"

	usualSize      = 4 << 10
	linesPerSecond = 10
)

// publishedIPs are the addresses that CCPayment sends webhooks from (API
// reference, Webhook Setup).
var publishedIPs = []string{"54.150.123.157", "35.72.150.75", "18.176.186.244"}

// knownTypes and knownStatuses are those that CCPayment documents (API
// reference, Webhook Types and Transaction Statuses in Webhooks), and Pending,
// which is seen too. Others may be filtered for, but are likely misspelt.
var (
	knownTypes    = []string{"ApiDeposit", "DirectDeposit", "ApiWithdrawal", "UserDeposit", "UserWithdrawal"}
	knownStatuses = []string{"WaitingApproval", "Pending", "Processing", "Success", "Failed", "Rejected"}
)

// warn tells of options that are valid and may still be a mistake.
func (h *Webhook) warn() {
	if h.token == "" && h.sign == nil {
		h.logger.Warn("the app cannot tell our requests from others': set `token` or `sign`", zap.String("route", h.routeName))
	}
	h.warnUnknown("types", h.types, knownTypes)
	h.warnUnknown("statuses", h.statuses, knownStatuses)
}

// warnUnknown warns of a filter that may let nothing through.
func (h *Webhook) warnUnknown(option string, values, known []string) {
	for _, value := range values {
		same := func(k string) bool { return k == value || option == "statuses" && strings.EqualFold(k, value) }
		if !slices.ContainsFunc(known, same) {
			h.logger.Warn("the filter names a value that is not known: check the spelling, because events of all others are acknowledged and never reach the app",
				zap.String("route", h.routeName), zap.String("option", option), zap.String("value", value), zap.Strings("known", known))
		}
	}
}

func (h *Webhook) setDefaults() {
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
	setDefault(&h.Ack, defaultAck)
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

// resolve replaces placeholders and builds what requests need.
func (h *Webhook) resolve() (err error) {
	repl := caddy.NewReplacer()
	if h.routeName, err = required(repl, "route", h.Route); err != nil {
		return err
	}
	if h.accountName, err = optional(repl, "account", h.Account); err != nil {
		return err
	}
	if h.secrets, err = h.app.credentials(h.accountName); err != nil {
		return err
	}
	h.gateway = &gatewayV2{credentials: h.secrets, rsa: h.Scheme == "rsa"}
	if h.types, err = requiredList(repl, "types", h.Types); err != nil {
		return err
	}
	if h.statuses, err = requiredList(repl, "statuses", h.Statuses); err != nil {
		return err
	}
	if h.ackText, err = required(repl, "ack", h.Ack); err != nil {
		return err
	}
	if h.token, err = optional(repl, "token", h.Token); err != nil {
		return err
	}
	if strings.HasPrefix(h.token, "{") {
		return errors.New("token begins with a brace: is it a placeholder that does not end?")
	}
	if headerText(h.token) != h.token || strings.Contains(h.token, " ") {
		return errors.New("token must be printable ASCII without spaces and percent signs")
	}
	if h.allowed, err = parseRanges(repl, h.AllowIPs); err != nil {
		return err
	}
	if h.policy, err = h.newPolicy(); err != nil {
		return err
	}
	return h.resolveSign(repl)
}

func (h *Webhook) newPolicy() (policy, error) {
	p := policy{holdRisky: h.Risky == "hold"}
	p.HoldLate = h.Late == "hold"
	if h.Risky != "hold" && h.Risky != "forward" {
		return p, fmt.Errorf("unknown risky %q: use hold or forward", h.Risky)
	}
	if h.Late != "fulfill" && h.Late != "hold" {
		return p, fmt.Errorf("unknown late %q: use fulfill or hold", h.Late)
	}
	percent, ok := strings.CutSuffix(h.AcceptUnderpaid, "%")
	share, err := client.ParseAmount(percent)
	if !ok || err != nil || share.Exponent() < -6 || share.Exponent() > 0 || share.IsNegative() || share.GreaterThan(decimal.New(50, 0)) {
		return p, fmt.Errorf("accept_underpaid %q is not a share from 0%% to 50%%", h.AcceptUnderpaid)
	}
	p.AcceptUnderpaid = share.Shift(-2)
	return p, nil
}

func (h *Webhook) resolveSign(repl *caddy.Replacer) error {
	if h.Sign == nil {
		return nil
	}
	switch h.Sign.Scheme {
	case "ccpayment":
		if h.Sign.Secret != "" || h.Sign.Previous != "" {
			return errors.New("sign ccpayment takes no secret: it signs with the account's")
		}
		h.sign = signAsGateway(h.secrets)
		return nil
	case "standard":
		secret, err := required(repl, "sign standard: secret", h.Sign.Secret)
		if err != nil {
			return err
		}
		secrets := []string{secret}
		previous, err := optional(repl, "sign standard: previous", h.Sign.Previous)
		if err != nil {
			return err
		}
		if previous != "" {
			secrets = append(secrets, previous)
		}
		if h.sign, err = signAsStandard(secrets...); err != nil {
			return fmt.Errorf("sign standard: %v", err)
		}
		return nil
	default:
		return fmt.Errorf("sign: unknown scheme %q: use ccpayment or standard", h.Sign.Scheme)
	}
}

func requiredList(repl *caddy.Replacer, name string, texts []string) ([]string, error) {
	var values []string
	for _, text := range texts {
		value, err := required(repl, name, text)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

func parseRanges(repl *caddy.Replacer, texts []string) ([]netip.Prefix, error) {
	texts, err := requiredList(repl, "allow_ips", texts)
	if err != nil {
		return nil, err
	}
	var ranges []netip.Prefix
	for _, text := range texts {
		if text == "ccpayment" {
			for _, ip := range publishedIPs {
				ranges = append(ranges, netip.PrefixFrom(netip.MustParseAddr(ip), 32))
			}
			continue
		}
		prefix, err := caddyhttp.CIDRExpressionToPrefix(text)
		if err != nil {
			return nil, fmt.Errorf("allow_ips: %q is neither ccpayment, an IP address nor a CIDR range", text)
		}
		ranges = append(ranges, prefix)
	}
	return ranges, nil
}
