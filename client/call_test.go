package client_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// A request is a POST whose signature is over exactly the bytes that are sent.
func TestRequest(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, agree)
	c := api.dial(t)
	for _, each := range everyCall {
		if _, err := each.call(t.Context(), c); err != nil {
			t.Fatalf("%s: %v", each.endpoint, err)
		}
	}
	for i, request := range api.sent() {
		endpoint := everyCall[i].endpoint
		if request.Method != http.MethodPost || request.URI != "/ccpayment/v2/"+endpoint {
			t.Errorf("%s: %s %s", endpoint, request.Method, request.URI)
		}
		h := request.Header
		if h.Get("Content-Type") != "application/json" || h.Get("Appid") != appID {
			t.Errorf("%s: %v", endpoint, h)
		}
		timestamp := h.Get("Timestamp")
		n, err := strconv.ParseInt(timestamp, 10, 64)
		if err != nil || len(timestamp) != 10 || time.Since(time.Unix(n, 0)).Abs() > time.Minute {
			t.Errorf("%s: Timestamp %q", endpoint, timestamp)
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(append([]byte(appID+timestamp), request.Body...))
		if want := hex.EncodeToString(mac.Sum(nil)); h.Get("Sign") != want {
			t.Errorf("%s: Sign %s over %q, want %s", endpoint, h.Get("Sign"), request.Body, want)
		}
		if everyCall[i].sends == "" && len(request.Body) != 0 {
			t.Errorf("%s: sent %q, not nothing", endpoint, request.Body)
		}
	}
}

