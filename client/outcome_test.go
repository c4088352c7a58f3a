package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// lost are the ways in which the outcome of a call gets lost. The handler is
// given the cancelling of the call's context.
var lost = []struct {
	name    string
	answer  func(endpoint string, cancel func()) http.HandlerFunc
	timeout time.Duration
	cause   error // what the error is as well
	code    int   // CCPayment's own, which the error carries with its words "?" (case 29)
}{
	{name: "connection cut", answer: always(cut)},
	{name: "HTTP 500", answer: always(sayWith(500, "text/plain", ""))},
	{name: "HTTP 502 with HTML", answer: always(sayWith(502, "text/html", html))},
	{name: "HTTP 500 with code 10000", answer: always(sayWith(500, "application/json", agreed))},
	{name: "HTTP 200 with HTML", answer: always(sayWith(200, "text/html", html))},
	{name: "HTTP 200 with nothing", answer: always(say(""))},
	{name: "HTTP 307", answer: always(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})},
	{name: "truncated JSON", answer: always(say(agreed[:60]))},
	{name: "truncated body", answer: always(apiclienttest.Truncate(agreed[:60]))},
	{name: "over-long answer", answer: always(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, agreed+strings.Repeat(" ", 8<<20))
	})},
	{name: "code 11002", answer: always(say(`{"code":11002,"msg":"?"}`)), cause: client.ErrInternal, code: 11002},
	{name: "code 10001", answer: always(say(`{"code":10001,"msg":"?"}`)), cause: client.ErrFailed, code: 10001},
	{name: "code 19999", answer: always(say(`{"code":19999,"msg":"?"}`)), code: 19999},
	{name: "HTTP 502 with code 16003", answer: always(sayWith(502, "application/json", `{"code":16003,"msg":"?"}`)), code: 16003},
	{name: "two codes", answer: always(say(`{"code":14000,"code":10000,"data":{}}`))},
	{name: "code 10000 without what was asked for", answer: func(endpoint string, _ func()) http.HandlerFunc {
		if endpoint == "addressUnbinding" {
			return say(`{"code":10000,"data":[]}`)
		}
		if endpoint == "appendBatchWithdraw" { // of which the code is all there is
			return say(`{"data":{}}`)
		}
		return say(`{"code":10000,"data":{"recordId":"","address":null}}`)
	}},
	{name: "client timeout", answer: always(hang), timeout: 500 * time.Millisecond, cause: context.DeadlineExceeded},
	{name: "context cancelled in flight", answer: func(_ string, cancel func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			cancel()
			hang(w, r)
		}
	}, cause: context.Canceled},
}

func always(h http.HandlerFunc) func(string, func()) http.HandlerFunc {
	return func(string, func()) http.HandlerFunc { return h }
}

