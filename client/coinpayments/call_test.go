package coinpayments_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// isOpen reports whether CoinPayments answers a call without a signature.
func isOpen(method string) bool {
	switch method {
	case "Currencies", "Currency", "LatestBlock", "RequiredConfirmations", "Conversions", "ConversionLimits", "Rates", "BlockchainFee",
		"PaymentDetails", "PaymentStatus":
		return true
	}
	return false
}

// A call sends what it should, and its signature is over exactly the URL and the bytes that
// are sent.
func TestRequest(t *testing.T) {
	t.Parallel()
	for _, each := range everyCall {
		t.Run(each.method, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t, say(strings.ReplaceAll(each.answer, "{id}", "1002")))
			if _, err := each.call(t.Context(), api.dial(t), "1002"); err != nil {
				t.Fatal(err)
			}
			request := api.Sent()[0]
			uri, ok := strings.CutPrefix(request.URI, "/coinpayments")
			if sent := strings.TrimSpace(request.Method + " " + uri + " " + string(request.Body)); !ok || sent != strings.ReplaceAll(each.sends, "{id}", "1002") {
				t.Errorf("sent %s\nwant %s", sent, each.sends)
			}
			checkSignature(t, api, request, isOpen(each.method))
			if got := request.Header.Get("Content-Type"); (got == "application/json") != (len(request.Body) > 0) {
				t.Errorf("Content-Type: %q", got)
			}
			if len(api.Sent()) != 1 {
				t.Errorf("%d requests", len(api.Sent()))
			}
		})
	}
}

