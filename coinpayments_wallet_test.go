package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
)

const cpGetTransaction = "GET /api/v2/merchant/wallets/" + cpWallet + "/transaction"

// moved answers for the transaction of the tests: a deposit of LTCT.
func (a *cpAPI) moved(status string, change map[string]any) {
	transaction := map[string]any{
		"id": cpTransaction, "transactionStatus": status, "transactionType": "utxoExternalReceive", "spendRequestId": nil,
		"toCurrencyId": "2", "toCurrencySymbol": "LTC", "toAmount": "0.15019097", "toAddress": "miG63NqftkbxNYzHBkRQiZtdaE8xFsRSkr",
		"toWalletId": cpWallet, "txHash": "c0581829ad6ccb1ba759799c00880917d16868aeba326781a4168fe32f961bdd",
		"dateCreated": "2026-01-15T09:20:00Z", "confirmations": 3, "requiredConfirmations": 3, "coinpaymentsFee": "0", "blockchainFee": "0",
	}
	maps.Copy(transaction, change)
	text, err := json.Marshal(transaction)
	if err != nil {
		a.t.Fatal(err)
	}
	a.says(cpGetTransaction, 200, string(text))
}

// cpMoved is a notice of a transaction with so many confirmations of three.
func cpMoved(typ string, confirmations int) string {
	return strings.NewReplacer("UtxoExternalReceive", typ, `"confirmations":3`, fmt.Sprintf(`"confirmations":%d`, confirmations),
		`"transactionId"`, `"spendRequestId":"02741e6d-f5c5-43bb-8f08-9a523173cb42","transactionId"`).Replace(cpVectors.Wallet)
}

// TestCoinPaymentsDeposit: a deposit is credited once, when all its confirmations are
// there and the API says so, with the API's amount.
func TestCoinPaymentsDeposit(t *testing.T) {
	api := newCPAPI(t)
	api.moved("pendingReceive", nil)
	s := start(t, api.setup("", ""))
	s.hook(cpDelivery{body: cpMoved("UtxoExternalReceive", 1)}, 200)
	s.gets(1)[0].says(t, map[string]string{
		"Ccpayment-Type": "WalletDeposit", "Ccpayment-Kind": "deposit", "Ccpayment-Status": "Processing", "Ccpayment-Record-Id": cpTransaction,
		"Ccpayment-Reference-Id": "miG63NqftkbxNYzHBkRQiZtdaE8xFsRSkr", "Ccpayment-Credit": "", "Ccpayment-Order-Id": "",
	})
	s.hook(cpDelivery{body: cpMoved("UtxoExternalReceive", 2)}, 200)
	s.app.wants(t, 1)
	for _, amount := range []string{`"0.15019097"`, `0.15019097`, `"999"`} {
		s.hook(cpDelivery{body: strings.Replace(cpMoved("UtxoExternalReceive", 3), `"0.15019097"`, amount, 1)}, 200)
	}
	await(t, "the API was asked again", func() bool { return len(api.called(cpGetTransaction)) >= 3 })
	s.app.wants(t, 1)
	api.moved("completed", map[string]any{"confirmations": 2})
	asked := len(api.called(cpGetTransaction))
	await(t, "the API was asked again", func() bool { return len(api.called(cpGetTransaction)) >= asked+3 })
	s.app.wants(t, 1)
	api.moved("confirmedOnBlockchain", nil)
	s.gets(2)[1].says(t, map[string]string{
		"Ccpayment-Status": "Success", "Ccpayment-Credit": "true", "Ccpayment-Amount": "0.15019097", "Ccpayment-Coin": "LTC",
		"Ccpayment-Txid": "c0581829ad6ccb1ba759799c00880917d16868aeba326781a4168fe32f961bdd",
	})
	s.hook(cpDelivery{body: cpMoved("UtxoExternalReceive", 3)}, 200)
	s.app.wants(t, 2)
	if call := api.called(cpGetTransaction)[0]; call.query != "transactionId="+cpTransaction {
		t.Errorf("asked for %q", call.query)
	}
}

