package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/internal/jsontest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const (
	usdt, trx, pol, eth, xrp, btc = 1280, 1482, 1329, 1161, 1140, 1027

	evmAddress  = "0x9b3f0b4c2d6e8f1a3c5d7e9f0b2a4c6d8e0f1a2b"
	tronAddress = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
	xrpAddress  = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"
)

func dec(text string) decimal.Decimal { return decimal.RequireFromString(text) }

// gives credits a user, or with the app id the merchant.
func (w *world) gives(user string, coin int64, amount string) {
	w.t.Helper()
	if err := w.Credit(user, coin, dec(amount)); err != nil {
		w.t.Fatal(err)
	}
}

// holds compares a balance.
func (w *world) holds(user string, coin int64, amount string) {
	w.t.Helper()
	if got := w.Balance(user, coin); !got.Equal(dec(amount)) {
		w.t.Errorf("%s holds %s of coin %d, want %s", user, got, coin, amount)
	}
}

// refused makes a call that must be answered with a code and words.
func (w *world) refused(endpoint, body string, code int, says string) {
	w.t.Helper()
	r := w.call(endpoint, body)
	if r.Code != code || !strings.Contains(r.Msg, says) {
		w.t.Errorf("%s %s: %d %q, want %d with %q", endpoint, body, r.Code, r.Msg, code, says)
	}
}

// changed is a JSON object with some members replaced; "-" leaves one out.
func changed(members map[string]string, changes ...string) string {
	all := map[string]string{}
	for name, value := range members {
		all[name] = value
	}
	for i := 0; i < len(changes); i += 2 {
		all[changes[i]] = changes[i+1]
	}
	var list []string
	for name, value := range all {
		if value != "-" {
			list = append(list, fmt.Sprintf("%q:%s", name, value))
		}
	}
	return "{" + strings.Join(list, ",") + "}"
}

var toTron = map[string]string{
	"coinId": "1280", "chain": `"TRX"`, "address": `"` + tronAddress + `"`, "orderId": `"out-1"`, "amount": `"10"`,
}

func TestMerchantWithdrawal(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "100")
	id := w.ok("applyAppWithdrawToNetwork", changed(toTron)).Str("recordId")
	w.holds(appID, usdt, "90")
	record := w.ok("getAppWithdrawRecord", `{"orderId":"out-1"}`)
	record.Expect(t, map[string]string{
		"record.recordId": `"` + id + `"`, "record.status": `"Processing"`, "record.txId": `""`,
	})
	w.Advance(3 * time.Second)
	record = w.ok("getAppWithdrawRecord", `{"recordId":"`+id+`"}`)
	record.Expect(t, map[string]string{
		"record.orderId": `"out-1"`, "record.withdrawType": `"Network"`, "record.coinId": "1280",
		"record.coinSymbol": `"USDT"`, "record.chain": `"TRX"`, "record.toAddress": `"` + tronAddress + `"`,
		"record.toMemo": `""`, "record.status": `"Success"`, "record.amount": `"10"`,
		"record.fee.coinId": "1280", "record.fee.coinSymbol": `"USDT"`, "record.fee.amount": `"0.999901"`,
	})
	if len(record.Str("record.txId")) != 64 || record.Str("record.fromAddress") == "" {
		t.Errorf("record %v", record.Value)
	}
	w.holds(appID, usdt, "90")
	hooks := w.receiver.got()
	if got := w.receiver.statuses(); got != "Processing Success" {
		t.Fatalf("webhooks: %s", got)
	}
	for _, h := range hooks {
		want := `{"coinId":1280,"coinSymbol":"USDT","orderId":"out-1","recordId":"` + id + `","status":"` +
			fmt.Sprint(h.Msg["status"]) + `"}`
		if got := jsontest.Read(t, h.body).Text("msg"); h.Type != "ApiWithdrawal" || got != want {
			t.Errorf("%s %s, want %s", h.Type, got, want)
		}
	}
}

