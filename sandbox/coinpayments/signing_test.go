package coinpayments_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"testing"
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

var _ = testing.Short
