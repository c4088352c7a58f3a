package coinpayments

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const invoiceID = "2008d68d-0f66-44ec-8500-68d054b882b9"

// TestRead: what is read of each kind of notice.
func TestRead(t *testing.T) {
	invoice := func(typ, rest string) string {
		return fmt.Sprintf(`{"id":"5f0d","type":%q,"timestamp":"2024-07-01T11:04:06.8033575+00:0","invoice":{"id":%q%s}}`, typ, invoiceID, rest)
	}
	is := func(status string) gateway.Notice {
		return gateway.Notice{Type: "Invoice", Status: status, RecordID: invoiceID, Risk: ledger.NotRisky}
	}
	wallet := func(typ string, rest string) string {
		return fmt.Sprintf(`{"walletId":"w1","address":"0xA1","transactionId":"407EE3F94D8D4EBE8B8239704906F931","transactionType":%q,"spendRequestId":"02741e6df5c543bb8f089a523173cb42"%s}`, typ, rest)
	}
	deposit := gateway.Notice{Type: "WalletDeposit", Status: "Success", RecordID: "407ee3f9-4d8d-4ebe-8b82-39704906f931", ReferenceID: "0xA1", WalletID: "w1", Risk: ledger.NotRisky}
	withdrawal := deposit
	withdrawal.Type, withdrawal.ReferenceID = "WalletWithdrawal", "02741e6d-f5c5-43bb-8f08-9a523173cb42"
	with := func(n gateway.Notice, change func(*gateway.Notice)) gateway.Notice {
		change(&n)
		return n
	}
	as := func(status string) func(*gateway.Notice) { return func(n *gateway.Notice) { n.Status = status } }
	in := func(order string) func(*gateway.Notice) { return func(n *gateway.Notice) { n.OrderID = order } }
	payment := gateway.Notice{Type: "Payment", Status: "Created", RecordID: "p1", Digest: "Created of " + invoiceID, Risk: ledger.NotRisky}
	for _, test := range []struct {
		name, body string
		want       gateway.Notice
	}{
		{"paid", vectors.Paid, with(is("Paid"), in("order-1"))},
		{"as documented", invoice("invoicePaid", `,"state":"paid"`), is("Paid")},
		{"the state counts", invoice("InvoicePaid", `,"state":"Pending"`), is("Pending")},
		{"without a state", invoice("INVOICETIMEDOUT", ""), is("TimedOut")},
		{"of a null", invoice("InvoiceCreated", `,"state":null,"invoiceId":null,"customData":null,"payments":null,"lineItems":{}`), is("Unpaid")},
		{"an unknown state", invoice("InvoicePaid", `,"state":"Strange"`), is("Strange")},
		{"without a type", `{"invoice":{"id":"x","state":"Completed"}}`, with(is("Completed"), func(n *gateway.Notice) { n.RecordID = "x" })},
		{"by its number", invoice("InvoicePaid", `,"invoiceId":"order-1-2","invoiceNumberSuffix":"2"`), with(is("Paid"), in("order-1-2"))},
		{"by a number", invoice("InvoicePaid", `,"invoiceId":17`), with(is("Paid"), in("17"))},
		{"by customData", invoice("InvoicePaid", `,"invoiceId":"order-1-2","customData":{"order_id":"order-1"}`), with(is("Paid"), in("order-1"))},
		{"other customData", invoice("InvoicePaid", `,"invoiceId":"order-1","customData":{"order_id":null,"x":"order-2"}`), with(is("Paid"), in("order-1"))},
		{"without dashes", strings.Replace(invoice("InvoicePaid", ""), invoiceID, strings.ToUpper(strings.ReplaceAll(invoiceID, "-", "")), 1), is("Paid")},
		{"amounts of any kind", invoice("InvoicePaid", `,"amount":{"total":"49.90"},"createdAt":"x","createdAt":1`), is("Paid")},

		{"a payment begun", invoice("PaymentCreated", `,"state":"Unpaid","payments":[{"id":"p0","isActive":false},{"id":"p1","isActive":true},{"id":"p2"}]`), payment},
		{
			"a payment's end", invoice("invoicePaymentTimedOut", `,"payments":[{"id":"p0"},{"id":"p1"}]`),
			with(payment, func(n *gateway.Notice) { n.Status, n.Digest = "TimedOut", "TimedOut of "+invoiceID }),
		},
		{"a payment that is not named", invoice("PaymentCreated", ""), with(payment, func(n *gateway.Notice) { n.RecordID = "" })},
		{
			"an unknown type", invoice("InvoiceRefunded", `,"state":"Paid","invoiceId":"order-1"`),
			gateway.Notice{Type: "InvoiceRefunded", Status: "Paid", RecordID: invoiceID, OrderID: "order-1", Risk: ledger.NotRisky},
		},

		{"deposit", vectors.Wallet, gateway.Notice{
			Type: "WalletDeposit", Status: "Success", RecordID: "407ee3f9-4d8d-4ebe-8b82-39704906f931",
			ReferenceID: "miG63NqftkbxNYzHBkRQiZtdaE8xFsRSkr", WalletID: "5ff25090-4f3a-4cc4-a187-59fce3f4e501", Risk: ledger.NotRisky,
		}},
		{"one confirmation", wallet("AccountBasedExternalTokenReceive", `,"confirmations":1,"requiredConfirmations":3`), with(deposit, as("Processing"))},
		{"in texts", wallet("utxoExternalReceive", `,"confirmations":"2","requiredConfirmations":"10"`), with(deposit, as("Processing"))},
		{"more than required", wallet("SameUserReceive", `,"confirmations":4,"requiredConfirmations":3`), deposit},
		{"none required", wallet("InternalReceive", `,"confirmations":null`), deposit},
		{"withdrawal", wallet("ExternalSpend", ""), withdrawal},
		{"token", wallet("AccountBasedTokenSpend", `,"requiredConfirmations":1`), with(withdrawal, as("Processing"))},
		{"conversion", wallet("Conversion", ""), with(deposit, func(n *gateway.Notice) { n.Type, n.ReferenceID = "Conversion", "" })},
	} {
		got, err := new(V2).Read([]byte(test.body))
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
}

// TestReadNothing: where there is no event, or two, nothing is read.
func TestReadNothing(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"type":"InvoicePaid"`, "{\"type\":\"\xff\"}", vectors.Paid + "x",
		`{"type":"InvoicePaid"}`, `{"type":"invoicepaymentcreated","invoice":null}`, `{"type":"InvoicePaid","invoice":{}}`,
		`{"type":"InvoicePaid","invoice":{"id":""}}`, `{"type":"InvoicePaid","invoice":{"id":null,"invoiceId":"order-1"}}`, `{"invoice":{"id":"1"}}`,
		`{"type":"InvoicePaid","type":"InvoicePaid","invoice":{"id":"1"}}`, `{"type":"InvoicePaid","invoice":{"id":"1"},"invoice":{"id":"1"}}`,
		`{"type":"InvoicePaid","invoice":{"id":"1","id":"2"}}`, `{"type":"InvoicePaid","invoice":{"id":"1","state":"Paid","stat\u0065":"Unpaid"}}`,
		`{"type":"InvoicePaid","invoice":{"id":"1","customData":{"order_id":"1","order_id":"2"}}}`,
		`{"type":"PaymentCreated","invoice":{"id":"1","payments":[{"id":"1","id":"2"}]}}`,
		`{"transactionId":"1"}`, `{"transactionId":"","transactionType":"ExternalSpend"}`, `{"transactionId":"1","transactionId":"2","transactionType":"ExternalSpend"}`,
		`{"transactionId":"1","transactionType":"UtxoExternalReceive","confirmations":3,"confirmations":1}`,
	} {
		if n, err := new(V2).Read([]byte(body)); !errors.Is(err, gateway.ErrUnreadable) {
			t.Errorf("%s: %+v, %v", body, n, err)
		}
	}
}

// TestReadUnknown: copies of a notice that nobody knows are one event, whatever ids and
// times they have.
func TestReadUnknown(t *testing.T) {
	read := func(body string) gateway.Notice {
		t.Helper()
		n, err := new(V2).Read([]byte(body))
		if err != nil || n.Type != "SomethingNew" || n.RecordID != "" || n.Digest == "" {
			t.Errorf("%s: %+v, %v", body, n, err)
		}
		return n
	}
	one := read(`{"id":"1","type":"SomethingNew","timestamp":"a","more":{"x":1}}`)
	if two := read(`{"id":"2","type":"SomethingNew","timestamp":"b","more":{"x":1}}`); two.Digest != one.Digest {
		t.Error("a copy is another event")
	}
	if other := read(`{"id":"1","type":"SomethingNew","timestamp":"a","more":{"x":2}}`); other.Digest == one.Digest {
		t.Error("another event is a copy")
	}
}
