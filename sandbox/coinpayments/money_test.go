package coinpayments_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

const usdt = "USDT.TRC20"

// states are the invoice's status and those of its payments.
func (w *world) states(id string) string {
	w.t.Helper()
	got := w.get(id)
	var list []string
	payments, _ := got.At("payments").Value.([]any)
	for _, p := range payments {
		state, _ := p.(map[string]any)["state"].(string)
		list = append(list, state)
	}
	if list == nil {
		return got.Str("status")
	}
	return got.Str("status") + ": " + strings.Join(list, " ")
}

func (w *world) expectStates(id, want string) {
	w.t.Helper()
	if got := w.states(id); got != want {
		w.t.Errorf("%s, want %s", got, want)
	}
}

// TestTooLittle: what is not enough is refunded once the hour is over, and the invoice can
// be paid anew, at another address.
func TestTooLittle(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	first := w.pay(coinpayments.Payment{OrderID: "order-1", Coin: usdt, Amount: dec("20")})
	w.expectStates(id, "pending: pending")
	w.get(id).Expect(t, map[string]string{
		"payments.0.actualAmount": `"20"`, "payments.0.nativeActualAmount": `"20.00"`, "payments.0.isActive": `true`,
	})
	w.box.Advance(61 * time.Minute)
	w.expectStates(id, "unpaid: timedOutWaitingRefund")
	w.control("coinpayments/refund", `{"order_id":"order-1"}`)
	w.expectStates(id, "unpaid: timedOutRefundProcessed")

	second := w.pay(coinpayments.Payment{OrderID: "order-1", Coin: usdt})
	w.expectStates(id, "paid: timedOutRefundProcessed confirmed")
	if first.Address == second.Address {
		t.Error("the address is the same")
	}
	for _, h := range w.receiver.got() {
		if h.Type == "InvoicePaid" && h.Invoice["payments"].([]any)[0].(map[string]any)["state"] != "TimedOutRefundProcessed" {
			t.Errorf("%s", h.body)
		}
	}
}

// TestRestArrivesInTime: two payments to one address pay an invoice.
func TestRestArrivesInTime(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: usdt, Amount: dec("20")})
	w.pay(coinpayments.Payment{OrderID: "order-1"})
	w.expectStates(id, "paid: confirmed")
	w.get(id).Expect(t, map[string]string{"payments.0.actualAmount": `"49.895011"`, "payoutDetails.paidTransactions.1.amount.valueAsDecimal": `"29.895011"`})
}

// TestUnderpaymentThatIsAllowed: the merchant's setting makes less than the total pay, and
// the dashboard accepts a part by hand.
func TestUnderpaymentThatIsAllowed(t *testing.T) {
	w := start(t)
	w.control("coinpayments/settings", `{"underpayment_percent":2}`)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: usdt, Amount: dec("48.8")})
	w.expectStates(id, "pending: pending")
	w.pay(coinpayments.Payment{OrderID: "order-1", Amount: dec("0.2")})
	w.expectStates(id, "paid: confirmed")
	if got := w.get(id); got.Str("payments.0.nativeActualAmount") != "49.00" || got.Str("amount.total") != "49.90" {
		t.Errorf("%v", got.Value)
	}

	w.control("coinpayments/settings", `{"underpayment_percent":0,"underpayment_amount":"0.95"}`)
	id = w.invoice("order-2")
	w.pay(coinpayments.Payment{OrderID: "order-2", Coin: usdt, Amount: dec("49")})
	w.expectStates(id, "paid: confirmed")

	w.control("coinpayments/settings", `{"underpayment_amount":"0"}`)
	id = w.invoice("order-3")
	w.pay(coinpayments.Payment{OrderID: "order-3", Coin: usdt, Amount: dec("10")})
	hooks := w.receiver.got()
	if got := hooks[len(hooks)-1].Invoice["partialAcceptAvailable"]; got != true {
		t.Errorf("a part can be accepted: %v", got)
	}
	w.control("coinpayments/accept", `{"order_id":"order-3"}`)
	w.expectStates(id, "paid: confirmed")
	if got := w.controls("POST", "coinpayments/accept", `{"order_id":"order-3"}`); got.status != 400 {
		t.Errorf("again: %d", got.status)
	}
}

