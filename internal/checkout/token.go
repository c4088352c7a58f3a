package checkout

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// Tokens makes and reads the status tokens of an account's orders, with which a
// buyer's page asks how its order stands. A token names the order and cannot be
// guessed. It is computed and not kept, so that it outlives the ledger.
type Tokens struct {
	key    []byte
	prefix string // of the account's orders
}

// NewTokens returns the tokens of an account.
func NewTokens(a *gateway.Account) Tokens {
	return Tokens{key: a.Gateway.Key("status"), prefix: a.OrderPrefix}
}

// StatusToken returns the token of the app's order id.
func (t Tokens) StatusToken(orderID string) string {
	return base64.RawURLEncoding.EncodeToString(append(t.mac(orderID), orderID...))
}

// ReadStatusToken returns the app's order id that a token names, and false where
// the token is not one of the account's.
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
