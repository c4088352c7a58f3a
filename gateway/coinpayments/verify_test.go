package coinpayments

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
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

// TestHeaders: what is not exactly three headers of the right form is no signature, and
// what is one of another client's, or of another kind, does not match.
func TestHeaders(t *testing.T) {
	const client, at, sign = "X-Coinpayments-Client", "X-Coinpayments-Timestamp", "X-Coinpayments-Signature"
	body, now := []byte(vectors.Paid), time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	ours := coinpayments.Credentials{ClientID: vectors.Client, ClientSecret: vectors.Secret}
	good := signed(ours, hookURL, vectors.Timestamp, body)
	dashed := "dc6a16e5-45c3-4187-ba21-a9edbbe484a5"
	mac := hmac.New(sha256.New, []byte(vectors.Secret))
	with := func(name string, values ...string) http.Header {
		header := good.Clone()
		header[name] = values
		return header
	}
	by := func(client, timestamp string) http.Header {
		return signed(coinpayments.Credentials{ClientID: client, ClientSecret: vectors.Secret}, hookURL, timestamp, body)
	}
	signature := good.Get(sign)
	raw, _ := base64.StdEncoding.DecodeString(signature)
	for name, test := range map[string]struct {
		header http.Header
		want   error
	}{
		"right":                           {good, nil},
		"with dashes":                     {by(dashed, vectors.Timestamp), nil},
		"in capitals":                     {by(strings.ToUpper(dashed), vectors.Timestamp), nil},
		"names in lower case":             {http.Header{strings.ToLower(client): good[client], strings.ToLower(at): good[at], strings.ToLower(sign): good[sign]}, nil},
		"another client":                  {by("dc6a16e545c34187ba21a9edbbe484a6", vectors.Timestamp), gateway.ErrSignature},
		"no client":                       {with(client), gateway.ErrMalformed},
		"an empty client":                 {with(client, ""), gateway.ErrMalformed},
		"two clients":                     {with(client, vectors.Client, vectors.Client), gateway.ErrMalformed},
		"no timestamp":                    {with(at), gateway.ErrMalformed},
		"two timestamps":                  {with(at, vectors.Timestamp, vectors.Timestamp), gateway.ErrMalformed},
		"no signature":                    {with(sign), gateway.ErrMalformed},
		"an empty signature":              {with(sign, ""), gateway.ErrMalformed},
		"two signatures":                  {with(sign, signature, "x"), gateway.ErrMalformed},
		"two signatures, the other way":   {with(sign, "x", signature), gateway.ErrMalformed},
		"two cases of one name":           {with(strings.ToLower(sign), signature), gateway.ErrMalformed},
		"with a zone":                     {by(vectors.Client, vectors.Timestamp+"Z"), gateway.ErrMalformed},
		"with a fraction":                 {by(vectors.Client, vectors.Timestamp+".123"), gateway.ErrMalformed},
		"no date":                         {by(vectors.Client, "2026-02-30T09:30:00"), gateway.ErrMalformed},
		"an hour of one digit":            {by(vectors.Client, "2026-01-15T9:30:000"), gateway.ErrMalformed},
		"the body moved into it":          {by(vectors.Client, vectors.Timestamp+vectors.Paid[:10]), gateway.ErrMalformed},
		"hex":                             {with(sign, hex.EncodeToString(raw)), gateway.ErrSignature},
		"SHA-512":                         {with(sign, base64.StdEncoding.EncodeToString(make([]byte, 64))), gateway.ErrSignature},
		"base64 for URLs":                 {with(sign, base64.URLEncoding.EncodeToString(slices.Repeat([]byte{0xff}, 32))), gateway.ErrMalformed},
		"no base64":                       {with(sign, "!"), gateway.ErrMalformed},
		"very long":                       {with(sign, strings.Repeat("A", 1<<16)), gateway.ErrMalformed},
		"over the body alone":             {with(sign, base64.StdEncoding.EncodeToString(mac.Sum(body))), gateway.ErrMalformed},
		"in another case":                 {with(sign, strings.ToLower(signature)), gateway.ErrSignature},
		"without its padding":             {with(sign, strings.TrimRight(signature, "=")), gateway.ErrMalformed},
		"by the secret of another client": {signed(coinpayments.Credentials{ClientID: vectors.Client, ClientSecret: "x"}, hookURL, vectors.Timestamp, body), gateway.ErrSignature},
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

// TestPreviousURLs: webhooks under way are signed for the URL that was registered when
// they began. Where no URL is known, nothing verifies.
func TestPreviousURLs(t *testing.T) {
	body, now := []byte("{}"), time.Now()
	end := now.Add(time.Hour)
	g := open(t, Config{})
	r := gateway.Request{URL: hookURL, Body: body, PreviousURLs: []gateway.PreviousURL{{URL: "https://old.example.com/h"}, {URL: "https://older.example.com/h", Until: end}}}
	verifies := func(url string, at time.Time) bool {
		r.Header = signed(coinpayments.Credentials{ClientID: vectors.Client, ClientSecret: vectors.Secret}, url, coinpayments.Timestamp(now), body)
		_, err := g.Verify(r, at)
		return err == nil
	}
	for _, test := range []struct {
		url  string
		at   time.Time
		want bool
	}{
		{hookURL, now, true},
		{"https://old.example.com/h", end.Add(time.Hour), true},
		{"https://older.example.com/h", end, true},
		{"https://older.example.com/h", end.Add(time.Second), false},
		{"https://other.example.com/h", now, false},
		{"", now, false},
	} {
		if got := verifies(test.url, test.at); got != test.want {
			t.Errorf("%q at %s: %v", test.url, test.at, got)
		}
	}
	r.URL, r.PreviousURLs = "", nil
	if verifies("", now) {
		t.Error("a webhook verifies where no URL is known")
	}
}

// TestSecrets: a previous secret verifies until its end, over every URL.
func TestSecrets(t *testing.T) {
	now := time.Now()
	g := open(t, Config{Previous: []rotation.Secret{{Secret: "old", Until: now.Add(time.Hour)}, {Secret: "older"}}})
	for _, test := range []struct {
		secret string
		at     time.Time
		want   bool
	}{
		{vectors.Secret, now, true},
		{"old", now, true},
		{"old", now.Add(time.Hour + time.Second), false},
		{"older", now.Add(1000 * time.Hour), true},
		{"", now, false},
		{"new", now, false},
	} {
		header := signed(coinpayments.Credentials{ClientID: vectors.Client, ClientSecret: test.secret}, hookURL, coinpayments.Timestamp(now), nil)
		if _, err := g.Verify(gateway.Request{URL: hookURL, Header: header}, test.at); (err == nil) != test.want {
			t.Errorf("%q: %v", test.secret, err)
		}
	}
}
