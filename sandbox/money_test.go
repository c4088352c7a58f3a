package sandbox_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/jsontest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

func (w *world) balance(coin int64) string { return w.Balance(appID, coin).String() }

func TestDepositOrderInCoins(t *testing.T) {
	w := start(t)
	made := w.ok("createAppOrderDepositAddress",
		`{"orderId":"dep-1","coinId":1280,"chain":"TRX","price":"10.5","generateCheckoutURL":true}`)
	made.Expect(t, map[string]string{"amount": `"10.5"`, "memo": `""`, "confirmsNeeded": `19`})
	if got := made.Str("checkoutUrl"); !strings.HasPrefix(got, w.url+"/c/") {
		t.Errorf("checkoutUrl %q", got)
	}
	one := w.pay(sandbox.Payment{OrderID: "dep-1", Amount: dec("4")})
	two := w.pay(sandbox.Payment{OrderID: "dep-1"})
	w.ok("getAppOrderInfo", `{"orderId":"dep-1"}`).Expect(t, map[string]string{
		"amountToPay": `"10.5"`, "coinId": `1280`, "coinSymbol": `"USDT"`, "chain": `"TRX"`, "toMemo": `""`,
		"toAddress": made.Text("address"), "checkoutUrl": made.Text("checkoutUrl"), "fiatId": `null`, "rate": `"1"`,
		"paidList.0.recordId": `"` + one + `"`, "paidList.0.amount": `"4"`, "paidList.0.serviceFee": `"0.02"`,
		"paidList.0.status": `"Success"`, "paidList.0.isFlaggedAsRisky": `false`, "paidList.0.rate": `"1"`,
		"paidList.1.recordId": `"` + two + `"`, "paidList.1.amount": `"6.5"`,
	})
	// 10.5 less half a per cent.
	if got := w.balance(1280); got != "10.4475" {
		t.Errorf("balance %s", got)
	}
	w.ok("getAppCoinAsset", `{"coinId":1280}`).Expect(t, map[string]string{
		"asset.available": `"10.4475"`, "asset.coinSymbol": `"USDT"`, "asset.coinId": `1280`,
	})
	w.ok("getAppCoinAssetList", ``).Expect(t, map[string]string{"assets.0.available": `"10.4475"`})
	if _, err := w.Pay(t.Context(), sandbox.Payment{OrderID: "dep-1"}); err == nil {
		t.Error("an order that is paid has something due")
	}
	w.pay(sandbox.Payment{OrderID: "dep-1", Amount: dec("3")})
	if n := w.ok("getAppOrderInfo", `{"orderId":"dep-1"}`).Len("paidList"); n != 3 {
		t.Errorf("an overpayment: %d payments", n)
	}
}

func TestFiatIsConvertedAndTheRateLocked(t *testing.T) {
	w := start(t)
	// 25 EUR at 1.0832 USD, in POL at 0.4213 USD: 64.27723712…, rounded up.
	w.ok("createAppOrderDepositAddress",
		`{"orderId":"dep-1","coinId":1329,"chain":"POLYGON","price":"25.00","fiatId":1034}`).
		Expect(t, map[string]string{"amount": `"64.27723713"`})
	if err := w.SetPrice(1329, dec("0.2")); err != nil {
		t.Fatal(err)
	}
	w.pay(sandbox.Payment{OrderID: "dep-1", Amount: dec("1")})
	info := w.ok("getAppOrderInfo", `{"orderId":"dep-1"}`)
	info.Expect(t, map[string]string{
		"amountToPay": `"64.27723713"`, "coinSymbol": `"MATIC"`, "fiatId": `1034`, "fiatSymbol": `"EUR"`,
		"paidList.0.rate": info.Text("rate"),
	})
	w.pay(sandbox.Payment{OrderID: "dep-1", Amount: dec("1"), Late: true})
	info = w.ok("getAppOrderInfo", `{"orderId":"dep-1"}`)
	if rate := info.Str("paidList.1.rate"); !strings.HasPrefix(rate, "0.1846") {
		t.Errorf("a late payment counts at %s, want today's 0.2/1.0832", rate)
	}
	var expiry, arrived int64
	fmt.Sscan(info.Text("expiredAt"), &expiry)
	fmt.Sscan(info.Text("paidList.1.arrivedAt"), &arrived)
	if arrived <= expiry {
		t.Errorf("a late payment arrived at %d, not after %d", arrived, expiry)
	}
}

