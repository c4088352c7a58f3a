package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// Case 29: a batch transfer moves all or nothing.
func TestCase29_BatchTransfer(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "20")
	w.gives("user-1", usdt, "1")
	w.gives("user-2", usdt, "1")
	body := map[string]string{
		"orderId": `"tips-1"`, "userId": `"` + appID + `"`, "coinId": "1280", "remark": `"tips"`,
		"toUsers": `[{"userId":"user-1","amount":"5"},{"userId":"user-2","amount":"2.500"}]`,
	}
	for name, test := range map[string]struct {
		changes []string
		code    int
		says    string
	}{
		"nobody":             {[]string{"toUsers", "[]"}, 11000, "1–500"},
		"a stranger":         {[]string{"toUsers", `[{"userId":"user-1","amount":"5"},{"userId":"nobody-1","amount":"5"}]`}, 11015, "nobody-1"},
		"the payer":          {[]string{"userId", `"user-1"`}, 11000, "toUsers[0].userId"},
		"no amount":          {[]string{"toUsers", `[{"userId":"user-1"}]`}, 11000, "toUsers[0].amount"},
		"worth nothing":      {[]string{"toUsers", `[{"userId":"user-1","amount":"5"},{"userId":"user-2","amount":"0.0001"}]`}, 14005, "toUsers[1].amount"},
		"more than there is": {[]string{"toUsers", `[{"userId":"user-1","amount":"15"},{"userId":"user-2","amount":"15"}]`}, 14000, "30 are needed"},
	} {
		t.Run(name, func(t *testing.T) {
			w.refused("userBatchTransfer", changed(body, test.changes...), test.code, test.says)
		})
	}
	w.holds(appID, usdt, "20")
	id := w.ok("userBatchTransfer", changed(body)).Str("recordId")
	w.refused("userBatchTransfer", changed(body), 11011, "tips-1")
	w.holds(appID, usdt, "12.5")
	w.holds("user-1", usdt, "6")
	w.holds("user-2", usdt, "3.5")
	w.ok("getUserBatchTransferRecord", `{"orderId":"tips-1"}`).Expect(t, map[string]string{
		"record.recordId": `"` + id + `"`, "record.userId": `"` + appID + `"`, "record.coinId": "1280", "record.coinSymbol": `"USDT"`,
		"record.toUsers": `[{"amount":"5","userId":"user-1"},{"amount":"2.5","userId":"user-2"}]`, "record.status": `"Success"`,
		"record.remark": `"tips"`, "record.coinUSDPrice": `"1.0001"`,
	})
	w.refused("getUserBatchTransferRecord", `{"orderId":"tips-9"}`, 11003, "tips-9")
	w.refused("getUserBatchTransferRecord", `{}`, 11000, "one of them")
	detail := w.ok("getUserBatchTransferRecordDetail", `{"recordId":"`+id+`"}`)
	if detail.Len("records") != 2 || detail.Str("records.0.orderId") != "tips-1" || detail.Str("records.0.toUserId") != "user-2" {
		t.Errorf("detail: %v", detail.Value)
	}
	w.refused("getUserBatchTransferRecordDetail", `{"recordId":"404"}`, 11003, "404")
	w.ok("userBatchTransfer", changed(body, "orderId", `"tips-2"`, "userId", `"user-1"`, "toUsers", `[{"userId":"user-2","amount":"1"}]`))
	for query, want := range map[string]int{
		`{}`: 2, `{"orderIds":["tips-2"]}`: 1, `{"userId":"user-1"}`: 1, `{"userId":"user-2"}`: 0, `{"coinId":1482}`: 0,
		`{"startAt":` + at(w, time.Hour) + `}`: 0,
	} {
		if got := w.ok("getUserBatchTransferRecordList", query).Len("records"); got != want {
			t.Errorf("%s: %d records, want %d", query, got, want)
		}
	}
	w.Advance(91 * 24 * time.Hour)
	if got := w.ok("getUserBatchTransferRecordList", `{}`).Len("records"); got != 0 {
		t.Errorf("%d records of more than 90 days ago", got)
	}
	if got := w.Deliveries(); len(got) != 0 {
		t.Errorf("transfers have webhooks: %+v", got)
	}
}

