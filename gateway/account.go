package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"time"
)

// Account is a configured merchant account.
type Account struct {
	// Name is the account's name in the configuration; empty: the default one.
	Name    string
	Gateway Gateway
	// Info is the gateway's.
	Info Info
	// OrderPrefix stands in front of every order id at the gateway and is removed
	// towards the app.
	OrderPrefix string
	// WebhookURL is where the webhooks of orders made here are sent; empty: where
	// the gateway's console says.
	WebhookURL string
	// Budget is how long all that is asked about one event, or for one checkout,
	// may take.
	Budget time.Duration
}

// Driver opens the merchant account that it is configured for. A module in the
// namespace ccpayment.gateways is one.
type Driver interface {
	// Open returns the account. It reads what the options name, and dials nobody.
	Open(o OpenOptions) (Gateway, error)
}

// OpenOptions is what a driver gets beside its own options.
type OpenOptions struct {
	// Account is the account's name in the configuration; empty: the default one,
	// which alone may take what is not given from the environment.
	Account string
	// Timeout is how long one try of an API call may take; positive.
	Timeout time.Duration
	// HTTP makes the API's calls; nil: a client of the driver's own.
	HTTP *http.Client
	// Observe, if set, is called after each try of an API call.
	Observe func(Call)
	Now     func() time.Time
}

// Call is one try of a call of a gateway's API.
type Call struct {
	Endpoint string
	// Code is the gateway's, or what happened in a word where it gave none.
	Code string
	Took time.Duration
}

// DeriveKey makes a key for one purpose of an account's secret, which itself
// signs nothing but calls and webhooks.
func DeriveKey(secret, accountID, purpose string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("caddy-ccpayment " + purpose + "\n" + accountID))
	return mac.Sum(nil)
}
