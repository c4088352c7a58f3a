package ccpayment_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
)

// cpCase is a state of the invoice of the tests, and what the app is told of a notice.
type cpCase struct {
	name, notice, state string // of the webhook; empty: paid
	status, paid        string // of the API; empty: paid 49.90
	change              []func(map[string]any)
	webhook             string // options
	want                map[string]string
	held                string // in the log, instead
}

// TestCoinPaymentsMoney: what an invoice's payments come to decides, and not the word that
// it is paid.
func TestCoinPaymentsMoney(t *testing.T) {
	fulfilled := map[string]string{"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "paid", "Ccpayment-Reason": ""}
	with := func(base map[string]string, name, value string) map[string]string {
		more := maps.Clone(base)
		more[name] = value
		return more
	}
	more := func(change map[string]any) []func(map[string]any) {
		return []func(map[string]any){cpPayments(cpPayment("confirmed", "49.90", change))}
	}
	set := func(key string, value any) []func(map[string]any) {
		return []func(map[string]any){func(invoice map[string]any) { invoice[key] = value }}
	}
	returned := cpPayment("timedOutRefundProcessed", "20.00", map[string]any{"paymentAddress": "0xB22", "isActive": false})
	for _, test := range []cpCase{
		{name: "scheduled for payout", status: "scheduledForPayout", want: fulfilled},
		{name: "completed already", status: "completed", want: fulfilled},
		{name: "completed alone", notice: "InvoiceCompleted", state: "Completed", status: "completed", want: fulfilled},
		{name: "underpaid", paid: "49.00", held: "of the 49.9 due 49 were paid"},
		{name: "underpaid by little", paid: "49.00", webhook: "accept_underpaid 1%", held: "of the 49.9 due 49 were paid"},
		{name: "underpaid, which is accepted", paid: "49.00", webhook: "accept_underpaid 2%", want: with(fulfilled, "Ccpayment-Order-Amount-Paid", "49")},
		{name: "overpaid", want: map[string]string{
			"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "overpaid", "Ccpayment-Reason": "gateway_refunds", "Ccpayment-Order-Amount-Paid": "60",
		}, change: more(map[string]any{"nativeActualAmount": "60.00", "actualAmount": "0.01202405"})},
		{name: "the noise of a rate", want: with(fulfilled, "Ccpayment-Order-Amount-Paid", "49.9"), change: more(map[string]any{"nativeActualAmount": "49.87"})},
		{name: "more, and less by the rate", want: fulfilled, change: more(map[string]any{"nativeActualAmount": "49.88", "actualAmount": "0.0100001"})},
		{
			name: "one payment twice", paid: "20.00", held: "of the 49.9 due 20 were paid",
			change: []func(map[string]any){cpPayments(cpPayment("confirmed", "20.00", nil), cpPayment("confirmed", "20.00", nil), cpPayment("confirmed", "20.00", nil))},
		},
		{
			name: "two payments", change: []func(map[string]any){cpPayments(cpPayment("completed", "20.00", nil), cpPayment("confirmed", "29.90", map[string]any{"paymentAddress": "0xB22"}))},
			want: with(with(fulfilled, "Ccpayment-Amount", "49.9"), "Ccpayment-Coin", "USD"),
		},
		{
			name: "after one that was sent back", change: []func(map[string]any){cpPayments(returned, cpPayment("confirmed", "49.90", nil))},
			want: with(with(fulfilled, "Ccpayment-Reason", "gateway_refunds"), "Ccpayment-Order-Amount-Paid", "49.9"),
		},
		{name: "refunded", change: []func(map[string]any){cpPayments(cpPayment("refunded", "49.90", nil))}, held: "sends its payments back"},
		{name: "an invoice that is refunded", status: "refunded", held: `the status is Paid in the webhook and \"Refunded\" in the record`},
		{name: "cancelled", status: "cancelled", held: `the status is Paid in the webhook and \"Cancelled\" in the record`},
		{name: "timed out", status: "timedOut", held: `the status is Paid in the webhook and \"TimedOut\" in the record`},
		{name: "an error", change: more(map[string]any{"errorCode": "PayoutAmountIsLessThanDust"}), held: `has the error \"PayoutAmountIsLessThanDust\"`},
		{name: "no error", change: more(map[string]any{"errorCode": 0}), want: fulfilled},
		{name: "no payments", change: []func(map[string]any){cpPayments()}, held: "lists no payment that can be read"},
		{name: "null payments", change: set("payments", nil), held: "lists no payment that can be read"},
		{name: "in another currency", change: more(map[string]any{"nativeCurrencyId": "5195"}), held: "lists no payment that can be read"},
		{name: "in no currency", change: more(map[string]any{"nativeCurrencyId": nil, "nativeCurrencySymbol": nil}), held: "lists no payment that can be read"},
		{name: "in a currency by its symbol", change: more(map[string]any{"nativeCurrencyId": nil}), want: fulfilled},
		{
			name: "a test coin", change: more(map[string]any{"paymentCurrencyId": "1002", "paymentCurrencySymbol": "LTCT"}),
			want: map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Reason": "test_coin", "Ccpayment-Order-State": "unpaid", "Ccpayment-Confirmed": "true"},
		},
		{name: "late", webhook: "late hold", change: set("expires", "2026-01-15T09:19:59"), held: "late: the payment came after"},
		{name: "late, which counts", change: set("expires", "2026-01-15T09:19:59"), want: with(fulfilled, "Ccpayment-Order-Late", "true")},
		{
			name: "late, and of its times only the last is known", webhook: "late hold", held: "late: the payment came after",
			change: append(more(map[string]any{"pendingAt": nil, "confirmedAt": nil, "completedAt": "2026-01-15T09:30:00Z"}), set("expires", "2026-01-15T09:19:59")...),
		},
		{name: "seen in time", webhook: "late hold", change: set("expires", "2026-01-15T09:20:00"), want: with(fulfilled, "Ccpayment-Order-Late", "")},
		{name: "another order", change: set("customData", map[string]any{"order_id": "order-2"}), held: `the order is \"order-1\" in the webhook and \"order-2\" in the record`},
		{name: "another integration", change: set("clientId", "dc6a16e545c34187ba21a9edbbe484a6"), held: "another integration's"},

		{
			name: "timed out", notice: "InvoiceTimedOut", state: "TimedOut", status: "timedOut",
			want:   map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Order-State": "expired", "Ccpayment-Reason": ""},
			change: []func(map[string]any){cpPayments(), func(i map[string]any) { i["expires"] = "2026-01-15T09:19:59" }},
		},
		{
			name: "too little in the end", notice: "InvoiceTimedOut", state: "TimedOut", status: "timedOut",
			change: []func(map[string]any){cpPayments(cpPayment("timedOutWaitingRefund", "20.00", nil))},
			want:   map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Order-State": "processing", "Ccpayment-Reason": "gateway_refunds"},
		},
		{name: "cancelled after it was paid", notice: "InvoiceCancelled", state: "Cancelled", want: map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Order-State": "paid"}},
		{
			name: "too little so far", notice: "InvoicePending", state: "Pending", status: "pending",
			change: []func(map[string]any){cpPayments(cpPayment("pending", "20.00", nil))},
			want:   map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Order-State": "processing", "Ccpayment-Reason": ""},
		},
		{name: "unknown", notice: "InvoiceRefunded", state: "Paid", want: map[string]string{
			"Ccpayment-Type": "InvoiceRefunded", "Ccpayment-Kind": "other", "Ccpayment-Fulfill": "", "Ccpayment-Confirmed": "", "Ccpayment-Order-Id": "order-1",
		}},
		{name: "an unknown state", notice: "InvoicePaid", state: "Strange", want: map[string]string{"Ccpayment-Status": "Strange", "Ccpayment-Fulfill": ""}},
		{name: "with the order nowhere", notice: `InvoicePaid","invoice":{"id":"` + cpInvoice + `","state":"Paid"},"x":"`, want: with(fulfilled, "Ccpayment-Order-Id", "order-1")},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t) })
	}
}