// Case 29: an aggregation costs its fee once for each coin of an address.
func TestCase29_AggregationFees(t *testing.T) {
	w := start(t)
	var address [2]string
	for i := range address {
		address[i] = w.ok("getOrCreateAppDepositAddress", fmt.Sprintf(`{"referenceId":"buyer-%d","chain":"BSC"}`, i)).Str("address")
	}
	memo := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"buyer-1","chain":"XRP"}`)
	w.pay(sandbox.Payment{Address: memo.Str("address"), Memo: memo.Str("memo"), Coin: "XRP", Amount: dec("100")})
	for _, to := range []string{address[0], address[0], address[1]} {
		w.pay(sandbox.Payment{Address: to, Coin: "USDT", Chain: "BSC", Amount: dec("100")})
	}
	before := w.Balance(appID, usdt)
	span := `"startAt":` + at(w, -time.Hour) + `,"endAt":` + at(w, time.Hour)
	if status, answer := w.control("POST", "/sandbox/aggregate", ""); status != 200 || answer.Text("addresses") != "2" {
		t.Fatalf("%d %v", status, answer.Value)
	}
	w.holds(appID, usdt, before.Sub(dec("0.39996002")).String())
	if n := w.Aggregate(); n != 0 {
		t.Errorf("%d addresses once more", n)
	}
	list := w.ok("getAggregationFeeRecord", `{`+span+`,"limit":1}`)
	list.Expect(t, map[string]string{
		"list.0.chain": `"BSC"`, "list.0.address": `"` + address[1] + `"`,
		"list.0.collects": `[{"aggregationFee":"0.19998001","coinId":1280,"coinSymbol":"USDT"}]`,
	})
	if got := w.ok("getAggregationFeeRecord", `{`+span+`,"limit":1,"nextId":"`+list.Str("nextId")+`"}`); got.Str("list.0.address") != address[0] || got.Str("nextId") != "" {
		t.Errorf("the second page: %v", got.Value)
	}
	for filter, want := range map[string]int{`,"chain":"TRX"`: 0, `,"chain":"BSC","address":"0x` + strings.ToUpper(address[0][2:]) + `"`: 1, `,"chain":"","address":""`: 2} {
		if got := w.ok("getAggregationFeeRecord", `{`+span+filter+`}`).Len("list"); got != want {
			t.Errorf("%s: %d, want %d", filter, got, want)
		}
	}
	w.refused("getAggregationFeeRecord", `{"endAt":`+at(w, 0)+`}`, 11000, "startAt")
	w.refused("getAggregationFeeRecord", `{"startAt":`+at(w, 0)+`}`, 11000, "endAt")
	w.refused("getAggregationFeeRecord", `{"startAt":`+at(w, -100*24*time.Hour)+`,"endAt":`+at(w, 0)+`}`, 11008, "three months")
	w.refused("getAggregationFeeRecord", `{`+span+`,"limit":101}`, 11010, "100")
}

// Case 29: the block of a payment, by both of the endpoint's names; all chains; the chains'
// own coins; and what CCPayment's plugin for WooCommerce calls.
func TestCase29_SmallEndpoints(t *testing.T) {
	w := start(t)
	address := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"buyer-1","chain":"TRX"}`).Str("address")
	open := w.pay(sandbox.Payment{Address: address, Amount: dec("5"), Status: "processing"})
	paid := w.pay(sandbox.Payment{Address: address, Amount: dec("50")})
	w.gives(appID, usdt, "50")
	out := w.ok("applyAppWithdrawToNetwork", changed(toTron)).Str("recordId")
	height := func(endpoint, body string) string {
		got := w.ok(endpoint, body)
		block, last := dec(got.Text("txBlockHeight")), dec(got.Text("currBlockHeight"))
		if block.IsZero() {
			return got.Str("chain") + " in no block of " + got.Text("reqConfirmations")
		}
		return got.Str("chain") + " " + last.Sub(block).String() + " of " + got.Text("reqConfirmations")
	}
	for body, want := range map[string]string{
		`{"record_id":"` + paid + `"}`: "TRX 19 of 19", `{"record_id":"` + open + `"}`: "TRX 0 of 19", `{"record_id":"` + out + `"}`: "TRX in no block of 19",
	} {
		if got := height("getPaymentBlockHeight", body); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	if got := height("getTradeBlockHeight", `{"recordId":"`+paid+`"}`); got != "TRX 19 of 19" {
		t.Errorf("by the SDKs' name: %s", got)
	}
	w.refused("getPaymentBlockHeight", `{"record_id":"404"}`, 11003, "404")
	w.refused("getPaymentBlockHeight", `{}`, 11000, "record_id")

	if all, some := w.ok("all/chain", ""), w.ok("getChainList", ""); all.Len("chains") != some.Len("chains") || all.Text("chains.0.confirmNum") != some.Text("chains.0.confirmations") {
		t.Errorf("all chains: %v", all.Value)
	}
	for _, body := range []string{"", "{}", `{"appId":"` + appID + `"}`} {
		w.ok("getMainCoinList", body).Expect(t, map[string]string{"coinChainList.0.coinId": "1161", "coinChainList.0.symbol": `"ETH"`, "coinChainList.0.chain": `"ETH"`})
	}
	w.refused("getMainCoinList", `{"appId":"app-124"}`, 12001, "appId")

	page := w.ok("createCheckoutUrl", `{"orderId":"woo-1","price":"49.90","priceFiatId":"1033","product":"Cap"}`)
	w.ok("getInvoiceOrderInfo", `{"orderId":"woo-1"}`).Expect(t, map[string]string{"invoiceUrl": page.Text("checkoutUrl"), "product": `"Cap"`})
	w.refused("createCheckoutUrl", `{"orderId":"woo-1","price":"49.90","priceFiatId":"1033"}`, 11011, "woo-1")
}

