package coinpayments_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

const html = "<html><body>502 Bad Gateway</body></html>"

// lost are the ways in which the outcome of a call gets lost. The handler is given the
// cancelling of the call's context.
var lost = []struct {
	name    string
	answer  func(cancel func()) http.HandlerFunc
	timeout time.Duration
	cause   error // what the error is as well
	status  int   // of the answer
}{
	{name: "connection cut", answer: always(apiclienttest.Cut)},
	{name: "HTTP 500", answer: always(sayWith(500, "text/plain", "")), status: 500},
	{name: "HTTP 502 with HTML", answer: always(sayWith(502, "text/html", html)), status: 502},
	{name: "HTTP 503", answer: always(sayWith(503, "application/json", `{"title":"later"}`)), status: 503},
	{name: "HTTP 408", answer: always(sayWith(408, "text/plain", "")), status: 408},
	{name: "HTTP 418", answer: always(sayWith(418, "text/plain", "")), status: 418},
	{name: "HTTP 307", answer: always(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}), status: 307},
	{name: "truncated body", answer: always(apiclienttest.Truncate(`{"invoices":[`))},
	{name: "over-long answer", answer: always(say(strings.Repeat(" ", 8<<20) + `{}`)), status: 200},
	{name: "client timeout", answer: always(apiclienttest.Hang), timeout: 300 * time.Millisecond, cause: context.DeadlineExceeded},
	{name: "context cancelled in flight", answer: func(cancel func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			cancel()
			apiclienttest.Hang(w, r)
		}
	}, cause: context.Canceled},
}

func always(h http.HandlerFunc) func(func()) http.HandlerFunc {
	return func(func()) http.HandlerFunc { return h }
}

// A call that may have moved money is sent once, and its error says that the
// outcome is unknown and what to look up.
func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for _, each := range everyCall {
		reference, never := neverAgain[each.method]
		if !never {
			continue
		}
		for _, way := range lost {
			t.Run(each.method+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				api := newFakeAPI(t, way.answer(cancel))
				options := []coinpayments.Option{coinpayments.WithTries(3)}
				if way.timeout > 0 {
					options = append(options, coinpayments.WithTimeout(way.timeout))
				}
				_, err := each.call(ctx, api.dial(t, options...), "")
				var unknown *coinpayments.OutcomeUnknownError
				if !errors.Is(err, coinpayments.ErrOutcomeUnknown) || !errors.As(err, &unknown) {
					t.Fatalf("%v is not ErrOutcomeUnknown", err)
				}
				if unknown.Reference != reference || unknown.Status != way.status || !strings.HasPrefix(each.sends, strings.Fields(unknown.Route)[0]) {
					t.Errorf("it names %q of %s, status %d", unknown.Reference, unknown.Route, unknown.Status)
				}
				if way.cause != nil && !errors.Is(err, way.cause) {
					t.Errorf("%v is not %v", err, way.cause)
				}
				if n := len(api.Sent()); n != 1 || strings.Contains(err.Error(), secret) {
					t.Errorf("%d requests, %v", n, err)
				}
			})
		}
	}
}
