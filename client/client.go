package client

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// BaseURL is where CCPayment's API is, unless [WithBaseURL] says otherwise.
const BaseURL = "https://ccpayment.com/ccpayment/v2"

// The defaults of the options.
const (
	defaultTimeout = 10 * time.Second
	defaultTries   = 4
)

// Client calls CCPayment for one merchant account. It is made once and is safe
// for concurrent use.
type Client struct {
	appID   string
	baseURL string
	sign    func(timestamp string, body []byte) (string, error)
	http    *http.Client
	timeout time.Duration
	tries   int
	observe func(Call) // nil: nobody does
	// blockedUntil is when the breaker lets a call through again; nil: it is
	// closed. Its monotonic reading keeps it right while the clock is set.
	blockedUntil atomic.Pointer[time.Time]
}

// Option changes a [Client] while it is made.
type Option func(*Client) error

// New returns the client of an account. The app secret may be empty only with
// [WithPrivateKey].
func New(credentials Credentials, options ...Option) (*Client, error) {
	c := &Client{
		appID:   credentials.AppID,
		baseURL: BaseURL,
		http:    NewHTTPClient(),
		timeout: defaultTimeout,
		tries:   defaultTries,
	}
	for _, option := range options {
		if err := option(c); err != nil {
			return nil, err
		}
	}
	c.http = apiclient.WithoutRedirects(c.http)
	if c.appID == "" {
		return nil, errors.New("the app id is empty")
	}
	if strings.ContainsFunc(c.appID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the app id has a character that no app id has: a space or a line break at its end?")
	}
	if c.sign == nil {
		key, err := NewHMAC(credentials)
		if err != nil {
			return nil, err
		}
		c.sign = func(timestamp string, body []byte) (string, error) { return key.Sign(timestamp, body), nil }
	}
	return c, nil
}

// BaseURL returns where the API is that the client calls, without a slash at
// its end.
func (c *Client) BaseURL() string { return c.baseURL }

// NewHTTPClient returns the HTTP client that a [Client] uses by default: with pooled
// connections, and TLS 1.2 or newer. Several clients may share one by
// [WithHTTPClient]; the caller closes its idle connections.
func NewHTTPClient() *http.Client {
	return apiclient.NewHTTPClient()
}

// WithBaseURL names another API than [BaseURL]: the sandbox, or a proxy. It is
// https, or http on loopback.
func WithBaseURL(base string) Option {
	return func(c *Client) (err error) {
		c.baseURL, err = apiclient.BaseURL(base, BaseURL)
		return err
	}
}

// hasPath reports whether a base URL has a path. CCPayment's and the sandbox's have one;
// a proxy's may do without.
func hasPath(base string) bool {
	u, err := url.Parse(base)
	return err == nil && strings.Trim(u.Path, "/") != ""
}

// WithPrivateKey signs calls with RSA instead of the app secret
// (RSASSA-PKCS1-v1_5 over SHA-256, standard base64), for accounts that chose
// so in CCPayment's console. See [ParsePrivateKey].
func WithPrivateKey(key *rsa.PrivateKey) Option {
	return func(c *Client) error {
		if key == nil {
			return errors.New("the private key is nil")
		}
		c.sign = func(timestamp string, body []byte) (string, error) {
			text := sha256.New()
			text.Write([]byte(c.appID + timestamp))
			text.Write(body)
			signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, text.Sum(nil))
			return base64.StdEncoding.EncodeToString(signature), err
		}
		return nil
	}
}

// ParsePrivateKey reads an RSA private key in PEM: PKCS #8, or PKCS #1.
func ParsePrivateKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("there is no PEM block")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the PEM block holds no private key (PKCS #8 or PKCS #1)")
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the key is a %T, not an RSA key", key)
	}
	return private, nil
}

// WithHTTPClient uses the connections of h. Redirects are never followed,
// whatever h says: a signed call is for CCPayment alone.
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

// String and its siblings keep the secret out of logs.
func (c Credentials) String() string { return "{" + c.AppID + " REDACTED}" }

// Format is [Credentials.String] for every verb.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is the app id alone.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.AppID) }

// MarshalText is [Credentials.String]: JSON shows no secret either.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
