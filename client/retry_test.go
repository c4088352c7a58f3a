package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// Reads are repeated where another try may help, and only there.
func TestReadsAreRepeated(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		again  bool
	}{
		{"connection cut", cut, true},
		{"HTTP 500", sayWith(500, "text/plain", ""), true},
		{"HTTP 503 with HTML", sayWith(503, "text/html", html), true},
		{"code 11002", say(`{"code":11002}`), true},
		{"code 11004", say(`{"code":11004}`), true},
		{"code 11018", say(`{"code":11018}`), true},
		{"code 11004 with HTTP 429", sayWith(429, "application/json", `{"code":11004}`), true},
		{"truncated body", apiclienttest.Truncate(agreed[:60]), true},
		{"no answer in time", hang, true},
		{"HTTP 200 with HTML", say(html), false},
		{"HTTP 404 with HTML", sayWith(404, "text/html", html), false},
		{"truncated JSON", say(agreed[:60]), false},
		{"a field of the wrong kind", say(`{"code":10000,"data":{"record":{"recordId":[1]}}}`), false},
		{"code 19999", say(`{"code":19999}`), false},
		{"code 11003", say(`{"code":11003}`), false},
		{"code 11003 with HTTP 500", sayWith(500, "application/json", `{"code":11003}`), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t, sayInTurn(test.answer, say(agreed)))
			record, err := api.dial(t, client.WithTimeout(2*time.Second)).DepositRecord(t.Context(), longID)
			if !test.again {
				if err == nil || errors.Is(err, client.ErrOutcomeUnknown) || len(api.sent()) != 1 {
					t.Errorf("%v after %d requests", err, len(api.sent()))
				}
				return
			}
			if err != nil || record.RecordID != longID || len(api.sent()) != 2 {
				t.Errorf("%q, %v after %d requests", record.RecordID, err, len(api.sent()))
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		dials, c := nobody(t)
		if _, err := c.Balances(t.Context()); err == nil || dials.Load() != 2 {
			t.Errorf("%v after %d dials", err, dials.Load())
		}
	})
}

// Every endpoint that may be repeated is, and each of its tries is signed.
func TestWhichEndpointsAreRepeated(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for _, each := range everyCall {
		if !repeatable(each.endpoint) {
			continue
		}
		api := newFakeAPI(t, say(`{"code":11002,"msg":"Internal"}`))
		c := api.dial(t, client.WithTries(2))
		group.Go(func() {
			if _, err := each.call(t.Context(), c); !errors.Is(err, client.ErrInternal) || len(api.sent()) != 2 {
				t.Errorf("%s: %v after %d requests", each.endpoint, err, len(api.sent()))
			}
			for _, r := range api.sent() {
				timestamp := r.Header.Get("Timestamp")
				if r.Header.Get("Sign") != client.Sign(client.Credentials{AppID: appID, AppSecret: secret}, timestamp, r.Body) {
					t.Errorf("%s: a try is not signed", each.endpoint)
				}
			}
		})
	}
	group.Wait()
}

// overTransport runs test in a time of its own, with a client whose requests
// all get the same answer.
func overTransport(t *testing.T, answer string, test func(t *testing.T, c *client.Client, tries *int)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		transport := apiclienttest.Transport(func(r *http.Request) (*http.Response, error) {
			tries++
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
		})
		c, err := client.New(client.Credentials{AppID: appID, AppSecret: secret}, client.WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		test(t, c, &tries)
	})
}

// pass lets the time of such a test go on.
func pass(d time.Duration) { <-time.NewTimer(d).C }

// By default a call is tried four times, each time after a longer wait.
func TestBackOff(t *testing.T) {
	overTransport(t, `{"code":11004}`, func(t *testing.T, c *client.Client, tries *int) {
		start := time.Now()
		_, err := c.Balances(t.Context())
		if took := time.Since(start); !errors.Is(err, client.ErrRateLimit) || *tries != 4 || took < 500*time.Millisecond || took > 5*time.Second {
			t.Errorf("%v after %d tries and %s", err, *tries, took)
		}
	})
}

// A context that ends before the next try would begin ends the call at once.
func TestDeadlineBeforeNextTry(t *testing.T) {
	overTransport(t, `{"code":11004}`, func(t *testing.T, c *client.Client, tries *int) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := c.Withdraw(ctx, merchantWithdrawal)
		if !errors.Is(err, client.ErrRateLimit) || errors.Is(err, client.ErrOutcomeUnknown) || *tries != 1 || time.Since(start) != 0 {
			t.Errorf("%v after %d tries and %s", err, *tries, time.Since(start))
		}
	})
}

// Cancelling ends a wait between two tries.
func TestCancelWhileWaiting(t *testing.T) {
	overTransport(t, `{"code":11004}`, func(t *testing.T, c *client.Client, tries *int) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := c.Balances(ctx)
		if !errors.Is(err, client.ErrRateLimit) || !errors.Is(err, context.Canceled) || *tries != 1 || time.Since(start) != 50*time.Millisecond {
			t.Errorf("%v after %d tries and %s", err, *tries, time.Since(start))
		}
	})
}

// After 11014 nothing is sent for an hour, from any endpoint.
func TestBreaker(t *testing.T) {
	overTransport(t, `{"code":11014,"msg":"MaliciousReq"}`, func(t *testing.T, c *client.Client, tries *int) {
		for i, each := range everyCall {
			_, err := each.call(t.Context(), c)
			if !errors.Is(err, client.ErrMaliciousReq) || errors.Is(err, client.ErrOutcomeUnknown) || *tries != 1 {
				t.Fatalf("call %d, %s: %v after %d requests", i, each.endpoint, err, *tries)
			}
		}
		pass(time.Hour - time.Nanosecond)
		if _, err := c.Balances(t.Context()); err == nil || *tries != 1 || !strings.Contains(err.Error(), "blocked") {
			t.Errorf("%v after %d requests", err, *tries)
		}
		pass(time.Nanosecond)
		if _, err := c.Balances(t.Context()); err == nil || *tries != 2 {
			t.Errorf("%v after %d requests", err, *tries)
		}
	})
}