func TestMerchantPaysTheFee(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "10.5")
	onTop := changed(toTron, "merchantPayNetworkFee", "true")
	w.refused("applyAppWithdrawToNetwork", onTop, 14011, "network fee of 0.999901")
	w.holds(appID, usdt, "10.5")
	w.gives(appID, usdt, "1")
	w.ok("applyAppWithdrawToNetwork", onTop)
	w.holds(appID, usdt, "0.500099")
	w.refused("applyAppWithdrawToNetwork", changed(toTron, "merchantPayNetworkFee", "true", "orderId", `"out-2"`),
		14000, "balance is 0.500099")
}

func TestUserWithdrawal(t *testing.T) {
	w := start(t)
	w.gives("user-1", pol, "50")
	body := `{"userId":"user-1","coinId":1329,"chain":"POLYGON","address":"` + evmAddress +
		`","orderId":"out-1","amount":"20","notifyUrl":"` + w.receiver.server.URL + `/shop"}`
	id := w.ok("applyUserWithdrawToNetwork", body).Str("recordId")
	w.holds("user-1", pol, "30")
	w.Advance(3 * time.Second)
	w.ok("getUserWithdrawRecord", `{"recordId":"`+id+`","orderId":"out-1"}`).Expect(t, map[string]string{
		"record.userId": `"user-1"`, "record.coinSymbol": `"MATIC"`, "record.status": `"Success"`,
		"record.toAddress": `"` + evmAddress + `"`, "record.fee.amount": `"0.04747212"`,
	})
	hooks := w.receiver.got()
	if len(hooks) != 2 {
		t.Fatalf("%d webhooks", len(hooks))
	}
	last := hooks[1]
	if last.path != "/shop" || last.Type != "UserWithdrawal" || last.Msg["userId"] != "user-1" ||
		last.Msg["orderId"] != "out-1" || last.Msg["coinSymbol"] != "MATIC" || last.Msg["status"] != "Success" {
		t.Errorf("webhook to %s: %s", last.path, last.body)
	}
	// A user's withdrawal is none of the merchant's records, but takes the order id.
	w.refused("getAppWithdrawRecord", `{"orderId":"out-1"}`, 11003, "out-1")
	w.refused("getUserWithdrawRecord", `{"recordId":"`+id+`","orderId":"out-2"}`, 11003, "does not belong")
	w.gives(appID, usdt, "100")
	w.refused("applyAppWithdrawToNetwork", changed(toTron), 11011, "out-1")
}

func TestCwalletWithdrawals(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "5")
	w.gives("user-1", usdt, "5")
	w.ok("applyAppWithdrawToCwallet", `{"coinId":1280,"cwalletUser":"35255142","amount":"2","orderId":"cw-1"}`)
	w.ok("applyUserWithdrawToCwallet",
		`{"userId":"user-1","coinId":1280,"cwalletUser":"jane@shop.example","amount":"0.001","orderId":"cw-2"}`)
	w.holds(appID, usdt, "3")
	w.holds("user-1", usdt, "4.999")
	record := w.ok("getAppWithdrawRecord", `{"orderId":"cw-1"}`)
	record.Expect(t, map[string]string{
		"record.withdrawType": `"Cwallet"`, "record.cwalletUser": `"35255142"`, "record.status": `"Success"`,
		"record.amount": `"2"`, "record.fee": "null", "record.chain": "null", "record.txId": "null",
	})
	w.ok("getUserWithdrawRecord", `{"orderId":"cw-2"}`).Expect(t, map[string]string{
		"record.cwalletUser": `"jane@shop.example"`, "record.userId": `"user-1"`,
	})
	w.Advance(time.Hour)
	if got := w.Deliveries(); len(got) != 0 {
		t.Errorf("a Cwallet withdrawal has webhooks: %+v", got)
	}
	for body, want := range map[string]int{
		`{"coinId":1280,"cwalletUser":"nobody","amount":"1","orderId":"cw-3"}`:            11003,
		`{"coinId":1280,"cwalletUser":"35255142","amount":"0.0009","orderId":"cw-3"}`:     14005,
		`{"coinId":1280,"cwalletUser":"35255142","amount":"9","orderId":"cw-3"}`:          14000,
		`{"coinId":1125,"cwalletUser":"35255142","amount":"9","orderId":"cw-3"}`:          13005,
		`{"coinId":1027,"cwalletUser":"35255142","amount":"0.000000001","orderId":"cw3"}`: 14013,
		`{"coinId":99,"cwalletUser":"35255142","amount":"1","orderId":"cw-3"}`:            13000,
		`{"coinId":1280,"amount":"1","orderId":"cw-3"}`:                                   11000,
		`{"coinId":1280,"cwalletUser":"35255142","amount":"1","orderId":"cw-1"}`:          11011,
	} {
		w.refused("applyAppWithdrawToCwallet", body, want, "")
	}
	w.holds(appID, usdt, "3")
}

