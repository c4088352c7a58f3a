package ccpayment

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// Verify implements [gateway.Webhooks]: hex HMAC-SHA256 over app id, timestamp
// and body.
func (v *V2) Verify(r gateway.Request, now time.Time) (time.Time, error) {
	return v.verify(r.Header, func(signed client.SignatureHeaders) (bool, error) {
		if !isHMACText(signed.Sign) {
			return false, errors.New("Sign is not 64 hex digits")
		}
		return v.matchesHMAC(signed, r.Body, now), nil
	})
}

// rsaWebhooks are webhooks that CCPayment signs with its private key: standard
// base64 of RSASSA-PKCS1-v1_5 over SHA-256 of app id, timestamp and body.
type rsaWebhooks struct{ *V2 }

// Verify implements [gateway.Webhooks].
func (v rsaWebhooks) Verify(r gateway.Request, _ time.Time) (time.Time, error) {
	return v.verify(r.Header, func(signed client.SignatureHeaders) (bool, error) {
		signature, err := base64.StdEncoding.DecodeString(signed.Sign)
		if err != nil {
			return false, errors.New("Sign is not base64")
		}
		text := sha256.New()
		text.Write([]byte(v.info.AccountID + signed.Timestamp))
		text.Write(r.Body)
		return rsa.VerifyPKCS1v15(v.keys.Load().webhookKey, crypto.SHA256, text.Sum(nil), signature) == nil, nil
	})
}

// These are made once: forged webhooks may come in a flood.
var (
	errOtherAccount = fmt.Errorf("%w: the Appid is not ours: compare app_id with CCPayment's console", gateway.ErrSignature)
	errOtherSecret  = fmt.Errorf("%w: no live secret made it: compare app_secret with CCPayment's console", gateway.ErrSignature)
)

// verify reads the headers and compares the signature by matches, whose error is that
// the signature has not the scheme's form.
func (v *V2) verify(header http.Header, matches func(client.SignatureHeaders) (bool, error)) (time.Time, error) {
	signed, err := client.ReadSignatureHeaders(header)
	if err != nil {
		return time.Time{}, gateway.Tag(gateway.ErrMalformed, err)
	}
	isOurs, err := matches(signed)
	switch {
	case err != nil:
		return time.Time{}, gateway.Tag(gateway.ErrMalformed, fmt.Errorf("%w: %w", client.ErrHeaders, err))
	// The response to both is the same; the log says which it was.
	case signed.AppID != v.info.AccountID:
		return time.Time{}, errOtherAccount
	case !isOurs:
		return time.Time{}, errOtherSecret
	}
	return signed.Time, nil
}

// matchesHMAC reports whether any live secret made the signature. All are
// tried, whichever matches.
func (v *V2) matchesHMAC(signed client.SignatureHeaders, body []byte, now time.Time) bool {
	matches := false
	for key := range v.keys.Load().ring.Live(now) {
		matches = key.Matches(signed.Timestamp, body, signed.Sign) || matches
	}
	return matches
}

// isHMACText reports whether the text is as long as a signature and all hex.
func isHMACText(sign string) bool {
	if len(sign) != hex.EncodedLen(sha256.Size) {
		return false
	}
	for i := range len(sign) {
		c := sign[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// Sign implements [gateway.Signer].
func (v *V2) Sign(now time.Time, body []byte) [][2]string {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	return [][2]string{
		{headerAppID, v.info.AccountID}, {headerTimestamp, timestamp}, {headerSign, v.keys.Load().ring.Current().Key.Sign(timestamp, body)},
	}
}

func parsePublicKey(text []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it has no PEM block")
	}
	if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("it is no public key (PKIX or PKCS #1): %v", err)
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T, not an RSA key", key)
	}
	return public, nil
}
