package coinpayments_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// Which calls may be repeated is what the routes say, and no other.
func TestWhichCallsAreRepeated(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for _, each := range everyCall {
		_, never := neverAgain[each.method]
		api := newFakeAPI(t, sayWith(500, "application/json", `{"title":"oops"}`))
		c := api.dial(t, coinpayments.WithTries(2))
		group.Go(func() {
			_, err := each.call(t.Context(), c, "1002")
			want := 2
			if never {
				want = 1
			}
			if err == nil || len(api.Sent()) != want {
				t.Errorf("%s: %v after %d requests", each.method, err, len(api.Sent()))
			}
			for _, r := range api.Sent() {
				checkSignature(t, api, r, isOpen(each.method))
			}
		})
	}
	group.Wait()
}

// A refusal is no unknown outcome, and is not sent again: neither a 401 nor what moves
// money after a 429.
func TestRefusals(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for status, sentinel := range map[int]error{
		400: coinpayments.ErrBadRequest, 401: coinpayments.ErrUnauthorized, 403: coinpayments.ErrForbidden, 404: coinpayments.ErrNotFound,
		409: coinpayments.ErrConflict, 422: coinpayments.ErrUnprocessable, 429: coinpayments.ErrRateLimit,
	} {
		for _, each := range everyCall {
			if _, never := neverAgain[each.method]; !never && status == 429 {
				continue
			}
			api := newFakeAPI(t, sayWith(status, "application/problem+json", `{"title":"No","detail":"because","errors":{"Amount":["is odd","is even"]}}`))
			c := api.dial(t)
			group.Go(func() {
				_, err := each.call(t.Context(), c, "1002")
				var failure *coinpayments.Error
				if !errors.Is(err, sentinel) || errors.Is(err, coinpayments.ErrOutcomeUnknown) || !errors.As(err, &failure) || len(api.Sent()) != 1 {
					t.Errorf("%s, %d: %v after %d requests", each.method, status, err, len(api.Sent()))
					return
				}
				if failure.Title != "No" || failure.Detail != "because" || !slices.Equal(failure.Fields["Amount"], []string{"is odd", "is even"}) || failure.Hint() == "" {
					t.Errorf("%s, %d: %+v", each.method, status, failure)
				}
			})
		}
	}
	group.Wait()
}

// Reads are repeated where another try may help, and only there.
func TestReadsAreRepeated(t *testing.T) {
	t.Parallel()
	const good = `{"id":"i-1","status":"paid","currency":{"id":"5057"},"amount":{"total":"1"}}`
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		again  bool
	}{
		{"connection cut", apiclienttest.Cut, true},
		{"HTTP 500", sayWith(500, "text/plain", ""), true},
		{"HTTP 503 with HTML", sayWith(503, "text/html", html), true},
		{"HTTP 408", sayWith(408, "text/plain", ""), true},
		{"HTTP 429", sayWith(429, "text/plain", ""), true},
		{"truncated body", apiclienttest.Truncate(good[:20]), true},
		{"no answer in time", apiclienttest.Hang, true},
		{"HTTP 200 with HTML", say(html), false},
		{"HTTP 404 with HTML", sayWith(404, "text/html", html), false},
		{"HTTP 401", sayWith(401, "text/plain", ""), false},
		{"HTTP 301", sayWith(301, "text/plain", ""), false},
		{"truncated JSON", say(good[:20]), false},
		{"a field of the wrong kind", say(`{"id":[1,2]}`), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t, sayInTurn(test.answer, say(good)))
			got, err := api.dial(t, coinpayments.WithTimeout(2*time.Second)).Invoice(t.Context(), "i-1")
			if !test.again {
				if err == nil || errors.Is(err, coinpayments.ErrOutcomeUnknown) || len(api.Sent()) != 1 {
					t.Errorf("%v after %d requests", err, len(api.Sent()))
				}
				return
			}
			if err != nil || got.ID != "i-1" || len(api.Sent()) != 2 {
				t.Errorf("%q, %v after %d requests", got.ID, err, len(api.Sent()))
			}
		})
	}
}

// Where no connection was made, nothing was sent, and every call is tried again.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(ctx, client) error{
		"read":  func(ctx ctx, c client) error { _, err := c.Invoice(ctx, "i-1"); return err },
		"money": func(ctx ctx, c client) error { _, err := c.CreateInvoice(ctx, invoice); return err },
	} {
		var dials atomic.Int32
		transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:1")
		}}
		c, err := coinpayments.New(credentials, coinpayments.WithBaseURL("http://127.0.0.1:1"), coinpayments.WithTries(2),
			coinpayments.WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		if err := call(t.Context(), c); err == nil || errors.Is(err, coinpayments.ErrOutcomeUnknown) || dials.Load() != 2 {
			t.Errorf("%s: %v after %d dials", name, err, dials.Load())
		}
	}
}