func pemOf(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// RSA accounts: RSASSA-PKCS1-v1_5 over SHA-256 of the same text, in base64.
func TestRSA(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	for name, text := range map[string][]byte{
		"PKCS #8": pemOf("PRIVATE KEY", pkcs8, err),
		"PKCS #1": pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil),
	} {
		parsed, err := client.ParsePrivateKey(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		api := newFakeAPI(t, agree)
		c, err := client.New(client.Credentials{AppID: appID}, client.WithBaseURL(api.URL), client.WithPrivateKey(parsed))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Balances(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Withdraw(t.Context(), merchantWithdrawal); err != nil {
			t.Fatal(err)
		}
		for _, request := range api.sent() {
			signature, err := base64.StdEncoding.DecodeString(request.Header.Get("Sign"))
			digest := sha256.Sum256(append([]byte(appID+request.Header.Get("Timestamp")), request.Body...))
			if err != nil || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) != nil {
				t.Errorf("%s: Sign %q does not verify", name, request.Header.Get("Sign"))
			}
		}
		if len(api.sent()) != 2 {
			t.Errorf("%d requests", len(api.sent()))
		}
	}
}

func TestParsePrivateKeyRefuses(t *testing.T) {
	t.Parallel()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, ecErr := x509.MarshalPKCS8PrivateKey(other)
	public, publicErr := x509.MarshalPKIXPublicKey(&other.PublicKey)
	for name, text := range map[string][]byte{
		"nothing":             nil,
		"no PEM":              []byte("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"),
		"a damaged key":       pemOf("PRIVATE KEY", []byte("secret-456"), nil),
		"an elliptic key":     pemOf("PRIVATE KEY", ec, ecErr),
		"a public key":        pemOf("PUBLIC KEY", public, publicErr),
		"a truncated PEM key": pemOf("PRIVATE KEY", ec, ecErr)[:60],
	} {
		if key, err := client.ParsePrivateKey(text); err == nil || key != nil {
			t.Errorf("%s: %v, %v", name, key, err)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	full := client.Credentials{AppID: appID, AppSecret: secret}
	for name, test := range map[string]struct {
		credentials client.Credentials
		option      client.Option
	}{
		"no app id":        {client.Credentials{AppSecret: secret}, nil},
		"no secret":        {client.Credentials{AppID: appID}, nil},
		"nil key":          {full, client.WithPrivateKey(nil)},
		"nil HTTP client":  {full, client.WithHTTPClient(nil)},
		"no time":          {full, client.WithTimeout(0)},
		"no tries":         {full, client.WithTries(0)},
		"empty URL":        {full, client.WithBaseURL("")},
		"no host":          {full, client.WithBaseURL("https:///ccpayment/v2")},
		"http elsewhere":   {full, client.WithBaseURL("http://ccpayment.com/ccpayment/v2")},
		"http, look-alike": {full, client.WithBaseURL("http://127.0.0.1.evil.example/")},
		"http, private":    {full, client.WithBaseURL("http://192.168.1.2/")},
		"another scheme":   {full, client.WithBaseURL("ftp://127.0.0.1/")},
		"a query":          {full, client.WithBaseURL("https://ccpayment.com/?a=b")},
		"an empty query":   {full, client.WithBaseURL("https://ccpayment.com/v2?")},
		"a fragment":       {full, client.WithBaseURL("https://ccpayment.com/v2#a")},
		"an empty anchor":  {full, client.WithBaseURL("https://ccpayment.com/v2#")},
		"a user":           {full, client.WithBaseURL("https://user:pass@ccpayment.com/v2")},
	} {
		var options []client.Option
		if test.option != nil {
			options = append(options, test.option)
		}
		if c, err := client.New(test.credentials, options...); err == nil || c != nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
	for _, base := range []string{client.BaseURL, "https://proxy.example:8443/cc/", "http://127.0.0.1:9580", "http://127.8.9.1", "http://[::1]:80/v2", "http://localhost/v2"} {
		if _, err := client.New(full, client.WithBaseURL(base)); err != nil {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// The slash at the end of a base URL does not matter.
func TestBaseURLSlash(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, agree)
	if _, err := api.dial(t, client.WithBaseURL(api.URL+"/a//")).Balances(t.Context()); err != nil {
		t.Fatal(err)
	}
	if path := api.sent()[0].URI; path != "/a/getAppCoinAssetList" {
		t.Error(path)
	}
}

// JSON is read whatever the answer calls it.
func TestContentTypeDoesNotMatter(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, sayWith(http.StatusOK, "text/html; charset=utf-8", agreed))
	if id, err := api.dial(t).Withdraw(t.Context(), merchantWithdrawal); err != nil || id != longID {
		t.Errorf("%q, %v", id, err)
	}
}

// A redirect is not followed, even where the caller's HTTP client would, and
// the one it points to learns nothing.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newFakeAPI(t, agree)
	for _, status := range []int{301, 302, 303, 307, 308} {
		api := newFakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
		})
		follows := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
		for _, c := range []*client.Client{api.dial(t), api.dial(t, client.WithHTTPClient(follows))} {
			_, err := c.Balances(t.Context())
			var failure *client.Error
			if !errors.As(err, &failure) || failure.HTTPStatus != status || failure.Hint() == "" {
				t.Errorf("%d: %v", status, err)
			}
			if _, err := c.Withdraw(t.Context(), merchantWithdrawal); !errors.Is(err, client.ErrOutcomeUnknown) {
				t.Errorf("%d: %v", status, err)
			}
		}
		if len(api.sent()) != 4 {
			t.Errorf("%d: %d requests", status, len(api.sent()))
		}
		if follows.CheckRedirect(nil, nil) != nil {
			t.Error("the caller's HTTP client was changed")
		}
	}
	if len(elsewhere.sent()) != 0 {
		t.Errorf("%d requests went elsewhere", len(elsewhere.sent()))
	}
}

// No way of printing shows the secret.
func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	credentials := client.Credentials{AppID: appID, AppSecret: secret}
	api := newFakeAPI(t, agree)
	c := api.dial(t)
	if _, err := c.Balances(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("made", "credentials", credentials, "pointer", &credentials, "in a struct", struct{ C client.Credentials }{credentials}, "client", c)
	}
	for _, value := range []any{credentials, &credentials, struct{ C client.Credentials }{credentials}, []client.Credentials{credentials}, c, newHMAC(t, appID, secret)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	for _, shown := range []string{secret, hex.EncodeToString([]byte(secret)), fmt.Sprintf("%#v", []byte(secret))} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("%q is in\n%s", shown, &out)
		}
	}
	if !strings.Contains(credentials.String(), appID) {
		t.Error("the app id is not shown")
	}
}

