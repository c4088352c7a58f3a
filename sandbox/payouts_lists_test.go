package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// collect reads all pages of a list and runs between after each of them. It
// fails on a page of more than 20.
func (w *world) collect(endpoint, query string, between func()) []string {
	w.t.Helper()
	var ids []string
	next := ""
	for {
		body := query
		if next != "" {
			body = strings.TrimSuffix(query, "}") + `,"nextId":"` + next + `"}`
		}
		data := w.ok(endpoint, body)
		n := data.Len("records")
		if n > 20 {
			w.t.Fatalf("%s: %d records on a page", endpoint, n)
		}
		for i := range n {
			ids = append(ids, data.Str(fmt.Sprintf("records.%d.recordId", i)))
		}
		if next = data.Str("nextId"); next == "" {
			return ids
		}
		between()
	}
}

// Every list keeps its place while records are added, and has each record that
// was there at the start once, newest first.
func TestPayoutListsWhileRecordsAreAdded(t *testing.T) {
	for _, test := range []struct {
		make, body  string
		list, query string
	}{
		{
			"applyAppWithdrawToCwallet", `{"coinId":1280,"cwalletUser":"35255142","amount":"1","orderId":"%s"}`,
			"getAppWithdrawRecordList", `{"coinId":1280}`,
		},
		{
			"applyUserWithdrawToNetwork", `{"userId":"user-1","coinId":1280,"chain":"TRX","address":"` + tronAddress + `","amount":"3","orderId":"%s"}`,
			"getUserWithdrawRecordList", `{"userId":"user-1","toAddress":"` + tronAddress + `"}`,
		},
		{
			"userTransfer", `{"fromUserId":"user-1","toUserId":"user-2","coinId":1280,"amount":"1","orderId":"%s"}`,
			"getUserTransferRecordList", `{"fromUserId":"user-1","toUserId":"user-2"}`,
		},
		{
			"swap", `{"orderId":"%s","coinIdIn":1280,"amountIn":"1","coinIdOut":1482}`,
			"getSwapRecordList", `{"coinIdIn":1280,"coinIdOut":1482}`,
		},
		{
			"userSwap", `{"orderId":"%s","userId":"user-2","coinIdIn":1280,"amountIn":"1","coinIdOut":1482}`,
			"getUserSwapRecordList", `{"userId":"user-2"}`,
		},
	} {
		t.Run(test.list, func(t *testing.T) {
			w := start(t, func(o *sandbox.Options) { o.WebhookURL = "" })
			for _, user := range []string{appID, "user-1", "user-2"} {
				w.gives(user, usdt, "1000")
			}
			made := 0
			one := func() string {
				made++
				return w.ok(test.make, fmt.Sprintf(test.body, fmt.Sprintf("order-%d", made))).Str("recordId")
			}
			var want []string
			for range 45 {
				want = append(want, one())
			}
			slices.Reverse(want)
			if got := w.collect(test.list, test.query, func() { one() }); !slices.Equal(got, want) {
				t.Errorf("got %d records %v, want %d", len(got), got, len(want))
			}
			next := w.ok(test.list, test.query).Str("nextId")
			other := strings.TrimSuffix(test.query, "}") + `,"startAt":1700000000,"nextId":"` + next + `"}`
			if r := w.call(test.list, other); r.Code == 10000 {
				t.Error("a nextId serves another query")
			}
			w.refused(test.list, strings.TrimSuffix(test.query, "}")+`,"nextId":"x"}`, 11000, "nextId")
		})
	}
}

