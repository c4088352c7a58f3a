package coinpayments_test

import (
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// TestOwnPage: a merchant who shows the payment on a page of its own.
func TestOwnPage(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	path := "/v1/invoices/" + id
	if got := w.open("GET", path+"/payment-currencies/1002", ""); got.status != 400 {
		t.Errorf("without a payment: %d", got.status)
	}
	if got := w.open("POST", path+"/payments", `{"refundEmail":"nobody"}`); got.status != 400 {
		t.Errorf("without an e-mail address: %d", got.status)
	}
	offers := w.open("POST", path+"/payments", `{"refundEmail":"jane@shop.example"}`)
	if offers.Str("paymentId") == "" || offers.Str("refundEmail") != "jane@shop.example" || offers.Len("paymentCurrencies") < 5 {
		t.Errorf("%d %v", offers.status, offers.Value)
	}
	due := w.open("GET", path+"/payment-currencies/1002", "")
	due.Expect(t, map[string]string{
		"amount.valueAsDecimal": `"0.7472286"`, "amount.value": `"74722860"`, "currency.symbol": `"LTCT"`, "remainingAmount.valueAsDecimal": `"0.7472286"`,
	})
	address := due.Str("addresses.address")
	if !strings.HasPrefix(due.Str("addresses.biP21"), "litecoin:"+address+"?amount=0.7472286") {
		t.Errorf("%s", due.Str("addresses.biP21"))
	}
	w.pay(coinpayments.Payment{Address: address, Confirmations: 2})
	status := path + "/payment-currencies/1002/status"
	w.open("GET", status, "").Expect(t, map[string]string{
		"status": `"pending"`, "payment.confirmations": `2`, "payment.requiredConfirmations": `3`,
		"payment.unconfirmedAmount.value": `"74722860"`, "payment.confirmedAmount.value": `"0"`, "partialAcceptAvailable": `false`,
	})
	w.control("coinpayments/confirm", `{"order_id":"order-1"}`)
	w.open("GET", status, "").Expect(t, map[string]string{"status": `"paid"`, "payment.confirmedAmount.value": `"74722860"`})
	w.get(id).Expect(t, map[string]string{"payments.0.refundEmail": `"jane@shop.example"`})
	for _, path := range []string{path + "/payment-currencies/1/status", path + "/payment-currencies/777", "/v1/invoices/x/payment-currencies/1/status"} {
		if got := w.open("GET", path, ""); got.status != 404 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if got := w.open("GET", path+"/payment-currencies/1", ""); got.status != 400 {
		t.Errorf("of a paid invoice: %d", got.status)
	}
}

// TestOwnPageAtOnce: the coin comes with the invoice.
func TestOwnPageAtOnce(t *testing.T) {
	w := start(t)
	made := w.ok("POST", "/v2/merchant/invoices", w.body("order-1",
		`,"Payment":{"RefundEmail":"jane@shop.example","PaymentCurrency":"4:0xDAC17F958D2EE523A2206206994597C13D831EC7"}`))
	made.Expect(t, map[string]string{
		"invoices.0.hotWallet.amount": `"49.895011"`, "invoices.0.hotWallet.currency.symbol": `"USDT.ERC20"`, "invoices.0.payment.refundEmail": `"jane@shop.example"`,
	})
	w.pay(coinpayments.Payment{Address: made.Str("invoices.0.hotWallet.addresses.address")})
	w.expectStates(made.Str("invoices.0.id"), "paid: confirmed")
}

func TestCurrencies(t *testing.T) {
	w := start(t)
	for query, want := range map[string]string{
		"?types=fiat&q=USD": "USD",
		"?q=usdt.t":         "USDT.TRC20",
		"?types=coin&q=lit": "LTC LTCT",
		"?types=crypto&capabilities=utxo,payments": "BTC LTC LTCT",
		"?types=token&capabilities=utxo":           "",
		"?types=fiat":                              "USD EUR GBP JPY",
	} {
		list, _ := w.open("GET", "/v2/currencies"+query, "").Value.([]any)
		var symbols []string
		for _, one := range list {
			symbols = append(symbols, one.(map[string]any)["symbol"].(string))
		}
		if strings.Join(symbols, " ") != want {
			t.Errorf("%s: %v", query, symbols)
		}
	}
	w.open("GET", "/v2/currencies/9:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "").Expect(t, map[string]string{
		"symbol": `"USDT.TRC20"`, "type": `"token"`, "decimalPlaces": `6`, "requiredConfirmations": `6`, "isEnabledForPayment": `true`, "status": `"active"`,
	})
	for path, status := range map[string]int{
		"/v2/currencies/9:tr7nhqjekqxgtci8q8zy4pl8otszgjlj6t": 404, "/v2/currencies/777": 404,
		"/v2/currencies/required-confirmations": 200, "/v1/currencies/conversions": 200, "/v2/currencies/limits/1/4": 200,
		"/v2/currencies/blockchain-nodes/1/latest-block-number": 200, "/v2/fees/blockchain/4": 200, "/v2/fees/blockchain/5057": 400,
		"/v2/rates?from=1": 400, "/v2/rates?from=1&to=777": 400,
	} {
		if got := w.open("GET", path, ""); got.status != status {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if got := w.ok("GET", "/v1/merchant/currencies", "").Str("items.0.currency.symbol"); got != "BTC" {
		t.Errorf("%s", got)
	}
	if got := w.open("GET", "/v1/merchant/currencies", ""); got.status != 401 {
		t.Errorf("without a signature: %d", got.status)
	}
	if got := w.ok("GET", "/v1/merchant/clients/access-control", "").Str("flags"); got != "all" {
		t.Errorf("%s", got)
	}
}
