package ccpayment

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// statusToken is what a buyer's page asks ccpayment_status with. It names the
// order and cannot be guessed, so that it need not be kept: it outlives the
// ledger.
func (c *credentials) statusToken(orderID string) string {
	return base64.RawURLEncoding.EncodeToString(append(c.statusMAC(orderID), orderID...))
}

const statusMACSize = 16

func (c *credentials) statusMAC(orderID string) []byte {
	mac := hmac.New(sha256.New, c.statusKey)
	mac.Write([]byte(c.orderPrefix + orderID))
	return mac.Sum(nil)[:statusMACSize]
}

// readStatusToken returns the order that a token names.
func (c *credentials) readStatusToken(token string) (orderID string, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= statusMACSize {
		return "", false
	}
	orderID = string(raw[statusMACSize:])
	return orderID, hmac.Equal(raw[:statusMACSize], c.statusMAC(orderID))
}

// deriveKey makes a key for one purpose of the app secret, which itself signs
// nothing but calls and webhooks.
func deriveKey(secret, appID, purpose string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("caddy-ccpayment " + purpose + "\n" + appID))
	return mac.Sum(nil)
}

// linkFields are the fields of a signed link, in the order that is signed.
var linkFields = []string{
	"order_id", "price", "currency", "valid_until", "product", "buyer_email", "return_url", "close_url", "coin", "chain",
}

// signLink returns the MAC of a link's fields. An absent field is an empty one.
func signLink(secret, appID string, value func(name string) string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(appID))
	for _, name := range linkFields {
		mac.Write([]byte("\n" + value(name)))
	}
	return mac.Sum(nil)
}