func (test cpCase) run(t *testing.T) {
	api := newCPAPI(t)
	or := func(text, usual string) string {
		if text == "" {
			return usual
		}
		return text
	}
	api.has(or(test.status, "paid"), or(test.paid, "49.90"), test.change...)
	s := start(t, api.setup(test.webhook, ""))
	body := cpNotice(or(test.notice, "InvoicePaid"), or(test.state, "Paid"))
	if strings.Contains(test.notice, "{") { // all that is left of it
		body = `{"type":"` + test.notice + `"}`
	}
	s.hook(cpDelivery{body: body}, 200)
	if test.held != "" {
		s.waitsHeld(test.held)
		s.app.wants(t, 0)
		return
	}
	s.gets(1)[0].says(t, test.want)
}

// TestCoinPaymentsOnce: whichever of Paid and Completed comes first tells the app to fulfil
// the order, and the other does not; what came before they did says nothing more.
func TestCoinPaymentsOnce(t *testing.T) {
	for _, order := range [][]string{{"Paid", "Completed"}, {"Completed", "Paid"}, {"Pending", "Completed"}, {"Paid", "TimedOut"}, {"TimedOut", "Paid"}} {
		t.Run(strings.Join(order, " "), func(t *testing.T) {
			api := newCPAPI(t)
			api.has("completed", "49.90")
			s := start(t, api.setup("", ""))
			var got []string
			for i, state := range order {
				s.hook(cpDelivery{body: cpNotice("Invoice"+state, state)}, 200)
				if i == 1 && (order[0] == "Completed" || state == "TimedOut") { // it is superseded
					break
				}
				call := s.gets(i + 1)[i]
				got = append(got, call.header.Get("Ccpayment-Status")+" "+call.header.Get("Ccpayment-Fulfill")+" "+call.header.Get("Ccpayment-Reason"))
			}
			want := map[string]string{
				"Paid Completed": "Paid true |Completed  already_fulfilled", "Completed Paid": "Completed true ", "Pending Completed": "Pending  |Completed true ",
				"Paid TimedOut": "Paid true ", "TimedOut Paid": "TimedOut  |Paid true ",
			}[strings.Join(order, " ")]
			if strings.Join(got, "|") != want {
				t.Errorf("the app got %q, want %q", strings.Join(got, "|"), want)
			}
		})
	}
}

