package ccpayment

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	gatewayv2 "github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/metrics"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// Account is one merchant account at a payment gateway. Where it names no gateway,
// it is an account at CCPayment, whose options stand beside these.
type Account struct {
	gatewayv2.Options
	rotation.WebhookURLs

	// The payment gateway, with its own options. Default: CCPayment, by the options
	// of the account.
	GatewayRaw json.RawMessage `json:"gateway,omitempty" caddy:"namespace=ccpayment.gateways inline_key=module"`

	// How long one try of an API call may take. Default: 10s.
	APITimeout caddy.Duration `json:"api_timeout,omitempty"`

	// How long a webhook secret that a changed file has replaced still verifies
	// webhooks; 0: not at all. Default: 1h.
	FileGrace *caddy.Duration `json:"file_grace,omitempty"`

	// Text that stands in front of every order id at the gateway and is removed
	// towards the app. An order id without it belongs to another shop: its
	// events are recorded and acknowledged, but not forwarded.
	OrderPrefix string `json:"order_prefix,omitempty"`

	// A name that several accounts have in common: an order id of the app's is one
	// order at all of them, which is fulfilled once, and can be paid at one at a time.
	Orders string `json:"orders,omitempty"`

	// Whether money of test coins counts: `on` or `off`. With `on` every event says
	// that it is a test. Default: `off`.
	Testing string `json:"testing,omitempty"`

	driver gateway.Driver // of GatewayRaw
}

// isSet reports whether any option is given.
func (a *Account) isSet() bool {
	return a.Options.IsSet() || a.WebhookURLs.IsSet() || a.GatewayRaw != nil || a.driver != nil ||
		a.OrderPrefix+a.Orders+a.Testing != "" || a.APITimeout != 0 || a.FileGrace != nil
}

// loadGateway loads the gateway's module, if the account names one.
func (a *Account) loadGateway(ctx caddy.Context) error {
	if a.GatewayRaw == nil {
		return nil
	}
	if a.Options.IsSet() {
		return errors.New("the account has a gateway: app_id and the like stand in its block")
	}
	module, err := ctx.LoadModule(a, "GatewayRaw")
	if err != nil {
		return fmt.Errorf("loading gateway module: %v", err)
	}
	driver, ok := module.(gateway.Driver)
	if !ok {
		return fmt.Errorf("module %T is not a gateway", module)
	}
	a.driver = driver
	return nil
}

// defaultAPITimeout is the default of api_timeout, as in package client.
const defaultAPITimeout = 10 * time.Second

const defaultFileGrace = time.Hour

// open resolves the options of the account with this name and opens its gateway. It
// makes no API call.
func (a *Account) open(o gateway.OpenOptions) (*gateway.Account, error) {
	repl := caddy.NewReplacer()
	o.Timeout = cmp.Or(time.Duration(a.APITimeout), defaultAPITimeout)
	o.Grace = defaultFileGrace
	if a.FileGrace != nil {
		o.Grace = time.Duration(*a.FileGrace)
	}
	if o.Timeout < 0 || o.Grace < 0 {
		return nil, errors.New("api_timeout must be longer than zero, and file_grace not shorter")
	}
	o.Observe = metrics.ObserveAPI(o.Account)
	account := &gateway.Account{Name: o.Account, Budget: 4 * o.Timeout} // an order of unknown kind takes three calls, one after the other
	var err error
	account.WebhookURL, account.PreviousWebhookURLs, err = a.Resolve(repl, func(option, url string) error {
		return checkout.CheckURL(option, url, gateway.Info{})
	})
	if err != nil {
		return nil, err
	}
	o.WebhookURL, o.PreviousWebhookURLs = account.WebhookURL, account.PreviousWebhookURLs
	if account.Testing, err = placeholder.Switch(repl, "testing", a.Testing); err != nil {
		return nil, err
	}
	account.Gateway, err = a.opener().Open(o)
	if err != nil {
		return nil, err
	}
	account.Info = account.Gateway.Info()
	if account.OrderPrefix, err = placeholder.Optional(repl, "order_prefix", a.OrderPrefix); err != nil {
		return nil, err
	}
	if account.Orders, err = placeholder.Optional(repl, "orders", a.Orders); err != nil {
		return nil, err
	}
	return account, checkout.CheckURL("webhook_url", account.WebhookURL, account.Info)
}

// opener returns the driver of the gateway that the account names, or CCPayment's.
func (a *Account) opener() gateway.Driver {
	if a.driver != nil {
		return a.driver
	}
	return &gatewayv2.Module{Options: a.Options}
}

// signStandard is the scheme of Standard Webhooks; any other is the gateway's own.
const signStandard = "standard"

// AppSignature says how the requests that deliver events to the app are signed.
type AppSignature struct {
	// The name of the account's gateway, `ccpayment` or `ccpayment_v1`: the headers Appid,
	// Timestamp and Sign, computed anew with the account's secret. `standard`: Standard
	// Webhooks v1. Required.
	Scheme string `json:"scheme,omitempty"`

	// The secret of `standard`: base64 of 24 to 64 bytes, with or without
	// `whsec_` in front.
	Secret string `json:"secret,omitempty"`

	// A secret that `standard` signs with as well while the app changes over.
	Previous string `json:"previous,omitempty"`
}

// signer returns the signer that the options describe; of a nil AppSignature, nil:
// nothing is signed.
func (s *AppSignature) signer(repl placeholder.Replacer, account *gateway.Account) (relay.Signer, error) {
	signer, isSigner := account.Gateway.(gateway.Signer)
	switch {
	case s.Scheme != signStandard && !isSigner:
		return nil, fmt.Errorf("sign %s: %s's signature cannot be made here: use standard", s.Scheme, account.Info.Title)
	case s.Scheme == account.Info.Name:
		if s.Secret != "" || s.Previous != "" {
			return nil, fmt.Errorf("sign %s takes no secret: it signs with the account's", s.Scheme)
		}
		return relay.SignAsGateway(signer), nil
	case s.Scheme != signStandard:
		return nil, fmt.Errorf("sign: unknown scheme %q: use %s or standard", s.Scheme, account.Info.Name)
	}
	secret, err := placeholder.Secret(repl, "sign standard: secret", s.Secret)
	if err != nil {
		return nil, err
	}
	secrets := []string{secret}
	previous, err := placeholder.OptionalSecret(repl, "sign standard: previous", s.Previous)
	if err != nil {
		return nil, err
	}
	if previous != "" {
		secrets = append(secrets, previous)
	}
	standard, err := relay.SignAsStandard(secrets...)
	if err != nil {
		return nil, fmt.Errorf("sign standard: %v", err)
	}
	return standard, nil
}
