package ccpaymentv1

import (
	"errors"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// keys are an account's secrets, and the API client that signs with the current one. They
// are replaced as a whole when a file that holds one of them changes.
type keys struct {
	secret   string
	verifies []key // the current one first, then previous ones as configured
	graced   []key // replaced while the account was in use
	api      *v1.Client
}

// key is a secret that verifies webhooks.
type key struct {
	secret string
	key    *v1.Key
	until  time.Time // zero: no end
}

func newKeys(c Config, o gateway.OpenOptions) (*keys, error) {
	k := &keys{secret: c.AppSecret}
	for _, s := range append([]rotation.Secret{{Secret: c.AppSecret}}, c.Previous...) {
		signs, err := v1.NewKey(client.Credentials{AppID: c.AppID, AppSecret: s.Secret})
		if err != nil {
			return nil, err
		}
		k.verifies = append(k.verifies, key{s.Secret, signs, s.Until})
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
	var err error
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
	rotation.WarnGone(v.options, len(v.keys.Load().verifies)-len(next.verifies))
	next.replace(v.keys.Load(), v.options)
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
	was, next := old.keys.Load(), *v.keys.Load()
	next.replace(&keys{verifies: was.verifies[:1], graced: was.graced}, v.options)
	v.keys.Store(&next)
}

// Keys implements [gateway.Rotating]: what verifies webhooks makes keys, too.
func (v *V1) Keys(purpose string) [][]byte {
	k, now := v.keys.Load(), v.options.Now()
	var list [][]byte
	for _, p := range slices.Concat(k.verifies, k.graced) {
		if !rotation.Ended(p.until, now) {
			list = append(list, gateway.DeriveKey(p.secret, v.info.AccountID, purpose))
		}
	}
	return list
}

// replace has the secrets of old go on verifying for the options' grace, but for those
// that do so already.
func (k *keys) replace(old *keys, o gateway.OpenOptions) {
	is := func(secret string) bool {
		same := func(p key) bool { return p.secret == secret }
		return slices.ContainsFunc(k.verifies, same) || slices.ContainsFunc(k.graced, same)
	}
	of := func(p *key) (string, *time.Time) { return p.secret, &p.until }
	k.graced = append(slices.Clip(k.graced), rotation.Graced(o, slices.Concat(old.graced, old.verifies), of, is)...)
}
