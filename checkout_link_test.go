package ccpayment_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
)

const linkSecret = "secret-of-the-links"

// link is a query with its signature, as the contract tells to make it. Each
// field is name=value, not yet encoded.
func link(fields ...string) string { return linkOf(appID, linkSecret, fields...) }

func linkOf(app, key string, fields ...string) string {
	query := make(url.Values)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		query.Set(name, value)
	}
	text := app
	for _, name := range strings.Fields("order_id price currency valid_until product buyer_email return_url close_url coin chain") {
		text += "\n" + query.Get(name)
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	query.Set("sig", hex.EncodeToString(mac.Sum(nil)))
	return query.Encode()
}