// A call that may have moved money is sent once, and its error says that the
// outcome is unknown and which order to look up.
func TestCase29_OutcomeUnknown(t *testing.T) {
	t.Parallel()
	for _, each := range everyCall {
		if repeatable(each.endpoint) {
			continue
		}
		for _, way := range lost {
			t.Run(each.endpoint+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				api := newFakeAPI(t, way.answer(each.endpoint, cancel))
				options := []client.Option{client.WithTries(3)}
				if way.timeout > 0 {
					options = append(options, client.WithTimeout(way.timeout))
				}
				_, err := each.call(ctx, api.dial(t, options...))
				var unknown *client.OutcomeUnknownError
				if !errors.Is(err, client.ErrOutcomeUnknown) || !errors.As(err, &unknown) {
					t.Fatalf("%v is not ErrOutcomeUnknown", err)
				}
				if unknown.OrderID != orderIDOf(each.endpoint) || unknown.Endpoint != each.endpoint {
					t.Errorf("it names %q of %s", unknown.OrderID, unknown.Endpoint)
				}
				if !strings.Contains(err.Error(), orderIDOf(each.endpoint)) || strings.Contains(err.Error(), secret) {
					t.Errorf("it reads %q", err)
				}
				words := ""
				if way.code != 0 {
					words = "?"
				}
				if unknown.Code != way.code || unknown.Msg != words || way.code != 0 && !strings.Contains(err.Error(), fmt.Sprint(way.code)) {
					t.Errorf("it carries %d %q, and reads %q", unknown.Code, unknown.Msg, err)
				}
				if way.cause != nil && !errors.Is(err, way.cause) {
					t.Errorf("%v is not %v", err, way.cause)
				}
				if n := len(api.sent()); n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

// What proves that nothing happened is tried again, up to the limit, and is
// then an error like any other.
func TestNothingHappened(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	defer group.Wait()
	for _, each := range everyCall {
		if repeatable(each.endpoint) {
			continue
		}
		for code, want := range map[int]error{11004: client.ErrRateLimit, 11018: client.ErrFrequentOperation} {
			refusal := say(fmt.Sprintf(`{"code":%d,"msg":"later"}`, code))
			always, once := newFakeAPI(t, refusal), newFakeAPI(t, sayInTurn(refusal, agree))
			c, luckier := always.dial(t, client.WithTries(2)), once.dial(t)
			group.Go(func() {
				_, err := each.call(t.Context(), c)
				if !errors.Is(err, want) || errors.Is(err, client.ErrOutcomeUnknown) || len(always.sent()) != 2 {
					t.Errorf("%s, always %d: %v after %d requests", each.endpoint, code, err, len(always.sent()))
				}
			})
			group.Go(func() {
				if _, err := each.call(t.Context(), luckier); err != nil || len(once.sent()) != 2 {
					t.Errorf("%s, %d once: %v after %d requests", each.endpoint, code, err, len(once.sent()))
				}
			})
		}
		dials, c := nobody(t)
		group.Go(func() {
			_, err := each.call(t.Context(), c)
			if err == nil || errors.Is(err, client.ErrOutcomeUnknown) || dials.Load() != 2 {
				t.Errorf("%s, nobody listens: %v after %d dials", each.endpoint, err, dials.Load())
			}
		})
	}
}

// nobody is a client whose connections are refused; it counts them.
func nobody(t *testing.T) (*atomic.Int32, *client.Client) {
	t.Helper()
	var dials atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:1")
	}}
	c, err := client.New(client.Credentials{AppID: appID, AppSecret: secret},
		client.WithBaseURL("http://127.0.0.1:1"), client.WithTries(2), client.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	return &dials, c
}

// A transport of somebody else's may have sent the call before it failed, so
// its word that it could not connect proves nothing.
func TestForeignTransportProvesNothing(t *testing.T) {
	t.Parallel()
	tries := 0
	transport := apiclienttest.Transport(func(*http.Request) (*http.Response, error) {
		tries++
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	})
	c, err := client.New(client.Credentials{AppID: appID, AppSecret: secret}, client.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Withdraw(t.Context(), merchantWithdrawal); !errors.Is(err, client.ErrOutcomeUnknown) || tries != 1 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

// A connection that the server closed while it was idle is replaced without
// the call being sent twice.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, agree)
	c := api.dial(t)
	for range 5 {
		if _, err := c.Balances(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := len(api.sent())
		api.CloseClientConnections()
		_, err := c.Withdraw(t.Context(), merchantWithdrawal)
		switch reached := len(api.sent()) - before; {
		case err == nil && reached != 1:
			t.Errorf("agreed, but %d requests", reached)
		case err != nil && (!errors.Is(err, client.ErrOutcomeUnknown) || reached > 1):
			t.Errorf("%v after %d requests", err, reached)
		}
	}
}

// A call whose context has ended is not sent, and nothing is unknown about it.
func TestContextEndedBefore(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, agree)
	c := api.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, each := range everyCall {
		_, err := each.call(ctx, c)
		if !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("%s: %v", each.endpoint, err)
		}
	}
	if len(api.sent()) != 0 {
		t.Errorf("%d requests", len(api.sent()))
	}
}
