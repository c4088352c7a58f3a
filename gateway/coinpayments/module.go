package coinpayments

import (
	"cmp"
	"errors"
	"io/fs"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

func init() {
	caddy.RegisterModule(new(Module))
}

// Module is the driver of merchant accounts at CoinPayments (the new platform). The
// account's `webhook_url` is required: CoinPayments signs its text. Every value may be a
// placeholder that is known when the configuration is loaded.
type Module struct {
	// The client id of the API integration. A change of its file counts when the
	// configuration is loaded again. Default: `{env.COINPAYMENTS_CLIENT_ID}`; of an
	// account with a name, where it has no client secret either.
	ClientID string `json:"client_id,omitempty"`

	// The client secret. Default: `{env.COINPAYMENTS_CLIENT_SECRET}`; of an account with
	// a name, where it has no client id either.
	ClientSecret string `json:"client_secret,omitempty"`

	// Secrets that still verify webhooks while the secret is being rotated.
	PreviousSecrets []rotation.PreviousSecret `json:"previous_secrets,omitempty"`

	// The instance that has the account: `a`, `b` or `c`. This or the base URL is
	// required.
	Instance string `json:"instance,omitempty"`

	// The base URL of CoinPayments' API, without the `/api` of its routes: https, or
	// http on loopback, as the sandbox's.
	BaseURL string `json:"base_url,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ccpayment.gateways.coinpayments",
		New: func() caddy.Module { return new(Module) },
	}
}

// Open implements [gateway.Driver].
func (m *Module) Open(o gateway.OpenOptions) (gateway.Gateway, error) {
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
	texts := append(make([]string, 0, 1+2*len(m.PreviousSecrets)), m.ClientSecret)
	for _, p := range m.PreviousSecrets {
		texts = append(texts, p.Secret, p.Until)
	}
	if err := o.WatchFiles(apply, texts...); err != nil {
		return nil, err
	}
	v.source = m.ClientSecret
	v.info.ByDefault = m.ClientID == "" && m.ClientSecret == ""
	return v, nil
}

// AccountID implements [gateway.Namer].
func (m *Module) AccountID(account string) (string, error) {
	option, _ := m.credentials(account)
	id, err := placeholder.Required(caddy.NewReplacer(), "client_id", option)
	return accountID(id), err
}

// credentials are client_id and client_secret with their defaults. Of an account with a
// name half of them are a mistake, not to be mended with half of another's.
func (m *Module) credentials(account string) (id, secret string) {
	if account != "" && m.ClientID+m.ClientSecret != "" {
		return m.ClientID, m.ClientSecret
	}
	return cmp.Or(m.ClientID, "{env.COINPAYMENTS_CLIENT_ID}"), cmp.Or(m.ClientSecret, "{env.COINPAYMENTS_CLIENT_SECRET}")
}

// resolve reads the options, and the files that they name. Of an account that is in use
// the files of the client id and of previous secrets may be gone: a previous secret then
// is no more.
func (m *Module) resolve(o gateway.OpenOptions, file func(string) ([]byte, error), inUse *V2) (c Config, err error) {
	gone := func(err error) bool { return inUse != nil && errors.Is(err, fs.ErrNotExist) }
	id, secret := m.credentials(o.Account)
	repl := placeholder.WithFiles(caddy.NewReplacer(), file)
	if c.ClientID, err = placeholder.Secret(repl, "client_id", id); gone(err) {
		c.ClientID = inUse.Client().ClientID()
	} else if err != nil {
		return c, err
	}
	if c.ClientSecret, err = placeholder.Secret(repl, "client_secret", secret); err != nil {
		return c, err
	}
	if c.Previous, err = rotation.Secrets(repl, m.PreviousSecrets, gone); err != nil {
		return c, err
	}
	rotation.WarnQuoted(o, map[string]string{"client_id": c.ClientID, "client_secret": c.ClientSecret}, c.Previous)
	if c.Instance, err = placeholder.Optional(repl, "instance", m.Instance); err != nil {
		return c, err
	}
	c.BaseURL, err = placeholder.Optional(repl, "base_url", m.BaseURL)
	return c, err
}

// UnmarshalCaddyfile sets up the gateway from Caddyfile tokens. Syntax:
//
//	gateway coinpayments {
//		client_id       <id>
//		client_secret   <secret>
//		previous_secret <secret> [<until>]
//		instance        a | b | c
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
		case "client_id":
			err = options.Text(d, &m.ClientID)
		case "client_secret":
			err = options.Text(d, &m.ClientSecret)
		case "previous_secret":
			err = rotation.ReadSecret(d, &m.PreviousSecrets)
		case "instance":
			err = options.Text(d, &m.Instance)
		case "base_url":
			err = options.Text(d, &m.BaseURL)
		default:
			err = d.Errf("unknown option %q of the gateway coinpayments: it has client_id, client_secret, previous_secret, instance, base_url", option)
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
	_ gateway.Namer         = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
