package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Account is a configured merchant account.
type Account struct {
	// Name is the account's name in the configuration; empty: the default one.
	Name    string
	Gateway Gateway
	// Info is what [Gateway.Info] returned.
	Info Info
	// OrderPrefix is put in front of every order id at the gateway and removed from it
	// for the app; may be empty.
	OrderPrefix string
	// Orders is the group of accounts that have their orders in common: the app's id of an
	// order is one order at all of them, which is fulfilled once. Empty: the orders are
	// the account's own. Peers are the others of the group; see [ShareOrders].
	Orders string
	Peers  []*Account
	// WebhookURL is the public URL that webhooks of orders made here are sent to; empty:
	// the one that is set in the gateway's console. PreviousWebhookURLs are those that it
	// has replaced.
	WebhookURL          string
	PreviousWebhookURLs []PreviousURL
	// Testing: money of test coins counts as if it were worth something.
	Testing bool
	// Budget is how long all API calls for one event, or for one checkout, may take
	// together.
	Budget time.Duration
}

// Label names the account in messages.
func (a *Account) Label() string { return Label(a.Name) }

// Label names the account with this name in messages.
func Label(name string) string {
	if name == "" {
		return "default account"
	}
	return fmt.Sprintf("account %q", name)
}

// Webhooks returns the verifier and reader of the account's webhooks that are signed by a
// scheme; see [Schemer].
func (a *Account) Webhooks(scheme string) (Webhooks, error) {
	if schemer, ok := a.Gateway.(Schemer); ok {
		return schemer.Scheme(scheme)
	}
	if scheme != "hmac" {
		return nil, fmt.Errorf("unknown scheme %q: %s has one way to sign, leave scheme out", scheme, a.Info.Title)
	}
	return a.Gateway, nil
}

// ShareOrders makes accounts with the same Orders each other's Peers, in the order of their
// names. It is called before they are in use.
func ShareOrders(accounts []*Account) {
	accounts = slices.SortedFunc(slices.Values(accounts), func(a, b *Account) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range accounts {
		a.Peers = nil
		for _, b := range accounts {
			if a != b && a.Orders != "" && a.Orders == b.Orders {
				a.Peers = append(a.Peers, b)
			}
		}
	}
}

// Group is the account and its Peers.
func (a *Account) Group() []*Account { return append([]*Account{a}, a.Peers...) }

// Member returns the account of the group that has this id at its gateway; nil: none has.
func (a *Account) Member(accountID string) *Account {
	for _, one := range a.Group() {
		if one.Info.AccountID == accountID {
			return one
		}
	}
	return nil
}

// MayOwn reports whether an order that a checkout made may be the account's: one of its group
// made it, or would call it the same.
func (a *Account) MayOwn(order ledger.Order) bool {
	isMaker := func(one *Account) bool { return one.Name == order.Account }
	return slices.ContainsFunc(a.Group(), isMaker) || slices.Contains(a.OrderIDs(order.OwnID), order.OrderID)
}

// Driver opens the merchant account that its options describe. Caddy modules in the
// namespace ccpayment.gateways are drivers.
type Driver interface {
	// Open returns the account. It resolves the options' placeholders, which are the
	// driver's own business, reads the files that they name, and makes no API call: it
	// is also called to validate a configuration. The account is in use for longer than
	// the module: attempts in flight end with it after a reload. The error is a mistake
	// in the options.
	Open(o OpenOptions) (Gateway, error)
}

// Namer is a driver that tells the account's id without its secret, for links that are
// made where there is none.
type Namer interface {
	// AccountID returns the AccountID of [Info] of the account with this name.
	AccountID(account string) (string, error)
}

// OpenOptions is what a driver gets beside its own options.
type OpenOptions struct {
	// Account is the account's name in the configuration; empty: the default one. Only
	// the default account may take missing options from the environment.
	Account string
	// WebhookURL and PreviousWebhookURLs are those of [Account].
	WebhookURL          string
	PreviousWebhookURLs []PreviousURL
	// Timeout is how long each try of an API call may take; positive.
	Timeout time.Duration
	// HTTP is the client for API calls; nil: the driver makes one. Other accounts share
	// it. It has no timeout, and follows redirects.
	HTTP *http.Client
	// Observe, if set, is called after each try of an API call.
	Observe func(Call)
	// Now tells the time; nil: [time.Now].
	Now func() time.Time
	// Logger, if set, takes warnings about options that may be a mistake.
	Logger *zap.Logger

	// Watch, if set, calls apply and returns its error, and has it called again
	// whenever a file has changed that one of the texts names by a placeholder,
	// {file./path}. apply takes from file alone what such files hold; on an error the
	// account goes on as it was. It may be called while the account is in use, but not
	// by two at once.
	Watch func(apply func(file func(name string) ([]byte, error)) error, texts ...string) error
	// Grace is how long a webhook secret that a changed file has replaced still
	// verifies webhooks; 0: not at all.
	Grace time.Duration
}

// WatchFiles calls Watch, or, where it is not set, only apply, with the files as they are
// now.
func (o OpenOptions) WatchFiles(apply func(file func(name string) ([]byte, error)) error, texts ...string) error {
	if o.Watch == nil {
		return apply(os.ReadFile)
	}
	return o.Watch(apply, texts...)
}

// Call is one try of an API call, for metrics.
type Call struct {
	Endpoint string
	// Code is the gateway's code in the response; where there is none: http_ and the
	// status, timeout, canceled, or network. It has few values, and no ids.
	Code string
	Took time.Duration
}

// DeriveKey derives a key of 32 bytes for one purpose from an account's secret, so that
// the secret itself signs only API calls and webhooks.
func DeriveKey(secret, accountID, purpose string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("caddy-ccpayment " + purpose + "\n" + accountID))
	return mac.Sum(nil)
}
