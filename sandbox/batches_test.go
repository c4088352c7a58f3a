package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// orders are payouts of a batch, of 10 USDT each, with these numbers.
func orders(seqs ...int) string {
	var list []string
	for _, seq := range seqs {
		list = append(list, fmt.Sprintf(`{"seq":%d,"address":%q,"amount":"10","remark":"no. %d"}`, seq, tronAddress, seq))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// batch creates one with payouts 1 to n.
func (w *world) batch(id, mode string, n int) {
	w.t.Helper()
	var seqs []int
	for seq := range n {
		seqs = append(seqs, seq+1)
	}
	w.ok("applyBatchWithdraw", fmt.Sprintf(`{"batchOrderId":%q,"coinId":1280,"chain":"TRX","mode":%q,"productName":"Wages","orders":%s}`, id, mode, orders(seqs...)))
}

// payouts are the record ids and the statuses of a batch's payouts.
func (w *world) payouts(id string) (ids []string, statuses string) {
	w.t.Helper()
	list := w.ok("getBatchWithdrawOrderRecordList", `{"batchOrderId":"`+id+`","limit":100}`)
	var all []string
	for i := range list.Len("records") {
		ids = append(ids, list.Str(fmt.Sprintf("records.%d.recordId", i)))
		all = append(all, list.Str(fmt.Sprintf("records.%d.status", i)))
	}
	return ids, strings.Join(all, "/")
}

// counts are a batch's status and numbers.
func (w *world) counts(id string) string {
	w.t.Helper()
	b := w.ok("getBatchWithdrawOrder", `{"batchOrderId":"`+id+`"}`)
	text := b.Str("status")
	for _, name := range []string{"total", "succeeded", "failed", "canceled", "processing", "execSeq"} {
		text += " " + b.Text("stats."+name)
	}
	return text
}

// toldOf compares the statuses of all webhooks. Those of different payouts have no order.
func (w *world) toldOf(statuses string) {
	w.t.Helper()
	got := strings.Fields(w.receiver.statuses())
	if slices.Sort(got); strings.Join(got, "/") != statuses {
		w.t.Errorf("webhooks: %s, want %s", got, statuses)
	}
}

func (w *world) reads(id, counts, statuses string) {
	w.t.Helper()
	if got := w.counts(id); got != counts {
		w.t.Errorf("the batch is %s, want %s", got, counts)
	}
	if _, got := w.payouts(id); got != statuses {
		w.t.Errorf("the payouts are %s, want %s", got, statuses)
	}
}

// Case 29: a batch is paid when it is confirmed and not before, all at once, with two
// webhooks for each payout, to the batch's own URL. The merchant pays the fees on top.
func TestCase29_BatchAtOnce(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "100")
	created := w.ok("applyBatchWithdraw", `{"batchOrderId":"wages-1","coinId":1280,"chain":"TRX","mode":"Batch","taskName":"Wages","notifyUrl":"`+
		w.receiver.server.URL+`/shop","orders":`+orders(1)+`}`)
	if created.Str("batchOrderId") != "wages-1" || created.Str("billId") == "" {
		t.Errorf("created %v", created.Value)
	}
	if got := w.ok("appendBatchWithdraw", `{"batchOrderId":"wages-1","orders":[{"orderId":"7","address":"`+tronAddress+`","amount":"2.5"}]}`); got.Text("recordId") != "null" {
		t.Errorf("appended %v", got.Value)
	}
	w.reads("wages-1", "Init 2 0 0 0 0 0", "Pending/Pending")
	w.holds(appID, usdt, "100")
	w.ok("confirmBatchWithdraw", `{"batchOrderId":"wages-1"}`).Expect(t, map[string]string{
		"batchOrderId": `"wages-1"`, "productName": `"Wages"`, "billId": `"` + created.Str("billId") + `"`, "coin.coin_id": "1280",
		"coin.coin_symbol": `"USDT"`, "coin.coin_price": `"1.0001"`, "amount": `"12.5"`, "networkFee": `"1.999802"`,
		"networkFeeCoin.coin_id": "1280", "status": `"Processing"`, "mode": `"Batch"`, "reason": `""`,
	})
	w.holds(appID, usdt, "85.500198")
	w.reads("wages-1", "Processing 2 0 0 0 2 7", "Processing/Processing")
	w.Advance(3 * time.Second)
	w.reads("wages-1", "Completed 2 2 0 0 0 7", "Success/Success")
	list := w.ok("getBatchWithdrawOrderRecordList", `{"batchOrderId":"wages-1","limit":1}`)
	list.Expect(t, map[string]string{
		"records.0.seq": "1", "records.0.address": `"` + tronAddress + `"`, "records.0.amount": `"10"`, "records.0.remark": `"no. 1"`,
		"records.0.networkFee": `"0.999901"`, "records.0.orderId": `"wages-1-1"`, "records.0.memo": `""`,
	})
	second := w.ok("getBatchWithdrawOrderRecordList", `{"batchOrderId":"wages-1","limit":1,"nextId":"`+list.Str("nextId")+`"}`)
	if second.Text("records.0.seq") != "7" || second.Str("nextId") != "" {
		t.Errorf("the second page: %v", second.Value)
	}
	w.ok("getAppWithdrawRecord", `{"recordId":"`+list.Str("records.0.recordId")+`"}`).Expect(t, map[string]string{
		"record.orderId": `"wages-1-1"`, "record.status": `"Success"`, "record.txId": `"` + list.Str("records.0.txId") + `"`,
	})
	w.toldOf("Processing/Processing/Success/Success")
	for _, h := range w.receiver.got() {
		if h.path != "/shop" || h.Type != "ApiWithdrawal" || h.Msg["recordId"] == "" {
			t.Errorf("a webhook to %s: %s", h.path, h.body)
		}
	}
}

// Case 29: in the mode Single one payout follows the other, and an abort stops those that
// were not begun. Their money is back at once.
func TestCase29_BatchOneAfterTheOther(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "100")
	w.batch("wages-1", "Single", 4)
	w.ok("confirmBatchWithdraw", `{"batchOrderId":"wages-1","delaySeconds":60}`)
	w.reads("wages-1", "Pending 4 0 0 0 0 0", "Pending/Pending/Pending/Pending")
	w.holds(appID, usdt, "56.000396")
	w.ok("abortBatchWithdraw", `{"batchOrderId":"wages-1","orderIds":[4]}`).Expect(t, map[string]string{"canceledSeqs": "[4]", "ignoredSeqs": "[]"})
	w.holds(appID, usdt, "67.000297")
	w.Advance(59 * time.Second)
	w.reads("wages-1", "Pending 4 0 0 1 0 0", "Pending/Pending/Pending/Canceled")
	w.Advance(time.Second)
	w.reads("wages-1", "Processing 4 0 0 1 1 1", "Processing/Pending/Pending/Canceled")
	ids, _ := w.payouts("wages-1")
	if err := w.SettleWithdrawal(ids[0], "failed"); err != nil {
		t.Fatal(err)
	}
	w.holds(appID, usdt, "78.000198")
	w.reads("wages-1", "Processing 4 0 1 1 1 2", "Failed/Processing/Pending/Canceled")
	w.ok("abortBatchWithdraw", `{"batchOrderId":"wages-1"}`).Expect(t, map[string]string{"canceledSeqs": "[3]", "ignoredSeqs": "[1,2,4]"})
	w.refused("abortBatchWithdraw", `{"batchOrderId":"wages-1"}`, 14028, "Processing")
	w.Advance(time.Minute)
	w.reads("wages-1", "Completed 4 1 1 2 0 2", "Failed/Success/Canceled/Canceled")
	w.holds(appID, usdt, "89.000099")
	w.toldOf("Failed/Processing/Processing/Success")
}

