package coinpayments

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The headers that sign a request and a webhook (reference, Authentication).
const (
	HeaderClient    = "X-CoinPayments-Client"
	HeaderTimestamp = "X-CoinPayments-Timestamp"
	HeaderSignature = "X-CoinPayments-Signature"
)

// The errors of verifying. A receiver responds to [ErrHeaders] with 400 and to
// the others with 401, and says no more than that.
var (
	// ErrHeaders: a header of the signature is missing, stands there more than once,
	// or the timestamp is malformed.
	ErrHeaders = errors.New("signature headers are missing, repeated or malformed")
	// ErrSignature: the client id is not ours, or none of the secrets made the
	// signature over any of the URLs. The two are one error, so that a response cannot
	// show which it was.
	ErrSignature = errors.New("signature does not match")
	// ErrStale: the signature is right, but its time is too far from now.
	ErrStale = errors.New("timestamp is outside the tolerance")
)

// SignatureHeaders are the three headers of a signed request, as they stand
// there.
type SignatureHeaders struct {
	ClientID  string
	Timestamp string
	Signature string
	// Time is what Timestamp says.
	Time time.Time
}

// ReadSignatureHeaders reads the headers that sign a webhook (reference, Webhooks,
// Authenticate Webhooks). Each must be there exactly once, in any case, and the
// timestamp must be 19 characters like 2006-01-02T15:04:05 and a real date: timestamp
// and body are signed without a delimiter, so a looser reading would let a forger
// move the front of a captured body into the header. The error is [ErrHeaders].
func ReadSignatureHeaders(h http.Header) (SignatureHeaders, error) {
	fields := [...]struct {
		name, value string
		count       int
	}{{name: HeaderClient}, {name: HeaderTimestamp}, {name: HeaderSignature}}
	// The names are compared without case, as the map may not have been made by net/http.
	for name, values := range h {
		for i := range fields {
			f := &fields[i]
			if len(name) == len(f.name) && len(values) > 0 && strings.EqualFold(name, f.name) {
				f.value, f.count = values[0], f.count+len(values)
			}
		}
	}
	for _, f := range fields {
		switch {
		case f.count == 0 || f.count == 1 && f.value == "":
			return SignatureHeaders{}, fmt.Errorf("%w: %s is missing", ErrHeaders, f.name)
		case f.count > 1:
			return SignatureHeaders{}, fmt.Errorf("%w: %s is repeated", ErrHeaders, f.name)
		}
	}
	s := SignatureHeaders{ClientID: fields[0].value, Timestamp: fields[1].value, Signature: fields[2].value}
	at, err := time.Parse(timestampForm, s.Timestamp)
	if err != nil || len(s.Timestamp) != len(timestampForm) {
		return SignatureHeaders{}, fmt.Errorf("%w: %s is not like %s in UTC", ErrHeaders, HeaderTimestamp, timestampForm)
	}
	s.Time = at
	return s, nil
}

// SameID reports whether two ids of CoinPayments' are one: it writes the same id with
// dashes here and without there, and the case does not count either. An id with a dash
// at its beginning or its end is none.
func SameID(a, b string) bool {
	plain := func(id string) string {
		if strings.HasPrefix(id, "-") || strings.HasSuffix(id, "-") {
			return ""
		}
		return strings.ToLower(strings.ReplaceAll(id, "-", ""))
	}
	return plain(a) != "" && plain(a) == plain(b)
}

// Verify reports whether a webhook with these headers and this raw body was
// signed by CoinPayments for the client id, with any one of the secrets over any one
// of the URLs, at most tolerance before or after now. The secrets are client secrets:
// webhooks have none of their own. The URLs are those that were registered, byte for
// byte, with their queries, and never what a request says about itself. Several of
// both serve while a secret is replaced or a shop moves. The body must be the bytes
// as they were received: parsing and writing it again changes it. Every secret is
// tried over every URL, in constant time.
//
// The error is, or wraps, [ErrHeaders], [ErrSignature] or [ErrStale]; an empty
// client id, secret or URL, none of them, or a tolerance that is not positive is an
// error of its own, so that a missing setting never lets a webhook pass.
func Verify(h http.Header, body []byte, tolerance time.Duration, clientID string, urls, secrets []string) error {
	if len(secrets) == 0 {
		return errors.New("no client secret to verify with")
	}
	if len(urls) == 0 {
		return errors.New("no URL to verify with")
	}
	if tolerance <= 0 {
		return errors.New("the tolerance is not positive")
	}
	keys := make([]*HMAC, len(secrets))
	for i, secret := range secrets {
		key, err := NewHMAC(Credentials{ClientID: clientID, ClientSecret: secret})
		if err != nil {
			return err
		}
		keys[i] = key
	}
	signed, err := ReadSignatureHeaders(h)
	if err != nil {
		return err
	}
	matches := false
	for _, url := range urls {
		if url == "" {
			return errors.New("a URL to verify with is empty")
		}
		for _, key := range keys {
			matches = key.Matches(url, signed, body) || matches
		}
	}
	if !SameID(signed.ClientID, clientID) || !matches {
		return ErrSignature
	}
	if age := time.Since(signed.Time).Abs(); age > tolerance {
		return fmt.Errorf("%w: it is %s away from now", ErrStale, age.Round(time.Second))
	}
	return nil
}