// Case 29: each newer code that a sandbox can know a cause of comes of that cause. Those
// of batches are in TestCase29_BatchRefusals, those of unbinding in
// TestCase29_UnbindingRefusals.
func TestCase29_CodesByTheirCauses(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "1000")
	w.gives(appID, 1891, "5")
	account := func(a sandbox.Account) func() { return func() { w.SetAccount(a) } }
	none := func() {}
	const swapUSDT = `{"orderId":"swap-%d","coinIdIn":1280,"amountIn":"20","coinIdOut":1482}`
	out := func(changes ...string) string {
		return changed(toTron, append([]string{"orderId", `"out-%d"`}, changes...)...)
	}
	for i, test := range []struct {
		cause          func()
		endpoint, body string
		code           int
		says           string
	}{
		{none, "getAppDepositRecordList", `{"startAt":` + at(w, -100*24*time.Hour) + `}`, 11008, "three months"},
		{account(sandbox.Account{CallsPerDay: 1}), "getFiatList", "", 10000, ""},
		{none, "getFiatList", "", 11009, "1 calls"},
		{func() { w.Advance(24 * time.Hour) }, "getFiatList", "", 10000, ""},
		{account(sandbox.Account{}), "getCoinUSDTPrice", `{"coinIds":[` + strings.Repeat("1280,", 100) + `1280]}`, 11010, "100"},
		{none, "createInvoiceUrl", `{"orderId":"inv-%d","price":"1","priceFiatId":1033,"expiredAt":` + at(w, 20*24*time.Hour) + `}`, 11012, "10 days"},
		{account(sandbox.Account{OnlyV1: true}), "getFiatList", "", 11013, "V1"},
		{account(sandbox.Account{}), "getUserCoinAssetList", `{"userId":"nobody-1"}`, 11015, "nobody-1"},
		{account(sandbox.Account{Unverified: true}), "getFiatList", "", 12003, "verified"},
		{account(sandbox.Account{}), "createAppOrderDepositAddress", `{"orderId":"dep-%d","coinId":1891,"chain":"ETH_SEPOLIA","price":"1","fiatId":1033}`, 13002, "no price"},
		{none, "applyAppWithdrawToNetwork", `{"orderId":"out-%d","coinId":1891,"chain":"ETH_SEPOLIA","address":"` + evmAddress + `","amount":"1","merchantPayNetworkFee":true}`, 13003, "no price"},
		{none, "applyAppWithdrawToCwallet", `{"coinId":1125,"cwalletUser":"35255142","amount":"9","orderId":"out-%d"}`, 13005, "halted"},
		{none, "swap", `{"orderId":"swap-%d","coinIdIn":1125,"amountIn":"20","coinIdOut":1482}`, 13006, "halted"},
		{account(sandbox.Account{NoWithdrawals: true}), "applyAppWithdrawToNetwork", out(), 14018, "disabled"},
		{account(sandbox.Account{}), "applyAppWithdrawToNetwork", out("amount", `"2.5"`), 14019, "at least 2"},
		{account(sandbox.Account{NoWhitelist: true}), "applyAppWithdrawToNetwork", out(), 14020, "listed"},
		{none, "applyAppWithdrawToCwallet", `{"coinId":1280,"cwalletUser":"35255142","amount":"9","orderId":"out-%d"}`, 14020, "listed"},
		{none, "swap", swapUSDT, 14021, "listed"},
		{account(sandbox.Account{TestMode: true}), "applyAppWithdrawToNetwork", out("amount", `"10.5"`), 14023, "10"},
		{none, "applyAppWithdrawToNetwork", out("amount", `"6"`), 10000, ""},
		{none, "applyAppWithdrawToNetwork", out("amount", `"6"`), 14022, "in all"},
		{account(sandbox.Account{HaltedSwaps: []int64{1482}}), "swap", swapUSDT, 16001, "TRX"},
		{account(sandbox.Account{}), "swap", `{"orderId":"swap-%d","coinIdIn":1280,"amountIn":"0.05","coinIdOut":1482}`, 16002, "fees"},
		{none, "swap", `{"orderId":"swap-%d","coinIdIn":1280,"amountIn":"20","coinIdOut":1482,"amountOutMinimum":"1000"}`, 16003, "1000"},
		{account(sandbox.Account{SwapsPerDay: 30}), "swap", swapUSDT, 10000, ""},
		{none, "swap", swapUSDT, 16004, "30"},
		{func() { w.Advance(24 * time.Hour) }, "swap", swapUSDT, 10000, ""},
		{account(sandbox.Account{NoSwaps: true}), "swap", swapUSDT, 16005, "disabled"},
		{account(sandbox.Account{}), "swap", `{"orderId":"swap-%d","coinIdIn":1280,"amountIn":"20","coinIdOut":1891}`, 16006, "TETH"},
		{none, "addressUnbinding", `{"chain":"BSC","address":"` + evmAddress[:34] + `feedfeed"}`, 17001, "another merchant"},
	} {
		test.cause()
		body := strings.ReplaceAll(test.body, "%d", fmt.Sprint(i))
		if r := w.call(test.endpoint, body); r.Code != test.code || test.code != 10000 && !strings.Contains(r.Msg, test.says) {
			t.Errorf("%s %s: %d %q, want %d with %q", test.endpoint, body, r.Code, r.Msg, test.code, test.says)
		}
	}
	// A batch is bound by the same.
	w.gives(appID, usdt, "1000")
	w.batch("wages-1", "Batch", 1)
	for code, a := range map[int]sandbox.Account{14018: {NoWithdrawals: true}, 14020: {NoWhitelist: true}, 14022: {TestMode: true}} {
		w.SetAccount(a)
		w.refused("confirmBatchWithdraw", `{"batchOrderId":"wages-1"}`, code, "")
	}
	if status, answer := w.control("POST", "/sandbox/account", `{"unverified":true}`); status != 200 {
		t.Errorf("%d %v", status, answer.Value)
	}
	w.refused("getFiatList", "", 12003, "")
	if status, answer := w.control("POST", "/sandbox/account", `{"calls_per_day":-1}`); status == 200 {
		t.Errorf("%v", answer.Value)
	}
	w.Reset()
	w.ok("getFiatList", "")
}