func TestPayoutListFilters(t *testing.T) {
	w := start(t)
	for _, user := range []string{appID, "user-1", "user-2"} {
		w.gives(user, usdt, "1000")
	}
	onBSC := []string{"chain", `"BSC"`, "address", `"` + evmAddress + `"`}
	w.ok("applyAppWithdrawToNetwork", changed(toTron, "orderId", `"old"`))
	w.Advance(24 * time.Hour)
	middle := w.Now().Unix()
	w.Advance(24 * time.Hour)
	w.gives(appID, eth, "1")
	w.ok("applyAppWithdrawToNetwork", changed(toTron, append(onBSC, "orderId", `"new"`)...))
	w.ok("applyAppWithdrawToNetwork", changed(toTron, "coinId", "1161", "chain", `"ETH"`,
		"address", `"`+evmAddress+`"`, "amount", `"0.1"`, "orderId", `"ether"`))
	w.ok("applyUserWithdrawToNetwork", changed(toTron, "userId", `"user-1"`, "orderId", `"user-tron"`))
	w.ok("applyUserWithdrawToNetwork", changed(toTron, append(onBSC, "userId", `"user-1"`, "orderId", `"user-bsc"`)...))
	w.ok("swap", `{"orderId":"s-1","coinIdIn":1280,"amountIn":"10","coinIdOut":1482}`)
	w.ok("swap", `{"orderId":"s-2","coinIdIn":1280,"amountIn":"10","coinIdOut":1329}`)
	second := w.ok("getSwapRecord", `{"orderId":"s-2"}`).Text("record.recordId")
	w.ok("userSwap", `{"orderId":"s-3","userId":"user-1","coinIdIn":1280,"amountIn":"10","coinIdOut":1482}`)
	w.ok("userSwap", `{"orderId":"s-4","userId":"user-2","coinIdIn":1280,"amountIn":"10","coinIdOut":1482}`)

	since, until := fmt.Sprintf(`{"startAt":%d}`, middle), fmt.Sprintf(`{"endAt":%d}`, middle)
	for _, test := range [][3]string{
		{"getAppWithdrawRecordList", ``, "ether new old"},
		{"getAppWithdrawRecordList", `{"coinId":1161}`, "ether"},
		{"getAppWithdrawRecordList", `{"chain":"TRX"}`, "old"},
		{"getAppWithdrawRecordList", `{"orderIds":["old","new","user-bsc"]}`, "new old"},
		{"getAppWithdrawRecordList", `{"orderIds":["old","new"],"chain":"BSC"}`, "new"},
		{"getAppWithdrawRecordList", since, "ether new"},
		{"getAppWithdrawRecordList", until, "old"},
		{"getUserWithdrawRecordList", `{"userId":"user-1"}`, "user-bsc user-tron"},
		{"getUserWithdrawRecordList", `{"userId":"user-2"}`, ""},
		{"getUserWithdrawRecordList", `{"userId":"user-1","toAddress":"0x` + strings.ToUpper(evmAddress[2:]) + `"}`, "user-bsc"},
		{"getUserWithdrawRecordList", `{"userId":"user-1","toAddress":"` + strings.ToLower(tronAddress) + `"}`, ""},
		{"getUserWithdrawRecordList", `{"userId":"user-1","chain":"TRX","coinId":1280}`, "user-tron"},
		{"getSwapRecordList", `{}`, "s-2 s-1"},
		{"getSwapRecordList", `{"coinIdOut":1482}`, "s-1"},
		{"getSwapRecordList", `{"coinIdIn":1482}`, ""},
		{"getSwapRecordList", `{"recordIds":[` + second + `]}`, "s-2"},
		{"getSwapRecordList", `{"orderIds":["s-1","s-3"]}`, "s-1"},
		{"getSwapRecordList", until, ""},
		{"getUserSwapRecordList", `{}`, "s-4 s-3"},
		{"getUserSwapRecordList", `{"userId":"user-2"}`, "s-4"},
		{"getUserSwapRecordList", `{"orderIds":["s-3"]}`, "s-3"},
		{"getUserSwapRecordList", `{"recordIds":[` + second + `]}`, ""},
	} {
		data := w.ok(test[0], test[1])
		var got []string
		for i := range data.Len("records") {
			got = append(got, data.Str(fmt.Sprintf("records.%d.orderId", i)))
		}
		if strings.Join(got, " ") != test[2] {
			t.Errorf("%s %s: %v, want %s", test[0], test[1], got, test[2])
		}
	}
}

func TestPayoutListRules(t *testing.T) {
	w := start(t)
	w.gives("user-1", usdt, "1")
	ids := func(n int) string { return `["` + strings.Repeat(`id-1","`, n-1) + `id-1"]` }
	for list, query := range map[string]string{
		"getAppWithdrawRecordList": "", "getUserWithdrawRecordList": `"userId":"user-1",`,
		"getSwapRecordList": "", "getUserSwapRecordList": "", "getAutoWithdrawRecordList": "",
		"getRiskyRefundRecordList": "", "getUserTransferRecordList": `"fromUserId":"user-1",`,
		"getUserDepositRecordList": `"userId":"user-1",`,
	} {
		w.refused(list, `{`+query+`"startAt":1700000000,"endAt":1699999999}`, 11000, "endAt")
		w.refused(list, `{`+query+`"startAt":1690000000,"endAt":1700000000}`, 11008, "three months")
		w.refused(list, `{`+query+`"startAt":"yesterday"}`, 11000, "startAt")
		w.refused(list, `{`+query+`"endAt":17000}`, 11000, "endAt")
		w.refused(list, `{`+query+`"nextId":7}`, 11000, "nextId")
		w.ok(list, `{`+query+`"startAt":1700000000,"endAt":1700000000}`)
	}
	w.refused("getAppWithdrawRecordList", `{"orderIds":`+ids(21)+`}`, 11010, "20")
	w.ok("getAppWithdrawRecordList", `{"orderIds":`+ids(20)+`}`)
	w.refused("getSwapRecordList", `{"orderIds":`+ids(101)+`}`, 11010, "100")
	w.refused("getUserSwapRecordList", `{"recordIds":`+ids(101)+`}`, 11010, "100")
	w.ok("getUserSwapRecordList", `{"recordIds":`+ids(100)+`}`)
	w.refused("getAutoWithdrawRecordList", `{"recordIds":`+ids(101)+`}`, 11010, "100")
	w.refused("getAppWithdrawRecordList", `{"coinId":8}`, 13000, "8")
	w.refused("getAppWithdrawRecordList", `{"chain":"ERC20"}`, 13001, "ERC20")
	w.refused("getUserWithdrawRecordList", `{}`, 11000, "userId")
	w.refused("getUserWithdrawRecordList", `{"userId":"user-7"}`, 11015, "user-7")
	w.refused("getUserSwapRecordList", `{"userId":"user-7"}`, 11015, "user-7")
}