func TestWithdrawalRules(t *testing.T) {
	w := start(t)
	for coin, amount := range map[int64]string{usdt: "1000000", trx: "100", eth: "1", xrp: "100"} {
		w.gives(appID, coin, amount)
	}
	own := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"ref-1","chain":"ETH"}`).Str("address")
	onEVM := func(address string) []string {
		return []string{"chain", `"POLYGON"`, "address", `"` + address + `"`}
	}
	ending := func(digits string) string { return evmAddress[:34] + digits }
	for name, test := range map[string]struct {
		changes []string
		code    int
		says    string
	}{
		"no coin":             {[]string{"coinId", "-"}, 11000, "coinId"},
		"unknown coin":        {[]string{"coinId", "77"}, 13000, "77"},
		"no chain":            {[]string{"chain", "-"}, 11000, "chain"},
		"not on the chain":    {[]string{"chain", `"BTC"`}, 13001, "BTC"},
		"unknown chain":       {[]string{"chain", `"TRC20"`}, 13001, "TRC20"},
		"no address":          {[]string{"address", "-"}, 11000, "address"},
		"no order id":         {[]string{"orderId", "-"}, 11000, "orderId"},
		"short order id":      {[]string{"orderId", `"ab"`}, 11000, "3–64"},
		"no amount":           {[]string{"amount", "-"}, 11000, "amount"},
		"amount a number":     {[]string{"amount", "10"}, 11000, "string"},
		"amount zero":         {[]string{"amount", `"0"`}, 11000, "above 0"},
		"amount below zero":   {[]string{"amount", `"-1"`}, 11000, "plain decimal"},
		"amount exponent":     {[]string{"amount", `"1e3"`}, 11000, "plain decimal"},
		"amount too long":     {[]string{"amount", `"1` + strings.Repeat("0", 60) + `"`}, 11000, "40 digits"},
		"too many decimals":   {[]string{"amount", `"10.0000001"`}, 14013, "6 decimals"},
		"below the limit":     {[]string{"amount", `"1.9"`}, 14005, "at least 2"},
		"above the limit":     {append(onEVM(evmAddress), "amount", `"100001"`), 14006, "at most 100000"},
		"wrong format":        {[]string{"address", `"` + evmAddress + `"`}, 14007, "TRX"},
		"check sum":           {[]string{"address", `"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6T"`}, 14007, "TRX"},
		"own address":         {onEVM(own), 14008, "own"},
		"own address, cased":  {onEVM("0x" + strings.ToUpper(own[2:])), 14008, "own"},
		"memo not wanted":     {[]string{"memo", `"1"`}, 14009, "memo"},
		"memo missing":        {[]string{"coinId", "1140", "chain", `"XRP"`, "address", `"` + xrpAddress + `"`}, 14003, "memo"},
		"chain halted":        {[]string{"coinId", "1150", "chain", `"XLM"`}, 14004, "XLM"},
		"coin halted":         {[]string{"coinId", "1125", "chain", `"BSC"`}, 13005, "DOGE"},
		"not active":          {onEVM(ending("1d1e1d1e")), 14002, "active"},
		"a contract":          {onEVM(ending("C0DEc0de")), 14015, "contract"},
		"black-listed":        {onEVM(ending("deaddead")), 14017, "black list"},
		"risky":               {onEVM(ending("bad0bad0")), 14026, "risky"},
		"too little":          {[]string{"amount", `"1000000.1"`}, 14000, "1000000 USDT"},
		"fee eats the amount": {[]string{"coinId", "1161", "chain", `"ETH"`, "address", `"` + evmAddress + `"`, "amount", `"0.002"`}, 14001, "after the network fee"},
		"bad notifyUrl":       {[]string{"notifyUrl", `"ftp://x"`}, 11000, "notifyUrl"},
		"flag not a boolean":  {[]string{"merchantPayNetworkFee", `"yes"`}, 11000, "true or false"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "fee eats the amount" {
				// The network costs 1.8 USD; a fall of the price makes that more than 0.002 ETH.
				if err := w.SetPrice(eth, dec("800")); err != nil {
					t.Fatal(err)
				}
			}
			r := w.call("applyAppWithdrawToNetwork", changed(toTron, test.changes...))
			if r.Code != test.code || !strings.Contains(r.Msg, test.says) {
				t.Errorf("%d %q, want %d with %q", r.Code, r.Msg, test.code, test.says)
			}
		})
	}
	for coin, amount := range map[int64]string{usdt: "1000000", trx: "100", eth: "1", xrp: "100"} {
		w.holds(appID, coin, amount)
	}
	w.ok("applyAppWithdrawToNetwork", changed(toTron, "amount", `"10.00000000"`)) // zeros at the end are no decimals
	w.ok("applyAppWithdrawToNetwork", changed(toTron, append(onEVM(evmAddress), "amount", `"100000"`, "orderId", `"out-3"`)...))
	w.ok("applyAppWithdrawToNetwork", changed(toTron, "amount", `"3"`, "orderId", `"out-4"`))
	w.ok("applyAppWithdrawToNetwork", changed(toTron, "orderId", `"out-2"`,
		"coinId", `"1140"`, "chain", `"XRP"`, "address", `"`+xrpAddress+`"`, "memo", `"109"`))
}

func TestWithdrawalRecordErrors(t *testing.T) {
	w := start(t)
	for _, endpoint := range []string{"getAppWithdrawRecord", "getUserWithdrawRecord", "getUserTransferRecord"} {
		w.refused(endpoint, `{}`, 11000, "one of them is required")
		w.refused(endpoint, `{"recordId":"20260101"}`, 11003, "20260101")
		w.refused(endpoint, `{"orderId":"nowhere"}`, 11003, "nowhere")
	}
	user := `{"userId":"user-9","coinId":1280,"chain":"TRX","address":"` + tronAddress + `","orderId":"out-1","amount":"10"}`
	w.refused("applyUserWithdrawToNetwork", user, 11015, "user-9")
	w.refused("applyUserWithdrawToNetwork", strings.Replace(user, "user-9", appID, 1), 11000, "app id")
	w.refused("applyUserWithdrawToNetwork", strings.Replace(user, "user-9", "sys-user", 1), 11000, "sys")
	w.refused("applyUserWithdrawToCwallet",
		`{"userId":"user-9","coinId":1280,"cwalletUser":"35255142","amount":"2","orderId":"cw-1"}`, 11015, "user-9")
}

func TestFateOfWithdrawals(t *testing.T) {
	for name, test := range map[string]struct {
		approval bool
		steps    []string
		hooks    string
		held     string
	}{
		"failed":            {false, []string{"failed"}, "Processing Failed", "100"},
		"success at once":   {false, []string{"success"}, "Processing Success", "90"},
		"waved through":     {true, []string{"success"}, "WaitingApproval Success", "90"},
		"rejected":          {true, []string{"rejected"}, "WaitingApproval Rejected", "100"},
		"approved":          {true, []string{"processing"}, "WaitingApproval Processing Success", "90"},
		"approved, failed":  {true, []string{"processing", "failed"}, "WaitingApproval Processing Failed", "100"},
		"waits for ever":    {true, nil, "WaitingApproval", "90"},
		"left to the clock": {false, nil, "Processing Success", "90"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.gives(appID, usdt, "100")
			w.SetApproval(test.approval)
			id := w.ok("applyAppWithdrawToNetwork", changed(toTron)).Str("recordId")
			for _, step := range test.steps {
				if err := w.SettleWithdrawal(id, step); err != nil {
					t.Fatal(err)
				}
			}
			w.Advance(time.Hour)
			if got := w.receiver.statuses(); got != test.hooks {
				t.Errorf("webhooks: %s, want %s", got, test.hooks)
			}
			w.holds(appID, usdt, test.held)
			last := test.hooks[strings.LastIndex(test.hooks, " ")+1:]
			record := w.ok("getAppWithdrawRecord", `{"recordId":"`+id+`"}`)
			record.Expect(t, map[string]string{"record.status": `"` + last + `"`})
			if sent := record.Str("record.txId") != ""; sent != (last == "Success") {
				t.Errorf("%s with the txId %q", last, record.Str("record.txId"))
			}
			if last != "WaitingApproval" {
				if err := w.SettleWithdrawal(id, "failed"); err == nil || !strings.Contains(err.Error(), "has ended") {
					t.Errorf("settled twice: %v", err)
				}
				w.holds(appID, usdt, test.held)
			}
		})
	}
}

func TestWithdrawalWebhooksAreResent(t *testing.T) {
	w := start(t)
	w.receiver.answers(500, "")
	w.gives(appID, usdt, "100")
	w.gives("user-1", usdt, "100")
	began := w.Now().Unix()
	w.ok("applyAppWithdrawToNetwork", changed(toTron))
	w.ok("applyUserWithdrawToNetwork", changed(toTron, "userId", `"user-1"`, "orderId", `"out-2"`))
	w.Advance(time.Hour)
	before := len(w.receiver.got())
	w.receiver.answers(200, "Success")
	w.ok("webhook/resend", fmt.Sprintf(`{"startTimestamp":%d,"transactionType":"UserWithdrawal"}`, began)).
		Expect(t, map[string]string{"resendCount": "1"})
	w.Advance(0)
	hooks := w.receiver.got()[before:]
	if len(hooks) != 1 || hooks[0].Type != "UserWithdrawal" || hooks[0].Msg["status"] != "Success" {
		t.Errorf("resent: %+v", hooks)
	}
}

func TestSettleWithdrawalErrors(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "100")
	id := w.ok("applyAppWithdrawToNetwork", changed(toTron)).Str("recordId")
	for _, test := range [][3]string{
		{"1", "success", "no withdrawal"},
		{id, "done", "must be"},
		{id, "Succeeded", "must be"},
		{id, "rejected", "is processing"},
		{id, "processing", "is processing"},
	} {
		if err := w.SettleWithdrawal(test[0], test[1]); err == nil || !strings.Contains(err.Error(), test[2]) {
			t.Errorf("%s: %v, want %q", test[1], err, test[2])
		}
	}
}

func TestResetForgetsWithdrawals(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.WebhookURL = "" })
	w.gives(appID, usdt, "100")
	w.SetApproval(true)
	w.ok("applyAppWithdrawToNetwork", changed(toTron))
	w.Reset()
	w.holds(appID, usdt, "0")
	w.refused("getAppWithdrawRecord", `{"orderId":"out-1"}`, 11003, "")
	w.gives(appID, usdt, "100")
	w.ok("applyAppWithdrawToNetwork", changed(toTron))
	w.ok("getAppWithdrawRecord", `{"orderId":"out-1"}`).Expect(t, map[string]string{"record.status": `"Processing"`})
}