// TestCoinPaymentsBehind: what the API does not confirm yet waits, and is handed over once
// it does, without another webhook.
func TestCoinPaymentsBehind(t *testing.T) {
	for name, answer := range map[string]cpAnswer{
		"unpaid":       {200, cpInvoiceIs("unpaid", ""), nil},
		"pending":      {200, cpInvoiceIs("pending", "", cpPayments(cpPayment("pending", "49.90", nil))), nil},
		"unknown":      {404, `{}`, nil},
		"in trouble":   {500, `oops`, nil},
		"wrong secret": {401, `{"title":"Unauthorized"}`, nil},
		"senseless":    {200, `{"id":"` + cpInvoice + `"}`, nil},
		"another's":    {200, strings.ReplaceAll(cpInvoiceIs("paid", "49.90"), cpInvoice, "3008d68d-0f66-44ec-8500-68d054b882b9"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			api := newCPAPI(t)
			api.answer(cpGetInvoice, answer)
			s := start(t, api.setup("", ""))
			s.hook(cpDelivery{}, 200)
			await(t, "the API was asked twice", func() bool { return len(api.called(cpGetInvoice)) >= 2 })
			s.app.wants(t, 0)
			if logs := s.logs(); answer.status == 401 {
				for _, word := range []string{"instance", "clock", "secret", "IP"} {
					if !strings.Contains(logs, word) {
						t.Errorf("the log does not name %s", word)
					}
				}
			}
			api.has("paid", "49.90")
			s.gets(1)[0].says(t, map[string]string{"Ccpayment-Fulfill": "true"})
		})
	}
}

// TestCoinPaymentsPassThrough: where the gateway waits, it learns that an event cannot be
// confirmed, and no more.
func TestCoinPaymentsPassThrough(t *testing.T) {
	api := newCPAPI(t)
	api.has("pending", "")
	setup := api.setup("", "")
	setup.site = "http://:$PORT {\n bind 127.0.0.1\n ccpayment_webhook /cp-hook {\n account coins\n }\n reverse_proxy $APP\n}"
	s := start(t, setup)
	s.hook(cpDelivery{}, 503)
	api.has("paid", "49.90")
	s.hook(cpDelivery{}, 200)
	s.gets(1)[0].says(t, map[string]string{"Ccpayment-Fulfill": "true"})
	api.has("cancelled", "")
	s.hook(cpDelivery{body: cpNotice("InvoiceCompleted", "Completed")}, 200)
	s.waitsHeld("mismatch")
	s.app.answers(status(http.StatusTeapot))
	s.app.wants(t, 1)
}