func TestInvoiceInManyPayments(t *testing.T) {
	w := start(t)
	w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"3","priceCoinId":"1280"}`)
	w.pay(sandbox.Payment{OrderID: "inv-1", Amount: dec("1")})
	info := func() jsontest.Tree { return w.ok("getInvoiceOrderInfo", `{"orderId":"inv-1"}`) }
	info().Expect(t, map[string]string{"totalPaidValue": `"1"`, "priceCoinId": `1280`, "priceSymbol": `"USDT"`})
	w.pay(sandbox.Payment{OrderID: "inv-1", Coin: "ETH", Amount: dec("0.0001")})
	i := info()
	i.Expect(t, map[string]string{"paidList.1.coinSymbol": `"ETH"`, "paidList.1.chain": `"ETH"`})
	sum := dec(i.Str("paidList.0.paidValue")).Add(dec(i.Str("paidList.1.paidValue")))
	total := dec(i.Str("totalPaidValue"))
	if off := total.Sub(sum).Abs(); off.IsZero() || off.GreaterThan(dec("0.00000000000001")) {
		t.Errorf("total %s of %s: the noise of the live API is missing", total, sum)
	}
	value := dec(i.Str("paidList.1.paidAmount")).Mul(dec(i.Str("paidList.1.rate")))
	if !value.Sub(dec(i.Str("paidList.1.paidValue"))).Abs().LessThan(dec("0.000000000000001")) {
		t.Errorf("paidValue %s, want %s", i.Str("paidList.1.paidValue"), value)
	}
	// What is left is due by default, and then it is paid.
	w.pay(sandbox.Payment{OrderID: "inv-1"})
	if total := dec(info().Str("totalPaidValue")); total.LessThan(dec("2.99999999999999")) {
		t.Errorf("total %s", total)
	}
}

func TestWrongCoinIsRecordedButNotListed(t *testing.T) {
	w := start(t)
	w.ok("createAppOrderDepositAddress", `{"orderId":"dep-1","coinId":1280,"chain":"TRX","price":"10"}`)
	record := w.pay(sandbox.Payment{OrderID: "dep-1", Coin: "TRX", Amount: dec("40")})
	if n := w.ok("getAppOrderInfo", `{"orderId":"dep-1"}`).Len("paidList"); n != 0 {
		t.Errorf("paidList has %d payments", n)
	}
	w.ok("getAppDepositRecord", `{"recordId":"`+record+`"}`).Expect(t, map[string]string{
		"record.orderId": `"dep-1"`, "record.coinId": `1482`, "record.amount": `"40"`, "record.status": `"Success"`,
		"record.coinUSDPrice": `"0.23717"`, "record.contract": `"TRX"`, "record.serviceFee": `"0.2"`,
	})
	if got := w.receiver.statuses(); got != "Processing Success" {
		t.Errorf("webhooks: %s", got)
	}
	if got := w.balance(1482); got != "39.8" {
		t.Errorf("balance %s", got)
	}
}

func TestRiskyIsNotCreditedUntilCleared(t *testing.T) {
	w := start(t)
	w.ok("createAppOrderDepositAddress", `{"orderId":"dep-1","coinId":1280,"chain":"TRX","price":"10"}`)
	record := w.pay(sandbox.Payment{OrderID: "dep-1", Risky: true})
	flagged := func() string {
		return w.ok("getAppDepositRecord", `{"recordId":"`+record+`"}`).Text("record.isFlaggedAsRisky")
	}
	if h := w.receiver.got(); h[1].Msg["isFlaggedAsRisky"] != true || flagged() != "true" || w.balance(1280) != "0" {
		t.Errorf("%s, balance %s", h[1].body, w.balance(1280))
	}
	if err := w.SetRisky(record, false); err != nil {
		t.Fatal(err)
	}
	if flagged() != "false" || w.balance(1280) != "9.95" {
		t.Errorf("cleared: balance %s", w.balance(1280))
	}
	if code, _ := w.control("POST", "/sandbox/risk", `{"record_id":"`+record+`","risky":true}`); code != 200 {
		t.Error("flagging again failed")
	}
	if w.balance(1280) != "0" {
		t.Errorf("flagged later: balance %s", w.balance(1280))
	}
	if err := w.SetRisky("nothing", true); err == nil {
		t.Error("an unknown record was flagged")
	}
}

func TestFailedAndPendingPayments(t *testing.T) {
	w := start(t)
	w.ok("createAppOrderDepositAddress", `{"orderId":"dep-1","coinId":1280,"chain":"TRX","price":"10"}`)
	w.pay(sandbox.Payment{OrderID: "dep-1", Status: "failed"})
	if got := w.receiver.statuses(); got != "Processing Failed" || w.balance(1280) != "0" {
		t.Errorf("%s, balance %s", got, w.balance(1280))
	}
	record := w.pay(sandbox.Payment{OrderID: "dep-1", Status: "processing"})
	info := w.ok("getAppOrderInfo", `{"orderId":"dep-1"}`)
	info.Expect(t, map[string]string{"paidList.1.status": `"Processing"`, "paidList.1.amount": `"10"`})
	w.Advance(time.Hour)
	if w.balance(1280) != "0" {
		t.Error("a payment under way was credited")
	}
	body := fmt.Sprintf(`{"chain":"TRX","toAddress":%s,"txId":%s}`, info.Text("toAddress"), info.Text("paidList.1.txid"))
	if got := w.ok("rescanLostTransaction", body).Str("description"); !strings.Contains(got, "rescanned") {
		t.Error(got)
	}
	processtest.Until(t, "the webhook after a rescan", func() bool {
		return w.receiver.statuses() == "Processing Failed Processing Success"
	})
	if w.balance(1280) != "9.95" {
		t.Errorf("balance %s", w.balance(1280))
	}
	w.ok("rescanLostTransaction", body)
	if err := w.Finish(record, "failed"); err == nil || w.balance(1280) != "9.95" {
		t.Error("a finished payment was finished again")
	}
}

func TestPermanentAddresses(t *testing.T) {
	w := start(t)
	address := func(reference, chain string) jsontest.Tree {
		return w.ok("getOrCreateAppDepositAddress", `{"referenceId":"`+reference+`","chain":"`+chain+`"}`)
	}
	eth := address("user-1", "ETH").Str("address")
	if eth != address("user-1", "ETH").Str("address") || eth != address("user-1", "BSC").Str("address") {
		t.Error("a reference has several EVM addresses")
	}
	if eth == address("user-2", "ETH").Str("address") {
		t.Error("two references share an address")
	}
	for chain, form := range map[string]string{
		"ETH": `^0x[0-9a-f]{40}$`, "TRX": `^T[1-9A-HJ-NP-Za-km-z]{33}$`, "BTC": `^bc1q[02-9ac-hj-np-z]{38}$`,
		"XRP": `^r[1-9A-HJ-NP-Za-km-z]{24,34}$`, "TON": `^E[A-Za-z0-9_-]{47}$`,
	} {
		got := address("user-3", chain)
		if !regexp.MustCompile(form).MatchString(got.Str("address")) {
			t.Errorf("%s: %s", chain, got.Str("address"))
		}
		memo := chain == "XRP" || chain == "TON"
		if (got.Str("memo") != "") != memo {
			t.Errorf("%s: memo %q", chain, got.Str("memo"))
		}
		valid := func(text string) string {
			return w.ok("checkWithdrawalAddressValidity", `{"chain":"`+chain+`","address":"`+text+`"}`).Text("addrIsValid")
		}
		text := got.Str("address")
		if valid(text) != "true" || valid(text[:len(text)-1]) != "false" || valid("x"+text[1:]) != "false" {
			t.Errorf("%s: validity of %s", chain, text)
		}
	}
	record := w.pay(sandbox.Payment{Address: eth, Amount: dec("2"), Coin: "LINK", Chain: "BSC"})
	hooks := w.receiver.got()
	if h := hooks[1]; h.Type != "DirectDeposit" || h.Msg["referenceId"] != "user-1" || h.Msg["recordId"] != record {
		t.Errorf("%s", h.body)
	}
	w.ok("getAppDepositRecordList", `{"referenceId":"user-1"}`).Expect(t, map[string]string{
		"records.0.recordId": `"` + record + `"`, "records.0.chain": `"BSC"`, "records.0.orderId": `""`, "nextId": `""`,
	})

	// Unbinding one EVM chain unbinds them all; what comes later is the
	// merchant's own.
	unbound := w.ok("addressUnbinding", `{"chain":"BSC","address":"`+eth+`"}`)
	unbound.Expect(t, map[string]string{
		"unbound.0.chain": `"BSC"`, "unbound.1.chain": `"ETH"`, "unbound.1.address": `"` + eth + `"`,
		"referenceID": `"user-1"`, "userID": `""`,
	})
	if eth == address("user-1", "ETH").Str("address") {
		t.Error("the address is bound still")
	}
	w.pay(sandbox.Payment{Address: eth, Amount: dec("2"), Coin: "LINK", Chain: "ETH"})
	if h := w.receiver.got()[3]; h.Type != "DirectDeposit" || h.Msg["referenceId"] != "" || w.balance(1207) != "3.98" {
		t.Errorf("%s, balance %s", h.body, w.balance(1207))
	}
	check(t, w, "addressUnbinding", []rule{{"again", `{"chain":"ETH","address":"` + eth + `"}`, 17003, "unbound already"}})
}

func TestMemosTellAddressesApart(t *testing.T) {
	w := start(t)
	one := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"user-1","chain":"XRP"}`)
	two := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"user-2","chain":"XRP"}`)
	if one.Str("address") != two.Str("address") || one.Str("memo") == two.Str("memo") {
		t.Errorf("%v %v", one, two)
	}
	w.pay(sandbox.Payment{Address: two.Str("address"), Memo: two.Str("memo"), Amount: dec("7")})
	if h := w.receiver.got()[0]; h.Msg["referenceId"] != "user-2" {
		t.Errorf("%s", h.body)
	}
	if _, err := w.Pay(t.Context(), sandbox.Payment{Address: two.Str("address"), Amount: dec("7")}); err == nil {
		t.Error("a payment without its memo found an owner")
	}
}

func TestAfterExpiry(t *testing.T) {
	w := start(t)
	order := func(id string) string {
		return w.ok("createAppOrderDepositAddress", `{"orderId":"`+id+`","coinId":1280,"chain":"TRX","price":"10","expiredAt":`+
			at(w, time.Hour)+`}`).Str("address")
	}
	order("dep-1")
	address := order("dep-2")
	w.Advance(time.Hour + 6*24*time.Hour)
	w.pay(sandbox.Payment{OrderID: "dep-1"})
	if n := w.ok("getAppOrderInfo", `{"orderId":"dep-1"}`).Len("paidList"); n != 1 {
		t.Errorf("six days late: %d payments", n)
	}
	w.Advance(2 * 24 * time.Hour)
	hooks := len(w.receiver.got())
	record := w.pay(sandbox.Payment{Address: address, Amount: dec("10")})
	w.ok("getAppDepositRecord", `{"recordId":"`+record+`"}`).Expect(t, map[string]string{"record.orderId": `""`})
	processtest.Until(t, "the credit", func() bool { return w.balance(1280) == "19.9" })
	if n := len(w.receiver.got()); n != hooks {
		t.Errorf("an address that is no longer watched sent %d webhooks", n-hooks)
	}
	if n := w.ok("getAppOrderInfo", `{"orderId":"dep-2"}`).Len("paidList"); n != 0 {
		t.Error("eight days late, and the payment is on the order")
	}
}

func TestRecordIDs(t *testing.T) {
	w := start(t)
	w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"10","priceFiatId":"1033"}`)
	seen := map[string]bool{}
	for range 50 {
		id := w.pay(sandbox.Payment{OrderID: "inv-1", Amount: dec("0.1")})
		if !regexp.MustCompile(`^[0-9]{32,33}$`).MatchString(id) || seen[id] ||
			!strings.HasPrefix(id, w.Now().UTC().Format("2006")) {
			t.Fatalf("record id %q", id)
		}
		seen[id] = true
	}
}

