package sandbox_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// sign is the tests' own reading of the signature.
func sign(appID, secret, timestamp, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(appID))
	mac.Write([]byte(timestamp))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestSignMatchesPublishedVectors(t *testing.T) {
	for _, v := range [][5]string{
		{
			"app-123", "secret-456", "1710232720", `{"type":"ApiDeposit","msg":{"orderId":"order-123"}}`,
			"6f22d43389b194d796ca252dc6418c7e2cf931dc6eed371c61d5ef6ec8b2b9f7",
		},
		{
			"app-123", "secret-456", "1710232720", `{"type":"ActivateWebhookURL","msg":{}}`,
			"61179d6a7894b970354f4e76d9670267e0d6c1bac257b63a8fe498286b3885b9",
		},
		{
			"app1", "secret1", "1700000000", `{"a":1}`,
			"5d6a5d9dccbd0a0fc2e96f3cdd0257860285ae03a1f3a9beec506b618663193d",
		},
		{"app1", "secret1", "1700000000", "", "d94e3a1029130877eab3f312ed3d96de349c6e0c22b21e04f1876c34962756ce"},
	} {
		if got := sandbox.Sign(v[0], v[1], v[2], []byte(v[3])); got != v[4] {
			t.Errorf("%v: got %s", v, got)
		}
	}
}

// Each step breaks one more thing that is checked earlier, so the code shows
// the order of the checks.
func TestHeadersAreCheckedInOrder(t *testing.T) {
	w := start(t)
	old := strconv.FormatInt(time.Now().Add(-121*time.Second).Unix(), 10)
	body := `{"orderId":"ab"}`
	edits := []struct {
		name string
		edit func(http.Header)
		code int
	}{
		{"a wrong parameter", func(http.Header) {}, 11000},
		{"a wrong sign", func(h http.Header) { h.Set("Sign", strings.Repeat("0", 64)) }, 11005},
		{"an old timestamp", func(h http.Header) { h.Set("Timestamp", old) }, 11006},
		{"an unknown app id", func(h http.Header) { h.Set("Appid", "app-999") }, 12001},
		{"a timestamp of words", func(h http.Header) { h.Set("Timestamp", "yesterday") }, 11001},
		{"no sign", func(h http.Header) { h.Del("Sign") }, 11001},
		{"no app id", func(h http.Header) { h.Del("Appid") }, 11001},
	}
	for i := range edits {
		req := w.signed("getAppOrderInfo", body)
		for _, e := range edits[:i+1] {
			e.edit(req.Header)
		}
		if got := w.do(req); got.Code != edits[i].code || got.HTTP != http.StatusOK {
			t.Errorf("%s: HTTP %d, %d %s, want %d", edits[i].name, got.HTTP, got.Code, got.Msg, edits[i].code)
		}
	}
}

func TestHeaderForms(t *testing.T) {
	w := start(t)
	signedAt := func(timestamp string) *http.Request {
		req := w.signed("getFiatList", "")
		req.Header.Set("Timestamp", timestamp)
		req.Header.Set("Sign", sign(appID, secret, timestamp, ""))
		return req
	}
	now := time.Now()
	for name, c := range map[string]struct {
		timestamp string
		code      int
	}{
		"seconds":             {strconv.FormatInt(now.Unix(), 10), 10000},
		"milliseconds":        {strconv.FormatInt(now.UnixMilli(), 10), 10000},
		"almost too old":      {strconv.FormatInt(now.Add(-110*time.Second).Unix(), 10), 10000},
		"from the future":     {strconv.FormatInt(now.Add(3*time.Minute).Unix(), 10), 11006},
		"body in the header":  {strconv.FormatInt(now.Unix(), 10) + `{"a":1}`, 11001},
		"eleven digits":       {"0" + strconv.FormatInt(now.Unix(), 10), 11001},
		"a sign before":       {"+" + strconv.FormatInt(now.Unix(), 10)[1:], 11001},
		"nanoseconds as text": {strconv.FormatInt(now.UnixNano(), 10), 11001},
	} {
		if got := w.do(signedAt(c.timestamp)); got.Code != c.code {
			t.Errorf("%s: %d %s, want %d", name, got.Code, got.Msg, c.code)
		}
	}
	twice := w.signed("getFiatList", "")
	twice.Header.Add("Sign", twice.Header.Get("Sign"))
	if got := w.do(twice); got.Code != 11001 {
		t.Errorf("Sign twice: %d", got.Code)
	}
	upper := w.signed("getFiatList", "")
	upper.Header.Set("Sign", strings.ToUpper(upper.Header.Get("Sign")))
	if got := w.do(upper); got.Code != 11005 {
		t.Errorf("Sign in capitals: %d", got.Code)
	}
}

func TestRSA(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, func(o *sandbox.Options) { o.RSAKey = &key.PublicKey })
	body := `{"coinId":1280}`
	req := w.signed("getCoin", body)
	hash := sha256.Sum256([]byte(appID + req.Header.Get("Timestamp") + body))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sign", base64.StdEncoding.EncodeToString(signature))
	if got := w.do(req); got.Code != 10000 {
		t.Errorf("RSA: %d %s", got.Code, got.Msg)
	}
	signature[0]++
	req = w.signed("getCoin", body)
	req.Header.Set("Sign", base64.StdEncoding.EncodeToString(signature))
	if got := w.do(req); got.Code != 11005 {
		t.Errorf("broken RSA: %d", got.Code)
	}
	w.ok("getCoin", body)
}

func TestMethodsAndNames(t *testing.T) {
	w := start(t)
	get := w.signed("getCoinList", "")
	get.Method = http.MethodGet
	if got := w.do(get); got.HTTP != http.StatusMethodNotAllowed || got.Msg == "" {
		t.Errorf("GET: %+v", got)
	}
	if got := w.call("getEverything", ""); got.HTTP != http.StatusNotFound || got.Msg == "" {
		t.Errorf("unknown endpoint: %+v", got)
	}
	if got := w.call("getCoinList", strings.Repeat(" ", 1<<20)+"{}"); got.Code != 11000 {
		t.Errorf("over 1 MiB: %+v", got)
	}
}

func TestCredentialsAreMadeIfMissing(t *testing.T) {
	one := start(t, func(o *sandbox.Options) { o.AppID, o.AppSecret = "", "" })
	two := start(t, func(o *sandbox.Options) { o.AppID, o.AppSecret = "", "" })
	if len(one.AppID()) < 10 || len(one.AppSecret()) < 20 || one.AppID() == two.AppID() ||
		one.AppSecret() == two.AppSecret() {
		t.Errorf("%q %q", one.AppID(), one.AppSecret())
	}
}