// TestCoinPaymentsAcceptOfALatePayment: that an event is accepted although the records were in
// doubt says nothing of its payment being late, which is found once they are not.
func TestCoinPaymentsAcceptOfALatePayment(t *testing.T) {
	api := newCPAPI(t)
	late := func(change map[string]any) {
		api.has("paid", "", cpPayments(cpPayment("confirmed", "49.90", change)), func(i map[string]any) { i["expires"] = "2026-01-15T09:19:59" })
	}
	late(map[string]any{"errorCode": "PayoutAmountIsLessThanDust"})
	setup := api.setup("late hold", "")
	setup.global = adminOn
	s := start(t, setup)
	s.hook(cpDelivery{}, 200)
	held := func(cause string) string {
		t.Helper()
		var id string
		await(t, "the event is held: "+cause, func() bool {
			list := s.list("state=held").Events
			if len(list) == 1 && strings.HasPrefix(list[0].LastError, cause) {
				id = list[0].ID
			}
			return id != ""
		})
		return id
	}
	id := held("mismatch: ")
	late(nil)
	s.ask(http.MethodPost, "events/"+id+"/release", `{"reason":"it is paid","accept":true}`, http.StatusOK, nil)
	held("late: ")
	s.app.wants(t, 0)
	s.ask(http.MethodPost, "events/"+id+"/release", `{"reason":"I ship it by hand","accept":true}`, http.StatusOK, nil)
	s.gets(1)[0].says(t, map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Reason": "late", "Ccpayment-Order-State": "review"})
}

// TestCoinPaymentsTestCoins: on an account that is for tests a test coin pays, and every
// event says that it is a test.
func TestCoinPaymentsTestCoins(t *testing.T) {
	api := newCPAPI(t)
	api.has("paid", "", cpPayments(cpPayment("confirmed", "49.90", map[string]any{"paymentCurrencyId": "1002", "paymentCurrencySymbol": "LTCT"})))
	s := start(t, api.setup("", "testing on"))
	s.hook(cpDelivery{body: cpNotice("SomethingNew", "")}, 200)
	s.gets(1)[0].says(t, map[string]string{"Ccpayment-Testing": "true"})
	s.hook(cpDelivery{}, 200)
	s.gets(2)[1].says(t, map[string]string{"Ccpayment-Testing": "true", "Ccpayment-Fulfill": "true", "Ccpayment-Coin": "LTCT"})
}

// TestCoinPaymentsPrefix: an invoice of another shop is acknowledged, and stays there.
func TestCoinPaymentsPrefix(t *testing.T) {
	api := newCPAPI(t)
	api.has("paid", "49.90")
	s := start(t, api.setup("", "order_prefix shop-"))
	s.hook(cpDelivery{}, 200)
	ours := strings.NewReplacer(`"order-1"`, `"shop-order-1"`).Replace
	api.says(cpGetInvoice, 200, ours(cpInvoiceIs("completed", "49.90")))
	s.hook(cpDelivery{body: ours(cpNotice("InvoiceCompleted", "Completed"))}, 200)
	s.gets(1)[0].says(t, map[string]string{"Ccpayment-Order-Id": "order-1", "Ccpayment-Fulfill": "true"})
}

// TestCoinPaymentsLater: an event that was sent without the flag carries it once it is
// earned: no payment of the invoice has events of its own to leave it to.
func TestCoinPaymentsLater(t *testing.T) {
	api := newCPAPI(t)
	api.has("paid", "", cpPayments(cpPayment("confirmed", "49.90", map[string]any{"paymentCurrencySymbol": "LTCT"})))
	setup := api.setup("body enriched", "")
	setup.app = status(http.StatusInternalServerError)
	s := start(t, setup)
	s.hook(cpDelivery{}, 200)
	await(t, "the app was called", func() bool { return len(s.app.received()) > 0 })
	s.load(api.setup("body enriched", "testing on"))
	await(t, "the app is told to fulfil the order", func() bool {
		calls := s.app.received()
		return calls[len(calls)-1].header.Get("Ccpayment-Fulfill") == "true"
	})
	s.app.answers(nil)
	calls := s.app.received()
	calls[0].says(t, map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Reason": "test_coin"})
	for _, part := range []string{`"type":"Invoice"`, `"msg":{"id":`, `"record":{"amount":`, `"fulfill":true`} {
		if body := calls[len(calls)-1].body; !strings.Contains(body, part) {
			t.Errorf("the body %s has no %s", body, part)
		}
	}
}
