package ccpaymentv1

import (
	"errors"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// keys are an account's secrets, and the API client that signs with the current one. They
// are replaced as a whole when a file that holds one of them changes.
type keys struct {
	ring rotation.Ring[*v1.Key]
	api  *v1.Client
}

func newKeys(c Config, o gateway.OpenOptions) (*keys, error) {
	k := new(keys)
	var err error
	k.ring, err = rotation.NewRing(c.AppSecret, c.Previous, func(secret string) (*v1.Key, error) {
		return v1.NewKey(client.Credentials{AppID: c.AppID, AppSecret: secret})
	})
	if err != nil {
		return nil, err
	}
	options := []v1.Option{v1.WithTimeout(o.Timeout)}
	if c.BaseURL != "" {
		options = append(options, v1.WithBaseURL(c.BaseURL))
	}
	if o.HTTP != nil {
		options = append(options, v1.WithHTTPClient(o.HTTP))
	}
	if o.Observe != nil {
		options = append(options, v1.WithObserver(func(c client.Call) {
			o.Observe(gateway.Call{Endpoint: c.Endpoint, Code: c.Code, Took: c.Took})
		}))
	}
	k.api, err = v1.New(client.Credentials{AppID: c.AppID, AppSecret: c.AppSecret}, options...)
	return k, err
}

// Rotate replaces the account's secrets while it is in use; one call at a time may.
// Secrets that verified webhooks go on doing so for the options' grace; a withdrawal that
// is under way ends with the secret it began with. The error is that the app id is
// another, or that a secret cannot be used; then nothing changes.
func (v *V1) Rotate(c Config) error {
	if c.AppID != v.appID {
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
func (v *V1) Succeed(before gateway.Gateway) {
	old, ok := before.(*V1)
	if !ok || v.source == "" || v.source != old.source || v.appID != old.appID {
		return
	}
	next := *v.keys.Load()
	next.ring = next.ring.Succeeding(old.keys.Load().ring, v.options)
	v.keys.Store(&next)
}

// Keys implements [gateway.Rotating]: what verifies webhooks makes keys, too.
func (v *V1) Keys(purpose string) [][]byte {
	return v.keys.Load().ring.Derive(v.info.AccountID, purpose, v.options.Now())
}
