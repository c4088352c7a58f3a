package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

func TestAutoWithdrawal(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "100")
	status, answer := w.control("POST", "/sandbox/auto-withdrawal",
		`{"coin":"USDT","chain":"TRX","address":"`+tronAddress+`","amount":"40"}`)
	if status != 200 {
		t.Fatalf("%d %v", status, answer.Value)
	}
	id := answer.Str("record_id")
	w.holds(appID, usdt, "60")
	second, err := w.AutoWithdraw(sandbox.AutoWithdrawal{Coin: "1280", Chain: "BSC", Amount: dec("10")})
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(3 * time.Second)
	w.ok("getAutoWithdrawRecordList", `{"recordIds":["`+id+`"]}`).Expect(t, map[string]string{
		"records.0.recordId": `"` + id + `"`, "records.0.withdrawType": "null", "records.0.fromAddress": "null", "records.0.status": `"Success"`,
		"records.0.amount": `"40"`, "records.0.toAddress": `"` + tronAddress + `"`, "records.0.chain": `"TRX"`,
		"records.0.fee.amount": `"0.999901"`, "records.0.orderId": `"` + id + `"`, "records.0.serviceFee": `"0"`, "records.1": "null",
	})
	w.ok("getAutoWithdrawRecordList", `{"chain":"BSC"}`).Expect(t, map[string]string{
		"records.0.recordId": `"` + second + `"`, "records.1": "null",
	})
	w.ok("getAutoWithdrawRecordList", ``).Expect(t, map[string]string{"records.1.recordId": `"` + id + `"`})
	w.ok("getAppWithdrawRecordList", ``).Expect(t, map[string]string{"records": "[]"})
	w.refused("getAppWithdrawRecord", `{"recordId":"`+id+`"}`, 11003, "")
	if got := w.Deliveries(); len(got) != 0 {
		t.Errorf("an auto-withdrawal has webhooks: %+v", got)
	}
	for _, test := range []struct {
		a    sandbox.AutoWithdrawal
		says string
	}{
		{sandbox.AutoWithdrawal{Coin: "NONE", Amount: dec("10")}, "no coin"},
		{sandbox.AutoWithdrawal{Coin: "USDT", Chain: "BTC", Amount: dec("10")}, "no coin"},
		{sandbox.AutoWithdrawal{Coin: "SHIB", Amount: dec("10")}, "several"},
		{sandbox.AutoWithdrawal{Coin: "USDT"}, "above 0"},
		{sandbox.AutoWithdrawal{Coin: "USDT", Amount: dec("60")}, "14000"},
		{sandbox.AutoWithdrawal{Coin: "USDT", Address: evmAddress, Amount: dec("5")}, "14007"},
	} {
		if _, err := w.AutoWithdraw(test.a); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v, want %q", test.a, err, test.says)
		}
	}
	w.holds(appID, usdt, "50")
}

