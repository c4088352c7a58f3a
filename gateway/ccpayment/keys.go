package ccpayment

import (
	"crypto/rsa"
	"errors"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// keys are an account's secrets and keys, and the API client that signs with them.
// They are replaced as a whole when a file that holds one of them changes.
type keys struct {
	secret     string
	current    *client.HMAC
	previous   []previousHMAC // as configured
	graced     []previousHMAC // replaced while the account was in use
	webhookKey *rsa.PublicKey
	api        *client.Client
}

// previousHMAC is a replaced secret that still verifies webhooks.
type previousHMAC struct {
	secret string
	key    *client.HMAC
	until  time.Time // zero: no end
}

func newKeys(c Config, o gateway.OpenOptions) (*keys, error) {
	current, err := newHMAC(c.AppID, c.AppSecret)
	if err != nil {
		return nil, err
	}
	k := &keys{secret: c.AppSecret, current: current, webhookKey: c.WebhookKey}
	for _, p := range c.Previous {
		key, err := newHMAC(c.AppID, p.Secret)
		if err != nil {
			return nil, err
		}
		k.previous = append(k.previous, previousHMAC{secret: p.Secret, key: key, until: p.Until})
	}
	options := []client.Option{client.WithTimeout(o.Timeout)}
	if o.Observe != nil {
		options = append(options, client.WithObserver(func(c client.Call) {
			o.Observe(gateway.Call{Endpoint: c.Endpoint, Code: c.Code, Took: c.Took})
		}))
	}
	if o.HTTP != nil {
		options = append(options, client.WithHTTPClient(o.HTTP))
	}
	if c.BaseURL != "" {
		options = append(options, client.WithBaseURL(c.BaseURL))
	}
	if c.PrivateKey != nil {
		options = append(options, client.WithPrivateKey(c.PrivateKey))
	}
	k.api, err = client.New(client.Credentials{AppID: c.AppID, AppSecret: c.AppSecret}, options...)
	return k, err
}

func newHMAC(appID, secret string) (*client.HMAC, error) {
	return client.NewHMAC(client.Credentials{AppID: appID, AppSecret: secret})
}

// Rotate replaces the account's secrets and keys while it is in use; one call at a time
// may. Secrets that
// verified webhooks go on doing so for the options' grace; API calls that are under
// way end with the keys they began with. The error is that the app id is another,
// or that a secret cannot be used; then nothing changes.
func (v *V2) Rotate(c Config) error {
	if c.AppID != v.info.AccountID {
		return errors.New("app_id is another account's now, and an account's secret is not used for another: `caddy reload --force` loads both")
	}
	next, err := newKeys(c, v.options)
	if err != nil {
		return err
	}
	rotation.WarnGone(v.options, len(v.keys.Load().previous)-len(next.previous))
	next.replace(v.keys.Load(), v.options)
	v.keys.Store(next)
	return nil
}
