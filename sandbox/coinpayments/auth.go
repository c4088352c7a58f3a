package coinpayments

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// The headers of calls and of webhooks.
const (
	headerClient    = "X-CoinPayments-Client"
	headerTimestamp = "X-CoinPayments-Timestamp"
	headerSignature = "X-CoinPayments-Signature"
)

// timestampForm is that of the timestamp header, in UTC.
const timestampForm = "2006-01-02T15:04:05"

// maxSkew is how far a call's timestamp may be from the wall clock. CoinPayments
// publishes none.
const maxSkew = 5 * time.Minute

// Sign makes the signature of a call or webhook: HMAC-SHA256, keyed with the secret as
// text, over a byte order mark, method, URL, client id, timestamp and body with nothing
// between them, in standard base64.
func Sign(secret, method, url, client, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("\ufeff" + method + url + client + timestamp))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// authenticate checks the three headers of a call. What is wrong is 401.
func (s *Sandbox) authenticate(r *http.Request, body []byte) error {
	var client, timestamp, signature string
	for _, h := range []struct {
		name string
		into *string
	}{{headerClient, &client}, {headerTimestamp, &timestamp}, {headerSignature, &signature}} {
		values := r.Header.Values(h.name)
		if len(values) != 1 || values[0] == "" {
			return unauthorized("the header %s is needed exactly once", h.name)
		}
		*h.into = values[0]
	}
	if undashed(client) != s.client {
		return unauthorized("no integration has this client id")
	}
	sent, err := time.Parse(timestampForm, timestamp)
	if err != nil || len(timestamp) != len(timestampForm) {
		return unauthorized("%s must be of the form %s, in UTC", headerTimestamp, timestampForm)
	}
	if skew := time.Since(sent).Abs(); skew > maxSkew {
		return unauthorized("%s is %s away from the server's clock", headerTimestamp, skew.Round(time.Second))
	}
	for _, base := range s.bases(r) {
		right := Sign(s.opts.ClientSecret, r.Method, base+r.RequestURI, client, timestamp, body)
		if hmac.Equal([]byte(right), []byte(signature)) {
			return nil
		}
	}
	return unauthorized("the signature does not match method, URL with its query, client id, timestamp and body " +
		"as they were received: is it the right secret, and the URL that was called?")
}

// bases are the schemes and hosts by which a client may have called: the one that it
// named, and that of a proxy in front.
func (s *Sandbox) bases(r *http.Request) []string {
	called := "http://" + r.Host
	if r.TLS != nil {
		called = "https://" + r.Host
	}
	if public := strings.TrimRight(s.engine.PublicURL(), "/"); public != "" && public != called {
		return []string{called, public}
	}
	return []string{called}
}
