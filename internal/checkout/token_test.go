package checkout

import (
	"encoding/base64"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// rotating is a gateway with these keys, the current one first.
type rotating struct {
	gateway.Gateway
	keys []string
}

func (g *rotating) Succeed(gateway.Gateway) {}

func (g *rotating) Keys(purpose string) [][]byte {
	var list [][]byte
	for _, key := range g.keys {
		list = append(list, gateway.DeriveKey(key, fuzzAppID, purpose))
	}
	return list
}

// TestTokensRotate: tokens follow the account's secret while it is in use, and those of
// a replaced one are read for as long as that one counts.
func TestTokensRotate(t *testing.T) {
	g := &rotating{keys: []string{"one"}}
	tokens := NewTokens(&gateway.Account{Gateway: g})
	old := tokens.StatusToken("order-1")
	for _, c := range []struct {
		keys []string
		read bool
	}{{[]string{"two", "one"}, true}, {[]string{"two", "other", "one"}, true}, {[]string{"two"}, false}} {
		g.keys = c.keys
		if id, ok := tokens.ReadStatusToken(old); ok != c.read || ok && id != "order-1" {
			t.Errorf("with the keys %q the old token is read: %t, %q", c.keys, ok, id)
		}
		if made := tokens.StatusToken("order-1"); made == old {
			t.Errorf("with the keys %q a token is made with the old one", c.keys)
		} else if id, ok := tokens.ReadStatusToken(made); !ok || id != "order-1" {
			t.Errorf("with the keys %q their own token is not read", c.keys)
		}
	}
}

// TestTokensOfShops: no token of one shop's order, with an id of its buyer's choice, is
// one of another shop at the same account.
func TestTokensOfShops(t *testing.T) {
	g := &rotating{keys: []string{"secret"}}
	prefixes := []string{"", "shop-", "shop-b-", "5:", "5:shop-"}
	for _, mine := range prefixes {
		for _, other := range prefixes {
			if mine == other {
				continue
			}
			for _, id := range []string{"b-7", "shop-b-7", "shop-7", "5:shop-7", "shop-5:shop-7", "b-"} {
				raw, err := base64.RawURLEncoding.DecodeString(NewTokens(&gateway.Account{Gateway: g, OrderPrefix: mine}).StatusToken(id))
				if err != nil {
					t.Fatal(err)
				}
				for cut := range len(mine + id) { // what the other shop's id would be
					forged := base64.RawURLEncoding.EncodeToString(append(raw[:macSize:macSize], (mine + id)[cut:]...))
					if got, ok := NewTokens(&gateway.Account{Gateway: g, OrderPrefix: other}).ReadStatusToken(forged); ok {
						t.Errorf("the MAC of %s%s opens %q of the shop %q", mine, id, got, other)
					}
				}
			}
		}
	}
}
