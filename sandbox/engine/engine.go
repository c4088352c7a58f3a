// Package engine is what the sandboxes of all gateways run on: one clock that can be
// moved, one lock, the tasks that fall due, faults, the sending of webhooks with their
// retries, and the reading of control calls. It knows no gateway.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Options are the settings of an engine. All of them may be left out.
type Options struct {
	PublicURL  string       // base of hosted pages; empty: the Host that a call names
	Speed      uint         // divides the waiting times of retries and confirmations; 0 is 1
	Logger     *slog.Logger // nil: none
	HTTPClient *http.Client // for deliveries; nil: 10 s timeout, no redirects followed
}

// Engine is safe for concurrent use. Methods that say so are called with Mu held.
type Engine struct {
	// Mu guards the state of the engine and of every sandbox that runs on it.
	Mu sync.Mutex
	// Log gets a line for each call and delivery.
	Log *slog.Logger

	speed  time.Duration
	client *http.Client
	own    bool     // the client was made here
	public *url.URL // nil: the Host that a call names

	ctx        context.Context
	cancel     context.CancelFunc
	wake       chan struct{}
	background sync.WaitGroup // all goroutines
	inFlight   sync.WaitGroup // tasks that have begun
	advance    sync.Mutex     // one Advance at a time; taken before Mu

	// What follows is guarded by Mu, and Reset forgets it.
	ahead     time.Duration
	advancing bool
	standing  time.Time // the clock while it is advanced
	agenda    agenda
	seq       uint64 // orders tasks that fall due together
	era       int    // counts Resets, so that what was sent before is known

	log       []Delivery // oldest first
	delivered uint64     // numbers the log's entries
	faults    []*Fault

	holding chan struct{} // closed while webhooks are held
	held    []*Webhook

	endpoints map[string]bool // names that a fault may have; true: its answers have codes
}

// New starts an engine. Close ends it. The error is a mistake in the options.
func New(opts Options) (*Engine, error) {
	opts.Speed = max(opts.Speed, 1)
	if opts.Speed > 1_000_000 {
		return nil, errors.New("speed: at most 1000000")
	}
	e := &Engine{
		Log: opts.Logger, speed: time.Duration(opts.Speed), client: opts.HTTPClient, wake: make(chan struct{}, 1),
		holding: make(chan struct{}), endpoints: map[string]bool{},
	}
	if opts.PublicURL != "" {
		if !IsHTTP(opts.PublicURL) {
			return nil, fmt.Errorf("public URL %q: must be an absolute http or https address", opts.PublicURL)
		}
		e.public, _ = url.Parse(strings.TrimRight(opts.PublicURL, "/"))
		if e.public.Path != "" || e.public.RawQuery != "" {
			return nil, fmt.Errorf("public URL %q: must end after the host, for the pages are at its root", opts.PublicURL)
		}
	}
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	if e.client == nil {
		e.client, e.own = ownClient(), true
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.background.Go(e.work)
	return e, nil
}

// ownClient makes the client of an engine that was given none. A receiver that
// redirects has not answered 200, so redirects are not followed.
func ownClient() *http.Client {
	return &http.Client{
		Timeout:       10 * time.Second,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// IsHTTP reports whether a text is an absolute http or https address.
func IsHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// Close ends deliveries, those on their way included, and waits for them.
func (e *Engine) Close() {
	e.cancel()
	e.background.Wait()
	if e.own {
		e.client.CloseIdleConnections()
	}
}

// Context ends with the engine.
func (e *Engine) Context() context.Context { return e.ctx }

// Reset forgets what was scheduled and delivered, faults, and how far the clock was
// moved, and has each sandbox forget its own, with Mu held. It waits for an Advance to
// end, so a receiver must not call it while it handles a webhook.
func (e *Engine) Reset(forget ...func()) {
	e.advance.Lock()
	defer e.advance.Unlock()
	e.Mu.Lock()
	defer e.Mu.Unlock()
	for _, webhook := range e.held {
		webhook.wasTried()
	}
	e.agenda, e.log, e.faults, e.held = nil, nil, nil, nil
	e.delivered, e.ahead = 0, 0
	if e.isHolding() {
		e.holding = make(chan struct{})
	}
	e.era++
	for _, f := range forget {
		f()
	}
}