// Case 29: what waits for approval can be refused one by one, and aborted.
func TestCase29_BatchUnderReview(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "100")
	w.SetApproval(true)
	w.batch("wages-1", "Batch", 3)
	w.ok("confirmBatchWithdraw", `{"batchOrderId":"wages-1"}`)
	w.reads("wages-1", "Reviewing 3 0 0 0 0 0", "WaitingApproval/WaitingApproval/WaitingApproval")
	ids, _ := w.payouts("wages-1")
	settle := func(at int, status string) {
		t.Helper()
		if err := w.SettleWithdrawal(ids[at], status); err != nil {
			t.Fatal(err)
		}
	}
	settle(0, "rejected")
	w.ok("abortBatchWithdraw", `{"batchOrderId":"wages-1","seqs":[1,2]}`).Expect(t, map[string]string{"canceledSeqs": "[2]", "ignoredSeqs": "[1]"})
	w.reads("wages-1", "Reviewing 3 0 1 1 0 0", "Rejected/Canceled/WaitingApproval")
	settle(2, "processing")
	w.Advance(3 * time.Second)
	w.reads("wages-1", "Completed 3 1 1 1 0 0", "Rejected/Canceled/Success")
	w.ok("getAppWithdrawRecord", `{"recordId":"`+ids[1]+`"}`).Expect(t, map[string]string{"record.status": `"Rejected"`})
	w.holds(appID, usdt, "89.000099")

	w.batch("wages-2", "Single", 2)
	w.ok("confirmBatchWithdraw", `{"batchOrderId":"wages-2"}`)
	ids, _ = w.payouts("wages-2")
	settle(0, "rejected")
	settle(1, "rejected")
	w.reads("wages-2", "Rejected 2 0 2 0 0 0", "Rejected/Rejected")
	w.ok("getBatchWithdrawOrder", `{"batchOrderId":"wages-2","verbose":3}`).Expect(t, map[string]string{"reason": `"the merchant rejected it"`})
	w.holds(appID, usdt, "89.000099")
}

