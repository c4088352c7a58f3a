package coinpayments

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// vectors are signatures that were computed by two other programs.
var vectors = readVectors()

type vector struct {
	Name, Signature string
	Message         string `json:"message_hex"`
}

type knownVectors struct {
	Secret, Client, Timestamp, URL, Paid, Wallet string
	Vectors                                      []vector
}

func readVectors() (v knownVectors) {
	text, err := os.ReadFile("../../client/coinpayments/testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		panic(err)
	}
	return v
}

const (
	hookURL = "https://shop.example.com/cp-hook"
	baseURL = "https://a-api.coinpayments.net"
)

// open opens an account; empty fields of the configuration are those of the vectors.
func open(t testing.TB, c Config, change ...func(*gateway.OpenOptions)) *V2 {
	t.Helper()
	if c.ClientID == "" {
		c.ClientID = vectors.Client
	}
	if c.ClientSecret == "" {
		c.ClientSecret = vectors.Secret
	}
	if c.BaseURL == "" && c.Instance == "" {
		c.BaseURL = baseURL
	}
	o := gateway.OpenOptions{Timeout: 5 * time.Second, WebhookURL: hookURL}
	for _, f := range change {
		f(&o)
	}
	v, err := New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// signed are the headers that sign a webhook.
func signed(c coinpayments.Credentials, url, timestamp string, body []byte) http.Header {
	return http.Header{
		http.CanonicalHeaderKey(coinpayments.HeaderClient):    {c.ClientID},
		http.CanonicalHeaderKey(coinpayments.HeaderTimestamp): {timestamp},
		http.CanonicalHeaderKey(coinpayments.HeaderSignature): {coinpayments.Sign(c, http.MethodPost, url, timestamp, body)},
	}
}

// TestVectors: of the signatures for webhooks that are known, right ones and wrong ones,
// exactly those verify that are for the URL that is configured.
func TestVectors(t *testing.T) {
	at, err := time.Parse("2006-01-02T15:04:05", vectors.Timestamp)
	if err != nil {
		t.Fatal(err)
	}
	right := map[string]string{"hook W1 good, query": hookURL + "?client_id=7", "hook W2 good, no query": hookURL, "hook W3 trailing slash registered": hookURL + "/", "hook W4 wallet deposit": hookURL}
	tried := 0
	for _, vector := range vectors.Vectors {
		if !strings.HasPrefix(vector.Name, "hook ") {
			continue
		}
		tried++
		message, err := hex.DecodeString(vector.Message)
		if err != nil {
			t.Fatal(err)
		}
		body := vectors.Paid
		if strings.HasSuffix(string(message), vectors.Wallet) {
			body = vectors.Wallet
		}
		timestamp := vectors.Timestamp
		if strings.Contains(string(message), timestamp+"Z") {
			timestamp += "Z"
		}
		for _, url := range []string{hookURL, hookURL + "?client_id=7", hookURL + "/"} {
			g := open(t, Config{}, func(o *gateway.OpenOptions) { o.WebhookURL = url })
			header := http.Header{"X-Coinpayments-Client": {vectors.Client}, "X-Coinpayments-Timestamp": {timestamp}, "X-Coinpayments-Signature": {vector.Signature}}
			signedAt, err := g.Verify(gateway.Request{URL: url, Header: header, Body: []byte(body)}, at)
			switch isRight := right[vector.Name] == url; {
			case isRight && (err != nil || !signedAt.Equal(at)):
				t.Errorf("%s for %s: %s, %v", vector.Name, url, signedAt, err)
			case !isRight && timestamp != vectors.Timestamp && !errors.Is(err, gateway.ErrMalformed):
				t.Errorf("%s for %s: %v, want that its form is wrong", vector.Name, url, err)
			case !isRight && timestamp == vectors.Timestamp && !errors.Is(err, gateway.ErrSignature):
				t.Errorf("%s for %s: %v, want that the signature is", vector.Name, url, err)
			}
		}
	}
	if tried < 12 {
		t.Errorf("%d vectors are for webhooks", tried)
	}
}

// TestClientIDs: the client id may have dashes and capitals, where it is configured and in
// a webhook, which is signed as it stands there. So may the headers' names.
func TestClientIDs(t *testing.T) {
	const client, at, sign = "X-Coinpayments-Client", "X-Coinpayments-Timestamp", "X-Coinpayments-Signature"
	const dashed = "dc6a16e5-45c3-4187-ba21-a9edbbe484a5"
	body, now := []byte(vectors.Paid), time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	by := func(client string) http.Header {
		return signed(coinpayments.Credentials{ClientID: client, ClientSecret: vectors.Secret}, hookURL, vectors.Timestamp, body)
	}
	good := by(vectors.Client)
	lower := http.Header{strings.ToLower(client): good[client], strings.ToLower(at): good[at], strings.ToLower(sign): good[sign]}
	twice := good.Clone()
	twice[strings.ToLower(sign)] = good[sign]
	for name, test := range map[string]struct {
		header http.Header
		want   error
	}{
		"right":                 {good, nil},
		"with dashes":           {by(dashed), nil},
		"in capitals":           {by(strings.ToUpper(dashed)), nil},
		"names in lower case":   {lower, nil},
		"two cases of one name": {twice, gateway.ErrMalformed},
		"another client":        {by("dc6a16e545c34187ba21a9edbbe484a6"), gateway.ErrSignature},
		"a dash at its end":     {by(vectors.Client + "-"), gateway.ErrSignature},
	} {
		for _, configured := range []string{vectors.Client, dashed, strings.ToUpper(vectors.Client)} {
			g := open(t, Config{ClientID: configured})
			_, err := g.Verify(gateway.Request{URL: hookURL, Header: test.header, Body: body}, now)
			if !errors.Is(err, test.want) || test.want == nil && err != nil {
				t.Errorf("%s, where %s is configured: %v, want %v", name, configured, err, test.want)
			}
		}
	}
}