// TestTooMuch: the excess goes back once the invoice is completed.
func TestTooMuch(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: usdt, Amount: dec("60")})
	w.expectStates(id, "paid: confirmed")
	w.get(id).Expect(t, map[string]string{"payments.0.actualAmount": `"60"`, "payments.0.nativeActualAmount": `"60.00"`, "payments.0.nativeExpectedAmount": `"49.90"`})
	w.box.Advance(coinpayments.CompleteAfter)
	w.expectStates(id, "completed: completed")
	hooks := w.receiver.got()
	refund := jsonOf(t, hooks[len(hooks)-1]).At("invoice.payments.0.refund")
	refund.Expect(t, map[string]string{"payoutAmountInNativeCurrency": `910`})
}

// TestTooLate: a payment after its time never pays, and waits to be refunded.
func TestTooLate(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: usdt, Late: true})
	w.expectStates(id, "unpaid: timedOutWaitingRefund")
	if got := w.get(id); got.Text("payments.0.pendingAt") == "null" || got.Str("payments.0.confirmedAt") != "" {
		t.Errorf("%v", got.Value)
	}
	w.hears("InvoiceCreated")

	// In time, but not confirmed in time.
	id = w.invoice("order-2")
	w.pay(coinpayments.Payment{OrderID: "order-2", Coin: usdt, Confirmations: 5})
	w.expectStates(id, "pending: pending")
	w.box.Advance(61 * time.Minute)
	w.expectStates(id, "unpaid: timedOutWaitingRefund")
	w.control("coinpayments/confirm", `{"order_id":"order-2"}`)
	w.expectStates(id, "unpaid: timedOutWaitingRefund")
}

// TestPaysAfterTheEnd: money for an invoice that was cancelled or timed out waits to be
// refunded.
func TestPaysAfterTheEnd(t *testing.T) {
	w := start(t)
	for step, want := range map[string]string{
		"cancel":  "cancelled: cancelledWaitingRefund cancelledRefundProcessed",
		"timeout": "timedOut: timedOutWaitingRefund timedOutRefundProcessed",
	} {
		id := w.invoice(step)
		w.pay(coinpayments.Payment{OrderID: step, Coin: usdt, Amount: dec("1"), Confirmations: -1})
		w.expectStates(id, "unpaid: detected")
		w.control("coinpayments/"+step, `{"order_id":"`+step+`"}`)
		status, states, _ := strings.Cut(want, " ")
		waiting, refunded, _ := strings.Cut(states, " ")
		w.expectStates(id, status+" "+waiting)
		w.pay(coinpayments.Payment{OrderID: step, Amount: dec("48.9")})
		w.expectStates(id, status+" "+waiting)
		w.control("coinpayments/refund", `{"order_id":"`+step+`"}`)
		w.expectStates(id, status+" "+refunded)
	}
}

// TestPaymentThatFails: the invoice is unpaid again, and nobody is told.
func TestPaymentThatFails(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: usdt, Status: "failed"})
	w.expectStates(id, "unpaid: created")
	w.hears("InvoiceCreated InvoicePending")
	w.pay(coinpayments.Payment{OrderID: "order-1", Status: "processing"})
	w.expectStates(id, "pending: pending")
	w.control("coinpayments/fail", `{"order_id":"order-1"}`)
	w.expectStates(id, "unpaid: created")
	w.pay(coinpayments.Payment{OrderID: "order-1"})
	w.expectStates(id, "paid: confirmed")
	for _, step := range []string{"fail", "cancel", "timeout"} {
		if got := w.controls("POST", "coinpayments/"+step, `{"order_id":"order-1"}`); got.status != 400 {
			t.Errorf("%s of a paid invoice: %d", step, got.status)
		}
	}
}

// TestRefundAfterPaid: it shows in the payment's state, and nobody is told.
func TestRefundAfterPaid(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: usdt})
	told := w.receiver.types()
	w.control("coinpayments/refund", `{"order_id":"order-1"}`)
	w.expectStates(id, "paid: refunded")
	w.box.Advance(time.Hour)
	if got := w.receiver.types(); got != told+" InvoiceCompleted" {
		t.Errorf("%s, want what was told before and that it is completed", got)
	}
	if got := w.controls("POST", "coinpayments/refund", `{"order_id":"order-1"}`); got.status != 400 {
		t.Errorf("again: %d", got.status)
	}
}

// TestConfirmationsByHand: each one sends a Pending, and the last one Paid.
func TestConfirmationsByHand(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: usdt, Confirmations: -1})
	w.expectStates(id, "unpaid: detected")
	w.hears("InvoiceCreated")
	w.control("coinpayments/confirm", `{"order_id":"order-1","confirmations":2}`)
	w.hears("InvoiceCreated InvoicePending×2")
	w.control("coinpayments/confirm", `{"invoice_id":"`+id+`"}`)
	w.hears("InvoiceCreated InvoicePending×6 InvoicePaid")
	w.control("coinpayments/complete", `{"order_id":"order-1"}`)
	w.expectStates(id, "completed: completed")
}