// Case 29: each refusal of a batch has its code, and moves no money. A call that is refused
// for one payout adds none.
func TestCase29_BatchRefusals(t *testing.T) {
	w := start(t)
	w.gives(appID, usdt, "21")
	w.batch("wages-1", "Single", 2)
	evm := func(ending string) string {
		return fmt.Sprintf(`{"batchOrderId":"evm-1","coinId":1280,"chain":"BSC","mode":"Batch","orders":[{"seq":1,"address":%q,"amount":"5"}]}`, evmAddress[:34]+ending)
	}
	create := func(changes ...string) string {
		return changed(map[string]string{"batchOrderId": `"wages-2"`, "coinId": "1280", "chain": `"TRX"`, "mode": `"Batch"`, "orders": orders(1)}, changes...)
	}
	one := func(changes ...string) string {
		return "[" + changed(map[string]string{"seq": "1", "address": `"` + tronAddress + `"`, "amount": `"10"`}, changes...) + "]"
	}
	for name, test := range map[string]struct {
		endpoint, body string
		code           int
		says           string
	}{
		"no id":              {"applyBatchWithdraw", create("batchOrderId", "-"), 11000, "batchOrderId: required"},
		"a short id":         {"applyBatchWithdraw", create("batchOrderId", `"ab"`), 11000, "3–64"},
		"the same id":        {"applyBatchWithdraw", create("batchOrderId", `"wages-1"`), 11011, "wages-1"},
		"no mode":            {"applyBatchWithdraw", create("mode", "-"), 11000, "mode"},
		"another mode":       {"applyBatchWithdraw", create("mode", `"Fast"`), 11000, "Single, Batch"},
		"a long URL":         {"applyBatchWithdraw", create("notifyUrl", `"https://shop.example/`+strings.Repeat("x", 100)+`"`), 11000, "at most 120"},
		"unknown coin":       {"applyBatchWithdraw", create("coinId", "77"), 13000, "77"},
		"not on the chain":   {"applyBatchWithdraw", create("chain", `"BTC"`), 13001, "BTC"},
		"a coin at rest":     {"applyBatchWithdraw", create("coinId", "1125", "orders", "-", "chain", `"BSC"`), 13005, "halted"},
		"no list":            {"applyBatchWithdraw", create("orders", `{}`), 11000, "list of objects"},
		"501 payouts":        {"applyBatchWithdraw", create("orders", "["+strings.Repeat("{},", 500)+"{}]"), 11000, "got 501"},
		"no seq":             {"applyBatchWithdraw", create("orders", one("seq", "-")), 11000, "orders[0].seq: required"},
		"a seq twice":        {"applyBatchWithdraw", create("orders", orders(1, 2, 1)), 14027, "orders[2].seq: 1"},
		"a long memo":        {"applyBatchWithdraw", create("orders", one("memo", `"12345678901234567"`)), 11000, "at most 16"},
		"a long remark":      {"applyBatchWithdraw", create("orders", one("remark", `"`+long(65)+`"`)), 11000, "at most 64"},
		"a wrong address":    {"applyBatchWithdraw", create("orders", one("address", `"nowhere"`)), 14024, "orders[0].address"},
		"too many decimals":  {"applyBatchWithdraw", create("orders", one("amount", `"10.0000001"`)), 14013, "orders[0].amount"},
		"too little":         {"applyBatchWithdraw", create("orders", one("amount", `"1"`)), 14005, "at least 2"},
		"no memo":            {"applyBatchWithdraw", `{"batchOrderId":"xrp-1","coinId":1140,"chain":"XRP","mode":"Batch","orders":[{"seq":1,"address":"` + xrpAddress + `","amount":"5"}]}`, 14025, "memo"},
		"black-listed":       {"applyBatchWithdraw", evm("deaddead"), 14029, "black list"},
		"risky":              {"applyBatchWithdraw", evm("bad0bad0"), 14026, "risky"},
		"nothing to append":  {"appendBatchWithdraw", `{"batchOrderId":"wages-1","orders":[]}`, 11000, "1–500"},
		"append a seq twice": {"appendBatchWithdraw", `{"batchOrderId":"wages-1","orders":` + orders(3, 2) + `}`, 14027, "orders[1].seq: 2"},
		"no such batch":      {"appendBatchWithdraw", `{"batchOrderId":"wages-9","orders":` + orders(3) + `}`, 11003, "wages-9"},
		"confirm nothing":    {"confirmBatchWithdraw", `{"batchOrderId":"wages-9"}`, 11003, "wages-9"},
		"too late":           {"confirmBatchWithdraw", `{"batchOrderId":"wages-1","delaySeconds":3601}`, 11000, "3600"},
		"no money for fees":  {"confirmBatchWithdraw", `{"batchOrderId":"wages-1"}`, 14011, "network fees of 1.999802"},
		"abort too early":    {"abortBatchWithdraw", `{"batchOrderId":"wages-1"}`, 14028, "Init"},
		"abort no payout":    {"abortBatchWithdraw", `{"batchOrderId":"wages-1","seqs":[9]}`, 11003, "no payout 9"},
		"too verbose":        {"getBatchWithdrawOrder", `{"batchOrderId":"wages-1","verbose":4}`, 11000, "verbose"},
		"too long a page":    {"getBatchWithdrawOrderRecordList", `{"batchOrderId":"wages-1","limit":101}`, 11010, "100"},
	} {
		t.Run(name, func(t *testing.T) {
			if r := w.call(test.endpoint, test.body); r.Code != test.code || !strings.Contains(r.Msg, test.says) {
				t.Errorf("%d %q, want %d with %q", r.Code, r.Msg, test.code, test.says)
			}
		})
	}
	w.reads("wages-1", "Init 2 0 0 0 0 0", "Pending/Pending")
	w.holds(appID, usdt, "21")
	w.ok("appendBatchWithdraw", `{"batchOrderId":"wages-1","orders":`+orders(3)+`}`)
	w.refused("confirmBatchWithdraw", `{"batchOrderId":"wages-1"}`, 14000, "balance is 21")
	w.ok("applyBatchWithdraw", create("orders", "-"))
	w.refused("confirmBatchWithdraw", `{"batchOrderId":"wages-2"}`, 11000, "no payouts")

	w.gives(appID, usdt, "30")
	w.ok("confirmBatchWithdraw", `{"batchOrderId":"wages-1"}`)
	w.refused("confirmBatchWithdraw", `{"batchOrderId":"wages-1"}`, 11007, "confirmed already")
	w.refused("appendBatchWithdraw", `{"batchOrderId":"wages-1","orders":`+orders(4)+`}`, 11000, "Processing")
	w.Advance(time.Minute)
	w.refused("abortBatchWithdraw", `{"batchOrderId":"wages-1"}`, 14028, "Completed")
	w.holds(appID, usdt, "18.000297")
}