// One account's block does not stop another client.
func TestBreakerIsTheClientsOwn(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, sayInTurn(say(`{"code":11014}`), say(agreed)))
	blocked, free := api.dial(t), api.dial(t)
	if _, err := blocked.Balances(t.Context()); !errors.Is(err, client.ErrMaliciousReq) {
		t.Error(err)
	}
	if _, err := free.Balances(t.Context()); err != nil {
		t.Error(err)
	}
}

// WithTries(1) turns retries off.
func TestOneTry(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, say(`{"code":11004}`))
	if _, err := api.dial(t, client.WithTries(1)).Balances(t.Context()); !errors.Is(err, client.ErrRateLimit) || len(api.sent()) != 1 {
		t.Errorf("%v after %d requests", err, len(api.sent()))
	}
}

// Lists follow nextId with the same filter, stop when the caller does, and
// give an error once.
func TestListPages(t *testing.T) {
	t.Parallel()
	page := func(next string, ids ...string) http.HandlerFunc {
		records := make([]string, len(ids))
		for i, id := range ids {
			records[i] = fmt.Sprintf(`{"recordId":%q}`, id)
		}
		return say(fmt.Sprintf(`{"code":10000,"data":{"records":[%s],"nextId":%q}}`, strings.Join(records, ","), next))
	}
	filter := client.DepositFilter{CoinID: "1280"}

	api := newFakeAPI(t, sayInTurn(page("p2", "a", "b"), page("p3"), page("", "c")))
	records, err := collect(api.dial(t).DepositRecords(t.Context(), filter))
	if err != nil || len(records) != 3 || records[2].RecordID != "c" {
		t.Errorf("%v, %v", records, err)
	}
	for i, want := range []string{`{"coinId":1280}`, `{"coinId":1280,"nextId":"p2"}`, `{"coinId":1280,"nextId":"p3"}`} {
		if body := string(api.sent()[i].Body); body != want {
			t.Errorf("page %d: asked %s, want %s", i, body, want)
		}
	}

	api = newFakeAPI(t, page("p2", "a", "b"))
	for range api.dial(t).DepositRecords(t.Context(), filter) {
		break
	}
	if len(api.sent()) != 1 {
		t.Errorf("%d requests after the caller stopped", len(api.sent()))
	}

	for name, answers := range map[string][]http.HandlerFunc{
		"refused on the second page":    {page("p2", "a", "b"), say(`{"code":11009}`)},
		"unreadable on the second page": {page("p2", "a", "b"), say(`{"code":10000,"data":{"records":[{"recordId":"c","amount":"much"}]}}`)},
		"the same page for ever":        {page("p2", "a"), page("p2", "b")},
	} {
		failures := 0
		var ids []string
		for record, err := range newFakeAPI(t, sayInTurn(answers...)).dial(t).DepositRecords(t.Context(), filter) {
			if err != nil {
				failures++
				continue
			}
			ids = append(ids, record.RecordID)
		}
		if failures != 1 || strings.Join(ids, "") != "ab" {
			t.Errorf("%s: %v and %d errors", name, ids, failures)
		}
	}
}

// TestSenselessAgreement: code 10000 with nothing in it is no balance, fee or
// price of zero.
func TestSenselessAgreement(t *testing.T) {
	for _, data := range []string{`{}`, `null`, `{"records":[{}]}`} {
		c := newFakeAPI(t, say(`{"code":10000,"msg":"success","data":`+data+`}`)).dial(t)
		calls := map[string]func() error{
			"fee":     func() error { _, err := c.WithdrawalFee(t.Context(), "1280", "TRX"); return err },
			"balance": func() error { _, err := c.Balance(t.Context(), "1280"); return err },
			"coin":    func() error { _, err := c.Coin(t.Context(), "1280"); return err },
			"record":  func() error { _, err := c.DepositRecord(t.Context(), longID); return err },
			"order":   func() error { _, err := c.DepositOrder(t.Context(), "order-1"); return err },
			"invoice": func() error { _, err := c.Invoice(t.Context(), "order-1"); return err },
			"quote": func() error {
				_, err := c.SwapQuote(t.Context(), client.SwapQuoteRequest{CoinIDIn: "1280", AmountIn: amount("1"), CoinIDOut: "1482"})
				return err
			},
		}
		if data == `{"records":[{}]}` {
			calls["list"] = func() error { _, err := collect(c.DepositRecords(t.Context(), client.DepositFilter{})); return err }
		}
		for name, call := range calls {
			var senseless *client.AnswerError
			if err := call(); !errors.As(err, &senseless) {
				t.Errorf("%s of %s: %v", name, data, err)
			}
		}
	}
}

// TestPagesInACircle: a list whose pages lead back to one another ends.
func TestPagesInACircle(t *testing.T) {
	page := func(next string) http.HandlerFunc {
		return say(`{"code":10000,"data":{"records":[{"recordId":"1"}],"nextId":"` + next + `"}}`)
	}
	c := newFakeAPI(t, sayInTurn(page("a"), page("b"), page("a"), page("b"), page("a"), page(""))).dial(t)
	var senseless *client.AnswerError
	if records, err := collect(c.DepositRecords(t.Context(), client.DepositFilter{})); !errors.As(err, &senseless) || len(records) != 1 {
		t.Errorf("%d records, %v", len(records), err)
	}
}
