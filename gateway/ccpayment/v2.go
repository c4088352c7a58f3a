// Package ccpayment is CCPayment's V2 API as a gateway (API reference,
// https://ccpayment.com/developer/docs).
package ccpayment

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// Config is a merchant account at CCPayment.
type Config struct {
	AppID, AppSecret string
	// Previous are secrets that still verify webhooks.
	Previous []PreviousKey
	// WebhookKey is CCPayment's public key, for the scheme rsa; may be nil.
	WebhookKey *rsa.PublicKey
	// PrivateKey signs API calls instead of the secret; may be nil.
	PrivateKey *rsa.PrivateKey
	// BaseURL is the base URL of the API; empty: CCPayment's.
	BaseURL string
}

// PreviousKey is an app secret that was replaced.
type PreviousKey = rotation.Secret

// V2 is a merchant account at CCPayment's V2 API. It implements [gateway.Gateway].
type V2 struct {
	options gateway.OpenOptions
	keys    atomic.Pointer[keys]
	reads   *reads
	symbols *symbols
	info    gateway.Info
	// source is the text that the configuration has for the secret, such as a
	// placeholder; empty: nobody knows.
	source string
}

// New returns an account. It makes no API call.
func New(c Config, o gateway.OpenOptions) (*V2, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &V2{options: o}
	k, err := newKeys(c, o)
	if err != nil {
		return nil, err
	}
	v.keys.Store(k)
	v.reads = newReads(v.Client)
	v.symbols = newSymbols(v.Client, o.Now)
	v.info = newInfo(c.AppID, k.api.BaseURL())
	return v, nil
}

const (
	apiDeposit     = "ApiDeposit"
	directDeposit  = "DirectDeposit"
	apiWithdrawal  = "ApiWithdrawal"
	userDeposit    = "UserDeposit"
	userWithdrawal = "UserWithdrawal"
)

// The headers that sign webhooks and calls.
const (
	headerAppID     = "Appid"
	headerTimestamp = "Timestamp"
	headerSign      = "Sign"
)

// retries is how long after a webhook's first try its last one comes, where the intervals
// that are documented count from the first.
const retries = 31*time.Minute + 30*time.Second

// newInfo returns what CCPayment documents (API reference, Webhook Setup, Retry Logic,
// Webhook Types, Transaction Statuses in Webhooks, Create Invoice).
func newInfo(appID, baseURL string) gateway.Info {
	info := gateway.Info{
		Name: "ccpayment", Title: "CCPayment", AccountID: appID,
		Types: []gateway.Type{
			{Name: apiDeposit, Kind: gateway.Payment, BookedBy: gateway.ByOrder},
			{Name: directDeposit, Kind: gateway.Deposit, BookedBy: gateway.ByReference},
			{Name: apiWithdrawal, Kind: gateway.Payout},
			{Name: userDeposit, Kind: gateway.Deposit, BookedBy: gateway.ByUser},
			{Name: userWithdrawal, Kind: gateway.Payout},
		},
		Statuses: []gateway.Status{
			{Name: "WaitingApproval", Rank: 1, Stage: gateway.Open},
			{Name: "Pending", Rank: 2, Stage: gateway.Open}, // seen, not documented
			{Name: "Processing", Rank: 2, Stage: gateway.Open},
			{Name: string(client.StatusSuccess), Rank: 3, Stage: gateway.Success},
			{Name: "Failed", Rank: 3, Stage: gateway.Failed},
			{Name: "Rejected", Rank: 3, Stage: gateway.Rejected},
		},
		SignatureHeader: headerSign, AccountHeader: headerAppID, TimestampHeader: headerTimestamp,
		Addresses: []string{"54.150.123.157", "35.72.150.75", "18.176.186.244"},
		PageHosts: []string{"ccpayment.com", ".ccpayment.com"},
		Ack:       gateway.Ack{ContentType: "text/plain; charset=utf-8", Body: "Success"},
		PingAck:   gateway.Ack{ContentType: "application/json", Body: `{"msg":"Success"}`},
		Limits: gateway.Limits{
			ShortestOrderID: 3, LongestOrderID: 48, LongestURL: 150, LongestProduct: 120, LongestExpiry: longestExpiry,
		},
		Retries: retries,
	}
	if u, err := url.Parse(baseURL); err == nil {
		info.PageHosts = append(info.PageHosts, strings.ToLower(u.Hostname()))
	}
	return info
}

// Info implements [gateway.Gateway].
func (v *V2) Info() gateway.Info { return v.info }

// Key implements [gateway.Gateway].
func (v *V2) Key(purpose string) []byte {
	return gateway.DeriveKey(v.keys.Load().ring.Current().Secret, v.info.AccountID, purpose)
}

// Client returns the account's API client.
func (v *V2) Client() *client.Client { return v.keys.Load().api }

// Scheme implements [gateway.Schemer].
func (v *V2) Scheme(name string) (gateway.Webhooks, error) {
	switch name {
	case "hmac":
		return v, nil
	case "rsa":
		if v.keys.Load().webhookKey == nil {
			return nil, errors.New("scheme rsa needs the account's webhook_key")
		}
		return rsaWebhooks{v}, nil
	default:
		return nil, fmt.Errorf("unknown scheme %q: use hmac or rsa", name)
	}
}

// Interface guards
var (
	_ gateway.Gateway   = (*V2)(nil)
	_ gateway.Checkouts = (*V2)(nil)
	_ gateway.Resender  = (*V2)(nil)
	_ gateway.Lister    = (*V2)(nil)
	_ gateway.Rotating  = (*V2)(nil)
	_ gateway.Schemer   = (*V2)(nil)
	_ gateway.Signer    = (*V2)(nil)
	_ gateway.API       = (*V2)(nil)
	_ gateway.Explainer = (*V2)(nil)
	_ gateway.Sampler   = (*V2)(nil)
	_ gateway.Checker   = (*V2)(nil)
)
