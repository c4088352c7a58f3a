package coinpayments_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/jsontest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// wallet makes a wallet with a webhook and returns its id and address.
func (w *world) wallet(currency, more string) (id, address string) {
	w.t.Helper()
	made := w.call("POST", "/v2/merchant/wallets",
		`{"currency":"`+currency+`","label":"shop","webhookUrl":"`+w.hookURL()+`"`+more+`}`)
	if made.status != 201 {
		w.t.Fatalf("%d %v", made.status, made.Value)
	}
	return made.Str("walletId"), made.Str("address")
}

// transaction is one of a wallet as the API answers it.
func (w *world) transaction(wallet, id string) jsontest.Tree {
	w.t.Helper()
	return w.ok("GET", "/v2/merchant/wallets/"+wallet+"/transaction?transactionId="+id, "")
}

// balance is what a wallet holds.
func (w *world) balance(wallet string) string {
	w.t.Helper()
	return w.ok("GET", "/v2/merchant/wallets/"+wallet, "").Str("confirmedBalance.value")
}

func TestDeposit(t *testing.T) {
	w := start(t)
	wallet, address := w.wallet("1002", "")
	paid := w.pay(coinpayments.Payment{Address: address, Amount: dec("0.15019097"), Confirmations: 2})
	w.transaction(wallet, paid.RecordID).Expect(t, map[string]string{
		"transactionStatus": `"pendingReceive"`, "transactionType": `"utxoExternalReceive"`, "toAmount": `"0.15019097"`,
		"toWalletId": `"` + wallet + `"`, "confirmations": `2`, "requiredConfirmations": `3`, "isInvoicePaymentSend": `false`,
		"toAddress": `"` + address + `"`, "txHash": `"` + paid.Hash + `"`, "spendRequestId": `null`,
	})
	w.ok("GET", "/v2/merchant/wallets/"+wallet, "").Expect(t, map[string]string{
		"confirmedBalance.value": `"0"`, "unconfirmedBalance.value": `"0.15019097"`, "depositAddress": `"` + address + `"`,
	})
	w.control("coinpayments/confirm", `{"record_id":"`+paid.RecordID+`"}`)
	w.hears("×3") // three, whose flat bodies have no type
	for n, h := range w.receiver.got() {
		jsonOf(t, h).Expect(t, map[string]string{
			"transactionId": `"` + paid.RecordID + `"`, "transactionType": `"UtxoExternalReceive"`, "amount": `"0.15019097"`, "symbol": `"LTCT"`,
			"nativeAmount": `"10.03"`, "nativeSymbol": `"USD"`, "confirmations": fmt.Sprint(n + 1), "requiredConfirmations": `3`,
			"walletId": `"` + wallet + `"`, "address": `"` + address + `"`, "txHash": `"` + paid.Hash + `"`, "id": `null`, "spendRequestId": `null`,
		})
		if !w.signedOver(h, w.hookURL()) {
			t.Errorf("not signed: %v", h.header)
		}
	}
	w.transaction(wallet, paid.RecordID).Expect(t, map[string]string{"transactionStatus": `"confirmedOnBlockchain"`, "confirmations": `3`})
	if got := w.balance(wallet); got != "0.15019097" {
		t.Errorf("the balance is %s", got)
	}
	w.ok("GET", "/v1/merchant/wallets/"+wallet+"/transactions", "").Expect(t, map[string]string{
		"0.toAmount": `"15019097"`, "0.fromCurrencyId": `1002`,
	})
	w.control("coinpayments/copy", `{"record_id":"`+paid.RecordID+`"}`)
	w.hears("×4")
}

// TestWebhooksOfWallets are tried five times, a second apart, and never again.
func TestWebhooksOfWallets(t *testing.T) {
	w := start(t)
	w.receiver.answers(500)
	_, address := w.wallet("9", "")
	w.pay(coinpayments.Payment{Address: address, Amount: dec("5"), Confirmations: 1})
	w.box.Advance(time.Hour)
	var offsets []string
	for _, d := range w.box.Deliveries() {
		offsets = append(offsets, time.Duration(d.Offset).String())
	}
	if got := strings.Join(offsets, " "); got != "4s 3s 2s 1s 0s" {
		t.Errorf("tried at %s", got)
	}
	if d := w.box.Deliveries()[0]; d.Type != "AccountBasedExternalReceive" || d.Status != "pendingReceive" || d.OrderID != address {
		t.Errorf("%+v", d)
	}
}

