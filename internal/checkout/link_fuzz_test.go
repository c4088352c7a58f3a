package checkout

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

const fuzzAppID = "app-123"

// FuzzSignedLink: whatever a buyer does to a link, it is refused, or what is
// ordered is what the shop signed. Here a piece of the link's query is replaced.
func FuzzSignedLink(f *testing.F) {
	add := func(at, gone uint16, put string) {
		f.Add("order-1", "49.90", "USD", "4102444800", "Tea & cups", "buyer@shop.example", "https://shop.example/thanks", "USDT", "TRX", at, gone, put)
	}
	add(0, 0, "")
	add(0, 0, "utm_source=mail&utm_campaign=a%20b&")
	add(0, 0, "price=1&")
	add(0, 0, "Price=1&p%72ice=1&")
	add(0, 0, "price=1;")
	add(0, 0, "%zz&")
	add(0xffff, 0, "&price=1")
	add(0xffff, 0, "&sig=")
	add(0xffff, 2, "FF")
	add(12, 3, "")
	f.Add("a", "1", "", "1", "x\ny", "", "", "", "", uint16(0), uint16(0), "")
	f.Add("a\nprice", "", "", "4102444800", "", "", "", "", "", uint16(0), uint16(0), "")
	f.Add("", "", "", "+4102444800", "", "", "", "", "", uint16(0), uint16(0), "")
	const current, previous = "secret-of-the-links", "the-previous-secret"
	now := time.Unix(1_800_000_000, 0)
	open := func(query string) (Request, error) {
		return ReadLink(query, []string{current, previous}, fuzzAppID, now)
	}
	f.Fuzz(func(t *testing.T, order, price, currency, validUntil, product, email, page, coin, chain string, at, gone uint16, put string) {
		signed := url.Values{
			"order_id": {order}, "price": {price}, "currency": {currency}, "valid_until": {validUntil}, "product": {product},
			"buyer_email": {email}, "return_url": {page}, "close_url": {page}, "coin": {coin}, "chain": {chain},
		}
		want := Request{
			OrderID: order, Price: price, Currency: currency, Product: product, BuyerEmail: email,
			ReturnURL: page, CloseURL: page, Coin: coin, Chain: chain,
		}
		broken := strings.ContainsAny(order+price+currency+validUntil+product+email+page+coin+chain, "\r\n")
		until, err := strconv.ParseInt(validUntil, 10, 64)
		live := err == nil && until > now.Unix() && !broken && order != "" && price != "" && currency != ""
		for secret, known := range map[string]bool{current: true, previous: true, "a-buyer's-own-guess": false} {
			signed.Set("sig", hex.EncodeToString(SignLink(secret, fuzzAppID, signed.Get)))
			query := signed.Encode()
			if got, err := open(query); (err == nil) != (known && live) || err == nil && !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: %+v, %v, want %+v", query, got, err, want)
			}
			from := min(int(at), len(query))
			query = query[:from] + put + query[min(from+int(gone), len(query)):]
			got, err := open(query)
			if err == nil && (!known || !live || !reflect.DeepEqual(got, want)) {
				t.Fatalf("%s: %+v, want it refused or %+v", query, got, want)
			}
			var refused *Error
			if err != nil && (!errors.As(err, &refused) || refused.Status != http.StatusForbidden && refused.Status != http.StatusGone) {
				t.Fatalf("%s: %v", query, err)
			}
		}
	})
}

var lineBreaks = strings.NewReplacer("\r", "", "\n", "")

// FuzzStatusToken: a token opens its own order, and nothing else opens any. Line
// breaks in it, which base64 skips, change nothing.
func FuzzStatusToken(f *testing.F) {
	c := NewTokens(&gateway.Account{Gateway: &rotating{keys: []string{"secret", "old"}}, OrderPrefix: "shop-"})
	f.Add("order-1", c.StatusToken("order-1"))
	f.Add("order-2", c.StatusToken("order-1")+"A")
	f.Add("order-2", c.StatusToken("order-1")+"\n")
	f.Add("", c.StatusToken(""))
	f.Add("\x00\xff", "=====")
	f.Fuzz(func(t *testing.T, order, token string) {
		if got, ok := c.ReadStatusToken(c.StatusToken(order)); ok != (order != "") || ok && got != order {
			t.Fatalf("the token of %q opens %q, %t", order, got, ok)
		}
		if got, ok := c.ReadStatusToken(token); ok && c.StatusToken(got) != lineBreaks.Replace(token) {
			t.Fatalf("%q opens %q, whose token is %q", token, got, c.StatusToken(got))
		}
	})
}