func TestRiskRefund(t *testing.T) {
	w := start(t)
	address := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"ref-1","chain":"TRX"}`).Str("address")
	clean := w.pay(sandbox.Payment{Address: address, Amount: dec("10")})
	risky := w.pay(sandbox.Payment{Address: address, Amount: dec("20"), Risky: true})
	w.holds(appID, usdt, "9.95")
	from := w.ok("getAppDepositRecord", `{"recordId":"`+risky+`"}`).Text("record.fromAddress")
	status, answer := w.control("POST", "/sandbox/risk-refund", `{"record_id":"`+risky+`"}`)
	if status != 200 {
		t.Fatalf("%d %v", status, answer.Value)
	}
	refund := answer.Str("record_id")
	w.holds(appID, usdt, "8.850099") // less 0.999901 for the network and 0.1 of service fee
	w.Advance(3 * time.Second)
	w.ok("getRiskyRefundRecordList", `{"toAddress":`+from+`,"coinId":1280,"chain":"TRX"}`).Expect(t, map[string]string{
		"records.0.recordId": `"` + refund + `"`, "records.0.amount": `"20"`, "records.0.toAddress": from,
		"records.0.status": `"Success"`, "records.0.fee.amount": `"0.999901"`, "records.0.serviceFee": "null",
		"records.0.fromDeposit": `[{"recordId":"` + risky + `"}]`, "records.0.orderId": `"` + refund + `"`,
		"records.1": "null",
	})
	w.ok("getRiskyRefundRecordList", `{"toAddress":"`+tronAddress+`"}`).Expect(t, map[string]string{"records": "[]"})
	// What was sent back is nobody's money any more.
	if err := w.SetRisky(risky, false); err != nil {
		t.Fatal(err)
	}
	w.holds(appID, usdt, "8.850099")
	for id, says := range map[string]string{clean: "not risky", "1": "no deposit"} {
		if _, err := w.RefundRisky(id); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", id, err, says)
		}
	}
	if err := w.SetRisky(risky, true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.RefundRisky(risky); err == nil {
		t.Error("a deposit was refunded twice")
	}
}

func TestRiskRefundThatFails(t *testing.T) {
	for name, clearedFirst := range map[string]bool{"cleared before": true, "cleared after": false} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			address := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"ref-1","chain":"TRX"}`).Str("address")
			risky := w.pay(sandbox.Payment{Address: address, Amount: dec("20"), Risky: true})
			if _, err := w.RefundRisky(risky); err == nil || !strings.Contains(err.Error(), "14000") {
				t.Errorf("a merchant without money pays the fees: %v", err)
			}
			w.gives(appID, usdt, "5")
			refund, err := w.RefundRisky(risky)
			if err != nil {
				t.Fatal(err)
			}
			clearFlag := func() {
				if err := w.SetRisky(risky, false); err != nil {
					t.Fatal(err)
				}
			}
			if clearedFirst {
				clearFlag()
			}
			if err := w.SettleWithdrawal(refund, "failed"); err != nil {
				t.Fatal(err)
			}
			if !clearedFirst {
				w.holds(appID, usdt, "5")
				clearFlag()
			}
			w.holds(appID, usdt, "24.9")
		})
	}
}

func TestPayoutDoors(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "100")
	good := func(path, body string) {
		t.Helper()
		if status, answer := w.control("POST", path, body); status != 200 || answer.Text("ok") != "true" {
			t.Fatalf("%s %s: %d %v", path, body, status, answer.Value)
		}
	}
	good("/sandbox/approval", `{"needed":true}`)
	id := w.ok("applyAppWithdrawToNetwork", changed(toTron)).Str("recordId")
	good("/sandbox/withdrawal", `{"record_id":"`+id+`","status":"rejected"}`)
	w.holds(appID, usdt, "100")
	good("/sandbox/approval", `{"needed":false}`)
	id = w.ok("applyAppWithdrawToNetwork", changed(toTron, "orderId", `"out-2"`)).Str("recordId")
	good("/sandbox/withdrawal", `{"record_id":"`+id+`","status":"success"}`)
	w.holds(appID, usdt, "90")
	for _, test := range [][3]string{
		{"/sandbox/withdrawal", `{"record_id":"` + id + `","status":"failed"}`, "has ended"},
		{"/sandbox/withdrawal", `{"record_id":"1","status":"failed"}`, "no withdrawal"},
		{"/sandbox/withdrawal", `{"record_id":"` + id + `","state":"failed"}`, "state"},
		{"/sandbox/withdrawal", `{"record_id":7,"status":"failed"}`, "record_id"},
		{"/sandbox/approval", `{}`, "true or false"},
		{"/sandbox/approval", `{"needed":"yes"}`, "needed"},
		{"/sandbox/auto-withdrawal", `{"coin":"USDT","amount":"x"}`, "amount"},
		{"/sandbox/auto-withdrawal", `{"coin":true,"amount":"1"}`, "coin"},
		{"/sandbox/auto-withdrawal", `{"coin":"USDT","amount":"1000"}`, "balance"},
		{"/sandbox/auto-withdrawal", `{"coin":"USDT","amount":"10","order_id":"x"}`, "order_id"},
		{"/sandbox/risk-refund", `{"record_id":"1"}`, "no deposit"},
		{"/sandbox/risk-refund", `{"record":"1"}`, "record"},
	} {
		if status, answer := w.control("POST", test[0], test[1]); status != 400 || !strings.Contains(answer.Str("error"), test[2]) {
			t.Errorf("%s %s: %d %v, want %q", test[0], test[1], status, answer.Value, test[2])
		}
	}
}