func TestKindsOfDeposits(t *testing.T) {
	w := start(t)
	wallet, address := w.wallet("9:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "")
	for kind, want := range map[string]string{
		"": "accountBasedExternalTokenReceive confirmedOnBlockchain", "InternalReceive": "internalReceive completed", "sameUserReceive": "sameUserReceive completed",
	} {
		paid := w.pay(coinpayments.Payment{Address: address, Amount: dec("1"), Type: kind})
		got := w.transaction(wallet, paid.RecordID)
		if got.Str("transactionType")+" "+got.Str("transactionStatus") != want {
			t.Errorf("%s: %v", kind, got.Value)
		}
	}
	failed := w.pay(coinpayments.Payment{Address: address, Amount: dec("1"), Status: "failed"})
	if got := w.transaction(wallet, failed.RecordID).Str("transactionStatus"); got != "failedOnBlockchain" || w.balance(wallet) != "3" {
		t.Errorf("%s, and the balance is %s", got, w.balance(wallet))
	}
	for _, p := range []coinpayments.Payment{
		{Address: address},
		{Address: address, Amount: dec("0.0000001")},
		{Address: address, Amount: dec("1"), Coin: "BTC"},
		{Address: address, Amount: dec("1"), Late: true},
		{Address: address, Amount: dec("1"), Type: "gift"},
		{Address: address, Amount: dec("1"), Status: "odd"},
		{Address: "nowhere", Amount: dec("1")},
	} {
		if _, err := w.Pay(t.Context(), p); err == nil {
			t.Errorf("%+v was paid", p)
		}
	}
}

func TestWalletsAndAddresses(t *testing.T) {
	w := start(t)
	wallet, first := w.wallet("2", "")
	own := w.receiver.server.URL + "/own"
	made := w.call("POST", "/v2/merchant/wallets/"+wallet+"/addresses", `{"label":"user-1","notificationUrl":"`+own+`"}`)
	id, address := made.Str("addressId"), made.Str("networkAddress")
	if made.status != 201 || address == "" || address == first || made.Text("rentedTill") != "null" {
		t.Fatalf("%d %v", made.status, made.Value)
	}
	w.pay(coinpayments.Payment{Address: address, Amount: dec("1"), Confirmations: 1})
	w.pay(coinpayments.Payment{Address: first, Amount: dec("1"), Confirmations: 1})
	hooks := w.receiver.got()
	if !w.signedOver(hooks[0], own) || !w.signedOver(hooks[1], w.hookURL()) {
		t.Errorf("%s, %s", hooks[0].url, hooks[1].url)
	}
	w.ok("PUT", "/v2/merchant/wallets/"+wallet+"/addresses/"+id+"/webhook", `{"notificationUrl":"`+own+`2"}`)
	w.ok("PUT", "/v2/merchant/wallets/"+wallet+"/webhook", `{"notificationUrl":"`+own+`3"}`)
	w.ok("GET", "/v2/merchant/wallets/"+wallet+"/addresses/"+id, "").Expect(t, map[string]string{
		"address": `"` + address + `"`, "label": `"user-1"`, "notificationUrl": `"` + own + `2"`,
	})
	for path, want := range map[string]string{
		"/v2/merchant/wallets/count": "1", "/v2/merchant/wallets/" + wallet + "/addresses/count": "2",
		"/v2/merchant/wallets/" + wallet + "/transactions/count": "2",
	} {
		if got := fmt.Sprint(w.ok("GET", path, "").Value); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	for path, want := range map[string]int{"?skip=0&take=1": 1, "?skip=1": 1, "?skip=9": 0, "": 2} {
		list, _ := w.ok("GET", "/v2/merchant/wallets/"+wallet+"/addresses"+path, "").Value.([]any)
		if len(list) != want {
			t.Errorf("%s: %d", path, len(list))
		}
	}

	// v3 names wallets by label and currency, and addresses by label.
	const user = `{"label":"user-7","addressLabel":"a","currency":"4:0xdac17f958d2ee523a2206206994597c13d831ec7"}`
	put := w.ok("PUT", "/v3/merchant/wallets", user)
	if again := w.ok("PUT", "/v3/merchant/wallets", user); fmt.Sprint(again.Value) != fmt.Sprint(put.Value) {
		t.Errorf("%v, then %v", put.Value, again.Value)
	}
	v3 := "/v3/merchant/wallets/user-7/" + url.PathEscape("4:0xdac17f958d2ee523a2206206994597c13d831ec7")
	if got := w.ok("GET", v3+"/addresses/a", "").Str("address"); got != put.Str("address") {
		t.Errorf("%s", got)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v2/merchant/wallets/x", "", 404},
		{"GET", "/v3/merchant/wallets/nobody/4/addresses", "", 404},
		{"GET", "/v2/merchant/wallets/" + wallet + "/addresses/x", "", 404},
		{"GET", "/v2/merchant/wallets/" + wallet + "/transaction", "", 400},
		{"GET", "/v2/merchant/wallets/" + wallet + "/transaction?transactionId=x", "", 404},
		{"GET", "/v2/merchant/wallets?take=-1", "", 400},
		{"GET", "/v2/merchant/wallets/" + wallet + "/balance/yesterday", "", 400},
		{"POST", "/v2/merchant/wallets", `{"currency":"5057","label":"x"}`, 400},
		{"POST", "/v2/merchant/wallets", `{"currency":"1"}`, 400},
		{"POST", "/v2/merchant/wallets", `{"currency":"1","label":"x","webhookUrl":"x"}`, 400},
		{"PUT", "/v2/merchant/wallets/" + wallet + "/webhook", `{}`, 400},
		{"POST", "/v1/merchant/wallets", `{"currencyId":4,"contractAddress":"0xdac17f958d2ee523a2206206994597c13d831ec7","label":"v1"}`, 201},
	} {
		if got := w.call(c.method, c.path, c.body); got.status != c.status {
			t.Errorf("%s %s %s: %d %v", c.method, c.path, c.body, got.status, got.Value)
		}
	}
}

// outside is an address on Litecoin's test network that is nobody's here.
const outside = "mtxASJZHNmGeUPQ3DxLvJeKja6Lh7TcJM9"

// spend asks for a spend and returns its id.
func (w *world) spend(wallet, body string) jsontest.Tree {
	w.t.Helper()
	return w.ok("POST", "/v2/merchant/wallets/"+wallet+"/spend/request", body)
}

func TestWithdrawal(t *testing.T) {
	w := start(t)
	wallet, _ := w.wallet("1002", "")
	w.control("coinpayments/credit", `{"wallet_id":"`+wallet+`","amount":"3"}`)
	asked := w.spend(wallet, `{"toAddress":"`+outside+`","toCurrency":"1002","amount":"2","memo":"rent"}`)
	asked.Expect(t, map[string]string{
		"fromAmount": `"2"`, "toAmount": `"2"`, "blockchainFee": `"0.0001"`, "coinpaymentsFee": `"0.0046"`, "memo": `"rent"`, "toAddress": `"` + outside + `"`,
	})
	if got := w.balance(wallet); got != "3" {
		t.Errorf("asking cost: %s", got)
	}
	id := asked.Str("spendRequestId")
	confirm := "/v2/merchant/wallets/" + wallet + "/spend/confirmation"
	if got := w.call("POST", confirm, `{"spendRequestId":"`+id+`"}`); got.status != 202 || got.Value != nil {
		t.Errorf("%d %v", got.status, got.Value)
	}
	if got := w.call("POST", confirm, `{"spendRequestId":"`+id+`"}`); got.status != 404 {
		t.Errorf("twice: %d", got.status)
	}
	if got := w.balance(wallet); got != "0.9953" {
		t.Errorf("the balance is %s", got)
	}
	find := "/v2/merchant/wallets/" + wallet + "/transaction?spendRequestId=" + id
	w.box.Advance(3 * time.Second)
	w.ok("GET", find, "").Expect(t, map[string]string{
		"transactionStatus": `"confirmedOnBlockchain"`, "transactionType": `"externalSpend"`, "toAmount": `"2"`, "spendRequestId": `"` + id + `"`,
	})
	w.hears("×3")
	for n, h := range w.receiver.got() {
		jsonOf(t, h).Expect(t, map[string]string{
			"transactionType": `"ExternalSpend"`, "spendRequestId": `"` + id + `"`, "amount": `"2"`, "totalAmount": `"2.0047"`, "confirmations": fmt.Sprint(n + 1),
		})
	}

	// What fails is back in the wallet, and nobody is told.
	w.control("coinpayments/approval", `{"needed":true}`)
	for _, status := range []string{"failed", "rejected", "cancelled"} {
		id := w.spend(wallet, `{"toAddress":"`+outside+`","amount":"0.5","receiverPaysFee":true}`).Str("spendRequestId")
		w.ok("POST", confirm, `{"spendRequestId":"`+id+`"}`)
		if got := w.balance(wallet); got != "0.4953" {
			t.Errorf("the balance is %s", got)
		}
		w.control("coinpayments/withdrawal", `{"record_id":"`+id+`","status":"`+status+`"}`)
		if got := w.balance(wallet); got != "0.9953" {
			t.Errorf("%s: the balance is %s", status, got)
		}
	}
	w.box.Advance(time.Hour)
	w.hears("×3")
	id = w.spend(wallet, `{"toAddress":"`+outside+`","amount":"0.5"}`).Str("spendRequestId")
	w.box.Advance(61 * time.Minute)
	if got := w.call("POST", confirm, `{"spendRequestId":"`+id+`"}`); got.status != 404 {
		t.Errorf("after an hour: %d", got.status)
	}
	for _, body := range []string{
		`{"toAddress":"nowhere","amount":"1"}`, `{"toAddress":"` + outside + `","amount":"100"}`, `{"toAddress":"` + outside + `","amount":"0"}`,
		`{"toAddress":"` + outside + `","amount":"0.000000001"}`, `{"toAddress":"` + outside + `","amount":"1","toCurrency":"777"}`,
		`{"toAddress":"` + outside + `","amount":"0.0001","receiverPaysFee":true}`, `{"toAddress":"` + outside + `","amount":"1","walletToPayFeeFrom":"x"}`,
	} {
		if got := w.call("POST", "/v2/merchant/wallets/"+wallet+"/spend/request", body); got.status != 400 {
			t.Errorf("%s: %d", body, got.status)
		}
	}
	w.ok("POST", "/v1/merchant/wallets/"+wallet+"/spend/request", `{"toAddress":"`+outside+`","toCurrencyId":"1002","amountInSmallestUnits":"50000000"}`).
		Expect(t, map[string]string{"toAmount": `"50000000"`, "blockchainFee": `"10000"`})
}

// TestMoneyBetweenWallets stays at CoinPayments, and is nobody's payment.
func TestMoneyBetweenWallets(t *testing.T) {
	w := start(t)
	from, _ := w.wallet("1002", "")
	to, address := w.wallet("1002", "")
	w.control("coinpayments/credit", `{"wallet_id":"`+from+`","amount":"3"}`)
	id := w.spend(from, `{"toAddress":"`+address+`","amount":"3"}`).Str("spendRequestId")
	w.ok("POST", "/v2/merchant/wallets/"+from+"/spend/confirmation", `{"spendRequestId":"`+id+`"}`)
	w.hears("×2")
	kinds := []string{}
	for _, h := range w.receiver.got() {
		kinds = append(kinds, jsonOf(t, h).Str("transactionType"))
	}
	slices.Sort(kinds) // in no order
	if fmt.Sprint(kinds) != "[SameUserReceive SameUserSpend]" {
		t.Errorf("%v", kinds)
	}
	if w.balance(from) != "0" || w.balance(to) != "3" {
		t.Errorf("%s, %s", w.balance(from), w.balance(to))
	}

	// A conversion, to a wallet in another currency.
	dollars, address := w.wallet("9:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "")
	asked := w.spend(to, `{"toAddress":"`+address+`","toCurrency":"9:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t","amount":"1"}`)
	w.ok("POST", "/v2/merchant/wallets/"+to+"/spend/confirmation", `{"spendRequestId":"`+asked.Str("spendRequestId")+`"}`)
	if got := w.balance(dollars); got != asked.Str("toAmount") || !strings.HasPrefix(got, "66.77") {
		t.Errorf("%s of %s", got, asked.Str("toAmount"))
	}
	if got := w.ok("GET", "/v2/merchant/wallets/"+dollars+"/transactions", "").Str("0.transactionType"); got != "conversion" {
		t.Errorf("%s", got)
	}
}

// TestPayoutOfAnInvoice: the money of a completed invoice arrives in a wallet like a
// deposit, and says that it is none.
func TestPayoutOfAnInvoice(t *testing.T) {
	w := start(t)
	wallet, _ := w.wallet("1002", "")
	w.control("coinpayments/settings", `{"payout_wallet":"`+wallet+`"}`)
	w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: "LTCT"})
	w.box.Advance(coinpayments.CompleteAfter)
	hooks := w.receiver.got()
	last := jsonOf(t, hooks[len(hooks)-1])
	got := w.transaction(wallet, last.Str("transactionId"))
	if last.Str("transactionType") != "InternalReceive" || got.Text("isInvoicePaymentSend") != "true" || w.balance(wallet) != "0.74349245" {
		t.Errorf("%v %v %s", last.Value, got.Value, w.balance(wallet))
	}
}

// TestConsolidation: permanent addresses keep what they receive until it is collected, for
// a fee.
func TestConsolidation(t *testing.T) {
	w := start(t)
	wallet, address := w.wallet("9", `,"usePermanentAddresses":true`)
	main, _ := w.wallet("9", "")
	other := w.ok("POST", "/v2/merchant/wallets/"+wallet+"/addresses", "")
	w.pay(coinpayments.Payment{Address: address, Amount: dec("50")})
	w.pay(coinpayments.Payment{Address: other.Str("networkAddress"), Amount: dec("20")})
	path := "/v2/merchant/wallets/" + wallet + "/consolidation"
	w.ok("GET", path, "").Expect(t, map[string]string{
		"available": `"70"`, "activationFee": `"4.4"`, "transferFee": `"2.2"`, "totalFee": `"6.6"`, "addresses.0.address": `"` + address + `"`,
	})
	w.ok("POST", path+"/"+main+"?addressIds="+other.Str("addressId"), "").Expect(t, map[string]string{"available": `"20"`, "totalFee": `"3.3"`})
	if w.balance(main) != "16.7" || w.balance(wallet) != "50" {
		t.Errorf("%s, %s", w.balance(main), w.balance(wallet))
	}
	body := `{"wallets":[{"walletId":"` + wallet + `","addresses":[]}]}`
	w.ok("POST", "/v2/merchant/wallets/consolidation-preview", body).Expect(t, map[string]string{"available": `"50"`})
	w.ok("POST", "/v2/merchant/wallets/consolidation/"+main, body)
	if w.balance(main) != "63.4" || w.balance(wallet) != "0" {
		t.Errorf("%s, %s", w.balance(main), w.balance(wallet))
	}
	for path, status := range map[string]int{
		"/v2/merchant/wallets/" + main + "/consolidation/" + wallet: 400, path + "/x": 404, path + "/" + main + "?addressIds=x": 404,
		"/v2/merchant/wallets/other/" + main: 404,
	} {
		if got := w.call("POST", path, body); got.status != status {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// TestConsolidationByLabel: v3 names the wallets and the addresses by their labels.
func TestConsolidationByLabel(t *testing.T) {
	w := start(t)
	put := func(wallet, address, more string) string {
		return w.ok("PUT", "/v3/merchant/wallets", `{"label":"`+wallet+`","addressLabel":"`+address+`","currency":"9"`+more+`}`).Str("address")
	}
	w.pay(coinpayments.Payment{Address: put("buyers", "a", `,"usePermanentAddresses":true`), Amount: dec("50")})
	w.pay(coinpayments.Payment{Address: put("buyers", "b", ""), Amount: dec("20")})
	put("safe", "s", "")
	const path = "/v3/merchant/wallets/buyers/9/consolidation"
	w.ok("GET", path, "").Expect(t, map[string]string{"available": `"70"`, "totalFee": `"6.6"`})
	w.ok("POST", path+"/safe?uniqueAddressLabels=b", "").Expect(t, map[string]string{"available": `"20"`, "totalFee": `"3.3"`})
	w.ok("GET", path, "").Expect(t, map[string]string{"available": `"50"`})
	for wallet, want := range map[string]string{"safe": "16.7", "buyers": "50"} {
		list := w.ok("GET", "/v3/merchant/wallets", "")
		id := ""
		for n := range 2 {
			if list.Str(fmt.Sprint(n, ".label")) == wallet {
				id = list.Str(fmt.Sprint(n, ".walletId"))
			}
		}
		if got := w.balance(id); got != want {
			t.Errorf("%s has %s, want %s", wallet, got, want)
		}
	}
	if got := w.call("POST", path+"/nobody", ""); got.status != 404 {
		t.Errorf("to a wallet that there is not: %d", got.status)
	}
}
