package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestSwapQuotes(t *testing.T) {
	w := start(t)
	// Without an extraFeeRate the merchant's quote has no extra fee at all.
	w.ok("estimate", `{"coinIdIn":1280,"amountIn":"100","coinIdOut":1329}`).Expect(t, map[string]string{
		"coinIdIn": "1280", "coinIdOut": "1329", "amountIn": `"100"`,
		"amountOut": `"237.384286731545217184"`, "swapRate": `"2.373842867315452171"`, "feeRate": `"0.005"`,
		"fee": `"1.186921433657726086"`, "netAmountOut": `"236.197365297887491098"`,
		"extraFee": "null", "extraFeeRate": "null",
	})
	// The least fee is worth 0.1 USDT, and the rate says what share that is.
	w.ok("estimate", `{"coinIdIn":1280,"amountIn":"1","coinIdOut":1482,"extraFeeRate":"0.01"}`).Expect(t, map[string]string{
		"amountOut": `"4.216806"`, "feeRate": `"0.1000000948585256"`, "fee": `"0.421681"`,
		"extraFee": `"0.042168"`, "extraFeeRate": `"0.01"`, "netAmountOut": `"3.752957"`,
	})
	w.ok("estimate", `{"coinIdIn":"1280","amountIn":"100","coinIdOut":"1027"}`).Expect(t, map[string]string{
		"amountOut": `"0.00102854"`, "fee": `"0.00000515"`, "netAmountOut": `"0.00102339"`,
		"swapRate": `"0.000010285442894708"`,
	})
	if err := w.SetPrice(btc, dec("50000")); err != nil {
		t.Fatal(err)
	}
	w.ok("estimate", `{"coinIdIn":1280,"amountIn":"100","coinIdOut":1027}`).Expect(t,
		map[string]string{"amountOut": `"0.0020002"`})
}

func TestMerchantSwap(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "150")
	data := w.ok("swap", `{"orderId":"swap-1","coinIdIn":1280,"amountIn":"100","coinIdOut":1329,"amountOutMinimum":"236.1"}`)
	data.Expect(t, map[string]string{
		"orderId": `"swap-1"`, "coinIdIn": "1280", "coinIdOut": "1329", "amountIn": `"100"`,
		"amountOut": `"237.384286731545217184"`, "netAmountOut": `"236.197365297887491098"`,
		"fee": `"1.186921433657726086"`, "feeRate": `"0.005"`, "extraFee": "null",
	})
	w.holds(appID, usdt, "50")
	w.holds(appID, pol, "236.197365297887491098")
	record := w.ok("getSwapRecord", `{"orderId":"swap-1"}`)
	record.Expect(t, map[string]string{
		"record.recordId": data.Text("recordId"), "record.coinInSymbol": `"USDT"`, "record.coinOutSymbol": `"MATIC"`,
		"record.amountIn": `"100.000000000000000000000000"`, "record.amountOut": `"237.384286731545217184"`,
		"record.netAmountOut": `"236.197365297887491098000000"`, "record.swapRate": `"2.373842867315452171000000"`,
		"record.fee": `"1.186921433657726086000000"`, "record.feeRate": `"0.005"`, "record.status": `"Success"`,
		"record.amountOutMinimum": `"236.1"`, "record.userId": "null", "record.extraFee": "null",
		"record.arrivedAt": record.Text("record.createdAt"),
	})
	if len(record.Text("record.createdAt")) != 10 {
		t.Errorf("createdAt %s", record.Text("record.createdAt"))
	}
	if got := w.Deliveries(); len(got) != 0 {
		t.Errorf("a swap has webhooks: %+v", got)
	}
	w.refused("getUserSwapRecord", `{"orderId":"swap-1"}`, 11003, "")
	w.refused("swap", `{"orderId":"swap-1","coinIdIn":1280,"amountIn":"1","coinIdOut":1329}`, 11011, "swap-1")
}

