package apiproxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestOptions: New refuses what cannot be allowed or cached.
func TestOptions(t *testing.T) {
	for _, c := range []struct {
		allow []string
		cache Cache
		want  string // in the error; empty: none
	}{
		{nil, Cache{}, ""},
		{[]string{"read", "swap", "getCoinList", "notify_url"}, Cache{Off: true}, ""},
		{[]string{"everything"}, Cache{}, `allow: "everything" is none of the groups read, deposit, withdraw, swap, wallet, webhook, nor notify_url`},
		{[]string{"notify_url"}, Cache{}, "allow names no group and no endpoint"},
		{nil, Cache{Off: true, For: time.Minute}, "cache is off, and has a duration or endpoints"},
		{nil, Cache{For: -1}, "cache must be longer than zero, or off"},
		{nil, Cache{Endpoints: []string{"orders"}}, `cache: "orders" is no endpoint that only reads`},
		{nil, Cache{Endpoints: []string{"swap"}}, `cache: "swap" is no endpoint that only reads`},
	} {
		p, err := New(Config{Allow: c.allow, Cache: c.cache, Now: time.Now})
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) || (p == nil) != (err != nil) {
			t.Errorf("%q, %+v: %v, want %q", c.allow, c.cache, err, c.want)
		}
	}
}

// TestCalls: a call reaches CCPayment as it was made, signed; a refused call does not.
func TestCalls(t *testing.T) {
	var got []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(strings.Builder)
		_, _ = io.Copy(body, r.Body)
		got = append(got, r.URL.Path+" "+body.String())
		if r.Header.Get("Sign") == "" {
			t.Errorf("%s is not signed", r.URL.Path)
		}
		_, _ = w.Write([]byte(`{"code":10000,"msg":"success","data":{"a": 1.50}}`))
	}))
	defer api.Close()
	caller, err := client.New(client.Credentials{AppID: "app-123", AppSecret: "secret"}, client.WithBaseURL(api.URL+"/v2"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{
		Account: &gateway.Account{Info: checkout.DefaultInfo, WebhookURL: "https://shop.example/hook", Budget: time.Minute},
		Client:  func() *client.Client { return caller }, Token: func() string { return "token" }, Now: time.Now, Logger: zap.NewNop(),
		Ledger: func() (*ledger.Ledger, func(), error) { return nil, nil, ledger.ErrClosed }, // calls do not need it
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, asked, body string
		header              http.Header
		status              int
		call, answer        string
	}{
		{target: "/getCoinList", body: "{}", status: 200, call: "/v2/getCoinList {}", answer: `{"code":10000,"msg":"success","data":{"a": 1.50}}`},
		{target: "/getCoinList", body: "{}", status: 200, answer: `{"code":10000,"msg":"success","data":{"a": 1.50}}`}, // it is cached
		{
			target: "/getOrCreateAppDepositAddress", body: `{ "referenceId": "r", "chain": "TRX" }`, status: 200,
			call: `/v2/getOrCreateAppDepositAddress {"notifyUrl":"https://shop.example/hook","referenceId":"r","chain":"TRX"}`, answer: `"code":10000`,
		},
		// case 29: null and an empty list are no parameters, as CCPayment's PHP software sends them
		{target: "/getFiatList", body: "null", status: 200, call: "/v2/getFiatList ", answer: `"code":10000`},
		{target: "/getCoinList", body: " [ ] ", status: 200, call: "/v2/getCoinList ", answer: `"code":10000`},
		{target: "/getCoinList", asked: "/x/../getCoinList", body: "{}", status: 404, answer: `"code":90404`},
		{target: "/orders/an%0Aid", status: 404, answer: `"code":90404`},
		{target: "/swap", body: "{}", status: 403, answer: "allow swap"},
		{target: "/getCoinList", body: "[1]", status: 400, answer: "not a JSON object"},
		{target: "/getCoinList", body: `{"a":1,"\u0061":2}`, status: 400, answer: `stands twice`},
		{target: "/getCoinList", body: `{"a":1,"A":2}`, status: 400, answer: `stands twice`},
		{target: "/createInvoiceUrl", body: `{"NotifyURL":"x"}`, status: 403, answer: "notifyUrl is not allowed here"},
		{target: "/getCoinList", body: "{}", header: http.Header{"Origin": {"https://evil.example"}}, status: 403, answer: "browser"},
		{target: "/getCoinList", body: "{}", header: http.Header{"X-Forwarded-For": {"127.0.0.1"}}, status: 401, answer: "Bearer"},
		{target: "/getCoinList", body: "{}", header: http.Header{"Authorization": {"Bearer wrong"}}, status: 401, answer: "the token is wrong"},
		{
			target: "/getChainList", body: "{}", header: http.Header{"Authorization": {"bearer token"}, "Via": {"proxy"}}, status: 200,
			call: "/v2/getChainList {}", answer: `"code":10000`,
		},
	} {
		got = nil
		r := httptest.NewRequest(http.MethodPost, c.target, strings.NewReader(c.body))
		r.RemoteAddr = "127.0.0.1:1234"
		r.Header.Set("Content-Type", "application/json")
		for name, values := range c.header {
			r.Header[name] = values
		}
		if c.asked == "" {
			c.asked = r.URL.Path
		}
		w := httptest.NewRecorder()
		if err := p.ServeHTTP(w, r, c.asked); err != nil {
			t.Error(err)
		}
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.answer) || strings.Join(got, "\n") != c.call {
			t.Errorf("%s %s: %d %s, calls %q", c.target, c.body, w.Code, w.Body, got)
		}
	}
}
