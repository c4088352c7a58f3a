package v1

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// BaseURL is where CCPayment's V1 API is, unless [WithBaseURL] says otherwise.
const BaseURL = "https://admin.ccpayment.com/ccpayment/v1"

const defaultTimeout = 10 * time.Second

// Client calls CCPayment's V1 API for one merchant account. It is made once and is safe
// for concurrent use.
type Client struct {
	appID   string
	baseURL string
	key     *Key
	http    *http.Client
	timeout time.Duration
	observe func(client.Call) // nil: nobody does
}

// Option changes a [Client] while it is made.
type Option func(*Client) error

// New returns the client of an account.
func New(credentials client.Credentials, options ...Option) (*Client, error) {
	c := &Client{appID: credentials.AppID, baseURL: BaseURL, http: apiclient.NewHTTPClient(), timeout: defaultTimeout}
	for _, option := range options {
		if err := option(c); err != nil {
			return nil, err
		}
	}
	c.http = apiclient.WithoutRedirects(c.http)
	if strings.ContainsFunc(c.appID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the app id has a character that no app id has: a space or a line break at its end?")
	}
	var err error
	c.key, err = NewKey(credentials)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// BaseURL returns where the API is that the client calls, without a slash at its end.
func (c *Client) BaseURL() string { return c.baseURL }

// WithBaseURL names another API than [BaseURL]: the sandbox, or a proxy. It is https, or
// http on loopback.
func WithBaseURL(base string) Option {
	return func(c *Client) (err error) {
		c.baseURL, err = apiclient.BaseURL(base, BaseURL)
		return err
	}
}

// WithHTTPClient uses the connections of h. Redirects are never followed, whatever h
// says: a signed call is for CCPayment alone.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) error {
		if h == nil {
			return errors.New("the HTTP client is nil")
		}
		c.http = h
		return nil
	}
}

// WithTimeout limits a call. Default: 10s.
func WithTimeout(timeout time.Duration) Option {
	return func(c *Client) error {
		if timeout <= 0 {
			return errors.New("the timeout is not positive")
		}
		c.timeout = timeout
		return nil
	}
}

// WithObserver sets a function that is called after every request that was sent, for
// metrics, on the goroutine of the caller, which waits for it. The endpoint is withdraw.
func WithObserver(observe func(client.Call)) Option {
	return func(c *Client) error {
		if observe == nil {
			return errors.New("the observer is nil")
		}
		c.observe = observe
		return nil
	}
}