// One client serves many goroutines, each of which gets its own answer.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			OrderID string `json:"orderId"`
		}
		body, err := io.ReadAll(r.Body)
		if err = errors.Join(err, json.Unmarshal(body, &request)); err != nil {
			t.Error(err)
		}
		if r.Header.Get("Sign") != client.Sign(client.Credentials{AppID: appID, AppSecret: secret}, r.Header.Get("Timestamp"), body) {
			t.Error("wrong signature")
		}
		_, _ = fmt.Fprintf(w, `{"code":10000,"data":{"recordId":%q}}`, "of "+request.OrderID)
	}))
	defer server.Close()
	c := (fakeAPI{&apiclienttest.API{Server: server}}).dial(t)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			for j := range 4 {
				id := fmt.Sprintf("order-%d-%d", i, j)
				got, err := c.Withdraw(t.Context(), withdrawal(func(w *client.WithdrawalRequest) { w.OrderID = id }))
				if err != nil || got != "of "+id {
					t.Errorf("%s: %q, %v", id, got, err)
				}
			}
		})
	}
	group.Wait()
}

// Call passes a call on as it is, by the same rules.
func TestCall(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, sayInTurn(say(`{"code":10000,"data":{"anything":[1]}}`), cut))
	c := api.dial(t)
	const body = `{ "orderId" : "order-7", "later": {"field": 1} }`
	data, err := c.Call(t.Context(), "applyAppWithdrawToNetwork", json.RawMessage(body))
	if err != nil || string(data) != `{"anything":[1]}` {
		t.Errorf("%s, %v", data, err)
	}
	if request := api.sent()[0]; string(request.Body) != body {
		t.Errorf("sent %s", request.Body)
	}
	_, err = c.Call(t.Context(), "applyAppWithdrawToNetwork", json.RawMessage(body))
	var unknown *client.OutcomeUnknownError
	if !errors.As(err, &unknown) || unknown.OrderID != "order-7" || len(api.sent()) != 2 {
		t.Errorf("%v after %d requests", err, len(api.sent()))
	}
	for name, call := range map[string]struct{ endpoint, body string }{
		"no endpoint":        {"", `{}`},
		"unknown endpoint":   {"getEverything", `{}`},
		"path":               {"../v1/getCoin", `{}`},
		"a list":             {"getCoin", `[1]`},
		"not JSON":           {"getCoin", `{"coinId":1280`},
		"the order id twice": {"swap", `{"orderId":"order-1","orderId":"order-2"}`},
	} {
		if _, err := c.Call(context.Background(), call.endpoint, json.RawMessage(call.body)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(api.sent()) != 2 {
		t.Errorf("%d requests", len(api.sent()))
	}
}

// Case 29: an empty list and null stand for no parameters, as CCPayment's own PHP
// software sends them.
func TestCase29_CallWithoutParameters(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, agree)
	for i, body := range []string{"", "[]", " [ ]\n", "null", "{}"} {
		if _, err := api.dial(t).Call(t.Context(), "getCoinList", json.RawMessage(body)); err != nil {
			t.Errorf("%q: %v", body, err)
		} else if sent := string(api.sent()[i].Body); sent != "" && sent != "{}" {
			t.Errorf("%q was sent as %q", body, sent)
		}
	}
}

// TestBaseURLWithoutPath: what answers there instead of the API is mostly not asked at the
// right path, and the error says so.
func TestBaseURLWithoutPath(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	for path, says := range map[string]bool{"": true, "/": true, "/ccpayment/v2": false} {
		c, err := client.New(client.Credentials{AppID: "a", AppSecret: "b"}, client.WithBaseURL(server.URL+path))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Call(t.Context(), "getCoinList", nil)
		if err == nil || strings.Contains(err.Error(), "has no path: CCPayment's ends in /ccpayment/v2") != says {
			t.Errorf("%q: %v", path, err)
		}
	}
}
