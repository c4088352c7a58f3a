// Package coinpayments is CoinPayments' V2 API as a gateway (API reference,
// https://www.coinpayments.net/apidoc). Its webhooks are about invoices, which are orders,
// and about transactions of wallets.
package coinpayments

import (
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/coalesce"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// Config is an API integration of a merchant at CoinPayments.
type Config struct {
	ClientID, ClientSecret string
	// Previous are secrets that still verify webhooks.
	Previous []rotation.Secret
	// Instance is CoinPayments' instance that has the account, a, b or c; empty: BaseURL
	// says where the API is.
	Instance, BaseURL string
}

// V2 is an API integration at CoinPayments' V2 API. It implements [gateway.Gateway].
type V2 struct {
	options  gateway.OpenOptions
	instance string
	keys     atomic.Pointer[keys]
	invoices *coalesce.Group[coinpayments.Invoice]
	symbols  *symbols
	info     gateway.Info
	// source is the text that the configuration has for the secret, such as a
	// placeholder; empty: nobody knows.
	source string
}

// New returns an account. It makes no API call.
func New(c Config, o gateway.OpenOptions) (*V2, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &V2{options: o, instance: c.Instance}
	k, err := newKeys(c, o)
	if err != nil {
		return nil, err
	}
	if err := checkWebhookURLs(o, k.api.BaseURL()); err != nil {
		return nil, err
	}
	v.keys.Store(k)
	v.invoices = coalesce.New(v.readInvoice)
	v.symbols = newSymbols(v.Client, o.Now)
	v.info = newInfo(accountID(c.ClientID), c)
	return v, nil
}

// checkWebhookURLs returns an error unless there is a URL that webhooks can be signed
// for. A webhook for a URL of the API would be a signed call of it.
func checkWebhookURLs(o gateway.OpenOptions, baseURL string) error {
	if o.WebhookURL == "" {
		return errors.New("webhook_url is missing: CoinPayments signs its webhooks for the URL that they are sent to, and nothing else can say which that is")
	}
	for _, hook := range append(o.PreviousWebhookURLs, gateway.PreviousURL{URL: o.WebhookURL}) {
		if strings.HasPrefix(hook.URL, baseURL+"/api/") {
			return errors.New("webhook_url is one of CoinPayments' API: it is where CoinPayments reaches this Caddy")
		}
	}
	return nil
}

// accountID is the client id in one form: CoinPayments writes it with dashes and without,
// and orders and flags belong to it.
func accountID(clientID string) string {
	return strings.ToLower(strings.ReplaceAll(clientID, "-", ""))
}

// The types of events. Other transactions keep the name that they have in webhooks, and so
// do notices that are not known.
const (
	invoiceType    = "Invoice"
	paymentType    = "Payment"
	depositType    = "WalletDeposit"
	withdrawalType = "WalletWithdrawal"
)

// The statuses of transactions' events.
const (
	processing = "Processing"
	succeeded  = "Success"
	failed     = "Failed"
)

// statuses are those of invoices, in webhooks and in the API, then those of events about
// payments and transactions (API reference, Invoices, Wallets).
var statuses = []gateway.Status{
	{Name: "Unpaid", Rank: 1, Stage: gateway.Open},
	{Name: "Pending", Rank: 2, Stage: gateway.Open},
	{Name: "Paid", Rank: 3, Stage: gateway.Success},
	{Name: "Completed", Rank: 4, Stage: gateway.Success},
	{Name: "Cancelled", Rank: 2, Stage: gateway.Failed},
	{Name: "TimedOut", Rank: 2, Stage: gateway.Failed},
	{Name: "Draft", Rank: 1, Stage: gateway.Open},
	{Name: "Scheduled", Rank: 1, Stage: gateway.Open},
	{Name: "Cancelling", Rank: 2, Stage: gateway.Open},
	{Name: "Deleted", Rank: 2, Stage: gateway.Failed},
	{Name: "ScheduledForPayout", Rank: 3, Stage: gateway.Success},
	{Name: "Refunded", Rank: 5, Stage: gateway.Failed},
	{Name: "Created", Rank: 1, Stage: gateway.Open},
	{Name: processing, Rank: 2, Stage: gateway.Open},
	{Name: succeeded, Rank: 3, Stage: gateway.Success},
	{Name: failed, Rank: 3, Stage: gateway.Failed},
}

const (
	// longestOrderID leaves room for a later generation's suffix in the 127 characters of
	// an invoiceId.
	longestOrderID = 116
	// longestProduct is less than the 127 characters that an item's name may have: the same
	// as at CCPayment, so that a shop's texts are cut alike at both.
	longestProduct = 120
	// walletRetries is how long after its first try a wallet's webhook that is refused at once
	// is tried for the last time: there are five, a second apart (Create a wallet). How often
	// invoices' are, and for how long, is not documented.
	walletRetries = 4 * time.Second
	// lifetime is how long an invoice can be paid.
	lifetime = 365 * 24 * time.Hour
)

// addresses are those that each instance sends webhooks from. Nobody knows those of c.
var addresses = map[string][]string{
	"a": {"23.183.244.249", "23.183.244.250"},
	"b": {"23.183.244.98"},
}

// newInfo returns what CoinPayments documents (API reference, Webhooks, Invoices).
func newInfo(accountID string, c Config) gateway.Info {
	info := gateway.Info{
		Name: "coinpayments", Title: "CoinPayments", AccountID: accountID,
		Types: []gateway.Type{
			{Name: invoiceType, Kind: gateway.Payment, BookedBy: gateway.ByOrder, IsOrder: true},
			{Name: paymentType, Kind: gateway.Payment, BookedBy: gateway.ByOrder, Unconfirmed: true},
			{Name: depositType, Kind: gateway.Deposit, BookedBy: gateway.ByReference, Retries: walletRetries},
			{Name: withdrawalType, Kind: gateway.Payout, FailsSilently: true, Retries: walletRetries},
		},
		Statuses:        statuses,
		SignatureHeader: coinpayments.HeaderSignature, AccountHeader: coinpayments.HeaderClient, TimestampHeader: coinpayments.HeaderTimestamp,
		SignsURL:  true,
		Addresses: addresses[c.Instance],
		PageHosts: []string{
			"checkout.coinpayments.com", ".coinpayments.com",
			"a-checkout.coinpayments.net", "b-checkout.coinpayments.net", "c-checkout.coinpayments.net",
		},
		Ack: gateway.Ack{ContentType: "text/plain; charset=utf-8", Body: "OK"},
		Limits: gateway.Limits{
			ShortestOrderID: 1, LongestOrderID: longestOrderID, LongestProduct: longestProduct, LongestExpiry: lifetime,
			CoinNeedsEmail: true, OneWebhookURL: true,
		},
	}
	if u, err := url.Parse(c.BaseURL); err == nil && u.Hostname() != "" {
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
func (v *V2) Client() *coinpayments.Client { return v.keys.Load().api }

// Interface guards
var (
	_ gateway.Gateway   = (*V2)(nil)
	_ gateway.Checkouts = (*V2)(nil)
	_ gateway.Finder    = (*V2)(nil)
	_ gateway.Canceler  = (*V2)(nil)
	_ gateway.Lister    = (*V2)(nil)
	_ gateway.Rotating  = (*V2)(nil)
	_ gateway.API       = (*V2)(nil)
	_ gateway.Explainer = (*V2)(nil)
	_ gateway.Sampler   = (*V2)(nil)
	_ gateway.Checker   = (*V2)(nil)
)
