package coinpayments

import (
	"errors"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// keys are an account's secrets, and the API client that signs with the current one. They
// are replaced as a whole when a file that holds one of them changes.
type keys struct {
	secret   string
	verifies []hmacKey // the current one first, then previous ones as configured
	graced   []hmacKey // replaced while the account was in use
	api      *coinpayments.Client
}

// hmacKey is a secret that verifies webhooks.
type hmacKey struct {
	secret string
	key    *coinpayments.HMAC
	until  time.Time // zero: no end
}

func newKeys(c Config, o gateway.OpenOptions) (*keys, error) {
	k := &keys{secret: c.ClientSecret}
	for _, s := range append([]rotation.Secret{{Secret: c.ClientSecret}}, c.Previous...) {
		key, err := coinpayments.NewHMAC(coinpayments.Credentials{ClientID: c.ClientID, ClientSecret: s.Secret})
		if err != nil {
			return nil, err
		}
		k.verifies = append(k.verifies, hmacKey{s.Secret, key, s.Until})
	}
	where := coinpayments.WithInstance(c.Instance)
	switch {
	case c.Instance != "" && c.BaseURL != "":
		return nil, errors.New("instance and base_url both say where the API is: give one of them")
	case c.Instance == "" && c.BaseURL == "":
		return nil, errors.New("instance is missing: a, b or c, which the address of CoinPayments' dashboard shows, because credentials work on one of them only")
	case c.Instance == "":
		where = coinpayments.WithBaseURL(c.BaseURL)
	}
	options := []coinpayments.Option{where, coinpayments.WithTimeout(o.Timeout)}
	if o.Observe != nil {
		options = append(options, coinpayments.WithObserver(func(c coinpayments.Call) {
			o.Observe(gateway.Call{Endpoint: c.Route, Code: c.Code, Took: c.Took})
		}))
	}
	if o.HTTP != nil {
		options = append(options, coinpayments.WithHTTPClient(o.HTTP))
	}
	var err error
	k.api, err = coinpayments.New(coinpayments.Credentials{ClientID: c.ClientID, ClientSecret: c.ClientSecret}, options...)
	return k, err
}

// Rotate replaces the account's secrets while it is in use; one call at a time may.
// Secrets that verified webhooks go on doing so for the options' grace; API calls that
// are under way end with the secret they began with. The error is that the client id is
// another, or that a secret cannot be used; then nothing changes.
func (v *V2) Rotate(c Config) error {
	if accountID(c.ClientID) != v.info.AccountID {
		return errors.New("client_id is another integration's now, and the secret of one is not used for another: `caddy reload --force` loads both")
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
func (v *V2) Succeed(before gateway.Gateway) {
	old, ok := before.(*V2)
	if !ok || v.source == "" || v.source != old.source || v.info.AccountID != old.info.AccountID {
		return
	}
	was, next := old.keys.Load(), *v.keys.Load()
	next.replace(&keys{verifies: was.verifies[:1], graced: was.graced}, v.options)
	v.keys.Store(&next)
}

// Keys implements [gateway.Rotating]: what verifies webhooks makes keys, too.
func (v *V2) Keys(purpose string) [][]byte {
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
		same := func(p hmacKey) bool { return p.secret == secret }
		return slices.ContainsFunc(k.verifies, same) || slices.ContainsFunc(k.graced, same)
	}
	of := func(p *hmacKey) (string, *time.Time) { return p.secret, &p.until }
	k.graced = append(slices.Clip(k.graced), rotation.Graced(o, slices.Concat(old.graced, old.verifies), of, is)...)
}