func checkSignature(t *testing.T, api fakeAPI, request apiclienttest.Request, open bool) {
	t.Helper()
	h := request.Header
	timestamp := h.Get("X-CoinPayments-Timestamp")
	if open {
		if h.Get("X-CoinPayments-Client")+timestamp+h.Get("X-CoinPayments-Signature") != "" {
			t.Errorf("%s is signed: %v", request.URI, h)
		}
		return
	}
	at, err := time.Parse("2006-01-02T15:04:05", timestamp)
	if err != nil || len(timestamp) != 19 || time.Since(at).Abs() > time.Minute {
		t.Errorf("the timestamp is %q", timestamp)
	}
	want := coinpayments.Sign(credentials, request.Method, api.URL+request.URI, timestamp, request.Body)
	if h.Get("X-CoinPayments-Client") != clientID || h.Get("X-CoinPayments-Signature") != want {
		t.Errorf("%s %s: signed %v, want %s", request.Method, request.URI, h, want)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	a := coinpayments.WithInstance("a")
	for name, test := range map[string]struct {
		credentials coinpayments.Credentials
		options     []coinpayments.Option
	}{
		"no instance":      {credentials, nil},
		"another instance": {credentials, []coinpayments.Option{coinpayments.WithInstance("d")}},
		"an empty one":     {credentials, []coinpayments.Option{coinpayments.WithInstance("")}},
		"a capital":        {credentials, []coinpayments.Option{coinpayments.WithInstance("A")}},
		"no client id":     {coinpayments.Credentials{ClientSecret: secret}, []coinpayments.Option{a}},
		"no secret":        {coinpayments.Credentials{ClientID: clientID}, []coinpayments.Option{a}},
		"a line break":     {coinpayments.Credentials{ClientID: clientID + "\n", ClientSecret: secret}, []coinpayments.Option{a}},
		"nil HTTP client":  {credentials, []coinpayments.Option{a, coinpayments.WithHTTPClient(nil)}},
		"no time":          {credentials, []coinpayments.Option{a, coinpayments.WithTimeout(0)}},
		"no tries":         {credentials, []coinpayments.Option{a, coinpayments.WithTries(0)}},
		"no rate":          {credentials, []coinpayments.Option{a, coinpayments.WithRate(0)}},
		"too high a rate":  {credentials, []coinpayments.Option{a, coinpayments.WithRate(71)}},
		"nil observer":     {credentials, []coinpayments.Option{a, coinpayments.WithObserver(nil)}},
		"http elsewhere":   {credentials, []coinpayments.Option{coinpayments.WithBaseURL("http://a-api.coinpayments.net")}},
		"with a query":     {credentials, []coinpayments.Option{coinpayments.WithBaseURL("https://a-api.coinpayments.net?")}},
		"not in ASCII":     {credentials, []coinpayments.Option{coinpayments.WithBaseURL("https://münzen.example")}},
		"with a user":      {credentials, []coinpayments.Option{coinpayments.WithBaseURL("https://u:p@a-api.coinpayments.net")}},
		"with /api":        {credentials, []coinpayments.Option{coinpayments.WithBaseURL("https://api.coinpayments.com/api/")}},
	} {
		if c, err := coinpayments.New(test.credentials, test.options...); err == nil || c != nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
	for option, want := range map[string]string{
		"a": "https://a-api.coinpayments.net", "c": "https://c-api.coinpayments.net",
		"https://api.coinpayments.com/": "https://api.coinpayments.com", "http://127.0.0.1:9580/coinpayments": "http://127.0.0.1:9580/coinpayments",
	} {
		with := coinpayments.WithBaseURL(option)
		if len(option) == 1 {
			with = coinpayments.WithInstance(option)
		}
		if c, err := coinpayments.New(credentials, with); err != nil || c.BaseURL() != want || c.ClientID() != clientID {
			t.Errorf("%s: %v", option, err)
		}
	}
}

// Any 2xx is a success, whatever the answer is called, and also with no body where none is
// read.
func TestAnySuccess(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 202, 203, 299} {
		c := newFakeAPI(t, sayWith(status, "text/html", `{"invoices":[{"id":"i-1","link":"https://checkout.example/1"}]}`)).dial(t)
		if got, err := c.CreateInvoice(t.Context(), invoice); err != nil || got.ID != "i-1" || got.URL() != "https://checkout.example/1" {
			t.Errorf("%d: %+v, %v", status, got, err)
		}
		if err := c.CancelInvoice(t.Context(), "i-1"); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
	c := newFakeAPI(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }).dial(t)
	if err := c.ConfirmSpend(t.Context(), "w-1", "s-1"); err != nil {
		t.Error(err)
	}
	if id, err := c.CreateWebhook(t.Context(), hook, paid); err != nil || id != "" {
		t.Errorf("%q, %v", id, err)
	}
}

// The answer that comes without JSON is text.
func TestPlainAnswers(t *testing.T) {
	t.Parallel()
	if fee, err := newFakeAPI(t, say("0.00010\n")).dial(t).BlockchainFee(t.Context(), "1"); err != nil || fee.String() != "0.0001" {
		t.Errorf("%s, %v", fee, err)
	}
	if html, err := newFakeAPI(t, sayWith(200, "text/html", "<script>1</script>")).dial(t).CreateButton(t.Context(), button); err != nil || html != "<script>1</script>" {
		t.Errorf("%q, %v", html, err)
	}
}

// A redirect is not followed, even where the caller's HTTP client would, and
// the one it points to learns nothing.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newFakeAPI(t, say(`[]`))
	for _, status := range []int{301, 302, 307, 308} {
		api := newFakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
		})
		follows := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
		for _, c := range []client{api.dial(t), api.dial(t, coinpayments.WithHTTPClient(follows))} {
			_, err := c.Invoice(t.Context(), "i-1")
			var failure *coinpayments.Error
			if !errors.As(err, &failure) || failure.Status != status || !strings.Contains(failure.Hint(), "base URL") {
				t.Errorf("%d: %v", status, err)
			}
			if _, err := c.CreateInvoice(t.Context(), invoice); !errors.Is(err, coinpayments.ErrOutcomeUnknown) {
				t.Errorf("%d: %v", status, err)
			}
		}
		if len(api.Sent()) != 4 {
			t.Errorf("%d: %d requests", status, len(api.Sent()))
		}
		if follows.CheckRedirect(nil, nil) != nil {
			t.Error("the caller's HTTP client was changed")
		}
	}
	if len(elsewhere.Sent()) != 0 {
		t.Errorf("%d requests went elsewhere", len(elsewhere.Sent()))
	}
}

// One client serves many goroutines, each of which gets its own answer.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get("X-CoinPayments-Signature") != coinpayments.Sign(credentials, "POST", "http://"+r.Host+r.RequestURI, r.Header.Get("X-CoinPayments-Timestamp"), body) {
			t.Error("wrong signature")
		}
		var request struct {
			InvoiceID string `json:"invoiceId"`
		}
		if err := json.Unmarshal(body, &request); err != nil {
			t.Error(err)
		}
		_, _ = fmt.Fprintf(w, `{"invoices":[{"id":%q}]}`, "of-"+request.InvoiceID)
	}))
	defer server.Close()
	c := fakeAPI{&apiclienttest.API{Server: server}}.dial(t)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			own := invoice
			own.InvoiceID = fmt.Sprintf("order-%d", i)
			if got, err := c.CreateInvoice(t.Context(), own); err != nil || got.ID != "of-"+own.InvoiceID {
				t.Errorf("%s: %q, %v", own.InvoiceID, got.ID, err)
			}
		})
	}
	group.Wait()
}