func TestUserSwap(t *testing.T) {
	w := start(t)
	w.gives("user-1", usdt, "100")
	data := w.ok("userSwap", `{"orderId":"swap-1","userId":"user-1","coinIdIn":1280,"amountIn":"100","coinIdOut":1482,"extraFeeRate":"0.01"}`)
	data.Expect(t, map[string]string{
		"amountOut": `"421.680651"`, "fee": `"2.108404"`, "extraFee": `"4.216806"`, "netAmountOut": `"415.355441"`,
	})
	w.holds("user-1", usdt, "0")
	w.holds("user-1", trx, "415.355441")
	w.holds(appID, trx, "4.216806") // the extra fee is the merchant's
	w.ok("getUserSwapRecord", `{"recordId":`+data.Text("recordId")+`}`).Expect(t, map[string]string{
		"record.userId": `"user-1"`, "record.extraFee": `"4.216806"`, "record.extraFeeRate": `"0.01"`,
		"record.amountOutMinimum": "null", "record.orderId": `"swap-1"`,
	})
	w.gives("user-1", usdt, "100")
	w.ok("userSwap", `{"orderId":"swap-2","userId":"user-1","coinIdIn":1280,"amountIn":"100","coinIdOut":1482,"amountOutMinimum":"0"}`).
		Expect(t, map[string]string{"extraFee": `"0"`, "extraFeeRate": `"0"`})
	w.refused("getSwapRecord", `{"orderId":"swap-1"}`, 11003, "")
}

func TestSwapRules(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "50")
	w.gives("user-1", usdt, "50")
	good := map[string]string{"orderId": `"swap-1"`, "userId": `"user-1"`, "coinIdIn": "1280", "amountIn": `"10"`, "coinIdOut": "1482"}
	for _, test := range []struct {
		name    string
		changes []string
		code    int
		says    string
	}{
		{"no order id", []string{"orderId", "-"}, 11000, "orderId"},
		{"no coin in", []string{"coinIdIn", "-"}, 11000, "coinIdIn"},
		{"no coin out", []string{"coinIdOut", "-"}, 11000, "coinIdOut"},
		{"no amount", []string{"amountIn", "-"}, 11000, "amountIn"},
		{"unknown coin", []string{"coinIdOut", "5"}, 13000, "5"},
		{"one coin twice", []string{"coinIdOut", "1280"}, 11000, "same"},
		{"not swappable, in", []string{"coinIdIn", "1891"}, 16006, "TETH"},
		{"not swappable, out", []string{"coinIdOut", "1701"}, 13006, "FTT"},
		{"decimals", []string{"coinIdIn", "1027", "amountIn", `"0.000000001"`}, 14013, "8 decimals"},
		{"minimum", []string{"amountOutMinimum", `"42"`}, 16003, "nothing was swapped"},
		{"minimum not a number", []string{"amountOutMinimum", `"many"`}, 11000, "amountOutMinimum"},
		{"minimum too long", []string{"amountOutMinimum", `"` + strings.Repeat("9", 50) + `"`}, 11000, "40 digits"},
		{"fees eat all", []string{"amountIn", `"0.1"`}, 16002, "leave nothing"},
		{"yields nothing", []string{"coinIdOut", "1027", "amountIn", `"0.0001"`}, 16002, "leave nothing"},
		{"too little", []string{"amountIn", `"50.000001"`}, 14000, "50"},
	} {
		for _, endpoint := range []string{"swap", "userSwap"} {
			t.Run(fmt.Sprint(test.name, " ", endpoint), func(t *testing.T) {
				r := w.call(endpoint, changed(good, test.changes...))
				if r.Code != test.code || !strings.Contains(r.Msg, test.says) {
					t.Errorf("%d %q, want %d with %q", r.Code, r.Msg, test.code, test.says)
				}
			})
		}
	}
	w.refused("userSwap", changed(good, "userId", `"user-2"`), 11015, "user-2")
	w.refused("userSwap", changed(good, "userId", `"`+appID+`"`), 11000, "app id")
	w.refused("userSwap", changed(good, "extraFeeRate", `"1"`), 11000, "under 1")
	w.refused("userSwap", changed(good, "extraFeeRate", "0.01"), 11000, "string")
	w.refused("userSwap", changed(good, "extraFeeRate", `"0.999"`), 16002, "leave nothing")
	w.refused("estimate", `{"coinIdIn":1280,"amountIn":"10","coinIdOut":1280}`, 11000, "same")
	for _, endpoint := range []string{"getSwapRecord", "getUserSwapRecord"} {
		w.refused(endpoint, `{}`, 11000, "either")
		w.refused(endpoint, `{"recordId":"1","orderId":"swap-1"}`, 11000, "not both")
		w.refused(endpoint, `{"recordId":"1"}`, 11003, "")
	}
	w.holds(appID, usdt, "50")
	w.holds("user-1", usdt, "50")
	w.holds("user-1", trx, "0")
	w.ok("swap", changed(good)) // a refused order id is free again
}