// TestCoinPaymentsReceives: which transactions are a customer's deposit, and which may be
// the merchant's own money.
func TestCoinPaymentsReceives(t *testing.T) {
	credit := map[string]string{"Ccpayment-Credit": "true", "Ccpayment-Type": "WalletDeposit"}
	none := map[string]string{"Ccpayment-Credit": "", "Ccpayment-Payout": ""}
	const otherWallet, ownWallet = "e0ac29cd-d2d2-4f27-8196-236fc75a1e31", "e0ac29cd-d2d2-4f27-8196-236fc75a1e32"
	internal := func(change map[string]any) map[string]any {
		all := map[string]any{"transactionType": "internalReceive", "isInvoicePaymentSend": false, "fromWalletId": otherWallet}
		maps.Copy(all, change)
		return all
	}
	for name, test := range map[string]struct {
		typ    string
		change map[string]any
		client string // of the wallet
		option string
		want   map[string]string
		held   string
	}{
		"a token":                 {"AccountBasedExternalTokenReceive", map[string]any{"transactionType": "accountBasedExternalTokenReceive"}, "", "", credit, ""},
		"a coin":                  {"accountBasedExternalReceive", map[string]any{"transactionType": "accountBasedExternalReceive"}, cpVectors.Client, "", credit, ""},
		"of another":              {"InternalReceive", internal(nil), "", "", credit, ""},
		"of the merchant":         {"InternalReceive", internal(map[string]any{"fromWalletId": ownWallet}), "", "", nil, "from a wallet of the merchant's own"},
		"of nobody":               {"InternalReceive", internal(map[string]any{"fromWalletId": nil}), "", "", nil, "from a wallet of the merchant's own, or may be"},
		"a payout":                {"InternalReceive", internal(map[string]any{"isInvoicePaymentSend": true}), "", "", nil, "payout of the merchant's own invoices"},
		"a payout perhaps":        {"InternalReceive", internal(map[string]any{"isInvoicePaymentSend": nil}), "", "", nil, "payout of the merchant's own invoices, or may be"},
		"between own wallets":     {"SameUserReceive", map[string]any{"transactionType": "sameUserReceive"}, "", "", none, ""},
		"a conversion":            {"Conversion", nil, "", "", map[string]string{"Ccpayment-Type": "Conversion", "Ccpayment-Kind": "other", "Ccpayment-Credit": "", "Ccpayment-Confirmed": ""}, ""},
		"a sweep":                 {"AutoSweeping", nil, "", "", map[string]string{"Ccpayment-Type": "AutoSweeping", "Ccpayment-Kind": "other"}, ""},
		"a spend after all":       {"UtxoExternalReceive", map[string]any{"transactionType": "externalSpend"}, "", "", nil, "which is no deposit"},
		"at another address":      {"UtxoExternalReceive", map[string]any{"toAddress": "other"}, "", "", nil, "the reference is"},
		"at no address":           {"UtxoExternalReceive", map[string]any{"toAddress": nil}, "", "", nil, "the transaction is to no address"},
		"of another integration":  {"UtxoExternalReceive", nil, "dc6a16e545c34187ba21a9edbbe484a6", "", nil, "not made by this integration"},
		"of a test coin":          {"UtxoExternalReceive", map[string]any{"toCurrencySymbol": "LTCT", "toCurrencyId": "1002"}, "", "", map[string]string{"Ccpayment-Credit": "", "Ccpayment-Reason": "test_coin"}, ""},
		"of a test coin in tests": {"UtxoExternalReceive", map[string]any{"toCurrencySymbol": "LTCT", "toCurrencyId": "1002"}, "", "testing on", credit, ""},
	} {
		t.Run(name, func(t *testing.T) {
			api := newCPAPI(t)
			api.moved("completed", test.change)
			for _, id := range []string{cpWallet, ownWallet} {
				api.says("GET /api/v2/merchant/wallets/"+id, 200, fmt.Sprintf(`{"walletId":%q,"clientId":%q}`, id, test.client))
			}
			s := start(t, api.setup("", test.option))
			s.hook(cpDelivery{body: cpMoved(test.typ, 3)}, 200)
			if test.held != "" {
				s.waitsHeld(test.held)
				s.app.wants(t, 0)
				return
			}
			s.gets(1)[0].says(t, test.want)
		})
	}
}

