package apiproxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const hook = "https://shop.example/hook"

// accountAt is an account at CCPayment whose API is at a URL.
func accountAt(t *testing.T, url string) *gateway.Account {
	t.Helper()
	v, err := ccpayment.New(ccpayment.Config{AppID: "app-123", AppSecret: "secret", BaseURL: url + "/v2"}, gateway.OpenOptions{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return &gateway.Account{Gateway: v, Info: v.Info(), WebhookURL: hook, Budget: time.Minute}
}

// coinsAt is an account at CoinPayments whose API is at a URL.
func coinsAt(t *testing.T, url string) *gateway.Account {
	t.Helper()
	v, err := coinpayments.New(coinpayments.Config{ClientID: "dc6a16e5-45c3-4187-ba21-a9edbbe484a5", ClientSecret: "secret", BaseURL: url},
		gateway.OpenOptions{Timeout: time.Minute, WebhookURL: hook})
	if err != nil {
		t.Fatal(err)
	}
	return &gateway.Account{Gateway: v, Info: v.Info(), WebhookURL: hook, Budget: time.Minute}
}

// TestOptions: New refuses what cannot be allowed or cached.
func TestOptions(t *testing.T) {
	at, coins := accountAt(t, "http://127.0.0.1:1"), coinsAt(t, "http://127.0.0.1:1")
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
		if _, err := New(Config{Account: at, Allow: c.allow, Cache: c.cache, Now: time.Now}); (err == nil) != (c.want == "") ||
			err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q, %+v: %v, want %q", c.allow, c.cache, err, c.want)
		}
	}
	for _, c := range []struct {
		allow []string
		cache Cache
		want  string
	}{
		{nil, Cache{}, ""},
		{[]string{"read", "POST /api/v2/merchant/invoices", "notify_url"}, Cache{Endpoints: []string{"GET /api/v2/merchant/wallets/{id}"}}, ""},
		{[]string{"swap"}, Cache{}, `allow: "swap" is none of the groups read, deposit, withdraw, wallet, webhook, nor notify_url, nor the name of an endpoint such as GET /api/v2/currencies`},
		{[]string{"/api/v2/merchant/invoices"}, Cache{}, `allow: "/api/v2/merchant/invoices" is none of the groups`},
		{nil, Cache{Endpoints: []string{"POST /api/v2/merchant/invoices"}}, `cache: "POST /api/v2/merchant/invoices" is no endpoint that only reads`},
		{nil, Cache{Endpoints: []string{"getCoinList"}}, `cache: "getCoinList" is no endpoint that only reads`},
	} {
		if _, err := New(Config{Account: coins, Allow: c.allow, Cache: c.cache, Now: time.Now}); (err == nil) != (c.want == "") ||
			err != nil && !strings.HasPrefix(err.Error(), c.want) {
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
	p, err := New(Config{
		Account: accountAt(t, api.URL), Token: func() string { return "token" }, Now: time.Now, Logger: zap.NewNop(),
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
		asked := r.URL
		if c.asked != "" {
			asked = &url.URL{Path: c.asked}
		}
		w := httptest.NewRecorder()
		if err := p.ServeHTTP(w, r, asked); err != nil {
			t.Error(err)
		}
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.answer) || strings.Join(got, "\n") != c.call {
			t.Errorf("%s %s: %d %s, calls %q", c.target, c.body, w.Code, w.Body, got)
		}
	}
}

// patching is a gateway with one endpoint, of a method that no other has.
type patching struct{ gateway.Gateway }

func (patching) Endpoints() []gateway.Endpoint {
	return []gateway.Endpoint{{Name: "PATCH /orders", Method: http.MethodPatch, Group: gateway.GroupDeposit}}
}

func (p patching) FindEndpoint(method, path string) (gateway.Endpoint, bool) {
	return p.Endpoints()[0], method == http.MethodPatch && path == "/orders"
}

func (patching) Call(context.Context, gateway.APICall) (gateway.APIAnswer, error) {
	return gateway.APIAnswer{Status: http.StatusOK, ContentType: "application/json", Body: []byte(`{}`)}, nil
}

// TestMethods: an endpoint is called with its method, whichever that is.
func TestMethods(t *testing.T) {
	account := accountAt(t, "http://127.0.0.1:1")
	account.Gateway = patching{account.Gateway}
	p, err := New(Config{
		Account: account, Allow: []string{"deposit"}, Token: func() string { return "" }, Now: time.Now, Logger: zap.NewNop(),
		Ledger: func() (*ledger.Ledger, func(), error) { return nil, nil, ledger.ErrClosed },
	})
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]int{http.MethodPatch: http.StatusOK, http.MethodPost: http.StatusMethodNotAllowed} {
		r := httptest.NewRequest(method, "/orders", strings.NewReader(`{}`))
		r.RemoteAddr = "127.0.0.1:1000"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if err := p.ServeHTTP(w, r, r.URL); err != nil || w.Code != want || want != 200 && w.Header().Get("Allow") != http.MethodPatch {
			t.Errorf("%s got %d %s, %v", method, w.Code, w.Body, err)
		}
	}
}
