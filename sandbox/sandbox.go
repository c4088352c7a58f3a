// Package sandbox is a CCPayment that runs on this machine: the API with its
// rules and codes, deposits, signed webhooks with their retries, and endpoints to
// make payments, faults and the passing of time happen. It is written from the
// public reference alone and shares no code with package client, so that the
// two check one another.
//
// It keeps everything in memory and holds no money. It can be an http.Handler
// in a Go test, or a server of its own through `caddy ccpayment sandbox`.
package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Options are the settings of a sandbox. All of them may be left out.
type Options struct {
	AppID     string // made at random if empty
	AppSecret string // made at random if empty

	WebhookURL string // where webhooks go that have no notifyUrl of their own
	PublicURL  string // base of hosted pages; empty: the Host that a call names

	Speed     uint           // divides the waiting times of retries and confirmations; 0 is 1
	RSAKey    *rsa.PublicKey // accept calls that are signed with RSA, beside HMAC
	RateLimit uint           // API calls a second before 11004; 0: no limit
	Latency   time.Duration  // how long every API call takes at least

	Logger     *slog.Logger // one line per API call and delivery; nil: none
	HTTPClient *http.Client // for deliveries; nil: 10 s timeout, no redirects followed
}

// Sandbox is one merchant's CCPayment. It is safe for concurrent use.
type Sandbox struct {
	opts   Options
	log    *slog.Logger
	client *http.Client
	public *url.URL // nil: the Host that a call names
	limit  *rate.Limiter
	routes http.Handler

	ctx        context.Context
	cancel     context.CancelFunc
	wake       chan struct{}
	background sync.WaitGroup // all goroutines
	inFlight   sync.WaitGroup // tasks that have begun
	advance    sync.Mutex     // one Advance at a time; taken before mu

	mu        sync.Mutex // guards what follows
	ahead     time.Duration
	advancing bool
	st        *state
}

// New starts a sandbox. Close ends it. The error is a mistake in the options.
func New(opts Options) (*Sandbox, error) {
	if opts.AppID == "" {
		opts.AppID = "sandbox" + strings.ToLower(rand.Text()[:12])
	}
	if opts.AppSecret == "" {
		opts.AppSecret = strings.ToLower(rand.Text())
	}
	opts.Speed = max(opts.Speed, 1)
	if opts.Speed > 1_000_000 {
		return nil, errors.New("speed: at most 1000000")
	}
	if opts.WebhookURL != "" && !isHTTP(opts.WebhookURL) {
		return nil, fmt.Errorf("webhook URL %q: must be an absolute http or https address", opts.WebhookURL)
	}

	s := &Sandbox{opts: opts, log: opts.Logger, client: opts.HTTPClient, wake: make(chan struct{}, 1)}
	if opts.PublicURL != "" {
		if !isHTTP(opts.PublicURL) {
			return nil, fmt.Errorf("public URL %q: must be an absolute http or https address", opts.PublicURL)
		}
		s.public, _ = url.Parse(strings.TrimRight(opts.PublicURL, "/"))
		if s.public.Path != "" || s.public.RawQuery != "" {
			return nil, fmt.Errorf("public URL %q: must end after the host, for the pages are at its root", opts.PublicURL)
		}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.client == nil {
		s.client = ownClient()
	}
	if opts.RateLimit > 0 {
		s.limit = rate.NewLimiter(rate.Limit(opts.RateLimit), int(opts.RateLimit))
	}
	s.st = newState()
	s.routes = s.router()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.background.Go(s.work)
	return s, nil
}

// ownClient makes the client of a sandbox that was given none. A receiver that
// redirects has not answered 200, so redirects are not followed.
func ownClient() *http.Client {
	return &http.Client{
		Timeout:       10 * time.Second,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// isHTTP reports whether a text is an absolute http or https address.
func isHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// Close ends deliveries, those on their way included, and waits for them.
func (s *Sandbox) Close() {
	s.cancel()
	s.background.Wait()
	if s.opts.HTTPClient == nil {
		s.client.CloseIdleConnections()
	}
}

// AppID returns the merchant's id, which is also the user id of its account.
func (s *Sandbox) AppID() string { return s.opts.AppID }

// AppSecret returns the secret that calls and webhooks are signed with.
func (s *Sandbox) AppSecret() string { return s.opts.AppSecret }

// Now returns the sandbox's time, which Advance moves.
func (s *Sandbox) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Reset forgets everything but the options: orders, records, balances, faults,
// prices, what was scheduled and how far the clock was moved. It waits for an
// Advance to end, so a receiver must not call it while it handles a webhook.
func (s *Sandbox) Reset() {
	s.advance.Lock()
	defer s.advance.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = newState()
	s.ahead = 0
}

func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// router routes every endpoint. The hosted pages are under /i/ and /c/.
func (s *Sandbox) router() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(apiPrefix, s.serveAPI)
	s.routePages(mux)
	s.routeControl(mux)
	return mux
}
