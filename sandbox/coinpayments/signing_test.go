package coinpayments_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// sign is the signature by the reference, written anew here.
func sign(secret, method, url, client, stamp, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte{0xef, 0xbb, 0xbf})
	for _, part := range []string{method, url, client, stamp, body} {
		mac.Write([]byte(part))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// TestSignVectors: signatures that Python and openssl agree on.
func TestSignVectors(t *testing.T) {
	const paid = `{"id":"5f0d4f0cc1a24d6bb0d3a6c1b8e0a001","type":"InvoicePaid","timestamp":"2026-01-15T09:29:58.1234567+00:00","invoice":{"invoiceId":"order-1","id":"2008d68d-0f66-44ec-8500-68d054b882b9","merchantClientId":"dc6a16e5-45c3-4187-ba21-a9edbbe484a5","customData":{"order_id":"order-1"},"amount":{"currency":{"id":5057,"smartContract":null},"subtotal":4990,"shippingTotal":0,"handlingTotal":0,"discountTotal":0,"taxTotal":0,"total":4990},"state":"Paid","payments":[],"partialAcceptAvailable":false}}`
	const create = `{"currency":"5057","items":[{"name":"order-1","quantity":{"value":1,"type":"quantity"},"amount":"49.90"}],"amount":{"breakdown":{"subtotal":"49.90"},"total":"49.90"},"invoiceId":"order-1"}`
	const api, hook = "https://a-api.coinpayments.net/api/v2/merchant/invoices", "https://shop.example.com/cp-hook"
	for _, c := range []struct{ method, url, body, want string }{
		{"GET", api + "/2008d68d-0f66-44ec-8500-68d054b882b9", "", "wcyOTpT2q37ndwJn9XqX3ZU3WwTzAyWGJn19VcuxBtk="},
		{"GET", api + "?q=order-1&limit=25", "", "n4Sp42+LIvj6hJIkfbxU1t7hvm3C+H+cm9XZLiMceGM="},
		{"POST", api, create, "o9wqZj+ERumkyB8QAdYeOufHq43b2BFmIF/bu4ZcM9o="},
		{"POST", hook + "?client_id=7", paid, "H/RQod4k35wTBvBOgeuKCf4zxx7KUAVbqPujvd76Uqc="},
		{"POST", hook, paid, "v6QNFx83LfrOIxrIY0Gz6eoDNXF6IstG/5K5EpCL+IY="},
		{"POST", hook + "/", paid, "suS+hn1cVxC5X95auhjNGChEonMkrTkp3Z4fLNluWfU="},
	} {
		if got := coinpayments.Sign(secret, c.method, c.url, clientID, "2026-01-15T09:30:00", []byte(c.body)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.url, got, c.want)
		}
	}
}

func TestCallsAreChecked(t *testing.T) {
	w := start(t)
	const path = "/v2/merchant/invoices?q=order-1&limit=5"
	good := w.signed("GET", path, "")
	stamp := good.Header.Get("X-CoinPayments-Timestamp")
	again := func(client, stamp, url, secret string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("X-CoinPayments-Client", client)
			r.Header.Set("X-CoinPayments-Timestamp", stamp)
			r.Header.Set("X-CoinPayments-Signature", sign(secret, "GET", url, client, stamp, ""))
		}
	}
	url := w.url + "/coinpayments/api" + path
	hourAgo := time.Now().UTC().Add(-time.Hour).Format("2006-01-02T15:04:05")
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"right":                      {func(*http.Request) {}, 200},
		"a client id with dashes":    {again("dc6a16e5-45c3-4187-ba21-a9edbbe484a5", stamp, url, secret), 200},
		"no client":                  {func(r *http.Request) { r.Header.Del("X-CoinPayments-Client") }, 401},
		"no timestamp":               {func(r *http.Request) { r.Header.Del("X-CoinPayments-Timestamp") }, 401},
		"no signature":               {func(r *http.Request) { r.Header.Del("X-CoinPayments-Signature") }, 401},
		"two signatures":             {func(r *http.Request) { r.Header.Add("X-CoinPayments-Signature", "x") }, 401},
		"another client":             {again(strings.Repeat("a", 32), stamp, url, secret), 401},
		"another secret":             {again(clientID, stamp, url, "other"), 401},
		"signed without the query":   {again(clientID, stamp, w.url+"/coinpayments/api/v2/merchant/invoices", secret), 401},
		"signed over another host":   {again(clientID, stamp, strings.Replace(url, "127.0.0.1", "localhost", 1), secret), 401},
		"an hour old":                {again(clientID, hourAgo, url, secret), 401},
		"a timestamp with a zone":    {again(clientID, stamp+"Z", url, secret), 401},
		"a timestamp in Unix time":   {again(clientID, "1768469400", url, secret), 401},
		"a body that was not signed": {func(r *http.Request) { *r = *w.signed("GET", path, "{}"); r.Body = http.NoBody; r.ContentLength = 0 }, 401},
	} {
		r := w.signed("GET", path, "")
		c.change(r)
		got := w.do(r)
		if got.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, got.status, got.Text("detail"), c.status)
		}
		if c.status == 401 && (got.Text("status") != "401" || got.Str("title") != "Unauthorized" || got.Str("detail") == "" ||
			!strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json")) {
			t.Errorf("%s: no problem details: %v", name, got.Value)
		}
	}
	if got := w.open("GET", "/v2/currencies", ""); got.status != 200 {
		t.Errorf("currencies without a signature: %d", got.status)
	}
	if got := w.call("GET", "/v2/merchant/nothing", ""); got.status != 404 || got.Str("detail") == "" {
		t.Errorf("a path that is no route: %d", got.status)
	}
}