// Case 29: fifty who confirm one batch at once have it paid once.
func TestCase29_BatchIsPaidOnce(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.WebhookURL = "" })
	w.gives(appID, usdt, "1000")
	w.batch("wages-1", "Batch", 5)
	counts := w.atOnce(50, func(int) (string, string) { return "confirmBatchWithdraw", `{"batchOrderId":"wages-1"}` })
	if counts[10000] != 1 || counts[11007] != 49 {
		t.Errorf("answers: %v", counts)
	}
	w.Advance(time.Minute)
	w.holds(appID, usdt, "945.000495")
}

// Case 29: checkWithdrawAddress has codes for each address, and none for a good one.
func TestCase29_CheckAddresses(t *testing.T) {
	w := start(t)
	own := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"ref-1","chain":"BSC"}`).Str("address")
	list := ""
	for i, address := range []string{evmAddress, "nowhere", own, evmAddress[:34] + "deaddead", evmAddress[:34] + "bad0bad0"} {
		list += fmt.Sprintf(`,{"address":%q,"seq":%d}`, address, i+1)
	}
	w.ok("checkWithdrawAddress", `{"chain":"BSC","addressInfoList":[`+list[1:]+`]}`).Expect(t, map[string]string{
		"addressInfoResults.0": `{"codes":[],"seq":1}`, "addressInfoResults.1": `{"codes":[14024],"seq":2}`,
		"addressInfoResults.2": `{"codes":[14008],"seq":3}`, "addressInfoResults.3": `{"codes":[14029],"seq":4}`, "addressInfoResults.4": `{"codes":[14026],"seq":5}`,
	})
	w.ok("checkWithdrawAddress", `{"chain":"XRP","addressInfoList":[{"address":"`+xrpAddress+`","seq":1},{"address":"`+xrpAddress+`","memo":"7","seq":2}]}`).
		Expect(t, map[string]string{"addressInfoResults.0.codes": "[14025]", "addressInfoResults.1.codes": "[]"})
	for body, code := range map[string]int{
		`{"chain":"BSC","addressInfoList":[]}`: 11000, `{"chain":"BSC"}`: 11000, `{"chain":"TRC20","addressInfoList":[{"address":"x","seq":1}]}`: 13001,
		`{"chain":"BSC","addressInfoList":[{"address":"x","seq":1},{"address":"x","seq":1}]}`: 14027, `{"chain":"BSC","addressInfoList":[{"seq":1}]}`: 11000,
	} {
		w.refused("checkWithdrawAddress", body, code, "")
	}
}