// TestCoinPaymentsAddress: capitals in an address of Ethereum's kind do not count.
func TestCoinPaymentsAddress(t *testing.T) {
	const address = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
	api := newCPAPI(t)
	api.moved("completed", map[string]any{"toAddress": strings.ToLower(address), "transactionType": "accountBasedExternalReceive"})
	s := start(t, api.setup("", ""))
	s.hook(cpDelivery{body: strings.Replace(cpMoved("AccountBasedExternalReceive", 3), "miG63NqftkbxNYzHBkRQiZtdaE8xFsRSkr", address, 1)}, 200)
	s.gets(1)[0].says(t, map[string]string{"Ccpayment-Credit": "true", "Ccpayment-Reference-Id": address})
}

// TestCoinPaymentsPayout: a withdrawal to others is told of once, when it is sent, or has
// failed, whichever notice says so.
func TestCoinPaymentsPayout(t *testing.T) {
	spend := map[string]any{"transactionType": "externalSpend", "spendRequestId": "02741e6d-f5c5-43bb-8f08-9a523173cb42"}
	for name, test := range map[string]struct {
		typ, own, api string
		confirmations int
		want          map[string]string
	}{
		"sent":             {"ExternalSpend", "externalSpend", "confirmedOnBlockchain", 3, map[string]string{"Ccpayment-Status": "Success", "Ccpayment-Payout": "sent"}},
		"a token":          {"AccountBasedTokenSpend", "accountBasedTokenSpend", "completed", 3, map[string]string{"Ccpayment-Payout": "sent"}},
		"to a user":        {"InternalSpend", "internalSpend", "completed", 3, map[string]string{"Ccpayment-Payout": "sent"}},
		"to oneself":       {"SameUserSpend", "sameUserSpend", "completed", 3, map[string]string{"Ccpayment-Payout": "", "Ccpayment-Confirmed": "true"}},
		"on its way":       {"ExternalSpend", "externalSpend", "pending", 1, map[string]string{"Ccpayment-Status": "Processing", "Ccpayment-Payout": ""}},
		"failed":           {"ExternalSpend", "externalSpend", "failedOnBlockchain", 1, map[string]string{"Ccpayment-Status": "Failed", "Ccpayment-Payout": "failed"}},
		"failed after all": {"ExternalSpend", "externalSpend", "failedOnBlockchain", 3, map[string]string{"Ccpayment-Status": "Failed", "Ccpayment-Payout": "failed"}},
		"rejected":         {"ExternalSpend", "externalSpend", "rejected", 0, map[string]string{"Ccpayment-Payout": "failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			api := newCPAPI(t)
			change := maps.Clone(spend)
			change["transactionType"], change["confirmations"] = test.own, test.confirmations
			api.moved(test.api, change)
			s := start(t, api.setup("", ""))
			s.hook(cpDelivery{body: cpMoved(test.typ, test.confirmations)}, 200)
			s.hook(cpDelivery{body: cpMoved(test.typ, test.confirmations)}, 200)
			call := s.gets(1)[0]
			call.says(t, test.want)
			call.says(t, map[string]string{"Ccpayment-Type": "WalletWithdrawal", "Ccpayment-Kind": "payout", "Ccpayment-Reference-Id": "02741e6d-f5c5-43bb-8f08-9a523173cb42"})
		})
	}
}
