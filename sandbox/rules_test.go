package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// rule is a call and the code and field that it must be answered with.
type rule struct {
	name, body string
	code       int
	says       string
}

func check(t *testing.T, w *world, endpoint string, rules []rule) {
	t.Helper()
	for _, r := range rules {
		got := w.call(endpoint, r.body)
		if got.Code != r.code || !strings.Contains(got.Msg, r.says) || got.HTTP != 200 {
			t.Errorf("%s, %s: %d %q, want %d and %q", endpoint, r.name, got.Code, got.Msg, r.code, r.says)
		}
	}
}

func long(n int) string { return strings.Repeat("é", n) }

func at(w *world, d time.Duration) string { return fmt.Sprint(w.Now().Add(d).Unix()) }

func TestInvoiceRules(t *testing.T) {
	w := start(t)
	ids := 0
	with := func(more string) string {
		ids++
		return fmt.Sprintf(`{"orderId":"inv-%d","price":"9.90","priceFiatId":"1033"%s}`, ids, more)
	}
	priced := func(price, unit string) string {
		ids++
		return fmt.Sprintf(`{"orderId":"inv-%d","price":%s,%s}`, ids, price, unit)
	}
	check(t, w, "createInvoiceUrl", []rule{
		{"no body", ``, 11000, "orderId: required"},
		{"a list", `[1]`, 11000, "body"},
		{"half a body", `{"orderId":"abc"`, 11000, "body"},
		{"two bodies", `{} {}`, 11000, "body"},
		{"a key twice", `{"orderId":"abc","orderId":"abd"}`, 11000, "orderId: appears twice"},
		{"short id", `{"orderId":"ab","price":"1","priceFiatId":1033}`, 11000, "orderId: 3–64 characters, got 2"},
		{"long id", `{"orderId":"` + long(65) + `","price":"1","priceFiatId":1033}`, 11000, "got 65"},
		{"id as number", `{"orderId":123,"price":"1","priceFiatId":1033}`, 11000, "orderId: must be a string"},
		{"64 characters", `{"orderId":"` + long(64) + `","price":"1","priceFiatId":1033}`, 10000, ""},
		{"fiat id as text", priced(`"1"`, `"priceFiatId":"1033"`), 10000, ""},
		{"fiat id as number", priced(`"1"`, `"priceFiatId":1033`), 10000, ""},
		{"coin id as text", priced(`"1"`, `"priceCoinId":"1280"`), 10000, ""},
		{"both currencies", priced(`"1"`, `"priceFiatId":1033,"priceCoinId":1280`), 11000, "either priceFiatId or"},
		{"no currency", priced(`"1"`, `"product":"x"`), 11000, "either priceFiatId or"},
		{"unknown fiat", priced(`"1"`, `"priceFiatId":1`), 11000, "priceFiatId"},
		{"unknown coin", priced(`"1"`, `"priceCoinId":1`), 13000, "priceCoinId"},
		{"no price", `{"orderId":"abc","priceFiatId":1033}`, 11000, "price: required"},
		{"price as number", priced(`10`, `"priceFiatId":1033`), 11000, "price: must be a string"},
		{"zero", priced(`"0"`, `"priceFiatId":1033`), 11000, "price: must be above 0"},
		{"negative", priced(`"-1"`, `"priceFiatId":1033`), 11000, "price"},
		{"exponent", priced(`"1e9"`, `"priceFiatId":1033`), 11000, "price"},
		{"words", priced(`"ten"`, `"priceFiatId":1033`), 11000, "price"},
		{"three decimals of fiat", priced(`"1.001"`, `"priceFiatId":1033`), 11000, "price: at most 2 decimals, got 3"},
		{"18 decimals of a coin", priced(`"0.000000000000000001"`, `"priceCoinId":1329`), 10000, ""},
		{"19 decimals of a coin", priced(`"0.0000000000000000001"`, `"priceCoinId":1329`), 11000, "18 decimals"},
		{"finer than the coin", priced(`"0.0000001"`, `"priceCoinId":1482`), 14013, "price: TRX has at most 6"},
		{"41 digits", priced(`"`+strings.Repeat("1", 42)+`"`, `"priceFiatId":1033`), 11000, "40 digits"},
		{"a price without end", priced(`"`+strings.Repeat("9", 90000)+`"`, `"priceFiatId":1033`), 11000, "40 digits"},
		{"long product", with(`,"product":"` + long(129) + `"`), 11000, "product: at most 128 characters, got 129"},
		{"product", with(`,"product":"` + long(120) + `"`), 10000, ""},
		{"email", with(`,"buyerEmail":"eve@shop.example"`), 10000, ""},
		{"no email", with(`,"buyerEmail":"eve"`), 11000, "buyerEmail"},
		{"email with a name", with(`,"buyerEmail":"Eve <eve@shop.example>"`), 11000, "buyerEmail"},
		{"long email", with(`,"buyerEmail":"` + strings.Repeat("e", 120) + `@a.example"`), 11000, "buyerEmail"},
		{"return", with(`,"returnUrl":"https://shop.example/thanks"`), 10000, ""},
		{"return to nowhere", with(`,"returnUrl":"/thanks"`), 11000, "returnUrl"},
		{"close by script", with(`,"closeUrl":"javascript:alert(1)"`), 11000, "closeUrl"},
		{"notify by file", with(`,"notifyUrl":"file:///etc/passwd"`), 11000, "notifyUrl"},
		{"long notify", with(`,"notifyUrl":"https://shop.example/` + strings.Repeat("n", 150) + `"`), 11000, "notifyUrl"},
		{"already expired", with(`,"expiredAt":` + at(w, -time.Minute)), 11000, "expiredAt"},
		{"nine days", with(`,"expiredAt":` + at(w, 9*24*time.Hour)), 10000, ""},
		{"eleven days", with(`,"expiredAt":` + at(w, 11*24*time.Hour)), 11012, "expiredAt"},
		{"expiry in milliseconds", with(`,"expiredAt":1890000000000`), 11000, "ten digits"},
		{"expiry as text", with(`,"expiredAt":"` + at(w, 9*24*time.Hour) + `"`), 10000, ""},
		{"expiry in words", with(`,"expiredAt":"tomorrow"`), 11000, "ten digits"},
		{"unknown parameter", with(`,"colour":"red"`), 10000, ""},
		{"null is absent", with(`,"product":null,"returnUrl":null`), 10000, ""},
		{"again", `{"orderId":"inv-1","price":"1","priceFiatId":1033}`, 11011, "inv-1"},
	})
	// Deposit orders share the ids of invoices.
	check(t, w, "createAppOrderDepositAddress", []rule{
		{"an invoice's id", `{"orderId":"inv-1","price":"1","coinId":1280,"chain":"TRX"}`, 11011, "inv-1"},
	})
}

