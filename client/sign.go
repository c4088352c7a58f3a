package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"sync"
)

// Credentials identify one merchant account ("APP ID" and "APP Secret" under
// Dashboard > Developer in CCPayment's console).
type Credentials struct {
	AppID     string
	AppSecret string
}

// Sign returns the value of the Sign header for a call or a webhook: the
// lower-case hex HMAC-SHA256, keyed with the app secret, of app id, timestamp
// and the raw body, with nothing in between (API reference, Signature
// Generation). An absent body is signed as no bytes. The timestamp is the text
// of the Timestamp header, Unix seconds, exactly as it is sent.
//
// Sign does not judge its input: with an empty secret the result is worthless,
// which is why [NewHMAC] and [Verify] refuse one.
func Sign(c Credentials, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(c.AppSecret))
	mac.Write([]byte(c.AppID))
	mac.Write([]byte(timestamp))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// HMAC signs and verifies with one pair of credentials. It holds its keyed
// hashes ready, so it is made once and used for many requests; it is safe for
// concurrent use.
type HMAC struct {
	appID string
	macs  sync.Pool
}

// macState is what one signature needs: pooled, so that the hot path
// allocates nothing.
type macState struct {
	mac    hash.Hash
	text   []byte
	sum    [sha256.Size]byte
	digest [2 * sha256.Size]byte
}

// NewHMAC returns the signer of an account. An empty app id or secret is an
// error: a signature by an empty secret is one that anybody can make.
func NewHMAC(c Credentials) (*HMAC, error) {
	if c.AppID == "" {
		return nil, errors.New("the app id is empty")
	}
	if c.AppSecret == "" {
		return nil, errors.New("the app secret is empty")
	}
	h := &HMAC{appID: c.AppID}
	h.macs.New = func() any {
		return &macState{mac: hmac.New(sha256.New, []byte(c.AppSecret))}
	}
	return h, nil
}

// Sign returns the same as the function [Sign].
func (h *HMAC) Sign(timestamp string, body []byte) string {
	s := h.compute(timestamp, body)
	defer h.macs.Put(s)
	return string(s.digest[:])
}

// Matches reports whether sign is the signature of timestamp and body, in a
// time that does not depend on where the two differ. Hex digits in upper case
// do not match: CCPayment sends lower case.
func (h *HMAC) Matches(timestamp string, body []byte, sign string) bool {
	s := h.compute(timestamp, body)
	defer h.macs.Put(s)
	s.text = append(s.text[:0], sign...)
	return hmac.Equal(s.text, s.digest[:])
}

func (h *HMAC) compute(timestamp string, body []byte) *macState {
	s := h.macs.Get().(*macState)
	s.mac.Reset()
	s.text = append(append(s.text[:0], h.appID...), timestamp...)
	s.mac.Write(s.text)
	s.mac.Write(body)
	hex.Encode(s.digest[:], s.mac.Sum(s.sum[:0]))
	return s
}
