package coinpayments_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

// invoiceAnswer is an invoice with more members.
func invoiceAnswer(more string) string {
	if more != "" {
		more = "," + more
	}
	return `{"id":"i-1","status":"paid","currency":{"id":"5057"},"amount":{"total":"49.90"}` + more + `}`
}

func getInvoice(t *testing.T, answer string) (coinpayments.Invoice, error) {
	t.Helper()
	return newFakeAPI(t, say(answer)).dial(t).Invoice(t.Context(), "i-1")
}

// Times are read in every way that the API writes them.
func TestTimes(t *testing.T) {
	t.Parallel()
	want := time.Date(2024, 7, 1, 11, 4, 6, 0, time.UTC)
	for _, text := range []string{
		`"2024-07-01T11:04:06Z"`, `"2024-07-01T11:04:06"`, `"2024-07-01T11:04:06+00:00"`, `"2024-07-01T13:04:06+02:00"`, `"2024-07-01T13:04:06+0200"`, `"2024-07-01T11:04:06+00:0"`,
		`"2024-07-01T11:04:06+00"`, `"2024-07-01T06:04:06-05:00"`, `1719831846`, `"1719831846"`, `1719831846000`, `"2024-07-01T11:04:06.0000000+00:00"`,
	} {
		got, err := getInvoice(t, invoiceAnswer(`"created":`+text))
		if err != nil || !got.Created.Equal(want) {
			t.Errorf("%s: %s, %v", text, got.Created, err)
		}
	}
	got, err := getInvoice(t, invoiceAnswer(`"created":"2024-07-01T11:04:06.8033575+00:00","expires":"2024-07-01"`))
	if err != nil || got.Created.Nanosecond() != 803357500 || !got.Expires.Equal(time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%s, %s, %v", got.Created, got.Expires, err)
	}
	for _, text := range []string{`null`, `""`, `0`, `"0"`, `"0001-01-01T00:00:00"`} {
		if got, err := getInvoice(t, invoiceAnswer(`"created":`+text)); err != nil || !got.Created.IsZero() {
			t.Errorf("%s: %s, %v", text, got.Created, err)
		}
	}
	for _, text := range []string{`"soon"`, `-1`, `"2024-13-01T00:00:00Z"`, `17198318460000`, `1.5`, `true`, `{}`} {
		var wrong *coinpayments.AnswerError
		if _, err := getInvoice(t, invoiceAnswer(`"created":`+text)); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Amounts are exact, as texts and as numbers, and what is none is an error.
func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0.15019097", "49.90", "123456789012345678901234567890.1234567890", "1e-7", "0", "4990"} {
		for _, written := range []string{text, `"` + text + `"`} {
			got, err := getInvoice(t, invoiceAnswer(`"payments":[{"nativeActualAmount":`+written+`}]`))
			if err != nil || !got.Payments[0].NativeActualAmount.Equal(amount(text)) {
				t.Errorf("%s: %v, %v", written, got.Payments, err)
			}
		}
	}
	for _, text := range []string{`"much"`, `true`, `[1]`, `{"value":"1"}`, `"1,000.00"`, `1e20000000`, `"` + strings.Repeat("9", 41) + `"`} {
		var wrong *coinpayments.AnswerError
		if _, err := getInvoice(t, invoiceAnswer(`"payments":[{"nativeActualAmount":`+text+`}]`)); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A key that is read and stands there twice is an error; whatever else stands there is
// none, and is kept.
func TestUnknownAndRepeatedKeys(t *testing.T) {
	t.Parallel()
	odd := invoiceAnswer(`"tomorrow":{"status":"x","id":[]},"tomorrow":2,"ID":"other","payments":null,"customData":null,"items":[]`)
	got, err := getInvoice(t, odd)
	if err != nil || got.Status != "paid" || string(got.Raw) != odd || len(got.Payments) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, twice := range []string{`"status":"unpaid"`, `"\u0073tatus":"unpaid"`, `"payments":[{"state":"a","state":"b"}]`, `"metadata":{"hostName":"a","hostname":"b"}`, `"customData":{"a":"1","a":"2"}`} {
		var wrong *coinpayments.AnswerError
		if _, err := getInvoice(t, invoiceAnswer(twice)); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %v", twice, err)
		}
	}
}

// What the API writes in several ways is read in each.
func TestForms(t *testing.T) {
	t.Parallel()
	for _, more := range []string{
		`"customData":{"order_id":"order-1","n":7}`, `"customData":"{\"order_id\":\"order-1\",\"n\":\"7\"}"`,
	} {
		if got, err := getInvoice(t, invoiceAnswer(more)); err != nil || got.CustomData["order_id"] != "order-1" || got.CustomData["n"] != "7" {
			t.Errorf("%s: %v, %v", more, got.CustomData, err)
		}
	}
	for _, more := range []string{`"customData":"note"`, `"customData":""`, `"customData":[]`} {
		if got, err := getInvoice(t, invoiceAnswer(more)); err != nil || len(got.CustomData) != 0 {
			t.Errorf("%s: %v, %v", more, got.CustomData, err)
		}
	}
	for _, more := range []string{`"shipping":{"city":"Bern"}`, `"shipping":{"address":{"city":"Bern"},"method":"post"}`} {
		if got, err := getInvoice(t, invoiceAnswer(more)); err != nil || got.Shipping.Address.City != "Bern" {
			t.Errorf("%s: %v, %v", more, got.Shipping, err)
		}
	}
	for _, more := range []string{`"isConversion":true`, `"isConversion":"true"`, `"isConversion":"True"`} {
		if got, err := getInvoice(t, invoiceAnswer(`"payoutDetails":{`+more+`}`)); err != nil || !got.PayoutDetails.IsConversion {
			t.Errorf("%s: %v", more, err)
		}
	}
	for logo, want := range map[string]string{`"https://l.example/1.png"`: "https://l.example/1.png", `{"imageUrl":"a"}`: "a", `{"iamgeUrl":"b"}`: "b", `null`: ""} {
		currency, err := newFakeAPI(t, say(`{"id":"1","type":["crypto"],"capabilities":"payments","logo":`+logo+`}`)).dial(t).Currency(t.Context(), "1")
		if err != nil || currency.Logo.ImageURL != want || !currency.Type.Is(coinpayments.CurrencyCrypto) || len(currency.Capabilities) != 1 {
			t.Errorf("%s: %+v, %v", logo, currency, err)
		}
	}
	details, err := newFakeAPI(t, say(`{"addresses":{"address":"x"},"amount":{"currencyId":4,"value":"12345","displayValue":"0.00012345","valueAsDecimal":0.00012345,"rate":"2"},"remainingAmount":"0.5"}`)).
		dial(t).PaymentDetails(t.Context(), "i-1", "4")
	if err != nil || !details.Amount.ValueAsDecimal.Equal(amount("0.00012345")) || !details.Amount.Value.Equal(amount("12345")) || details.Amount.CurrencyID != "4" ||
		!details.Amount.Rate.Equal(amount("2")) || !details.RemainingAmount.ValueAsDecimal.Equal(amount("0.5")) || !details.RemainingAmount.Value.IsZero() {
		t.Errorf("%+v, %v", details, err)
	}
	for text, want := range map[string]*bool{`true`: new(true), `false`: new(false), `null`: nil} {
		got, err := newFakeAPI(t, say(`{"id":"t-1","isInvoicePaymentSend":`+text+`}`)).dial(t).Transaction(t.Context(), "w-1", coinpayments.ByTransaction("t-1"))
		if err != nil || (got.IsInvoicePaymentSend == nil) != (want == nil) || want != nil && *got.IsInvoicePaymentSend != *want {
			t.Errorf("%s: %v, %v", text, got.IsInvoicePaymentSend, err)
		}
	}
	access, err := newFakeAPI(t, say(`{"flags":"createInvoice, listInvoices"}`)).dial(t).Access(t.Context())
	if err != nil || len(access) != 2 || access[1] != "listInvoices" {
		t.Errorf("%v, %v", access, err)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[coinpayments.InvoiceStatus][2]bool{
		"Paid": {true, false}, "scheduledForPayout": {true, false}, "COMPLETED": {true, false}, "pending": {}, "unpaid": {}, "cancelling": {}, "": {}, "tomorrow": {},
		"Cancelled": {false, true}, "TimedOut": {false, true}, "deleted": {false, true},
	} {
		if status.Paid() != want[0] || status.Ended() != want[1] {
			t.Errorf("%s: %v, %v", status, status.Paid(), status.Ended())
		}
	}
	for state, want := range map[coinpayments.PaymentState][2]bool{
		"Confirmed": {true, false}, "scheduledForPayout": {true, false}, "completed": {true, false}, "created": {}, "detected": {}, "pending": {}, "": {},
		"timedOutWaitingRefund": {false, true}, "CancelledRefundProcessed": {false, true}, "refunded": {false, true},
	} {
		if state.Paid() != want[0] || state.GivenBack() != want[1] {
			t.Errorf("%s: %v, %v", state, state.Paid(), state.GivenBack())
		}
	}
	for status, want := range map[coinpayments.TransactionStatus][2]bool{
		"completed": {true, false}, "ConfirmedOnBlockchain": {true, false}, "pendingReceive": {}, "unknown": {}, "processing": {}, "": {},
		"failed": {false, true}, "FailedOnBlockchain": {false, true}, "expired": {false, true}, "cancelled": {false, true}, "rejected": {false, true},
	} {
		if status.Done() != want[0] || status.Failed() != want[1] {
			t.Errorf("%s: %v, %v", status, status.Done(), status.Failed())
		}
	}
}

func TestSameCurrency(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"5057", "5057", true},
		{"5057", "5195", false},
		{"", "", false},
		{usdt, "4:0xDAC17F958D2EE523A2206206994597C13D831EC7", true},
		{usdt, "4:0XDAC17F958D2EE523A2206206994597C13D831EC7", true},
		{usdt, "35:0xdac17f958d2ee523a2206206994597c13d831ec7", false},
		{usdt, "4", false},
		{"9:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "9:TR7nhqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", false},
		{coinpayments.CurrencyID("4", "0xdac17f958d2ee523a2206206994597c13d831ec7"), usdt, true},
		{coinpayments.CurrencyID("1", ""), "1", true},
	} {
		if got := coinpayments.SameCurrency(test.a, test.b); got != test.want {
			t.Errorf("%s, %s: %v", test.a, test.b, got)
		}
	}
}

// Webhooks are read as they really arrive, and what cannot be read in them is left out.
func TestEvents(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	paid, err := coinpayments.ReadEvent([]byte(v.Paid))
	if err != nil || paid.Wallet != nil || !paid.Invoice.Type.Is("invoicePaid") || !paid.Invoice.Invoice.State.Is(coinpayments.InvoicePaid) ||
		!coinpayments.SameID(paid.Invoice.Invoice.MerchantClientID, clientID) || paid.Invoice.Invoice.Amount.Currency.ID() != "5057" ||
		!paid.Invoice.Invoice.Amount.Total.Equal(amount("4990")) || paid.Invoice.Invoice.CustomData["order_id"] != "order-1" || paid.Invoice.Timestamp.Year() != 2026 {
		t.Errorf("%+v, %v", paid.Invoice, err)
	}
	deposit, err := coinpayments.ReadEvent([]byte(v.Wallet))
	if err != nil || deposit.Invoice != nil || !deposit.Wallet.TransactionType.Is(coinpayments.UTXOExternalReceive) ||
		!deposit.Wallet.Amount.Equal(amount("0.15019097")) || deposit.Wallet.Confirmations != 3 || string(deposit.Wallet.Raw) != v.Wallet {
		t.Errorf("%+v, %v", deposit.Wallet, err)
	}
	odd, err := coinpayments.ReadEvent([]byte(`{"id":7,"type":"InvoiceRefunded","timestamp":"soon","more":[1],"invoice":{"id":"i-1","invoiceId":{"x":1},"customData":null,
		"payments":null,"lineItems":{"name":"x"},"createdAt":"1719831846","amount":"much","state":["Paid"],"flags":"isPos","payoutConfig":[]}}`))
	if err != nil || odd.Invoice.Invoice.ID != "i-1" || odd.Invoice.Type != "InvoiceRefunded" || odd.Invoice.Invoice.CreatedAt.Unix() != 1719831846 || odd.Invoice.Invoice.LineItems[0].Name != "x" {
		t.Errorf("%+v, %v", odd.Invoice, err)
	}
	for _, body := range []string{
		``, `x`, `null`, `[]`, `"x"`, `{}`, `{"invoice":{}}`, `{"invoice":null}`, `{"invoice":[{"id":1},{"id":2}]}`, `{"transactionId":""}`, `{"invoice":{"id":"a"}`,
		`{"type":"a","type":"b","invoice":{"id":"a"}}`, `{"invoice":{"id":"a"},"invoice":{"id":"a"}}`, `{"invoice":{"id":"a","id":"b"}}`, `{"invoice":{"id":"a","payments":[{"state":"a","state":"b"}]}}`,
	} {
		if event, err := coinpayments.ReadEvent([]byte(body)); err == nil {
			t.Errorf("%s: %+v", body, event)
		}
	}
}

// Call passes a call on as it is, by the same rules.
func TestCall(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, sayInTurn(say(`{"anything":[1]}`), say(`[]`), sayWith(502, "text/plain", "")))
	c := api.dial(t)
	const body = `{ "poNumber" : "po-7", "later": {"field": 1} }`
	data, err := c.Call(t.Context(), "POST", "/api/v1/merchant/invoices", "", json.RawMessage(body))
	if err != nil || string(data) != `{"anything":[1]}` || string(api.Sent()[0].Body) != body {
		t.Errorf("%s, %v", data, err)
	}
	if _, err := c.Call(t.Context(), "GET", "/api/v3/merchant/wallets/my%20shop/4:0xdac17f/transactions", "skip=0&take=5&x=a%2Cb,c", nil); err != nil {
		t.Error(err)
	}
	if uri := api.Sent()[1].URI; uri != "/coinpayments/api/v3/merchant/wallets/my%20shop/4:0xdac17f/transactions?skip=0&take=5&x=a%2Cb,c" {
		t.Error(uri)
	}
	for _, request := range api.Sent() {
		checkSignature(t, api, request, false)
	}
	for path, reference := range map[string]string{
		"/api/v2/merchant/invoices": "po-7", "/api/v1/merchant/invoices/i-1/cancel": "i-1", "/api/v1/invoices/i-1/payments": "i-1",
		"/api/v3/merchant/wallets/my%20shop/4/spend/request": "my shop", "/api/v2/merchant/wallets": "",
	} {
		var own json.RawMessage
		if strings.HasSuffix(path, "/invoices") {
			own = json.RawMessage(body)
		}
		before := len(api.Sent())
		_, err = c.Call(t.Context(), "POST", path, "", own)
		var unknown *coinpayments.OutcomeUnknownError
		if !errors.As(err, &unknown) || unknown.Reference != reference || len(api.Sent()) != before+1 {
			t.Errorf("%s: %v after %d requests", path, err, len(api.Sent())-before)
		}
	}
	sent := len(api.Sent())
	for _, call := range []struct{ method, path, query, body string }{
		{"POST", "/api/v2/merchant/invoices/i-1", "", ""},
		{"get", "/api/v2/merchant/invoices", "", ""},
		{"GET", "/api/v2/merchant/invoices/", "", ""},
		{"GET", "/api/v2/merchant/invoices/i-1/payouts/x", "", ""},
		{"GET", "api/v2/merchant/invoices", "", ""},
		{"GET", "", "", ""},
		{"GET", "/api/v2/merchant/invoices/..", "", ""},
		{"GET", "/api/v2/merchant/invoices/%2e%2e", "", ""},
		{"GET", "/api/v2/merchant/invoices/a%2Fb", "", ""},
		{"GET", "/api/v2/merchant/invoices/a%5Cb", "", ""},
		{"GET", "/api/v2/merchant/invoices/a\\b", "", ""},
		{"GET", "/api/v2/merchant/invoices/a?b", "", ""},
		{"GET", "/api/v2/merchant/invoices/a#b", "", ""},
		{"GET", "/api/v2//merchant/invoices", "", ""},
		{"GET", "/api/v2/merchant/invoices/%zz", "", ""},
		{"GET", "/api/v2/merchant/invoices/ü", "", ""},
		{"GET", "https://evil.example/api/v2/merchant/invoices", "", ""},
		{"GET", "//evil.example/api/v2/merchant", "", ""},
		{"GET", "/api/v2/merchant/invoices", "q=a b", ""},
		{"GET", "/api/v2/merchant/invoices", "q=%zz", ""},
		{"GET", "/api/v2/merchant/invoices", "q=a#b", ""},
		{"GET", "/api/v2/merchant/invoices", "q=ü", ""},
		{"POST", "/api/v2/merchant/invoices", "", `[1]`},
		{"POST", "/api/v2/merchant/invoices", "", `{"a":1`},
		{"POST", "/api/v2/merchant/invoices", "", `{"poNumber":"a","poNumber":"b"}`},
		{"POST", "/api/v2/merchant/invoices", "", `null`},
		{"POST", "/api/v2/merchant/invoices", "", `"x"`},
		{"POST", "/api/v2/merchant/invoices", "", ` `},
	} {
		if _, err := c.Call(t.Context(), call.method, call.path, call.query, json.RawMessage(call.body)); err == nil {
			t.Errorf("%v: no error", call)
		}
	}
	if len(api.Sent()) != sent {
		t.Errorf("%d requests", len(api.Sent())-sent)
	}
}