func TestDepositOrderRules(t *testing.T) {
	w := start(t)
	ids := 0
	with := func(coin, chain, price, more string) string {
		ids++
		return fmt.Sprintf(`{"orderId":"dep-%d","coinId":%s,"chain":"%s","price":"%s"%s}`, ids, coin, chain, price, more)
	}
	check(t, w, "createAppOrderDepositAddress", []rule{
		{"coin price", with("1280", "TRX", "5", ""), 10000, ""},
		{"coin id as text", with(`"1280"`, "TRX", "5", ""), 10000, ""},
		{"fiat price", with("1280", "TRX", "5.25", `,"fiatId":1033`), 10000, ""},
		{"three decimals of fiat", with("1280", "TRX", "5.255", `,"fiatId":1033`), 11000, "2 decimals"},
		{"unknown fiat", with("1280", "TRX", "5", `,"fiatId":7`), 11000, "fiatId"},
		{"unknown coin", with("7", "TRX", "5", ""), 13000, "coinId"},
		{"coin zero", with("0", "TRX", "5", ""), 11000, "coinId"},
		{"unknown chain", with("1280", "TRC20", "5", ""), 13001, "chain"},
		{"not on that chain", with("1280", "BTC", "5", ""), 13001, "USDT"},
		{"finer than the chain", with("1280", "TRX", "0.0000001", ""), 14013, "price"},
		{"finer elsewhere", with("1280", "BSC", "0.0000001", ""), 10000, ""},
		{"halted chain", with("1150", "XLM", "5", ""), 15003, "XLM"},
		{"delisted soon", with("1700", "BSC", "5", ""), 13005, "LUNC"},
		{"delisted", with("1701", "ETH", "5", ""), 13005, "FTT"},
		{"in maintenance", with("1125", "BSC", "5", ""), 10000, ""},
		{"flag as text", with("1280", "TRX", "5", `,"generateCheckoutURL":"yes"`), 11000, "generateCheckoutURL"},
		{"eleven days", with("1280", "TRX", "5", `,"expiredAt":`+at(w, 11*24*time.Hour)), 11012, "expiredAt"},
		{"again", `{"orderId":"dep-1","price":"1","coinId":1280,"chain":"TRX"}`, 11011, "dep-1"},
	})
	check(t, w, "createInvoiceUrl", []rule{
		{"a deposit order's id", `{"orderId":"dep-1","price":"1","priceFiatId":1033}`, 11011, "dep-1"},
	})
	check(t, w, "getAppOrderInfo", []rule{
		{"unknown", `{"orderId":"nothing"}`, 11003, "nothing"},
		{"short", `{"orderId":"x"}`, 11000, "orderId"},
	})
	check(t, w, "getInvoiceOrderInfo", []rule{{"a deposit order", `{"orderId":"dep-1"}`, 11003, "getAppOrderInfo"}})
}

