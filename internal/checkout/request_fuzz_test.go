package checkout

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson/strictjsontest"
)

// FuzzOffer: what is read of an app's answer under the fields' own names is
// what encoding/json reads, of a text in which no key stands twice; and no map
// of paths that an operator writes makes reading it fail in another way.
func FuzzOffer(f *testing.F) {
	for _, seed := range []struct{ body, path string }{
		{`{"order_id":"order-1","price":"49.90","currency":"USD"}`, "price"},
		{`{"order":{"id":7,"lines":[{"sum":1.5},{"sum":2}]},"order_id":7}`, "order.lines.#(sum>1).sum"},
		{`{"order_id":"a","price":12.50,"expires_in":900,"product":"Tea & cups","coin":"USDT","chain":"TRX"}`, "@this"},
		{`{"order_id":"a","price":1,"price":2}`, "price"},
		{`{"order_id":"a","pr\u0069ce":"1","nested":{"a":1,"\u0061":2}}`, "nested.a"},
		{`{"order_id":"\ud800","price":1e99}`, "@reverse|@ugly"},
		{`{"order_id":"a","expires_in":"-1"}`, "@join:{\"preserve\":true}"},
		{`{"order_id":"a","expires_in":2147483648}`, "{a:price,b}"},
		{`[{"order_id":"a"}]`, "0.order_id"},
		{`{"order_id":"a","price":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, "price.0.0.0"},
		{`{"order_id":""}`, `price\.net`},
		{`"a"`, "#"},
		{``, ""},
		{`{"a":1}{"b":2}`, "..1.b"},
	} {
		f.Add([]byte(seed.body), seed.path)
	}
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		mapped := map[string]string{}
		for name := range OwnPaths() {
			mapped[name] = path
		}
		if r, err := ReadRequest(body, mapped); err == nil && r.OrderID == "" {
			t.Fatalf("a request without an order of %q at %q", body, path)
		}
		r, err := ReadRequest(body, OwnPaths())
		if err != nil {
			return
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(body, &object); err != nil {
			t.Fatalf("%q is no object to encoding/json: %v", body, err)
		}
		if !utf8.Valid(body) {
			return // encoding/json replaces what is no UTF-8
		}
		for name, have := range map[string]string{
			"order_id": r.OrderID, "price": r.Price, "currency": r.Currency, "coin": r.Coin, "chain": r.Chain, "product": r.Product,
			"buyer_email": r.BuyerEmail, "return_url": r.ReturnURL, "close_url": r.CloseURL,
		} {
			if want := strictjsontest.Text(object[name]); have != want {
				t.Fatalf("%s is %q, want %q, in %q", name, have, want, body)
			}
			if strictjsontest.Count(body, name) > 1 {
				t.Fatalf("%s stands twice in %q", name, body)
			}
		}
		in := strictjsontest.Text(object["expires_in"])
		if r.Expires < 0 || r.Expires%time.Second != 0 || (in == "") != (r.Expires == 0) {
			t.Fatalf("expires_in %q is %s", in, r.Expires)
		}
	})
}

// FuzzPrice: a price that is taken is exactly the number that was written, more
// than zero, and of no more decimals than its unit has.
func FuzzPrice(f *testing.F) {
	for _, text := range []string{
		"49.90", "0", "-1", "1e5", "+1", "0.001", "0.01", " 1", "1_000", "1,5", ".5", "5.", "NaN", "Inf", "0x10", "١", "",
		"0.000000000000000001", strings.Repeat("9", 40), strings.Repeat("9", 41), "1" + strings.Repeat("0", 50), "0." + strings.Repeat("0", 50),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for decimals, fiat := range map[int64]bool{fiatDecimals: true, coinDecimals: false} {
			price, err := ParsePrice(text, fiat)
			if err != nil {
				continue
			}
			want, ok := new(big.Rat).SetString(text)
			if !ok || price.Rat().Cmp(want) != 0 || want.Sign() <= 0 {
				t.Fatalf("%q is the price %s", text, price)
			}
			scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(decimals), nil))
			if !want.Mul(want, scale).IsInt() {
				t.Fatalf("%q has more decimals than its unit", text)
			}
			if len(price.String()) > 45 {
				t.Fatalf("%q becomes %s", text, price)
			}
		}
	})
}

// TestBrokenOrderIDs: an id that has something in it which is no character is refused, and
// not taken as it is written in JSON: that is another id.
func TestBrokenOrderIDs(t *testing.T) {
	for _, id := range []string{`"\ud800"`, `"a\udfffb"`, `"\ufffd"`, `"\udc00\ud800"`, "\"a\xffb\"", "\"\ufffd\""} {
		r, err := ReadRequest([]byte(`{"order_id":`+id+`,"price":"10"}`), OwnPaths())
		var field *gateway.FieldError
		if !errors.As(err, &field) || !strings.Contains(err.Error(), "is not whole in UTF-8") {
			t.Errorf("%q is the order %q, %v", id, r.OrderID, err)
		}
	}
	for id, want := range map[string]string{`"\"\\ud800\""`: `"\ud800"`, `"\ud83d\udcb6"`: "💶", `7`: "7", `"\u00c4"`: "Ä"} {
		if r, err := ReadRequest([]byte(`{"order_id":`+id+`,"price":"10"}`), OwnPaths()); err != nil || r.OrderID != want {
			t.Errorf("%s is the order %q, %v", id, r.OrderID, err)
		}
	}
}
