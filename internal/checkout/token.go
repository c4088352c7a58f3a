package checkout

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// Tokens makes and reads the status tokens of an account's orders, with which a buyer's
// page reads its order's status. It reads those of the account's peers, too. A token has
// the order's id and a MAC, so that nobody can guess one. Tokens are not stored, and so
// outlive the ledger; but not the account's secret, with which whoever has it can make
// them: they are read for as long as webhooks that the secret signed are taken.
type Tokens struct {
	accounts []*gateway.Account // the first makes tokens
}

// NewTokens returns the tokens of an account's orders.
func NewTokens(a *gateway.Account) Tokens {
	return Tokens{a.Group()}
}

// StatusToken returns the token of an order, by the app's id of it.
func (t Tokens) StatusToken(orderID string) string {
	mac := tokenMAC(statusKeys(t.accounts[0])[0], t.accounts[0].OrderPrefix, orderID)
	return base64.RawURLEncoding.EncodeToString(append(mac, orderID...))
}

// statusKeys are the account's keys by now, of which the first makes tokens.
func statusKeys(a *gateway.Account) [][]byte { return gateway.Keys(a.Gateway, "status") }

// ReadStatusToken returns the app's id of the order that a token is of, and false where
// the token was not made for any of the accounts.
func (t Tokens) ReadStatusToken(token string) (orderID string, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= macSize {
		return "", false
	}
	orderID = string(raw[macSize:])
	for _, a := range t.accounts {
		for _, key := range statusKeys(a) {
			ok = hmac.Equal(raw[:macSize], tokenMAC(key, a.OrderPrefix, orderID)) || ok
		}
	}
	return orderID, ok
}

const macSize = 16

// tokenMAC is over the prefix's length, too: the prefix shop- and the id b-7 are not the
// order 7 of another shop, whose prefix is shop-b-.
func tokenMAC(key []byte, prefix, orderID string) []byte {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%d:%s%s", len(prefix), prefix, orderID)
	return mac.Sum(nil)[:macSize]
}