func TestCatalogue(t *testing.T) {
	w := start(t)
	coins := w.ok("getCoinList", ``)
	statuses := map[string]bool{}
	for i := range coins.Len("coins") {
		coin := coins.At(fmt.Sprintf("coins.%d", i))
		statuses[coin.Str("status")] = true
		if coin.Text("coinId") == "1329" && coin.Str("symbol") != "POL" {
			t.Error("coin 1329 is not called POL in the list")
		}
	}
	if len(statuses) != 4 {
		t.Errorf("statuses of coins: %v", statuses)
	}
	w.ok("getCoin", `{"coinId":1280}`).Expect(t, map[string]string{
		"coin.symbol": `"USDT"`, "coin.networks.TRX.precision": `6`, "coin.networks.TRX.canDeposit": `true`,
		"coin.networks.TRX.minimumDepositAmount": `"0"`, "coin.networks.TRX.isSupportMemo": `false`,
	})
	w.ok("getCoinUSDTPrice", `{"coinIds":[1280,1329]}`).Expect(t, map[string]string{
		"prices.1280": `"1.0001"`, "prices.1329": `"0.4213"`,
	})
	w.ok("getFiatList", ``).Expect(t, map[string]string{
		"fiats.0.fiatId": `1033`, "fiats.0.symbol": `"USD"`, "fiats.0.usdRate": `"1"`,
	})
	w.ok("getChainList", `{"chains":["XLM"]}`).Expect(t, map[string]string{
		"chains.0.status": `"Maintenance"`, "chains.0.supportMemo": `true`, "chains.0.isEVM": `false`, "chains.1": `null`,
	})
	w.ok("getWithdrawFee", `{"coinId":1280,"chain":"TRX"}`).Expect(t, map[string]string{
		"fee.coinId": `1280`, "fee.coinSymbol": `"USDT"`, "fee.amount": `"0.999901"`,
	})
	if w.ok("getSwapCoinList", ``).Len("coins") == 0 {
		t.Error("no coin can be swapped")
	}
}
