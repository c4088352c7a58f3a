package ccpayment

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

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
	h := &Checkout{
		app: &App{now: func() time.Time { return now }}, linkSecrets: []string{current, previous},
		till: &till{credentials: &credentials{appID: fuzzAppID}},
	}
	f.Fuzz(func(t *testing.T, order, price, currency, validUntil, product, email, page, coin, chain string, at, gone uint16, put string) {
		signed := url.Values{
			"order_id": {order}, "price": {price}, "currency": {currency}, "valid_until": {validUntil}, "product": {product},
			"buyer_email": {email}, "return_url": {page}, "close_url": {page}, "coin": {coin}, "chain": {chain},
		}
		want := offer{
			orderID: order, price: price, currency: currency, product: product, buyerEmail: email,
			returnURL: page, closeURL: page, coin: coin, chain: chain,
		}
		broken := strings.ContainsAny(order+price+currency+validUntil+product+email+page+coin+chain, "\r\n")
		until, err := strconv.ParseInt(validUntil, 10, 64)
		live := err == nil && until > now.Unix() && !broken
		for secret, known := range map[string]bool{current: true, previous: true, "a-buyer's-own-guess": false} {
			signed.Set("sig", hex.EncodeToString(signLink(secret, fuzzAppID, signed.Get)))
			query := signed.Encode()
			if got, err := openLink(h, query); (err == nil) != (known && live) || err == nil && got != want {
				t.Fatalf("%s: %+v, %v, want %+v", query, got, err, want)
			}
			from := min(int(at), len(query))
			query = query[:from] + put + query[min(from+int(gone), len(query)):]
			got, err := openLink(h, query)
			if err == nil && (!known || !live || got != want) {
				t.Fatalf("%s: %+v, want it refused or %+v", query, got, want)
			}
			var refused *checkoutError
			if err != nil && (!errors.As(err, &refused) || refused.status != http.StatusForbidden && refused.status != http.StatusGone) {
				t.Fatalf("%s: %v", query, err)
			}
		}
	})
}

func openLink(h *Checkout, query string) (offer, error) {
	return h.fromLink(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/pay", RawQuery: query}})
}

var lineBreaks = strings.NewReplacer("\r", "", "\n", "")

// FuzzStatusToken: a token opens its own order, and nothing else opens any. Line
// breaks in it, which base64 skips, change nothing.
func FuzzStatusToken(f *testing.F) {
	c := &credentials{appID: fuzzAppID, orderPrefix: "shop-", statusKey: deriveKey("secret", fuzzAppID, "status")}
	f.Add("order-1", c.statusToken("order-1"))
	f.Add("order-2", c.statusToken("order-1")+"A")
	f.Add("order-2", c.statusToken("order-1")+"\n")
	f.Add("", c.statusToken(""))
	f.Add("\x00\xff", "=====")
	f.Fuzz(func(t *testing.T, order, token string) {
		if got, ok := c.readStatusToken(c.statusToken(order)); ok != (order != "") || ok && got != order {
			t.Fatalf("the token of %q opens %q, %t", order, got, ok)
		}
		if got, ok := c.readStatusToken(token); ok && c.statusToken(got) != lineBreaks.Replace(token) {
			t.Fatalf("%q opens %q, whose token is %q", token, got, c.statusToken(got))
		}
	})
}
