package v1

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// Sign returns the value of the Sign header of a call, an answer or a webhook: the
// lower-case hex SHA-256 of app id, app secret, timestamp and the raw body, with nothing
// in between (V1 documentation, Signature). The timestamp is the text of the Timestamp
// header, Unix seconds, exactly as it is sent.
//
// Sign does not judge its input: with an empty secret the result is worthless, which is
// why [NewKey] refuses one.
func Sign(c client.Credentials, timestamp string, body []byte) string {
	sum := sha256.New()
	sum.Write([]byte(c.AppID + c.AppSecret + timestamp))
	sum.Write(body)
	return hex.EncodeToString(sum.Sum(nil))
}

// Key signs and verifies with one pair of credentials. It is safe for concurrent use.
type Key struct{ credentials client.Credentials }

// NewKey returns the signer of an account. An empty app id or secret is an error: a
// signature by an empty secret is one that anybody can make.
func NewKey(c client.Credentials) (*Key, error) {
	switch {
	case c.AppID == "":
		return nil, errors.New("the app id is empty")
	case c.AppSecret == "":
		return nil, errors.New("the app secret is empty")
	}
	return &Key{c}, nil
}

// Sign returns the same as the function [Sign].
func (k *Key) Sign(timestamp string, body []byte) string {
	return Sign(k.credentials, timestamp, body)
}

// Matches reports whether sign is the signature of timestamp and body, in a time that
// does not depend on where the two differ. Hex digits in upper case do not match.
//
// No body matches that is not one JSON object, see [IsObject], and the timestamp must
// have been read by [client.ReadSignatureHeaders]: whoever has seen a signature can
// compute those of all longer texts that begin with what was signed and the padding of
// its hash, which no JSON object has behind it or in it.
func (k *Key) Matches(timestamp string, body []byte, sign string) bool {
	return IsObject(body) && subtle.ConstantTimeCompare([]byte(k.Sign(timestamp, body)), []byte(sign)) == 1
}

// IsObject reports whether a body is one JSON object in UTF-8, with nothing but white
// space around it.
func IsObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) && utf8.Valid(body) && json.Valid(body)
}
