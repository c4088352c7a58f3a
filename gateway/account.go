package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"time"

	"go.uber.org/zap"
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
	// WebhookURL is the public URL that webhooks of orders made here are sent to; empty:
	// the one that is set in the gateway's console.
	WebhookURL string
	// Budget is how long all API calls for one event, or for one checkout, may take
	// together.
	Budget time.Duration
}

// Driver opens the merchant account that its options describe. Caddy modules in the
// namespace ccpayment.gateways are drivers.
type Driver interface {
	// Open returns the account. It resolves the options' placeholders, which are the
	// driver's own business, reads what they name, and dials nobody: it is called to
	// validate a configuration, too, and at each reload.
	Open(o OpenOptions) (Gateway, error)
}

// OpenOptions is what a driver gets beside its own options.
type OpenOptions struct {
	// Account is the account's name in the configuration; empty: the default one. Only
	// the default account may take missing options from the environment.
	Account string
	// Timeout is how long one try of an API call may take; positive. All calls about
	// one event have four times as long.
	Timeout time.Duration
	// HTTP makes the API's calls; nil: a client of the driver's own. Other accounts
	// have the same one, without a timeout; it follows redirects.
	HTTP *http.Client
	// Observe, if set, is called after each try of an API call.
	Observe func(Call)
	// Now tells the time; nil: [time.Now].
	Now func() time.Time
}

// Call is one try of a call of a gateway's API. Endpoint and Code are labels of
// metrics: each has few values, and no ids.
type Call struct {
	Endpoint string
	// Code is the gateway's. Where it gave none: http_ and the status, timeout,
	// canceled, or network.
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
