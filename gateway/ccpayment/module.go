package ccpayment

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

func init() {
	caddy.RegisterModule(new(Module))
}

// Module is the driver of merchant accounts at CCPayment, and the default of accounts
// that name no gateway.
type Module struct{ Options }

// Options are the options of an account at CCPayment. Every value may be a placeholder
// that is known when the configuration is loaded.
type Options struct {
	// The app id. A change of its file counts when the configuration is loaded
	// again. Default: `{env.CCPAYMENT_APP_ID}`, for the default account.
	AppID string `json:"app_id,omitempty"`

	// The app secret. Default: `{env.CCPAYMENT_APP_SECRET}`, for the default account.
	AppSecret string `json:"app_secret,omitempty"`

	// Secrets that still verify webhooks while the secret is being rotated.
	PreviousSecrets []PreviousSecret `json:"previous_secrets,omitempty"`

	// A file with CCPayment's public key (PEM; PKIX or PKCS #1), which the
	// scheme `rsa` verifies webhooks with. Experimental.
	WebhookKey string `json:"webhook_key,omitempty"`

	// A file with the private key that API calls are signed with (RSA; PEM;
	// PKCS #8 or PKCS #1) instead of the app secret.
	PrivateKey string `json:"private_key,omitempty"`

	// The base URL of CCPayment's API: https, or http on loopback, as the sandbox's.
	// Default: `https://ccpayment.com/ccpayment/v2`.
	BaseURL string `json:"base_url,omitempty"`
}

// PreviousSecret is an app secret that was replaced.
type PreviousSecret = rotation.PreviousSecret

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ccpayment.gateways.ccpayment",
		New: func() caddy.Module { return new(Module) },
	}
}

// IsSet reports whether any option is given.
func (o *Options) IsSet() bool {
	return o.AppID+o.AppSecret+o.WebhookKey+o.PrivateKey+o.BaseURL != "" || len(o.PreviousSecrets) > 0
}

// Open implements [gateway.Driver]. Only the default account falls back to the
// environment's names: two accounts with one secret are a mistake.
func (m *Module) Open(o gateway.OpenOptions) (gateway.Gateway, error) {
	if len(o.PreviousWebhookURLs) > 0 {
		return nil, errors.New("previous_webhook_url: CCPayment does not sign the URL of a webhook, leave it out")
	}
	var v *V2
	apply := func(file func(string) ([]byte, error)) error {
		c, err := m.resolve(o, file, v)
		if err != nil {
			return err
		}
		if v != nil {
			return v.Rotate(c)
		}
		v, err = New(c, o)
		return err
	}
	if err := o.WatchFiles(apply, m.watched()...); err != nil {
		return nil, err
	}
	v.source = m.AppSecret
	base := v.Client().BaseURL()
	if u, err := url.Parse(base); o.Logger != nil && err == nil && u.Path == "" {
		o.Logger.Warn("base_url has no path, and CCPayment's ends in /ccpayment/v2: is it left out?",
			zap.String("base_url", base), zap.String("account", o.Account))
	}
	return v, nil
}

// AccountID implements [gateway.Namer].
func (m *Module) AccountID(account string) (string, error) {
	return placeholder.Required(caddy.NewReplacer(), "app_id", m.appID(account))
}

// appID is the option with its default.
func (m *Module) appID(account string) string {
	if m.AppID == "" && account == "" {
		return "{env.CCPAYMENT_APP_ID}"
	}
	return m.AppID
}

// watched are the texts that name files which hold secrets or keys.
func (m *Module) watched() []string {
	texts := []string{m.AppSecret}
	for _, p := range m.PreviousSecrets {
		texts = append(texts, p.Secret, p.Until)
	}
	repl := caddy.NewReplacer()
	for _, file := range []string{m.WebhookKey, m.PrivateKey} {
		if path, err := placeholder.Optional(repl, "", file); err == nil && path != "" {
			texts = append(texts, "{file."+path+"}")
		}
	}
	return texts
}

