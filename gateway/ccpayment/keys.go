package ccpayment

import (
	"crypto/rsa"
	"errors"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// keys are an account's secrets and keys, and the API client that signs with them.
// They are replaced as a whole when a file that holds one of them changes.
type keys struct {
	ring       rotation.Ring[*client.HMAC]
	webhookKey *rsa.PublicKey
	api        *client.Client
}

func newKeys(c Config, o gateway.OpenOptions) (*keys, error) {
	k := &keys{webhookKey: c.WebhookKey}
	var err error
	k.ring, err = rotation.NewRing(c.AppSecret, c.Previous, func(secret string) (*client.HMAC, error) {
		return client.NewHMAC(client.Credentials{AppID: c.AppID, AppSecret: secret})
	})
	if err != nil {
		return nil, err
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

// Rotate replaces the account's secrets and keys while it is in use; one call at a time
// may. Secrets that verified webhooks go on doing so for the options' grace; API calls that are under
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
	next.ring = next.ring.Replacing(v.keys.Load().ring, v.options)
	v.keys.Store(next)
	return nil
}

// Succeed implements [gateway.Rotating]. The account before was this one where it read
// its secret from the same place.
func (v *V2) Succeed(before gateway.Gateway) {
	old, ok := before.(*V2)
	if !ok || v.source == "" || v.source != old.source || v.info.AccountID != old.info.AccountID {
		return
	}
	next := *v.keys.Load()
	next.ring = next.ring.Succeeding(old.keys.Load().ring, v.options)
	v.keys.Store(&next)
}

// Keys implements [gateway.Rotating]: what verifies webhooks makes keys, too.
func (v *V2) Keys(purpose string) [][]byte {
	return v.keys.Load().ring.Derive(v.info.AccountID, purpose, v.options.Now())
}
