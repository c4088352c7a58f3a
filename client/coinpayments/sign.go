package coinpayments

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Credentials identify one API integration (its client id and client secret, which
// the dashboard shows when the integration is made).
type Credentials struct {
	ClientID     string // as the dashboard shows it
	ClientSecret string // looks like base64, and is used as the text it is
}

// check refuses credentials whose signatures anybody can make, or that no header takes.
func (c Credentials) check() error {
	switch {
	case c.ClientID == "":
		return errors.New("the client id is empty")
	case strings.ContainsFunc(c.ClientID, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the client id has a character that no client id has: a space or a line break at its end?")
	case c.ClientSecret == "":
		return errors.New("the client secret is empty")
	default:
		return nil
	}
}

// String and its siblings keep the secret out of logs.
func (c Credentials) String() string { return "{" + c.ClientID + " REDACTED}" }

// Format is [Credentials.String] for every verb.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is the client id alone.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.ClientID) }

// MarshalText is [Credentials.String]: JSON shows no secret either.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// timestampForm is the form of X-CoinPayments-Timestamp, in UTC.
const timestampForm = "2006-01-02T15:04:05"

// Timestamp writes a time as X-CoinPayments-Timestamp has it: in UTC, 19 characters,
// without a fraction and without a zone.
func Timestamp(t time.Time) string { return t.UTC().Format(timestampForm) }

// Sign returns the value of X-CoinPayments-Signature (reference, Generate API
// Signature): the standard base64 of the HMAC-SHA256, keyed with the text of the
// client secret, of a byte order mark, the method in upper case, the full URL
// with its query, the client id, the timestamp and the raw body, with nothing in
// between. An absent body is signed as no bytes. URL, client id and timestamp are
// the texts that are sent; for a webhook, the method is POST and the URL is the one
// that was registered.
//
// Sign does not judge its input: with an empty secret the result is worthless,
// which is why [NewHMAC] and [Verify] refuse one.
func Sign(c Credentials, method, url, timestamp string, body []byte) string {
	return newHMAC(c).Sign(method, url, timestamp, body)
}

// HMAC signs and verifies with one pair of credentials. It holds its keyed
// hashes ready, so it is made once and used for many requests; it is safe for
// concurrent use.
type HMAC struct {
	clientID string
	macs     sync.Pool
}

// signatureLength is that of the base64 of a SHA-256.
const signatureLength = 44

// macState is what one signature needs.
type macState struct {
	mac       hash.Hash
	text      []byte
	sum       [sha256.Size]byte
	signature [signatureLength]byte
}

// NewHMAC returns the signer of an integration. An empty client id or secret is an
// error: a signature by an empty secret is one that anybody can make.
func NewHMAC(c Credentials) (*HMAC, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return newHMAC(c), nil
}

func newHMAC(c Credentials) *HMAC {
	h := &HMAC{clientID: c.ClientID}
	h.macs.New = func() any { return &macState{mac: hmac.New(sha256.New, []byte(c.ClientSecret))} }
	return h
}

// Sign returns the same as the function [Sign].
func (h *HMAC) Sign(method, url, timestamp string, body []byte) string {
	s := h.compute(method, url, h.clientID, timestamp, body)
	defer h.macs.Put(s)
	return string(s.signature[:])
}

// Matches reports whether the signature of a webhook is this key's over a registered
// URL, in a time that does not depend on where the two differ. The client id that is
// signed is the header's, as it stands there; that it is ours is for the caller to
// check, with [SameID].
func (h *HMAC) Matches(url string, signed SignatureHeaders, body []byte) bool {
	s := h.compute("POST", url, signed.ClientID, signed.Timestamp, body)
	defer h.macs.Put(s)
	s.text = append(s.text[:0], signed.Signature...)
	return hmac.Equal(s.text, s.signature[:])
}

func (h *HMAC) compute(method, url, clientID, timestamp string, body []byte) *macState {
	s := h.macs.Get().(*macState)
	s.mac.Reset()
	s.text = append(s.text[:0], "\uFEFF"...)
	for _, part := range []string{method, url, clientID, timestamp} {
		s.text = append(s.text, part...)
	}
	s.mac.Write(s.text)
	s.mac.Write(body)
	base64.StdEncoding.Encode(s.signature[:], s.mac.Sum(s.sum[:0]))
	return s
}
