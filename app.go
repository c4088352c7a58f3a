package ccpayment

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// liveApp delivers an event to the next handler, with the webhook's own request.
type liveApp struct {
	request   *http.Request
	next      caddyhttp.Handler
	forwarded ledger.Forwarded
}

// Deliver implements [relay.App].
func (a liveApp) Deliver(ctx context.Context, m relay.Message) (relay.Response, error) {
	// The request itself, and not the copy with the context: placeholders such as
	// {http.request.body} read it.
	prepare(a.request, m, a.forwarded)
	return callApp(a.next, a.request.WithContext(ctx), m)
}

// storedApp delivers an event in the background, with a request that is rebuilt from
// the ledger.
type storedApp struct {
	handler      caddyhttp.Handler
	server       *caddyhttp.Server
	placeholders placeholder.Routes
}

// Deliver implements [relay.App].
func (a storedApp) Deliver(ctx context.Context, m relay.Message) (relay.Response, error) {
	r, err := a.rebuild(ctx, m.Event)
	if err != nil {
		return relay.Response{}, err
	}
	prepare(r, m, m.Event.Request.Forwarded)
	response, err := callApp(a.handler, r, m)
	var call *relay.CallError
	if errors.As(err, &call) {
		call.Err = emptyUpstream(a.placeholders, r, call.Err)
	}
	return response, err
}

// rebuild returns the webhook's request once more: its method, host, scheme, URI and
// client address.
func (a storedApp) rebuild(ctx context.Context, e ledger.Event) (*http.Request, error) {
	target, err := url.ParseRequestURI(e.Request.URI)
	if err != nil {
		return nil, fmt.Errorf("rebuilding the request: %w", err)
	}
	r := (&http.Request{
		Method: e.Request.Method, URL: target, RequestURI: e.Request.URI, Host: e.Request.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), RemoteAddr: e.Request.RemoteAddr,
	}).WithContext(ctx)
	if e.Request.TLS {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true} // else Caddy takes it for early data
	}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), new(relay.Recorder), a.server)
	if ip := e.Request.Forwarded.ClientIP; ip != "" { // whatever the server trusts by now
		caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, true)
		caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, ip)
	}
	return r, nil
}

// callApp sends the message through a handler and captures the response. Where the
// upstream breaks off in the middle of its response, reverse_proxy panics with
// http.ErrAbortHandler, which callApp returns as an error. It passes on any other
// panic.
func callApp(handler caddyhttp.Handler, r *http.Request, m relay.Message) (response relay.Response, err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			err = errors.New("the app's answer broke off")
		default:
			panic(p)
		}
	}()
	setPlaceholders(r.Context(), m.Facts)
	w := &relay.Recorder{Capture: m.Capture}
	err = handler.ServeHTTP(w, r)
	var failure caddyhttp.HandlerError
	if errors.As(err, &failure) {
		if failure.Err != nil {
			err = failure.Err // without Caddy's trace and error id
		}
		err = &relay.CallError{Status: failure.StatusCode, Err: err}
	}
	return w.Response(), err
}

// prepare turns r into the request that the app gets: the message, what a trusted proxy
// said of the client, and nothing else that the sender wrote.
func prepare(r *http.Request, m relay.Message, f ledger.Forwarded) {
	// In place: requests derived from this one, by tracing and the like, share it.
	clear(r.Header)
	setForwarded(r.Header, f)
	values := make([]string, len(m.Header))
	for i, field := range m.Header {
		values[i] = field.Value
		r.Header[field.Name] = values[i : i+1 : i+1]
	}
	r.Trailer = nil
	r.TransferEncoding = nil
	r.ContentLength = int64(len(m.Event.Body))
	body := m.Body()
	r.Body = body()
	// With GetBody and an Idempotency-Key, Go's transport retries by itself when the
	// app has just closed the connection.
	r.GetBody = func() (io.ReadCloser, error) { return body(), nil }
}

// The facts of an event are set as variables whose names begin with varPrefix, and
// as placeholders whose names begin with placeholderPrefix.
const (
	varPrefix         = "ccpayment_"
	placeholderPrefix = "http.ccpayment."
)

// setPlaceholders sets the event's facts for the handlers that follow.
func setPlaceholders(ctx context.Context, facts []relay.Field) {
	for _, fact := range facts {
		caddyhttp.SetVar(ctx, fact.Name, fact.Value)
	}
	if repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(func(key string) (any, bool) {
			name, ok := strings.CutPrefix(key, placeholderPrefix)
			if !ok {
				return nil, false
			}
			value := caddyhttp.GetVar(ctx, varPrefix+name)
			return value, value != nil
		})
	}
}

// Interface guards
var (
	_ relay.App = liveApp{}
	_ relay.App = storedApp{}
)

// nameLimit makes the name of a limit one that no other has in this configuration, and
// that the limit has in every process with the same one.
func (a *App) nameLimit(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.limits == nil {
		a.limits = make(map[string]int)
	}
	a.limits[name]++
	return fmt.Sprintf("%s #%d", name, a.limits[name])
}
