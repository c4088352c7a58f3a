package checkout

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// Tokens makes and reads the status tokens of an account's orders, with which a buyer's
// page reads its order's status. A token has the order's id and a MAC, so that nobody
// can guess one. Tokens are not stored, and so outlive the ledger.
type Tokens struct {
	key    []byte
	prefix string // of the account's orders
}

// NewTokens returns the tokens of an account's orders.
func NewTokens(a *gateway.Account) Tokens {
	return Tokens{key: a.Gateway.Key("status"), prefix: a.OrderPrefix}
}

// StatusToken returns the token of an order, by the app's id of it.
func (t Tokens) StatusToken(orderID string) string {
	return base64.RawURLEncoding.EncodeToString(append(t.mac(orderID), orderID...))
}

// ReadStatusToken returns the app's id of the order that a token is of, and false where
// the token was not made for this account.
func (t Tokens) ReadStatusToken(token string) (orderID string, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= macSize {
		return "", false
	}
	orderID = string(raw[macSize:])
	return orderID, hmac.Equal(raw[:macSize], t.mac(orderID))
}

const macSize = 16

func (t Tokens) mac(orderID string) []byte {
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte(t.prefix + orderID))
	return mac.Sum(nil)[:macSize]
}