// net/http repeats a request by itself when its stream is reset, even one that the
// server has read. Not with what moves money, with a body or without one.
func TestHTTP2NeverSendsAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []http2.ErrCode{http2.ErrCodeProtocol, http2.ErrCodeRefusedStream, http2.ErrCodeInternal} {
		for name, call := range map[string]func(ctx, client) error{
			"invoice": func(ctx ctx, c client) error { _, err := c.CreateInvoice(ctx, invoice); return err },
			"cancel":  func(ctx ctx, c client) error { return c.CancelInvoice(ctx, "i-1") },
		} {
			api := apiclienttest.NewResettingAPI(t, code)
			c, err := coinpayments.New(credentials, coinpayments.WithBaseURL(api.URL), coinpayments.WithHTTPClient(api.Client(t)), coinpayments.WithTimeout(5*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			if err := call(t.Context(), c); !errors.Is(err, coinpayments.ErrOutcomeUnknown) {
				t.Errorf("%s, %v: %v", name, code, err)
			}
			if n := api.Requests(); n != 1 {
				t.Errorf("%s, %v: sent %d times", name, code, n)
			}
		}
	}
}

// An answer about something else is none.
func TestAnotherRecord(t *testing.T) {
	t.Parallel()
	c := newFakeAPI(t, say(`{"id":"other","walletId":"other","addressId":"other","spendRequestId":"other","status":"paid","currency":{"id":"5057"},"amount":{"total":"1"}}`)).dial(t)
	for name, call := range map[string]func() error{
		"invoice":  func() error { _, err := c.Invoice(t.Context(), "mine"); return err },
		"wallet":   func() error { _, err := c.Wallet(t.Context(), "mine"); return err },
		"address":  func() error { _, err := c.Address(t.Context(), "w-1", "mine"); return err },
		"currency": func() error { _, err := c.Currency(t.Context(), "5057"); return err },
		"transaction": func() error {
			_, err := c.Transaction(t.Context(), "w-1", coinpayments.ByTransaction("mine"))
			return err
		},
		"spend": func() error {
			_, err := c.Transaction(t.Context(), "w-1", coinpayments.BySpendRequest("mine"))
			return err
		},
	} {
		var senseless *coinpayments.AnswerError
		if err := call(); !errors.As(err, &senseless) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The same id with dashes is the same.
	dashed := newFakeAPI(t, say(`{"id":"2008d68d-0f66-44ec-8500-68d054b882b9","status":"Paid","currency":{"id":5057},"amount":{"total":49.90}}`)).dial(t)
	got, err := dashed.Invoice(t.Context(), "2008D68D0f6644ec850068d054b882b9")
	if err != nil || !got.Status.Paid() || got.Currency.ID != "5057" || !got.Amount.Total.Equal(amount("49.9")) {
		t.Errorf("%+v, %v", got, err)
	}
}

// A success with nothing in it is no invoice, balance or address of nothing.
func TestSenselessSuccess(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{}`, `null`, ``, `[]`, `{"invoices":[]}`, `{"invoices":[{}]}`, `<html>`, `{"id":"mine","id":"mine"}`, `{"id":"mine","status":"paid","currency":{"id":"1"},"amount":{}}`} {
		c := newFakeAPI(t, say(answer)).dial(t)
		for name, call := range map[string]func() error{
			"invoice": func() error { _, err := c.Invoice(t.Context(), "mine"); return err },
			"wallet":  func() error { _, err := c.Wallet(t.Context(), "mine"); return err },
			"count":   func() error { _, err := c.CountWallets(t.Context()); return err },
			"details": func() error { _, err := c.PaymentDetails(t.Context(), "mine", "1"); return err },
			"block":   func() error { _, err := c.LatestBlock(t.Context(), "1"); return err },
			"transaction": func() error {
				_, err := c.Transaction(t.Context(), "w-1", coinpayments.ByTransaction("another"))
				return err
			},
		} {
			var senseless *coinpayments.AnswerError
			if err := call(); !errors.As(err, &senseless) {
				t.Errorf("%s of %q: %v", name, answer, err)
			}
		}
		for name, call := range map[string]func() error{
			"created invoice": func() error { _, err := c.CreateInvoice(t.Context(), invoice); return err },
			"created wallet": func() error {
				_, err := c.CreateWallet(t.Context(), coinpayments.WalletRequest{Currency: "1", Label: "l"})
				return err
			},
			"created address": func() error { _, err := c.CreateAddress(t.Context(), "w-1", coinpayments.AddressRequest{}); return err },
			"spend":           func() error { _, err := c.RequestSpend(t.Context(), "w-1", spend); return err },
		} {
			if err := call(); !errors.Is(err, coinpayments.ErrOutcomeUnknown) {
				t.Errorf("%s of %q: %v", name, answer, err)
			}
		}
	}
}
