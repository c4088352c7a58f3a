package ccpaymentv1

import (
	"errors"
	"io/fs"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

func init() {
	caddy.RegisterModule(new(Module))
}

// Module is the driver of merchant accounts at CCPayment's deprecated V1 API, whose
// webhooks nothing confirms: their events never carry a flag, and the app must ask
// CCPayment itself. Every value may be a placeholder that is known when the configuration
// is loaded.
type Module struct {
	// The app id. A change of its file counts when the configuration is loaded again.
	// Required.
	AppID string `json:"app_id,omitempty"`

	// The app secret. Required.
	AppSecret string `json:"app_secret,omitempty"`

	// Secrets that still verify webhooks while the secret is being rotated.
	PreviousSecrets []rotation.PreviousSecret `json:"previous_secrets,omitempty"`

	// The base URL of CCPayment's V1 API: https, or http on loopback, as the sandbox's.
	// Default: `https://admin.ccpayment.com/ccpayment/v1`.
	BaseURL string `json:"base_url,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ccpayment.gateways." + name,
		New: func() caddy.Module { return new(Module) },
	}
}

// Open implements [gateway.Driver]. Nothing is taken from the environment: V1 is only for
// accounts that ask for it.
func (m *Module) Open(o gateway.OpenOptions) (gateway.Gateway, error) {
	if len(o.PreviousWebhookURLs) > 0 {
		return nil, errors.New("previous_webhook_url: CCPayment V1 does not sign the URL of a webhook, leave it out")
	}
	var v *V1
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
	texts := append(make([]string, 0, 1+2*len(m.PreviousSecrets)), m.AppSecret)
	for _, p := range m.PreviousSecrets {
		texts = append(texts, p.Secret, p.Until)
	}
	if err := o.WatchFiles(apply, texts...); err != nil {
		return nil, err
	}
	v.source = m.AppSecret
	if o.Logger != nil {
		o.Logger.Warn("CCPayment's V1 API is deprecated, and nothing confirms its webhooks: their events carry no flag, and the app must ask CCPayment itself; "+
			"have CCPayment move the account to V2", zap.String("account", o.Account))
	}
	return v, nil
}

// resolve reads the options, and the files that they name. Of an account that is in use
// the files of the app id and of previous secrets may be gone: a previous secret then is
// no more.
func (m *Module) resolve(o gateway.OpenOptions, file func(string) ([]byte, error), inUse *V1) (c Config, err error) {
	gone := func(err error) bool { return inUse != nil && errors.Is(err, fs.ErrNotExist) }
	repl := placeholder.WithFiles(caddy.NewReplacer(), file)
	if c.AppID, err = placeholder.Secret(repl, "app_id", m.AppID); gone(err) {
		c.AppID = inUse.appID
	} else if err != nil {
		return c, err
	}
	if c.AppSecret, err = placeholder.Secret(repl, "app_secret", m.AppSecret); err != nil {
		return c, err
	}
	if c.Previous, err = rotation.Secrets(repl, m.PreviousSecrets, gone); err != nil {
		return c, err
	}
	rotation.WarnQuoted(o, map[string]string{"app_id": c.AppID, "app_secret": c.AppSecret}, c.Previous)
	c.BaseURL, err = placeholder.Optional(repl, "base_url", m.BaseURL)
	return c, err
}

// UnmarshalCaddyfile sets up the gateway from Caddyfile tokens. Syntax:
//
//	gateway ccpayment_v1 {
//		app_id          <id>
//		app_secret      <secret>
//		previous_secret <secret> [<until>]
//		base_url        <url>
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the gateway's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		var err error
		switch option := d.Val(); option {
		case "app_id":
			err = options.Text(d, &m.AppID)
		case "app_secret":
			err = options.Text(d, &m.AppSecret)
		case "previous_secret":
			err = rotation.ReadSecret(d, &m.PreviousSecrets)
		case "base_url":
			err = options.Text(d, &m.BaseURL)
		default:
			err = d.Errf("unknown option %q of the gateway %s: it has app_id, app_secret, previous_secret, base_url", option, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Interface guards
var (
	_ gateway.Driver        = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
