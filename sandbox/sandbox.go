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
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
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

	CoinPayments coinpayments.Options // the merchant's other gateway

	Logger     *slog.Logger // one line per API call and delivery; nil: none
	HTTPClient *http.Client // for deliveries; nil: 10 s timeout, no redirects followed
}

// gatewayName is this gateway's in the log.
const gatewayName = "ccpayment"

// Sandbox is one merchant's CCPayment. It is safe for concurrent use.
type Sandbox struct {
	opts   Options
	engine *engine.Engine
	limit  *rate.Limiter
	coins  *coinpayments.Sandbox
	routes http.Handler

	mu *sync.Mutex // the engine's; guards what follows
	st *state
}

// New starts a sandbox. Close ends it. The error is a mistake in the options.
func New(opts Options) (*Sandbox, error) {
	if opts.AppID == "" {
		opts.AppID = "sandbox" + strings.ToLower(rand.Text()[:12])
	}
	if opts.AppSecret == "" {
		opts.AppSecret = strings.ToLower(rand.Text())
	}
	if opts.WebhookURL != "" && !engine.IsHTTP(opts.WebhookURL) {
		return nil, fmt.Errorf("webhook URL %q: must be an absolute http or https address", opts.WebhookURL)
	}
	runs, err := engine.New(engine.Options{
		PublicURL: opts.PublicURL, Speed: opts.Speed, Logger: opts.Logger, HTTPClient: opts.HTTPClient,
	})
	if err != nil {
		return nil, err
	}
	s := &Sandbox{opts: opts, engine: runs, mu: &runs.Mu, st: newState()}
	if opts.RateLimit > 0 {
		s.limit = rate.NewLimiter(rate.Limit(opts.RateLimit), int(opts.RateLimit))
	}
	runs.Endpoints(true, slices.Collect(maps.Keys(endpoints))...)
	if s.coins, err = coinpayments.New(runs, opts.CoinPayments); err != nil {
		runs.Close()
		return nil, err
	}
	s.routes = s.router()
	return s, nil
}

// Close ends deliveries, those on their way included, and waits for them.
func (s *Sandbox) Close() { s.engine.Close() }

// CoinPayments is the sandbox's other gateway, on the same server and clock. Its base URL
// is the server's with [coinpayments.BasePath] behind it.
func (s *Sandbox) CoinPayments() *coinpayments.Sandbox { return s.coins }

// AppID returns the merchant's id, which is also the user id of its account.
func (s *Sandbox) AppID() string { return s.opts.AppID }

// AppSecret returns the secret that calls and webhooks are signed with.
func (s *Sandbox) AppSecret() string { return s.opts.AppSecret }

// Now returns the sandbox's time, which Advance moves.
func (s *Sandbox) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.engine.Now()
}

// Reset forgets everything but the options: orders, records, balances, faults,
// prices, what was scheduled and how far the clock was moved. It waits for an
// Advance to end, so a receiver must not call it while it handles a webhook.
func (s *Sandbox) Reset() { s.engine.Reset(func() { s.st = newState() }, s.coins.Forget) }

// Hold keeps the webhooks of both gateways back, retries included, until Release.
func (s *Sandbox) Hold() { s.engine.Hold() }

// Release sends the webhooks that were held back, one after the other, in the order in
// which they were to be sent or in the reverse, and returns how many they are.
func (s *Sandbox) Release(reverse bool) int { return s.engine.Release(reverse) }

// Advance moves the sandbox's clock forward and does, in order, what falls due
// on the way: confirmations, deliveries and their retries. It returns when all
// of it is done, so a receiver must not call it while it handles a webhook.
// Timestamp headers keep wall time, so signatures do not grow stale.
func (s *Sandbox) Advance(d time.Duration) { s.engine.Advance(d) }

func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// router routes every endpoint. The hosted pages are under /i/ and /c/.
func (s *Sandbox) router() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(apiPrefix, s.serveAPI)
	s.routeV1(mux)
	s.routePages(mux)
	s.routeControl(mux)
	s.coins.Route(mux)
	return mux
}