// TestConfirmationsTakeTime: three seconds by the sandbox's clock, and completed later, or
// never.
func TestConfirmationsTakeTime(t *testing.T) {
	w := start(t)
	w.control("coinpayments/settings", `{"complete_after":"never"}`)
	id := w.invoice("order-1")
	if _, err := w.Pay(t.Context(), coinpayments.Payment{OrderID: "order-1", Coin: usdt}); err != nil {
		t.Fatal(err)
	}
	w.expectStates(id, "unpaid: detected")
	w.box.Advance(3 * time.Second)
	w.expectStates(id, "paid: confirmed")
	w.box.Advance(30 * 24 * time.Hour)
	w.expectStates(id, "paid: confirmed")
	w.control("coinpayments/settings", `{"complete_after":"1h"}`)
	id = w.invoice("order-2")
	w.pay(coinpayments.Payment{OrderID: "order-2"})
	w.box.Advance(59 * time.Minute)
	w.expectStates(id, "paid: confirmed")
	w.box.Advance(time.Minute)
	w.expectStates(id, "completed: completed")
}

// TestAnotherCoin: a buyer who changes the coin gets another address, and cannot once money
// is on its way.
func TestAnotherCoin(t *testing.T) {
	w := start(t)
	id := w.ok("POST", "/v2/merchant/invoices", w.body("order-1", `,"payment":{"refundEmail":"a@shop.example"}`)).Str("invoices.0.id")
	path := "/v1/invoices/" + id + "/payment-currencies/"
	first := w.open("GET", path+"1", "")
	second := w.open("GET", path+"1002", "")
	if again := w.open("GET", path+"1002", ""); first.Str("addresses.address") == second.Str("addresses.address") ||
		again.Str("addresses.address") != second.Str("addresses.address") {
		t.Error("the addresses are wrong")
	}
	w.pay(coinpayments.Payment{Address: second.Str("addresses.address"), Amount: dec("0.1"), Status: "processing"})
	if _, err := w.Pay(t.Context(), coinpayments.Payment{Address: second.Str("addresses.address"), Coin: "BTC"}); err == nil {
		t.Error("another coin was paid to the address")
	}
	if got := w.open("GET", path+"1", ""); got.status != 400 {
		t.Errorf("another coin: %d", got.status)
	}
	w.expectStates(id, "pending: created pending")
	if _, err := w.Pay(t.Context(), coinpayments.Payment{OrderID: "order-1", Coin: "BTC"}); err == nil {
		t.Error("another coin was paid")
	}
}

// TestPriceMoves: a payment keeps its rate, and the next one has the new one.
func TestPriceMoves(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: "BTC", Confirmations: -1, Amount: dec("0.0001")})
	before := w.get(id).Str("payments.0.expectedAmount")
	w.control("coinpayments/price", `{"coin":"BTC","usd":"1000"}`)
	w.box.Advance(61 * time.Minute)
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: "BTC", Confirmations: -1})
	w.get(id).Expect(t, map[string]string{"payments.0.expectedAmount": `"` + before + `"`, "payments.1.expectedAmount": `"0.0499"`})
	w.ok("GET", "/v2/rates?from=1&to=5057,5195", "").Expect(t, map[string]string{"items.0.rate": `"1000"`, "items.1.quoteSymbol": `"EUR"`})
}

// TestPricedInCoins: an invoice in a coin is paid in it to the last digit, and test coins
// are like others.
func TestPricedInCoins(t *testing.T) {
	w := start(t)
	for _, c := range []struct{ currency, coin string }{{"1002", "LTCT"}, {"1004", "TETH"}, {"4", "USDT.ERC20"}, {"5061", "LTCT"}} {
		total := "0.12345678"
		if c.currency == "5061" {
			total = "4990" // yen have no decimals
		}
		id := w.ok("POST", "/v2/merchant/invoices", `{"currency":"`+c.currency+`","items":[{"name":"Cap","quantity":{"value":1,"type":"quantity"},"amount":"`+
			total+`"}],"amount":{"total":"`+total+`"},"invoiceId":"in-`+c.currency+`"}`).Str("invoices.0.id")
		w.pay(coinpayments.Payment{InvoiceID: id, Coin: c.coin})
		w.expectStates(id, "paid: confirmed")
		w.get(id).Expect(t, map[string]string{"payments.0.nativeExpectedAmount": `"` + total + `"`, "payments.0.paymentCurrencySymbol": `"` + c.coin + `"`})
	}
}