func TestOtherRules(t *testing.T) {
	w := start(t)
	many := func(n int) string { return `["1280"` + strings.Repeat(`,"1280"`, n-1) + `]` }
	check(t, w, "getOrCreateAppDepositAddress", []rule{
		{"good", `{"referenceId":"user-1","chain":"TRX"}`, 10000, ""},
		{"no reference", `{"chain":"TRX"}`, 11000, "referenceId: required"},
		{"short reference", `{"referenceId":"u","chain":"TRX"}`, 11000, "3–64"},
		{"no chain", `{"referenceId":"user-1"}`, 11000, "chain: required"},
		{"unknown chain", `{"referenceId":"user-1","chain":"DOGE"}`, 13001, "DOGE"},
		{"halted chain", `{"referenceId":"user-1","chain":"XLM"}`, 15003, "XLM"},
	})
	check(t, w, "addressUnbinding", []rule{
		{"unknown", `{"chain":"TRX","address":"Tnobody"}`, 17007, "address"},
		{"no address", `{"chain":"TRX"}`, 11000, "address: required"},
	})
	check(t, w, "getAppDepositRecord", []rule{
		{"none", `{}`, 11000, "recordId: required"}, {"unknown", `{"recordId":"2025"}`, 11003, "2025"},
	})
	check(t, w, "getAppDepositRecordList", []rule{
		{"everything", ``, 10000, ""},
		{"both", `{"orderId":"abc","referenceId":"abc"}`, 11000, "orderId or referenceId"},
		{"end before start", `{"startAt":1700000100,"endAt":1700000000}`, 11000, "endAt"},
		{"three months and more", `{"startAt":1700000000,"endAt":1708000000}`, 11008, "three months"},
		{"three months to now", `{"startAt":1700000000}`, 11008, "three months"},
		{"three months", `{"startAt":1700000000,"endAt":1707900000}`, 10000, ""},
		{"foreign nextId", `{"nextId":"1234"}`, 11000, "nextId"},
	})
	check(t, w, "getCoin", []rule{{"unknown", `{"coinId":5}`, 13000, "coinId"}, {"none", `{}`, 11000, "coinId"}})
	check(t, w, "getCoinUSDTPrice", []rule{
		{"none", `{}`, 11000, "coinIds"},
		{"100", `{"coinIds":` + many(100) + `}`, 10000, ""},
		{"101", `{"coinIds":` + many(101) + `}`, 11010, "at most 100"},
		{"not a list", `{"coinIds":1280}`, 11000, "list"},
		{"names", `{"coinIds":["USDT"]}`, 11000, "whole numbers"},
		{"unknown", `{"coinIds":[5]}`, 13000, "5"},
	})
	check(t, w, "getChainList", []rule{
		{"some", `{"chains":["ETH"]}`, 10000, ""},
		{"unknown", `{"chains":["MARS"]}`, 13001, "MARS"},
		{"numbers", `{"chains":[1]}`, 11000, "strings"},
	})
	check(t, w, "getWithdrawFee", []rule{
		{"good", `{"coinId":1280,"chain":"TRX"}`, 10000, ""},
		{"not on that chain", `{"coinId":1280,"chain":"BTC"}`, 13001, "USDT"},
	})
	check(t, w, "getCwalletUserId", []rule{
		{"good", `{"cwalletUserId":"35255142"}`, 10000, ""},
		{"email", `{"cwalletUserId":"jane@mail.example"}`, 10000, ""},
		{"nobody", `{"cwalletUserId":"35255404"}`, 11003, "cwalletUserId"},
	})
	check(t, w, "rescanLostTransaction", []rule{
		{"unknown", `{"chain":"TRX","toAddress":"Tx","txId":"ab"}`, 11003, "txId"},
		{"no txId", `{"chain":"TRX","toAddress":"Tx"}`, 11000, "txId: required"},
	})
}

func TestAddressesAreLimited(t *testing.T) {
	w := start(t)
	for i := range 1000 {
		w.ok("getOrCreateAppDepositAddress", fmt.Sprintf(`{"referenceId":"ref-%d","chain":"ETH"}`, i))
	}
	check(t, w, "getOrCreateAppDepositAddress", []rule{
		{"one too many", `{"referenceId":"ref-1000","chain":"ETH"}`, 15001, "1000"},
		{"one that exists", `{"referenceId":"ref-7","chain":"BSC"}`, 10000, ""},
	})
}
