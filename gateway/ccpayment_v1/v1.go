// Package ccpaymentv1 is CCPayment's deprecated V1 API as a gateway: its webhooks, which
// are verified, told apart and delivered, and its withdrawals.
//
// V1 has no records by which this project could confirm a webhook. So all of its types
// are [gateway.Type.Unconfirmed]: no event of V1 carries a flag, and the app must ask
// CCPayment itself before it gives anything away.
package ccpaymentv1

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Config is a merchant account at CCPayment's V1 API.
type Config struct {
	AppID, AppSecret string
	// Previous are secrets that still verify webhooks.
	Previous []rotation.Secret
	// BaseURL is the base URL of the API; empty: CCPayment's.
	BaseURL string
}

// V1 is a merchant account at CCPayment's V1 API. It implements [gateway.Gateway].
type V1 struct {
	options gateway.OpenOptions
	appID   string
	keys    atomic.Pointer[keys]
	info    gateway.Info
	// source is the text that the configuration has for the secret, such as a
	// placeholder; empty: nobody knows.
	source string
}

// New returns an account. It makes no API call.
func New(c Config, o gateway.OpenOptions) (*V1, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &V1{options: o, appID: c.AppID, info: newInfo(c.AppID)}
	k, err := newKeys(c, o)
	if err != nil {
		return nil, err
	}
	v.keys.Store(k)
	return v, nil
}

// name is the gateway's in configurations.
const name = "ccpayment_v1"

// The headers that sign webhooks and calls.
const (
	headerAppID     = "Appid"
	headerTimestamp = "Timestamp"
	headerSign      = "Sign"
)

// newInfo returns what CCPayment documents, and what integrations have seen (V1
// documentation, Webhook notification). The app id may be that of an account at V2.
func newInfo(appID string) gateway.Info {
	return gateway.Info{
		Name: name, Title: "CCPayment V1", AccountID: name + ":" + appID,
		Types: []gateway.Type{
			{Name: "API Deposit", Kind: gateway.Payment, BookedBy: gateway.ByOrder, Unconfirmed: true},
			{Name: "API Withdrawal", Kind: gateway.Payout, Unconfirmed: true},
			{Name: "Refund", Kind: gateway.Other, Unconfirmed: true},
		},
		Statuses: []gateway.Status{
			{Name: "pending", Rank: 1, Stage: gateway.Open},
			{Name: "processing", Rank: 1, Stage: gateway.Open},
			{Name: "success", Rank: 2, Stage: gateway.Success},
			{Name: "failed", Rank: 2, Stage: gateway.Failed},
		},
		SignatureHeader: headerSign, AccountHeader: headerAppID, TimestampHeader: headerTimestamp,
		Ack: gateway.Ack{ContentType: "text/plain; charset=utf-8", Body: "success"},
	}
}

// Info implements [gateway.Gateway].
func (v *V1) Info() gateway.Info { return v.info }

// Key implements [gateway.Gateway].
func (v *V1) Key(purpose string) []byte {
	return gateway.DeriveKey(v.keys.Load().ring.Current().Secret, v.info.AccountID, purpose)
}

// Client returns the account's API client.
func (v *V1) Client() *v1.Client { return v.keys.Load().api }

// Verify implements [gateway.Webhooks]: hex SHA-256 over app id, secret, timestamp and
// body. Whoever has seen a webhook can sign any text that begins with it and with the
// padding of the hash. Such a text is no webhook, because the timestamp has digits only
// and the body is one JSON object to its end.
func (v *V1) Verify(r gateway.Request, now time.Time) (time.Time, error) {
	signed, err := v1.VerifyBy(r.Header, r.Body, v.appID, slices.Collect(v.keys.Load().ring.Live(now))...)
	switch {
	case err == nil:
		return signed.Time, nil
	case !errors.Is(err, client.ErrSignature):
		return time.Time{}, gateway.Tag(gateway.ErrMalformed, err)
	// The response to all of them is the same; the log says which it was.
	case signed.AppID != v.appID:
		return time.Time{}, fmt.Errorf("%w: the Appid is not ours: compare app_id with CCPayment's console", gateway.ErrSignature)
	case !v1.IsObject(r.Body):
		return time.Time{}, fmt.Errorf("%w: %s", gateway.ErrSignature, noObject)
	default:
		return time.Time{}, fmt.Errorf("%w: no live secret made it: compare app_secret with CCPayment's console, "+
			"and see whether the account's webhooks are V2's", gateway.ErrSignature)
	}
}

// noObject is why a body is not a webhook's, whoever has signed it.
const noObject = "the body is not one JSON object, and anybody could have signed it"

// Sign implements [gateway.Signer].
func (v *V1) Sign(now time.Time, body []byte) [][2]string {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	return [][2]string{
		{headerAppID, v.appID}, {headerTimestamp, timestamp}, {headerSign, v.keys.Load().ring.Current().Key.Sign(timestamp, body)},
	}
}

// errNoRecords is the answer to whoever asks for a record.
var errNoRecords = fmt.Errorf("%w: CCPayment V1 has no records to ask for", gateway.ErrNotFound)

// Record implements [gateway.Records]. There are none.
func (v *V1) Record(context.Context, gateway.Notice) (gateway.Record, error) {
	return gateway.Record{}, errNoRecords
}

// Order implements [gateway.Records]. There are none.
func (v *V1) Order(context.Context, string, *ledger.GatewayOrder) (gateway.Order, error) {
	return gateway.Order{}, errNoRecords
}

// Interface guards
var (
	_ gateway.Gateway   = (*V1)(nil)
	_ gateway.Rotating  = (*V1)(nil)
	_ gateway.Signer    = (*V1)(nil)
	_ gateway.API       = (*V1)(nil)
	_ gateway.Explainer = (*V1)(nil)
)
