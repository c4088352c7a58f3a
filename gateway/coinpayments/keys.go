package coinpayments

import (
	"errors"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// keys are an account's secrets, and the API client that signs with the current one. They
// are replaced as a whole when a file that holds one of them changes.
type keys struct {
	ring rotation.Ring[*coinpayments.HMAC]
	api  *coinpayments.Client
}

func newKeys(c Config, o gateway.OpenOptions) (*keys, error) {
	k := new(keys)
	var err error
	k.ring, err = rotation.NewRing(c.ClientSecret, c.Previous, func(secret string) (*coinpayments.HMAC, error) {
		return coinpayments.NewHMAC(coinpayments.Credentials{ClientID: c.ClientID, ClientSecret: secret})
	})
	if err != nil {
		return nil, err
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
