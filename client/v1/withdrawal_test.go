package v1_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/net/http2"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

var credentials = client.Credentials{AppID: "202302010636261620672405236006912", AppSecret: "secret-456"}

var request = v1.WithdrawalRequest{
	MerchantOrderID: "payout-1", TokenID: "fdf0e8b0-ebf5-44f0-a335-21c121b73fc8", Address: "rwyQp3eC5j6AumcptZhfmiXAykpeswZKeJ",
	Value: decimal.RequireFromString("10.50"), Memo: "573049", MerchantPaysFee: true,
}

const agreed = `{"code":10000,"msg":"success","data":{"order_id":"202307270722481684464338564370432","record_id":"202307270722481684464338581147648",
	"network_fee":"0.05","network_coin_id":"217d4c3b-4f84-4416-bf1a-a1d15d7d2f50","network_symbol":"TRX","network_fee_value":"0.85","net_receivable":"10.5"}}`

// signed answers with a body that CCPayment has signed; change may break that.
func signed(status int, body string, change ...func(http.Header)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		w.Header().Set("Appid", credentials.AppID)
		w.Header().Set("Timestamp", timestamp)
		w.Header().Set("Sign", v1.Sign(credentials, timestamp, []byte(body)))
		for _, f := range change {
			f(w.Header())
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func dial(t *testing.T, url string, options ...v1.Option) *v1.Client {
	t.Helper()
	c, err := v1.New(credentials, append([]v1.Option{v1.WithBaseURL(url + "/ccpayment/v1")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCreateWithdrawal: what is asked for is sent as the documentation writes it, signed
// over the bytes that arrive, and the answer is read whole.
func TestCreateWithdrawal(t *testing.T) {
	t.Parallel()
	api := apiclienttest.NewAPI(t, signed(200, agreed))
	var calls []client.Call
	c := dial(t, api.URL, v1.WithObserver(func(c client.Call) { calls = append(calls, c) }))
	made, err := c.CreateWithdrawal(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if made.OrderID != "202307270722481684464338564370432" || made.RecordID != "202307270722481684464338581147648" || made.NetworkSymbol != "TRX" ||
		made.NetworkFee.String() != "0.05" || made.NetworkFeeValue.String() != "0.85" || made.NetReceivable.String() != "10.5" || len(made.Raw) == 0 {
		t.Errorf("read %+v", made)
	}
	sent := api.Sent()
	if len(sent) != 1 || sent[0].Method != "POST" || sent[0].URI != "/ccpayment/v1/withdraw" {
		t.Fatalf("sent %+v", sent)
	}
	const want = `{"token_id":"fdf0e8b0-ebf5-44f0-a335-21c121b73fc8","address":"rwyQp3eC5j6AumcptZhfmiXAykpeswZKeJ",` +
		`"merchant_order_id":"payout-1","merchant_pays_fee":true,"value":"10.5","memo":"573049"}`
	if string(sent[0].Body) != want {
		t.Errorf("sent %s", sent[0].Body)
	}
	h := sent[0].Header
	if h.Get("Appid") != credentials.AppID || h.Get("Sign") != v1.Sign(credentials, h.Get("Timestamp"), sent[0].Body) || h.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("signed with %v", h)
	}
	if len(calls) != 1 || calls[0].Endpoint != "withdraw" || calls[0].Code != "10000" {
		t.Errorf("observed %+v", calls)
	}
	if _, err := c.CreateWithdrawal(t.Context(), v1.WithdrawalRequest{MerchantOrderID: "a", TokenID: "b", Address: "c", Value: decimal.NewFromInt(1)}); err != nil {
		t.Fatal(err)
	}
	if got := string(api.Sent()[1].Body); got != `{"token_id":"b","address":"c","merchant_order_id":"a","value":"1"}` {
		t.Errorf("without what may be left out, sent %s", got)
	}
}

// TestAnswerSignature: an answer that CCPayment has not signed for this account a moment
// ago is none, whatever it says: the outcome is not known, and nothing is sent again.
func TestAnswerSignature(t *testing.T) {
	t.Parallel()
	without := func(names ...string) func(http.Header) {
		return func(h http.Header) {
			for _, name := range names {
				h.Del(name)
			}
		}
	}
	at := func(away time.Duration) func(http.Header) {
		return func(h http.Header) {
			timestamp := strconv.FormatInt(time.Now().Add(away).Unix(), 10)
			h.Set("Timestamp", timestamp)
			h.Set("Sign", v1.Sign(credentials, timestamp, []byte(agreed)))
		}
	}
	by := func(c client.Credentials) func(http.Header) {
		return func(h http.Header) {
			h.Set("Appid", c.AppID)
			h.Set("Sign", v1.Sign(c, h.Get("Timestamp"), []byte(agreed)))
		}
	}
	lengthened := func(w http.ResponseWriter, _ *http.Request) {
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		seen := `{"code":224076,"msg":"?","data":null}`
		behind, forged := apiclienttest.Extend(t, v1.Sign(credentials, timestamp, []byte(seen)), len(credentials.AppID+credentials.AppSecret+timestamp+seen), []byte(agreed))
		w.Header().Set("Appid", credentials.AppID)
		w.Header().Set("Timestamp", timestamp)
		w.Header().Set("Sign", forged)
		_, _ = w.Write(append([]byte(seen), behind...))
	}
	for name, answer := range map[string]http.HandlerFunc{
		"none at all":          apiclienttest.Say(agreed),
		"a refusal":            apiclienttest.Say(`{"code":224076,"msg":"?","data":null}`),
		"no Appid":             signed(200, agreed, without("Appid")),
		"no Timestamp":         signed(200, agreed, without("Timestamp")),
		"no Sign":              signed(200, agreed, without("Sign")),
		"two Signs":            signed(200, agreed, func(h http.Header) { h.Add("Sign", h.Get("Sign")) }),
		"two Appids":           signed(200, agreed, func(h http.Header) { h.Add("Appid", h.Get("Appid")) }),
		"another body":         signed(200, agreed, func(h http.Header) { h.Set("Sign", v1.Sign(credentials, h.Get("Timestamp"), []byte(`{}`))) }),
		"V2's":                 signed(200, agreed, func(h http.Header) { h.Set("Sign", client.Sign(credentials, h.Get("Timestamp"), []byte(agreed))) }),
		"another Appid":        signed(200, agreed, func(h http.Header) { h.Set("Appid", "other") }),
		"another account's":    signed(200, agreed, by(client.Credentials{AppID: "other", AppSecret: "other"})),
		"another secret's":     signed(200, agreed, by(client.Credentials{AppID: credentials.AppID, AppSecret: "other"})),
		"an old one":           signed(200, agreed, at(-6*time.Minute)),
		"one of tomorrow":      signed(200, agreed, at(24*time.Hour)),
		"a time of other form": signed(200, agreed, func(h http.Header) { h.Set("Timestamp", h.Get("Timestamp")+"{") }),
		"a lengthened one":     lengthened,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := apiclienttest.NewAPI(t, answer)
			_, err := dial(t, api.URL).CreateWithdrawal(t.Context(), request)
			wantUnknown(t, err)
			if !errors.Is(err, v1.ErrAnswerSignature) || !strings.Contains(err.Error(), "not signed by CCPayment") {
				t.Errorf("%v does not say that the signature is wrong", err)
			}
			if n := len(api.Sent()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func wantUnknown(t *testing.T, err error) {
	t.Helper()
	var unknown *client.OutcomeUnknownError
	if !errors.Is(err, client.ErrOutcomeUnknown) || !errors.As(err, &unknown) || unknown.OrderID != request.MerchantOrderID || unknown.Endpoint != "withdraw" {
		t.Fatalf("%v is not that the outcome is unknown of %s", err, request.MerchantOrderID)
	}
	if !strings.Contains(err.Error(), request.MerchantOrderID) || strings.Contains(err.Error(), credentials.AppSecret) {
		t.Errorf("it reads %q", err)
	}
	if unknown.ProvenAfter.Before(time.Now()) {
		t.Errorf("it is proven after %s", unknown.ProvenAfter)
	}
}

// TestOutcomeUnknown: a withdrawal is sent once, and where its answer is lost or proves
// nothing the error says so, also to a program that passes calls on.
func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		timeout time.Duration
		code    int // CCPayment's own, which the error carries
		label   string
	}{
		"cut":       {answer: apiclienttest.Cut, label: "network"},
		"HTTP 500":  {answer: apiclienttest.SayWith(500, "text/plain", ""), label: "http_500"},
		"HTML":      {answer: apiclienttest.SayWith(200, "text/html", "<html></html>"), label: "http_200"},
		"truncated": {answer: apiclienttest.Truncate(agreed[:60]), label: "network"},
		"too long":  {answer: apiclienttest.Say(strings.Repeat(" ", 2<<20)), label: "http_200"},
		"redirect": {answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, label: "http_307"},
		"timeout":             {answer: apiclienttest.Hang, timeout: 2 * time.Second, label: "timeout"},
		"no such code":        {answer: signed(200, `{"code":123456,"msg":"?","data":null}`), code: 123456, label: "other"},
		"service error":       {answer: signed(200, `{"code":224066,"msg":"?","data":null}`), code: 224066, label: "224066"},
		"no code":             {answer: signed(200, `{"data":{"order_id":"1"}}`), label: "http_200"},
		"two codes":           {answer: signed(200, `{"code":224076,"code":10000,"data":{"order_id":"1"}}`), label: "http_200"},
		"agreed with a 502":   {answer: signed(502, agreed), label: "http_502"},
		"agreed to nothing":   {answer: signed(200, `{"code":10000,"msg":"success","data":null}`), label: "10000"},
		"agreed without data": {answer: signed(200, `{"code":10000,"msg":"success"}`), label: "10000"},
		"agreed without id":   {answer: signed(200, `{"code":10000,"msg":"success","data":{"order_id":""}}`), label: "10000"},
		"agreed with two ids": {answer: signed(200, `{"code":10000,"msg":"success","data":{"order_id":"1","order_id":"2"}}`), label: "10000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := apiclienttest.NewAPI(t, test.answer)
			label := ""
			options := []v1.Option{v1.WithObserver(func(c client.Call) { label += c.Code })}
			if test.timeout > 0 {
				options = append(options, v1.WithTimeout(test.timeout))
			}
			c := dial(t, api.URL, options...)
			for n, withdraw := range []func() error{
				func() error { _, err := c.CreateWithdrawal(t.Context(), request); return err },
				func() error {
					data, err := c.Call(t.Context(), v1.Withdraw, json.RawMessage(`{"merchant_order_id":"payout-1"}`))
					if data != nil {
						t.Errorf("a call that is passed on has %s", data)
					}
					return err
				},
			} {
				label = ""
				err := withdraw()
				wantUnknown(t, err)
				var unknown *client.OutcomeUnknownError
				if errors.As(err, &unknown); unknown.Code != test.code {
					t.Errorf("it carries %d", unknown.Code)
				}
				if sent := len(api.Sent()); sent != n+1 || label != test.label {
					t.Errorf("%d requests, observed as %q", sent, label)
				}
			}
		})
	}
}

// TestResetStream: over HTTP/2 net/http would send again what a server has read and not
// answered.
func TestResetStream(t *testing.T) {
	t.Parallel()
	api := apiclienttest.NewResettingAPI(t, http2.ErrCodeRefusedStream)
	_, err := dial(t, api.URL, v1.WithHTTPClient(api.Client(t))).CreateWithdrawal(t.Context(), request)
	wantUnknown(t, err)
	if n := api.Requests(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestNothingHappened: what proves that nothing happened is an error like any other.
func TestNothingHappened(t *testing.T) {
	t.Parallel()
	api := apiclienttest.NewAPI(t, signed(200, `{"code":224076,"msg":"ip","data":null}`))
	c := dial(t, api.URL)
	_, err := c.CreateWithdrawal(t.Context(), request)
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != 224076 || errors.Is(err, client.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "public IP address") {
		t.Errorf("not on the list: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.CreateWithdrawal(ended, request); !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrOutcomeUnknown) {
		t.Errorf("after the context's end: %v", err)
	}
	if n := len(api.Sent()); n != 1 {
		t.Errorf("%d requests", n)
	}
	if _, err := dial(t, "http://127.0.0.1:1").CreateWithdrawal(t.Context(), request); err == nil || errors.Is(err, client.ErrOutcomeUnknown) {
		t.Errorf("nobody listens: %v", err)
	}
	// A transport of somebody else's may have sent it before it failed.
	foreign := apiclienttest.Transport(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	})
	_, err = dial(t, "http://127.0.0.1:1", v1.WithHTTPClient(&http.Client{Transport: foreign})).CreateWithdrawal(t.Context(), request)
	wantUnknown(t, err)
}

// TestArguments: a request that breaks a rule is not sent.
func TestArguments(t *testing.T) {
	t.Parallel()
	api := apiclienttest.NewAPI(t, signed(200, agreed))
	c := dial(t, api.URL)
	for field, change := range map[string]func(*v1.WithdrawalRequest){
		"merchant_order_id is missing":       func(r *v1.WithdrawalRequest) { r.MerchantOrderID = "" },
		"merchant_order_id holds":            func(r *v1.WithdrawalRequest) { r.MerchantOrderID = "payout-1\u200b" },
		"token_id is missing":                func(r *v1.WithdrawalRequest) { r.TokenID = "" },
		"address is missing":                 func(r *v1.WithdrawalRequest) { r.Address = "" },
		"address holds":                      func(r *v1.WithdrawalRequest) { r.Address += " " },
		"address has at most 1000":           func(r *v1.WithdrawalRequest) { r.Address = strings.Repeat("a", 1001) },
		"memo holds":                         func(r *v1.WithdrawalRequest) { r.Memo = "\n" },
		"value is not more than 0":           func(r *v1.WithdrawalRequest) { r.Value = decimal.Zero },
		"value has more than 40 digits":      func(r *v1.WithdrawalRequest) { r.Value = decimal.New(1, -41) },
		"value has more than 40 digits ":     func(r *v1.WithdrawalRequest) { r.Value = decimal.New(1, 1<<30) },
		"value is not more than 0, as -1 is": func(r *v1.WithdrawalRequest) { r.Value = decimal.NewFromInt(-1) },
	} {
		r := request
		change(&r)
		_, err := c.CreateWithdrawal(t.Context(), r)
		var argument *client.ArgumentError
		if want, _, _ := strings.Cut(field, ","); !errors.As(err, &argument) || !strings.Contains(err.Error(), strings.TrimSpace(want)) || errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for body, want := range map[string]string{
		``: "the body is not a JSON object", `[]`: "the body is not a JSON object", `{"merchant_order_id":"a"`: "the body is not a JSON object",
		`{}`: "merchant_order_id is missing", `{"merchant_order_id":null}`: "merchant_order_id is missing", `{"merchant_order_id":{}}`: "the body merchant_order_id",
		`{"merchant_order_id":"a","value":"1","value":"2"}`: "stands there twice",
	} {
		if _, err := c.Call(t.Context(), v1.Withdraw, json.RawMessage(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, err := c.Call(t.Context(), "assets", json.RawMessage(`{}`)); err == nil {
		t.Error("an endpoint that is not there was called")
	}
	if n := len(api.Sent()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestCall: a call that is passed on is sent as it is.
func TestCall(t *testing.T) {
	t.Parallel()
	api := apiclienttest.NewAPI(t, signed(200, agreed))
	const body = `{"merchant_order_id":"payout-1", "value":"1","new":{"a":[1]}}`
	data, err := dial(t, api.URL).Call(t.Context(), v1.Withdraw, json.RawMessage(body))
	if err != nil || !strings.Contains(string(data), `"order_id":"202307270722481684464338564370432"`) {
		t.Errorf("%s, %v", data, err)
	}
	if sent := api.Sent(); len(sent) != 1 || string(sent[0].Body) != body {
		t.Errorf("sent %+v", sent)
	}
}

// TestOptions: what no client can be made of is refused.
func TestOptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		credentials client.Credentials
		option      v1.Option
	}{
		"no secret":      {client.Credentials{AppID: "a"}, v1.WithTimeout(time.Second)},
		"no app id":      {client.Credentials{AppSecret: "a"}, v1.WithTimeout(time.Second)},
		"a line's end":   {client.Credentials{AppID: "a\n", AppSecret: "a"}, v1.WithTimeout(time.Second)},
		"no timeout":     {credentials, v1.WithTimeout(0)},
		"no HTTP client": {credentials, v1.WithHTTPClient(nil)},
		"no observer":    {credentials, v1.WithObserver(nil)},
		"plain http":     {credentials, v1.WithBaseURL("http://admin.ccpayment.com/ccpayment/v1")},
	} {
		if _, err := v1.New(test.credentials, test.option); err == nil {
			t.Errorf("%s: a client was made", name)
		}
	}
	if c, err := v1.New(credentials); err != nil || c.BaseURL() != "https://admin.ccpayment.com/ccpayment/v1" {
		t.Errorf("%v, %v", c, err)
	}
}