// A path is that of the route with the most words of its own.
func TestFindRoute(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		"GET /api/v2/merchant/wallets/count":                        "GET /api/v2/merchant/wallets/count",
		"GET /api/v2/merchant/wallets/w-1":                          "GET /api/v2/merchant/wallets/{id}",
		"GET /api/v2/currencies/required-confirmations":             "GET /api/v2/currencies/required-confirmations",
		"POST /api/v2/merchant/invoices/buy-now-button":             "POST /api/v2/merchant/invoices/buy-now-button",
		"POST /api/v1/merchant/wallets/w-1/spend/confirmation":      "POST /api/v1/merchant/wallets/{id}/spend/confirmation",
		"POST /api/v2/merchant/wallets/consolidation/w-2":           "POST /api/v2/merchant/wallets/consolidation/{to}",
		"POST /api/v2/merchant/wallets/w-1/consolidation/w-2":       "POST /api/v2/merchant/wallets/{id}/consolidation/{to}",
		"POST /api/v3/merchant/wallets/shop/4/spend/request":        "POST /api/v3/merchant/wallets/{label}/{currency}/spend/request",
		"DELETE /api/v1/merchant/clients/c-1/webhooks/h-1":          "DELETE /api/v1/merchant/clients/{clientId}/webhooks/{webhookId}",
		"GET /api/v1/invoices/i-1/payment-currencies/4:0xda/status": "GET /api/v1/invoices/{id}/payment-currencies/{currency}/status",
	} {
		method, path, _ := strings.Cut(call, " ")
		if route, err := coinpayments.FindRoute(method, path); err != nil || route.String() != want {
			t.Errorf("%s: %s, %v", call, route, err)
		}
	}
	for _, call := range []string{
		"GET /api/v2/merchant/Invoices", "GET /API/v2/merchant/invoices", "GET /api/v2/merchant/wallets/Count", // another reader may let the case pass
		"POST /api/v2/merchant/wallets/consolidation/addresses", "POST /api/v2/merchant/wallets/Consolidation/addresses", // an address of a wallet, or a consolidation?
		"POST /api/v2/merchant/wallets/Consolidation/w-2", "POST /api/v2/merchant/wallets/w-1/spend/Request",
	} {
		method, path, _ := strings.Cut(call, " ")
		if route, err := coinpayments.FindRoute(method, path); err == nil {
			t.Errorf("%s is %s", call, route)
		}
	}
	seen := map[string]bool{}
	for _, route := range coinpayments.Routes() {
		if seen[route.String()] || route.Open && !route.Repeatable || route.Method == "GET" && !route.Repeatable {
			t.Errorf("%+v", route)
		}
		seen[route.String()] = true
		moves := strings.Contains(route.Pattern, "spend") && !strings.Contains(route.Pattern, "{spendId}") || strings.Contains(route.Pattern, "consolidation/") || strings.HasSuffix(route.Pattern, "cancel") ||
			route.Method == "POST" && strings.HasSuffix(route.Pattern, "invoices")
		if moves && route.Repeatable {
			t.Errorf("%s moves money and is repeated", route)
		}
	}
	if len(seen) < 80 {
		t.Errorf("%d routes", len(seen))
	}
}
