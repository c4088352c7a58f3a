package sandbox_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// recordsOf are the ids that a list answers with.
func (w *world) recordsOf(endpoint, query string) string {
	w.t.Helper()
	var ids []string
	list := w.ok(endpoint, query)
	for i := range list.Len("records") {
		ids = append(ids, list.Str(fmt.Sprintf("records.%d.recordId", i)))
	}
	return strings.Join(ids, " ")
}

// Case 29: each filter of CCPayment's newer definitions picks, so that a program that
// takes the first record takes the right one.
func TestCase29_NewerFilters(t *testing.T) {
	w := start(t)
	var address, record [3]string
	for i := range 3 {
		if i < 2 {
			address[i] = w.ok("getOrCreateAppDepositAddress", fmt.Sprintf(`{"referenceId":"buyer-%d","chain":"BSC"}`, i)).Str("address")
		} else {
			address[i] = w.ok("createAppOrderDepositAddress", `{"orderId":"order-2","coinId":1280,"chain":"TRX","price":"5"}`).Str("address")
		}
		record[i] = w.pay(sandbox.Payment{Address: address[i], Amount: dec("5")})
	}
	user := w.ok("getOrCreateUserDepositAddress", `{"userId":"user-1","chain":"BSC"}`).Str("address")
	ofUser := w.pay(sandbox.Payment{Address: user, Amount: dec("5")})
	for query, want := range map[string]string{
		`{"recordIds":["` + record[0] + `","` + record[2] + `"]}`:   record[2] + " " + record[0],
		`{"orderIds":["order-2","order-9"]}`:                        record[2],
		`{"referenceIds":["buyer-1"]}`:                              record[1],
		`{"toAddress":"` + strings.ToUpper(address[0][2:]) + `"}`:   "",
		`{"toAddress":"0x` + strings.ToUpper(address[0][2:]) + `"}`: record[0],
		`{"orderIds":[],"recordIds":null,"limit":2}`:                record[2] + " " + record[1],
		`{"limit":0,"referenceIds":["buyer-1","buyer-0"]}`:          record[1] + " " + record[0],
	} {
		if got := w.recordsOf("getAppDepositRecordList", query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	fifty := strings.Repeat(`"abc",`, 50)
	for _, name := range []string{"orderIds", "recordIds", "referenceIds"} {
		w.refused("getAppDepositRecordList", `{"`+name+`":[`+fifty+`"abc"]}`, 11010, "at most 50")
	}
	w.refused("getAppDepositRecordList", `{"limit":101}`, 11010, "at most 100")
	first := w.ok("getAppDepositRecordList", `{"limit":1}`)
	if got := w.recordsOf("getAppDepositRecordList", `{"limit":1,"nextId":"`+first.Str("nextId")+`"}`); got != record[1] {
		t.Errorf("the second page of one record has %q", got)
	}
	if got := w.recordsOf("getUserDepositRecordList", `{"userId":"user-1","toAddress":"`+address[0]+`"}`); got != "" {
		t.Errorf("a user's deposits to another's address: %q", got)
	}
	if got := w.recordsOf("getUserDepositRecordList", `{"userId":"user-1","toAddress":"`+user+`"}`); got != ofUser {
		t.Errorf("a user's deposits: %q", got)
	}
}

// Case 29: the same for payouts.
func TestCase29_NewerPayoutFilters(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "1000")
	w.gives("user-1", usdt, "1000")
	for list, call := range map[string]string{"getAppWithdrawRecordList": "applyAppWithdrawToNetwork", "getUserWithdrawRecordList": "applyUserWithdrawToNetwork"} {
		more := map[string]string{"getAppWithdrawRecordList": "", "getUserWithdrawRecordList": `"userId":"user-1",`}[list]
		id := map[string]string{"getAppWithdrawRecordList": "one", "getUserWithdrawRecordList": "user-one"}[list]
		one := w.ok(call, changed(toTron, "orderId", `"`+id+`"`, "userId", `"user-1"`)).Str("recordId")
		w.ok(call, changed(toTron, "orderId", `"not-`+id+`"`, "userId", `"user-1"`, "chain", `"BSC"`, "address", `"`+evmAddress+`"`, "networkFeeInquiryID", `"7"`))
		for _, filter := range []string{`"orderIds":["` + id + `"]`, `"toAddress":"` + tronAddress + `"`} {
			if got := w.recordsOf(list, `{`+more+filter+`}`); got != one {
				t.Errorf("%s %s: %q, want %q", list, filter, got, one)
			}
		}
	}
	record := w.ok("getAppWithdrawRecordList", `{"orderIds":["one"]}`)
	record.Expect(t, map[string]string{"records.0.appId": `"` + appID + `"`, "records.0.coinUSDPrice": `"1.0001"`, "records.0.reason": `""`})
	if err := w.SettleWithdrawal(record.Str("records.0.recordId"), "failed"); err != nil {
		t.Fatal(err)
	}
	if reason := w.ok("getAppWithdrawRecord", `{"orderId":"one"}`).Str("record.reason"); reason == "" {
		t.Error("a withdrawal that failed says no reason")
	}
	first, err := w.AutoWithdraw(sandbox.AutoWithdrawal{Coin: "1280", Chain: "BSC", Address: evmAddress, Amount: dec("10")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.AutoWithdraw(sandbox.AutoWithdrawal{Coin: "1280", Chain: "BSC", Amount: dec("10")}); err != nil {
		t.Fatal(err)
	}
	if got := w.recordsOf("getAutoWithdrawRecordList", `{"toAddress":"`+evmAddress+`"}`); got != first {
		t.Errorf("automatic withdrawals to one address: %q", got)
	}
	paid := w.pay(sandbox.Payment{Address: w.ok("getOrCreateAppDepositAddress", `{"referenceId":"buyer-1","chain":"TRX"}`).Str("address"), Amount: dec("20"), Risky: true})
	refund, err := w.RefundRisky(paid)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.recordsOf("getRiskyRefundRecordList", `{"recordIds":["1"]}`) + w.recordsOf("getRiskyRefundRecordList", `{"recordIds":["`+refund+`"]}`); got != refund {
		t.Errorf("refunds by record: %q", got)
	}
}

// Case 29: 0 stands for none, a time may be a text, and a body may be null or an
// empty list.
func TestCase29_NoneIsNone(t *testing.T) {
	w := start(t)
	w.ok("createInvoiceUrl", `{"orderId":"inv-0","price":"1","priceFiatId":1033,"priceCoinId":0,"expiredAt":0}`)
	w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"1","priceFiatId":"0","priceCoinId":"1280","expiredAt":"0","product":"`+strings.Repeat("x", 128)+`"}`)
	w.ok("createAppOrderDepositAddress", `{"orderId":"dep-0","coinId":1280,"chain":"TRX","price":"1","fiatId":0,"expiredAt":0,"buyerEmail":"buyer@shop.example"}`)
	if info := w.ok("getAppOrderInfo", `{"orderId":"dep-0"}`); info.Text("fiatId") != "null" || info.Str("buyerEmail") != "buyer@shop.example" {
		t.Errorf("%v", info.Value)
	}
	w.ok("getAppDepositRecordList", `{"coinId":0,"startAt":0,"endAt":"0"}`)
	w.refused("getCoin", `{"coinId":0}`, 11000, "coinId: required")
	w.refused("createInvoiceUrl", `{"orderId":"inv-2","price":"1","priceFiatId":0,"priceCoinId":0}`, 11000, "either")
	for _, body := range []string{"[]", " [ ] ", "null", "{}", ""} {
		if n := w.ok("getFiatList", body).Len("fiats"); n == 0 {
			t.Errorf("%q: no currencies", body)
		}
	}
	w.refused("getFiatList", "[1]", 11000, "body")
}

// Case 29: the test coin has no price, so it pays what is priced in it, and nothing
// else; no call divides by its price.
func TestCase29_TestCoin(t *testing.T) {
	w := start(t)
	w.ok("getCoin", `{"coinId":1891}`).Expect(t, map[string]string{
		"coin.price": `"0"`, "coin.networks.ETH_SEPOLIA.protocol": `"ERC20"`, "coin.networks.ETH_SEPOLIA.canDeposit": "true",
	})
	w.ok("getCoinUSDTPrice", `{"coinIds":[1891]}`).Expect(t, map[string]string{"prices.1891": `"0"`})
	w.ok("getChainList", `{"chains":["ETH_SEPOLIA"]}`).Expect(t, map[string]string{"chains.0.isEVM": "true"})
	w.refused("createAppOrderDepositAddress", `{"orderId":"dep-1","coinId":1891,"chain":"ETH_SEPOLIA","price":"1","fiatId":1033}`, 13002, "no price")
	w.ok("createAppOrderDepositAddress", `{"orderId":"dep-2","coinId":1891,"chain":"ETH_SEPOLIA","price":"0.5","generateCheckoutURL":true}`)
	w.pay(sandbox.Payment{OrderID: "dep-2"})
	w.ok("getAppOrderInfo", `{"orderId":"dep-2"}`).Expect(t, map[string]string{"paidList.0.amount": `"0.5"`, "paidList.0.status": `"Success"`})
	if _, err := w.Pay(t.Context(), sandbox.Payment{OrderID: "dep-2", Coin: "USDT", Chain: "BSC"}); err == nil {
		t.Error("what is due in a test coin was turned into another")
	}
	w.pay(sandbox.Payment{OrderID: "dep-2", Coin: "USDT", Chain: "BSC", Amount: dec("1")})

	w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"0.5","priceCoinId":1891}`)
	w.pay(sandbox.Payment{OrderID: "inv-1"})
	w.ok("getInvoiceOrderInfo", `{"orderId":"inv-1"}`).Expect(t, map[string]string{"paidList.0.coinId": "1891", "totalPaidValue": `"0.5"`})
	for id, coin := range map[string]string{"inv-1": "USDT", "inv-2": "TETH"} {
		if id == "inv-2" {
			w.ok("createInvoiceUrl", `{"orderId":"inv-2","price":"5","priceFiatId":1033}`)
		}
		if _, err := w.Pay(t.Context(), sandbox.Payment{OrderID: id, Coin: coin, Amount: dec("1")}); err == nil || !strings.Contains(err.Error(), "no price") {
			t.Errorf("%s in %s: %v", id, coin, err)
		}
	}
	w.gives(appID, 1891, "2")
	w.ok("getWithdrawFee", `{"coinId":1891,"chain":"ETH_SEPOLIA"}`).Expect(t, map[string]string{"fee.amount": `"0"`})
	w.ok("applyAppWithdrawToNetwork", `{"orderId":"out-1","coinId":1891,"chain":"ETH_SEPOLIA","address":"`+evmAddress+`","amount":"0.5"}`)
	w.ok("applyAppWithdrawToCwallet", `{"orderId":"out-2","coinId":1891,"cwalletUser":"35255142","amount":"0.5"}`)
	w.refused("swap", `{"orderId":"swap-1","coinIdIn":1891,"amountIn":"1","coinIdOut":1280}`, 16006, "TETH")
}

// Case 29: addressUnbinding says why not.
func TestCase29_UnbindingRefusals(t *testing.T) {
	w := start(t)
	order := w.ok("createAppOrderDepositAddress", `{"orderId":"dep-1","coinId":1280,"chain":"TRX","price":"1"}`).Str("address")
	memo := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"buyer-1","chain":"XRP"}`).Str("address")
	fresh := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"buyer-1","chain":"TRX"}`).Str("address")
	for _, test := range []struct {
		chain, address string
		code           int
	}{
		{"TRX", fresh, 17000}, {"XRP", memo, 17002}, {"TRX", order, 17004}, {"BSC", fresh, 17005}, {"BSC", evmAddress, 17007},
	} {
		w.refused("addressUnbinding", `{"chain":"`+test.chain+`","address":"`+test.address+`"}`, test.code, "address")
	}
	w.pay(sandbox.Payment{Address: fresh, Amount: dec("5")})
	w.ok("addressUnbinding", `{"chain":"TRX","address":"`+fresh+`"}`)
	w.refused("addressUnbinding", `{"chain":"TRX","address":"`+fresh+`"}`, 17003, "already")
}
