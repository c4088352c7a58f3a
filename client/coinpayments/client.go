package coinpayments

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// The defaults of the options.
const (
	defaultTimeout = 10 * time.Second
	defaultTries   = 4
	// mostPerSecond is CoinPayments' limit of requests (reference, Rate Limits).
	mostPerSecond = 70
)

// Client calls CoinPayments for one API integration. It is made once and is safe
// for concurrent use.
type Client struct {
	clientID string
	baseURL  string
	key      *HMAC
	http     *http.Client
	timeout  time.Duration
	tries    int
	limiter  *rate.Limiter
	observe  func(Call) // nil: nobody does
	// pausedUntil is when calls go out again, as CoinPayments asked for; nil: now.
	// Its monotonic reading keeps it right while the clock is set.
	pausedUntil atomic.Pointer[time.Time]
}

// Option changes a [Client] while it is made.
type Option func(*Client) error

// New returns the client of an integration. It needs [WithInstance] or [WithBaseURL]:
// credentials work on one of CoinPayments' instances only, and none is guessed.
func New(credentials Credentials, options ...Option) (*Client, error) {
	c := &Client{
		clientID: credentials.ClientID,
		http:     apiclient.NewHTTPClient(),
		timeout:  defaultTimeout,
		tries:    defaultTries,
		limiter:  rate.NewLimiter(mostPerSecond, 1),
	}
	for _, option := range options {
		if err := option(c); err != nil {
			return nil, err
		}
	}
	c.http = apiclient.WithoutRedirects(c.http)
	if c.baseURL == "" {
		return nil, errors.New("neither an instance (a, b or c) nor a base URL: the dashboard's address shows which instance the account is on")
	}
	key, err := NewHMAC(credentials)
	if err != nil {
		return nil, err
	}
	c.key = key
	return c, nil
}

// BaseURL returns where the API is that the client calls, without a slash at
// its end.
func (c *Client) BaseURL() string { return c.baseURL }

// ClientID returns the client id as it is sent.
func (c *Client) ClientID() string { return c.clientID }

// NewHTTPClient returns the HTTP client that a [Client] uses by default: with pooled
// connections, and TLS 1.2 or newer. Several clients may share one by
// [WithHTTPClient]; the caller closes its idle connections.
func NewHTTPClient() *http.Client { return apiclient.NewHTTPClient() }

// InstanceURL returns the base URL of one of CoinPayments' three instances: a, b or c,
// by the country in which the business is registered.
func InstanceURL(instance string) (string, error) {
	switch instance {
	case "a", "b", "c":
		return "https://" + instance + "-api.coinpayments.net", nil
	default:
		return "", fmt.Errorf("the instance is a, b or c, not %.30q", instance)
	}
}

// WithInstance calls the instance a, b or c.
func WithInstance(instance string) Option {
	return func(c *Client) (err error) {
		c.baseURL, err = InstanceURL(instance)
		return err
	}
}

// WithBaseURL names where the API is, without the /api of its routes: the sandbox, a
// proxy, or an instance by its URL. It is https, or http on loopback. The URL is part
// of what is signed: behind a proxy it must be the one that CoinPayments sees.
func WithBaseURL(base string) Option {
	return func(c *Client) (err error) {
		c.baseURL, err = apiclient.BaseURL(base, "https://a-api.coinpayments.net")
		if err == nil && strings.HasSuffix(c.baseURL, "/api") {
			return fmt.Errorf("the base URL %q ends in /api, with which the routes begin: leave it out", base)
		}
		return err
	}
}

// WithHTTPClient uses the connections of h. Redirects are never followed,
// whatever h says: a signed call is for CoinPayments alone.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) error {
		if h == nil {
			return errors.New("the HTTP client is nil")
		}
		c.http = h
		return nil
	}
}

// WithTimeout limits one try of a call. Default: 10s. The context limits the
// call as a whole.
func WithTimeout(timeout time.Duration) Option {
	return func(c *Client) error {
		if timeout <= 0 {
			return errors.New("the timeout is not positive")
		}
		c.timeout = timeout
		return nil
	}
}

// WithTries limits how often a call is sent. Default: 4; 1 turns retries off.
func WithTries(tries int) Option {
	return func(c *Client) error {
		if tries < 1 {
			return errors.New("a call is tried at least once")
		}
		c.tries = tries
		return nil
	}
}

// WithRate limits the requests per second. Default and most: 70, CoinPayments' limit.
// Clients that share an account divide it.
func WithRate(perSecond int) Option {
	return func(c *Client) error {
		if perSecond < 1 || perSecond > mostPerSecond {
			return fmt.Errorf("the rate is from 1 to %d requests per second, not %d", mostPerSecond, perSecond)
		}
		c.limiter = rate.NewLimiter(rate.Limit(perSecond), 1)
		return nil
	}
}
