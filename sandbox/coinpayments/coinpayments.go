// Package coinpayments is a CoinPayments (the new platform, API V2) that runs on this
// machine: the API with its rules, hosted checkout pages, payments with their
// confirmations, refunds, wallets, and webhooks that are signed, repeated and retried as
// CoinPayments does it. It is written from the public reference and from what
// integrations saw, and shares no code with package client/coinpayments, so that the two
// check one another.
//
// It is part of package sandbox, which serves it beside CCPayment on one clock, with the
// same faults, log of deliveries and pages: see sandbox.Sandbox.CoinPayments.
package coinpayments

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// Name is this gateway's in the log of deliveries and in faults.
const Name = "coinpayments"

// BasePath is where the API begins on the sandbox's host. It is the base URL's path: the
// routes follow it as they do https://a-api.coinpayments.net.
const BasePath = "/coinpayments"

// Options are the settings of a merchant's integration. All of them may be left out.
type Options struct {
	ClientID     string // 32 hex digits, with dashes or without; made at random if empty
	ClientSecret string // made at random if empty

	RateLimit uint          // API calls a second before 429; 0: no limit
	Latency   time.Duration // how long every API call takes at least
}

// Sandbox is one merchant's CoinPayments with one integration. It is safe for concurrent
// use.
type Sandbox struct {
	opts   Options
	client string // the client id, 32 hex digits
	engine *engine.Engine
	limit  *rate.Limiter

	mu *sync.Mutex // the engine's; guards what follows
	st *state
}

var plainID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// New adds a CoinPayments to an engine. The error is a mistake in the options.
func New(runs *engine.Engine, opts Options) (*Sandbox, error) {
	if opts.ClientID == "" {
		opts.ClientID = newID()
	}
	if opts.ClientSecret == "" {
		secret := make([]byte, 32)
		rand.Read(secret) // never fails
		opts.ClientSecret = base64.StdEncoding.EncodeToString(secret)
	}
	s := &Sandbox{opts: opts, client: undashed(opts.ClientID), engine: runs, mu: &runs.Mu, st: newState()}
	if !plainID.MatchString(s.client) {
		return nil, fmt.Errorf("CoinPayments client id %q: must be 32 hex digits, with dashes or without", opts.ClientID)
	}
	if opts.RateLimit > 0 {
		s.limit = rate.NewLimiter(rate.Limit(opts.RateLimit), int(opts.RateLimit))
	}
	names := []string{Name, Name + "/webhook"}
	for _, r := range routes {
		names = append(names, Name+"/"+r.name)
	}
	runs.Endpoints(false, names...)
	return s, nil
}

// ClientID returns the integration's id, as it was given.
func (s *Sandbox) ClientID() string { return s.opts.ClientID }

// ClientSecret returns the secret that calls and webhooks are signed with.
func (s *Sandbox) ClientSecret() string { return s.opts.ClientSecret }

// Forget forgets everything but the options. It is called through the engine's Reset,
// which holds the lock.
func (s *Sandbox) Forget() { s.st = newState() }

// Route adds the API, the hosted pages and the control calls to a server.
func (s *Sandbox) Route(mux *http.ServeMux) {
	s.routeAPI(mux)
	s.routePages(mux)
	s.routeControl(mux)
}

// state is everything that Forget forgets. The engine's lock guards it.
type state struct {
	settings Settings
	prices   map[string]decimal.Decimal // those that were moved, by the currency's id

	invoices  []*invoice // oldest first
	byID      map[string]*invoice
	byAddress map[string]*payment // by the address, in the case that compares
	hooks     []*clientHook       // of the integration, oldest first
	buttons   map[string]*invoice // what a click on one makes

	wallets  []*wallet // oldest first
	deposits map[string]*address
	spends   map[string]*spend // by id, those that were confirmed included
	approval bool              // spends wait
}

func newState() *state {
	return &state{
		settings: defaults, prices: map[string]decimal.Decimal{}, byID: map[string]*invoice{},
		byAddress: map[string]*payment{}, buttons: map[string]*invoice{},
		deposits: map[string]*address{}, spends: map[string]*spend{},
	}
}

// newID makes an id of 32 hex digits.
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return hex.EncodeToString(id[:])
}

// newUUID makes an id with dashes.
func newUUID() string { return dashed(newID()) }

func dashed(id string) string {
	return strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-")
}

func undashed(id string) string { return strings.ToLower(strings.ReplaceAll(id, "-", "")) }