// A transport of somebody else's may have sent the call before it failed, so
// its word that it could not connect proves nothing.
func TestForeignTransportProvesNothing(t *testing.T) {
	t.Parallel()
	tries := 0
	c := overTransport(t, func(*http.Request) (*http.Response, error) {
		tries++
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	})
	if _, err := c.CreateInvoice(t.Context(), invoice); !errors.Is(err, coinpayments.ErrOutcomeUnknown) || tries != 1 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

func overTransport(t *testing.T, answer func(*http.Request) (*http.Response, error), options ...coinpayments.Option) client {
	t.Helper()
	options = append(options, coinpayments.WithInstance("a"), coinpayments.WithHTTPClient(&http.Client{Transport: apiclienttest.Transport(answer)}))
	c, err := coinpayments.New(credentials, options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answering is a transport that gives one answer to everything and notes when.
func answering(status int, retryAfter string, times *[]time.Time) func(*http.Request) (*http.Response, error) {
	var mu sync.Mutex
	return func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		*times = append(*times, time.Now())
		h := make(http.Header)
		if retryAfter != "" {
			h.Set("Retry-After", retryAfter)
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(`[]`)), Request: r}, nil
	}
}

// No more than 70 requests go out in any second, whoever asks for them.
func TestRate(t *testing.T) {
	for perSecond, options := range map[int][]coinpayments.Option{70: nil, 10: {coinpayments.WithRate(10)}} {
		synctest.Test(t, func(t *testing.T) {
			var times []time.Time
			c := overTransport(t, answering(200, "", &times), options...)
			var group sync.WaitGroup
			for range 300 {
				group.Go(func() {
					if _, err := c.Conversions(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			if len(times) != 300 {
				t.Fatalf("%d requests", len(times))
			}
			for i := range times {
				if i+perSecond < len(times) && times[i+perSecond].Sub(times[i]) < time.Second-time.Millisecond {
					t.Fatalf("%d requests within %s", perSecond+1, times[i+perSecond].Sub(times[i]))
				}
			}
			if took := times[299].Sub(times[0]); took > time.Duration(300/perSecond+1)*time.Second {
				t.Errorf("300 requests took %s", took)
			}
		})
	}
}

// A Retry-After is obeyed by the call that got it and by all others.
func TestRetryAfter(t *testing.T) {
	for _, status := range []int{429, 503} {
		for text, pause := range map[string]time.Duration{"7": 7 * time.Second, "date": 20 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				if text == "date" {
					text = time.Now().Add(pause).UTC().Format(http.TimeFormat)
				}
				var times []time.Time
				c := overTransport(t, answering(status, text, &times), coinpayments.WithTries(2))
				_, err := c.Conversions(t.Context())
				var failure *coinpayments.Error
				if !errors.As(err, &failure) || failure.Status != status || text == "7" && failure.RetryAfter != pause || len(times) != 2 || times[1].Sub(times[0]) < pause {
					t.Fatalf("%d, %s: %v after %v", status, text, err, times)
				}
				// What moves money waits as well, and then goes out.
				began := time.Now()
				if _, err := c.CreateInvoice(t.Context(), invoice); err == nil || len(times) != 3 {
					t.Fatalf("%v after %d requests", err, len(times))
				}
				if text == "7" && times[2].Sub(began) < 6*time.Second {
					t.Errorf("another call went out after %s", times[2].Sub(began))
				}
			})
		}
	}
}

// A 429 without a Retry-After holds all calls back for a second.
func TestRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		c := overTransport(t, answering(429, "", &times), coinpayments.WithTries(1))
		for range 3 {
			if _, err := c.CreateInvoice(t.Context(), invoice); !errors.Is(err, coinpayments.ErrRateLimit) {
				t.Error(err)
			}
		}
		if len(times) != 3 || times[2].Sub(times[0]) < 2*time.Second {
			t.Errorf("requests at %v", times)
		}
	})
}

// A pause that is longer than a call can wait is an error at once, and nothing is sent.
func TestLongPause(t *testing.T) {
	for text, wait := range map[string]time.Duration{"3600": time.Hour, "999999999999": time.Second, "30": 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			if wait < time.Minute {
				var cancel func()
				ctx, cancel = context.WithTimeout(ctx, wait)
				defer cancel()
			}
			var times []time.Time
			c := overTransport(t, answering(429, text, &times))
			began := time.Now()
			_, err := c.Conversions(ctx)
			if !errors.Is(err, coinpayments.ErrRateLimit) || len(times) != 1 || time.Since(began) > 2*time.Second {
				t.Errorf("%s: %v after %d requests and %s", text, err, len(times), time.Since(began))
			}
			var failure *coinpayments.Error
			_, err = c.CreateInvoice(ctx, invoice)
			if !errors.As(err, &failure) || failure.RetryAfter <= 0 || !strings.Contains(err.Error(), "not sent") || len(times) != 1 {
				t.Errorf("%s: %v after %d requests", text, err, len(times))
			}
		})
	}
}

