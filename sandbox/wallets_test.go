package sandbox_test

import (
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

func TestUserDepositReachesTheWallet(t *testing.T) {
	w := start(t)
	body := `{"userId":"user-1","chain":"TRX"}`
	address := w.ok("getOrCreateUserDepositAddress", body).Str("address")
	if again := w.ok("getOrCreateUserDepositAddress", body).Str("address"); again != address || address == "" {
		t.Errorf("asked again: %s, first %s", again, address)
	}
	w.ok("getUserCoinAssetList", `{"userId":"user-1"}`).Expect(t, map[string]string{
		"userId": `"user-1"`, "assets": "[]",
	})
	record := w.pay(sandbox.Payment{Address: address, Amount: dec("100")})
	w.ok("getUserDepositRecord", `{"recordId":"`+record+`"}`).Expect(t, map[string]string{
		"record.userId": `"user-1"`, "record.amount": `"100"`, "record.status": `"Success"`, "record.toAddress": `"` + address + `"`,
	})
	w.refused("getAppDepositRecord", `{"recordId":"`+record+`"}`, 11003, "")
	w.ok("getUserDepositRecordList", `{"userId":"user-1","coinId":1280,"chain":"TRX"}`).Expect(t, map[string]string{
		"records.0.recordId": `"` + record + `"`, "records.1": "null", "nextId": `""`,
	})
	w.ok("getUserDepositRecordList", `{"userId":"user-1","chain":"ETH"}`).Expect(t, map[string]string{"records": "[]"})
	w.ok("getUserCoinAsset", `{"userId":"user-1","coinId":1280}`).Expect(t, map[string]string{
		"userId": `"user-1"`, "asset.coinId": "1280", "asset.coinSymbol": `"USDT"`, "asset.available": `"99.5"`,
	})
	w.ok("getUserCoinAssetList", `{"userId":"user-1"}`).Expect(t, map[string]string{
		"assets.0.available": `"99.5"`, "assets.1": "null",
	})
	hook := w.receiver.got()[1]
	if hook.Type != "UserDeposit" || hook.Msg["userId"] != "user-1" || hook.Msg["status"] != "Success" {
		t.Errorf("webhook %s", hook.body)
	}
}

func TestWalletRules(t *testing.T) {
	w := start(t)
	for body, code := range map[string]int{
		`{"userId":"user-1"}`:      11015,
		`{"userId":"abcd"}`:        11000,
		`{"userId":"system-user"}`: 11000,
		`{}`:                       11000,
		`{"userId":` + strings.Repeat("1", 7) + `}`:    11000,
		`{"userId":"` + strings.Repeat("u", 65) + `"}`: 11000,
	} {
		w.refused("getUserCoinAssetList", body, code, "user")
	}
	w.gives(appID, usdt, "1")
	w.ok("getUserCoinAssetList", `{"userId":"`+appID+`"}`).Expect(t, map[string]string{"assets.0.available": `"1"`})
	w.refused("getUserCoinAsset", `{"userId":"user-1","coinId":1280}`, 11015, "user-1")
	w.refused("getUserCoinAsset", `{"userId":"user-1"}`, 11000, "coinId")
	w.refused("getUserCoinAsset", `{"userId":"user-1","coinId":3}`, 13000, "3")
	w.refused("getOrCreateUserDepositAddress", `{"userId":"user-1"}`, 11000, "chain")
	w.refused("getOrCreateUserDepositAddress", `{"userId":"user-1","chain":"XLM"}`, 15003, "XLM")
	w.refused("getOrCreateUserDepositAddress", `{"userId":"`+appID+`","chain":"TRX"}`, 11000, "app id")
	w.refused("getUserDepositRecord", `{"recordId":"1"}`, 11003, "")
	w.refused("getUserDepositRecordList", `{"userId":"user-1"}`, 11015, "user-1")
}

func TestTransfers(t *testing.T) {
	w := start(t)
	w.gives("user-1", pol, "10")
	w.ok("getOrCreateUserDepositAddress", `{"userId":"user-2","chain":"ETH"}`)
	id := w.ok("userTransfer", `{"fromUserId":"user-1","toUserId":"user-2","coinId":1329,"amount":"4","orderId":"tip-1","remark":"tip"}`).
		Str("recordId")
	w.ok("userTransfer", `{"fromUserId":"user-2","toUserId":"`+appID+`","coinId":1329,"amount":"1.5","orderId":"sweep-1"}`)
	w.ok("userTransfer", `{"fromUserId":"`+appID+`","toUserId":"user-1","coinId":1329,"amount":"0.5","orderId":"bonus-1"}`)
	w.holds("user-1", pol, "6.5")
	w.holds("user-2", pol, "2.5")
	w.holds(appID, pol, "1")
	w.ok("getUserTransferRecord", `{"orderId":"tip-1"}`).Expect(t, map[string]string{
		"record.recordId": `"` + id + `"`, "record.coinId": "1329", "record.coinSymbol": `"MATIC"`,
		"record.orderId": `"tip-1"`, "record.fromUserId": `"user-1"`, "record.toUserId": `"user-2"`,
		"record.amount": `"4"`, "record.status": `"Success"`, "record.remark": `"tip"`,
	})
	for query, want := range map[string]string{
		`{"fromUserId":"user-1","toUserId":"user-2"}`:               `"tip-1"`,
		`{"fromUserId":"user-1"}`:                                   `"tip-1"`,
		`{"fromUserId":"user-2","toUserId":"` + appID + `"}`:        `"sweep-1"`,
		`{"fromUserId":"` + appID + `","toUserId":"user-1"}`:        `"bonus-1"`,
		`{"fromUserId":"user-1","toUserId":"` + appID + `"}`:        "null",
		`{"fromUserId":"user-1","toUserId":"user-2","coinId":1280}`: "null",
	} {
		w.ok("getUserTransferRecordList", query).Expect(t, map[string]string{"records.0.orderId": want, "records.1": "null"})
	}
	if got := w.Deliveries(); len(got) != 0 {
		t.Errorf("a transfer has webhooks: %+v", got)
	}
}

func TestTransferRules(t *testing.T) {
	w := start(t)
	w.gives("user-1", usdt, "10")
	w.gives("user-2", trx, "10")
	good := map[string]string{"fromUserId": `"user-1"`, "toUserId": `"user-2"`, "coinId": "1280", "amount": `"1"`, "orderId": `"tip-1"`}
	for _, test := range []struct {
		name    string
		changes []string
		code    int
		says    string
	}{
		{"no source", []string{"fromUserId", "-"}, 11000, "fromUserId"},
		{"no target", []string{"toUserId", "-"}, 11000, "toUserId"},
		{"unknown source", []string{"fromUserId", `"user-8"`}, 11015, "user-8"},
		{"unknown target", []string{"toUserId", `"user-9"`}, 11015, "user-9"},
		{"to oneself", []string{"toUserId", `"user-1"`}, 11000, "same"},
		{"unknown coin", []string{"coinId", "4"}, 13000, "4"},
		{"amount", []string{"amount", `"-1"`}, 11000, "amount"},
		{"too small", []string{"amount", `"0.0009"`}, 14005, "at least 0.001"},
		{"decimals", []string{"coinId", "1482", "amount", `"0.0000001"`}, 14013, "6 decimals"},
		{"too much", []string{"amount", `"10.1"`}, 14000, "10"},
		{"remark", []string{"remark", `"` + strings.Repeat("r", 256) + `"`}, 11000, "255"},
		{"order id", []string{"orderId", `"` + strings.Repeat("r", 65) + `"`}, 11000, "64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := w.call("userTransfer", changed(good, test.changes...))
			if r.Code != test.code || !strings.Contains(r.Msg, test.says) {
				t.Errorf("%d %q, want %d with %q", r.Code, r.Msg, test.code, test.says)
			}
		})
	}
	w.holds("user-1", usdt, "10")
	w.ok("userTransfer", changed(good))
	w.refused("userTransfer", changed(good, "amount", `"2"`), 11011, "tip-1")
	w.holds("user-1", usdt, "9")
	// Transfers, swaps and withdrawals each have order ids of their own.
	w.gives(appID, usdt, "50")
	w.ok("swap", `{"orderId":"tip-1","coinIdIn":1280,"amountIn":"10","coinIdOut":1482}`)
	w.ok("applyAppWithdrawToNetwork", changed(toTron, "orderId", `"tip-1"`))
	if n := w.ok("getUserTransferRecordList", `{}`).Len("records"); n == 0 {
		t.Error("without a user there are no transfers")
	}
	w.refused("getUserTransferRecordList", `{"fromUserId":"user-8"}`, 11015, "user-8")
}