// resolve reads the options, and the files that they name. Of an account that is in use
// the files of the app id and of previous secrets may be gone: a previous secret then is
// no more.
func (m *Module) resolve(o gateway.OpenOptions, file func(string) ([]byte, error), inUse *V2) (Config, error) {
	gone := func(err error) bool { return inUse != nil && errors.Is(err, fs.ErrNotExist) }
	appSecret := m.AppSecret
	if o.Account == "" && appSecret == "" {
		appSecret = "{env.CCPAYMENT_APP_SECRET}"
	}
	repl := placeholder.WithFiles(caddy.NewReplacer(), file)
	var c Config
	var err error
	if c.AppID, err = placeholder.Secret(repl, "app_id", m.appID(o.Account)); gone(err) {
		c.AppID = inUse.info.AccountID
	} else if err != nil {
		return c, err
	}
	if c.AppSecret, err = placeholder.Secret(repl, "app_secret", appSecret); err != nil {
		return c, err
	}
	if c.Previous, err = rotation.Secrets(repl, m.PreviousSecrets, gone); err != nil {
		return c, err
	}
	rotation.WarnQuoted(o, map[string]string{"app_id": c.AppID, "app_secret": c.AppSecret}, c.Previous)
	if c.BaseURL, err = placeholder.Optional(repl, "base_url", m.BaseURL); err != nil {
		return c, err
	}
	return c, m.readKeys(repl, file, &c)
}

// readKeys reads the key files that the options name.
func (m *Module) readKeys(repl placeholder.Replacer, file func(string) ([]byte, error), c *Config) error {
	read := func(option, path string, parse func([]byte) error) error {
		name, err := placeholder.Optional(repl, option, path)
		if err != nil || name == "" {
			return err
		}
		text, err := file(name)
		if err != nil {
			return fmt.Errorf("%s: %w", option, err)
		}
		if err := parse(text); err != nil {
			return fmt.Errorf("%s: %s: %v", option, name, err)
		}
		return nil
	}
	err := read("webhook_key", m.WebhookKey, func(text []byte) (err error) {
		c.WebhookKey, err = parsePublicKey(text)
		return err
	})
	if err != nil {
		return err
	}
	return read("private_key", m.PrivateKey, func(text []byte) (err error) {
		c.PrivateKey, err = client.ParsePrivateKey(text)
		return err
	})
}

// UnmarshalCaddyfile sets up the gateway from Caddyfile tokens. Syntax:
//
//	gateway ccpayment {
//		app_id          <id>
//		app_secret      <secret>
//		previous_secret <secret> [<until>]
//		webhook_key     <file>
//		private_key     <file>
//		base_url        <url>
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the gateway's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		if err := m.UnmarshalOption(d); errors.Is(err, ErrNoOption) {
			return d.Errf("unknown option %q of the gateway ccpayment: it has app_id, app_secret, previous_secret, webhook_key, private_key, base_url", d.Val())
		} else if err != nil {
			return err
		}
	}
	return nil
}

// ErrNoOption: the option is not one that [Options.UnmarshalOption] reads.
var ErrNoOption = errors.New("no option of CCPayment's")

// UnmarshalOption reads the option at the dispenser's position. The error is
// [ErrNoOption] where it is another's.
func (o *Options) UnmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "app_id":
		return options.Text(d, &o.AppID)
	case "app_secret":
		return options.Text(d, &o.AppSecret)
	case "webhook_key":
		return options.Text(d, &o.WebhookKey)
	case "private_key":
		return options.Text(d, &o.PrivateKey)
	case "base_url":
		return options.Text(d, &o.BaseURL)
	case "previous_secret":
		return rotation.ReadSecret(d, &o.PreviousSecrets)
	default:
		return ErrNoOption
	}
}

// Interface guards
var (
	_ gateway.Driver        = (*Module)(nil)
	_ gateway.Namer         = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