// By default a read is tried four times, each time after a longer wait, and cancelling or
// a deadline ends the wait.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		c := overTransport(t, answering(500, "", &times))
		start := time.Now()
		_, err := c.Conversions(t.Context())
		if took := time.Since(start); err == nil || len(times) != 4 || took < 500*time.Millisecond || took > 5*time.Second {
			t.Errorf("%v after %d tries and %s", err, len(times), took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		start = time.Now()
		time.AfterFunc(50*time.Millisecond, cancel)
		if _, err := c.Conversions(ctx); !errors.Is(err, context.Canceled) || len(times) != 5 || time.Since(start) != 50*time.Millisecond {
			t.Errorf("cancelled: %v after %d tries and %s", err, len(times), time.Since(start))
		}
	})
}

// A call whose context has ended is not sent, and nothing is unknown about it.
func TestContextEndedBefore(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, say(`[]`))
	c := api.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, each := range everyCall {
		if _, err := each.call(ctx, c, "1002"); !errors.Is(err, context.Canceled) || errors.Is(err, coinpayments.ErrOutcomeUnknown) {
			t.Errorf("%s: %v", each.method, err)
		}
	}
	if len(api.Sent()) != 0 {
		t.Errorf("%d requests", len(api.Sent()))
	}
}

// Every request that was sent is told of, by a code of which there are few.
func TestObserver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   []string
	}{
		"yes":         {sayWith(201, "application/json", `[]`), []string{"200"}},
		"no":          {sayWith(404, "text/plain", ""), []string{"404"}},
		"tried again": {sayInTurn(sayWith(500, "text/plain", ""), say(`[]`)), []string{"500", "200"}},
		"cut off":     {sayInTurn(apiclienttest.Cut, say(`[]`)), []string{"network", "200"}},
		"too slow":    {sayInTurn(apiclienttest.Hang, say(`[]`)), []string{"timeout", "200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var got []string
			note := func(call coinpayments.Call) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, call.Code)
				if call.Route != "GET /api/v2/merchant/wallets/{id}/consolidation-transactions/{spendId}" || call.Took <= 0 {
					t.Errorf("the observer was told %+v", call)
				}
			}
			c := newFakeAPI(t, test.answer).dial(t, coinpayments.WithObserver(note), coinpayments.WithTimeout(2*time.Second))
			_, _ = c.ConsolidationTransactions(t.Context(), "w-1", "s-1")
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(got, test.want) {
				t.Errorf("the observer was told %v, want %v", got, test.want)
			}
		})
	}
}

// A 401 says what it may be.
func TestUnauthorizedHint(t *testing.T) {
	t.Parallel()
	_, err := newFakeAPI(t, sayWith(401, "text/plain", "")).dial(t).Invoice(t.Context(), "i-1")
	var failure *coinpayments.Error
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	for _, word := range []string{"instance", "clock", "secret", "IP"} {
		if !strings.Contains(failure.Hint(), word) {
			t.Errorf("%q has no %s", failure.Hint(), word)
		}
	}
}

// Refusals in other forms than the reference's are read as far as they can be, on one line.
func TestProblemForms(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``: "coinpayments GET /api/v2/merchant/invoices/{id}: 404 Not Found",
		`{"title":"Not Found","detail":"no\r\nsuch","status":"404","instance":7}`: "coinpayments GET /api/v2/merchant/invoices/{id}: 404 Not Found: no  such",
		`{"title":"T","errors":{"b":"one","a":["two",3]}}`:                        "coinpayments GET /api/v2/merchant/invoices/{id}: 404 Not Found: T; a: two, 3; b: one",
		`{"title":{"x":1},"detail":["d"],"errors":[1]}`:                           "coinpayments GET /api/v2/merchant/invoices/{id}: 404 Not Found",
		"<html>\nno":                 `coinpayments GET /api/v2/merchant/invoices/{id}: 404 Not Found: the answer is not CoinPayments': "<html>\nno"`,
		strings.Repeat("x", 9000):    fmt.Sprintf("coinpayments GET /api/v2/merchant/invoices/{id}: 404 Not Found: the answer is not CoinPayments': %q", strings.Repeat("x", 80)),
		`{"title":"a","title":"b"}`:  fmt.Sprintf("coinpayments GET /api/v2/merchant/invoices/{id}: 404 Not Found: the answer is not CoinPayments': %q", `{"title":"a","title":"b"}`),
		`{"title":"Unprocessable" }`: "coinpayments GET /api/v2/merchant/invoices/{id}: 404 Not Found: Unprocessable",
	} {
		_, err := newFakeAPI(t, sayWith(404, "text/plain", body)).dial(t).Invoice(t.Context(), "i-1")
		if err == nil || err.Error() != want {
			t.Errorf("%.60q: %v\nwant %s", body, err, want)
		}
	}
}
