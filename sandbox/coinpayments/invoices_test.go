package coinpayments_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

func TestInvoiceRules(t *testing.T) {
	w := start(t)
	good := w.body("order-1", "")
	w.ok("POST", "/v2/merchant/invoices", strings.Replace(good, `"invoiceId"`, `"poNumber":"PO-1","invoiceId"`, 1))
	for _, c := range []struct{ name, from, to, field string }{
		{"no currency", `"currency":"5057",`, ``, "currency"},
		{"an unknown currency", `"5057"`, `"777"`, "currency"},
		{"amounts as numbers", `"amount":"49.90"}]`, `"amount":49.90}]`, "items[0].amount"},
		{"a third decimal", `"total":"49.90"`, `"total":"49.901"`, "amount.total"},
		{"a comma", `"total":"49.90"`, `"total":"49,90"`, "amount.total"},
		{"no total", `,"total":"49.90"`, ``, "amount.total"},
		{"no items", `[{"name":"Cap","quantity":{"value":1,"type":"quantity"},"amount":"49.90"}]`, `[]`, "items"},
		{"an item without a name", `"name":"Cap"`, `"name":""`, "items[0].name"},
		{"half an item", `"value":1`, `"value":0.5`, "items[0].quantity"},
		{"items that do not add up", `"subtotal":"49.90"`, `"subtotal":"49.80"`, "amount.breakdown.subtotal"},
		{"a total that does not add up", `"subtotal":"49.90"`, `"subtotal":"49.90","shipping":"5"`, "amount.total"},
		{"a long number", `"order-1"`, `"` + strings.Repeat("x", 128) + `"`, "invoiceId"},
		{"a long PO number", `"invoiceId"`, `"poNumber":"12345678901234567","invoiceId"`, "poNumber"},
		{"a PO number again", `"invoiceId"`, `"poNumber":"PO-1","invoiceId"`, "poNumber"},
		{"custom data that is no text", `{"order_id":"order-1"}`, `{"order_id":1}`, "customData"},
		{"a relative return address", `"invoiceId"`, `"successUrl":"/thanks","invoiceId"`, "successUrl"},
		{"a webhook to nowhere", w.hookURL(), "shop.example", "webhooks[0].notificationsUrl"},
		{"a webhook of nothing", everything, `[]`, "webhooks[0].notifications"},
		{"a webhook of something unknown", `"invoicePaid"`, `"InvoiceRefunded"`, "webhooks[0].notifications"},
		{"an empty payment", `"invoiceId"`, `"payment":{},"invoiceId"`, "payment.refundEmail"},
		{"a payment in dollars", `"invoiceId"`, `"payment":{"refundEmail":"a@shop.example","paymentCurrency":"5057"},"invoiceId"`, "payment.paymentCurrency"},
	} {
		got := w.call("POST", "/v2/merchant/invoices", strings.Replace(good, c.from, c.to, 1))
		if errors, _ := got.At("errors").Value.(map[string]any); got.status != 400 || errors[c.field] == nil {
			t.Errorf("%s: %d %v, want an error of %s", c.name, got.status, got.Value, c.field)
		}
	}
	for _, body := range []string{`[]`, `{`, ``} {
		if got := w.call("POST", "/v2/merchant/invoices", body); got.status != 400 {
			t.Errorf("%q: %d", body, got.status)
		}
	}
	if got := w.ok("GET", "/v2/merchant/invoices", ""); got.Len("items") != 1 {
		t.Errorf("%d invoices were made of what was refused", got.Len("items")-1)
	}
}

func TestInvoiceIsReadBack(t *testing.T) {
	w := start(t)
	body := `{"currency":"4:0xDAC17F958D2EE523A2206206994597C13D831EC7","items":[` +
		`{"name":"Cap & <Hat>","sku":"c-1","quantity":{"value":2,"type":"quantity"},"amount":"20"},` +
		`{"name":"Work","quantity":{"value":1,"type":1},"amount":"30.5","tax":"1"}],` +
		`"amount":{"breakdown":{"subtotal":"50.5","shipping":"4","handling":"1","taxTotal":"0.5","discount":"6"},"total":"50"},` +
		`"invoiceId":"order-1","description":"Two things","customData":{"order_id":"order-1","x":"1"},"notes":"n",` +
		`"buyer":{"emailAddress":"a@shop.example"},"successUrl":"https://shop.example/thanks","cancelUrl":"https://shop.example/basket"}`
	id := w.ok("POST", "/v2/merchant/invoices", body).Str("invoices.0.id")
	w.get(id).Expect(t, map[string]string{
		"status": `"unpaid"`, "currency.id": `"4:0xdac17f958d2ee523a2206206994597c13d831ec7"`, "currency.symbol": `"USDT.ERC20"`,
		"currency.token.contractAddress": `"0xdac17f958d2ee523a2206206994597c13d831ec7"`, "currency.decimalPlaces": `6`,
		"amount.total": `"50"`, "amount.breakdown.shipping": `"4"`, "amount.breakdown.discount": `"6"`, "items.0.name": `"Cap \u0026 \u003cHat\u003e"`,
		"items.1.amount": `"30.5"`, "items.1.quantity.type": `1`, "customData.x": `"1"`, "notes": `"n"`, "confirmed": `null`,
		"buyer.emailAddress": `"a@shop.example"`, "invoiceIdSuffix": `null`, "payments": `[]`, "isLifeTimeFinished": `false`,
	})
	// The same number again is another invoice, with a suffix of its own.
	second := w.ok("POST", "/v2/merchant/invoices", body).Str("invoices.0.id")
	if got := w.get(second); second == id || got.Text("invoiceIdSuffix") != `"1"` || got.Text("invoiceId") != `"order-1"` {
		t.Errorf("the second: %v", got.Value)
	}
	// In v1 the same amounts are objects, in the smallest unit.
	w.ok("GET", "/v1/merchant/invoices/"+id+"?include_full_details=true", "").Expect(t, map[string]string{
		"amount.value": `"50000000"`, "amount.valueAsDecimal": `"50"`, "amount.breakdown.subtotal.value": `"50500000"`,
	})
	if got := w.call("GET", "/v2/merchant/invoices/2008d68d-0f66-44ec-8500-68d054b882b9", ""); got.status != 404 {
		t.Errorf("an invoice that is not there: %d", got.status)
	}
}

func TestInvoiceInTheSmallestUnit(t *testing.T) {
	w := start(t)
	id := w.ok("POST", "/v1/merchant/invoices", `{"currencyId":"5057","items":[{"name":"Cap","quantity":{"value":1,"type":2},`+
		`"amount":{"currencyId":"5057","value":"4990"}}],"amount":{"currencyId":"5057","value":"4990"},"invoiceId":"order-1"}`).Str("invoices.0.id")
	w.get(id).Expect(t, map[string]string{"amount.total": `"49.90"`, "items.0.amount": `"49.90"`})
	if got := w.call("POST", "/v1/merchant/invoices", w.body("order-1", "")); got.status != 400 {
		t.Errorf("texts in v1: %d", got.status)
	}
}

func TestListOfInvoices(t *testing.T) {
	w := start(t)
	began := w.box.Now()
	var ids []string
	for n := range 5 {
		ids = append(ids, w.invoice(fmt.Sprintf("order-%d", n)))
		w.box.Advance(time.Minute)
	}
	w.pay(coinpayments.Payment{OrderID: "order-3"})
	at := func(minutes int) string {
		return began.Add(time.Duration(minutes)*time.Minute - 30*time.Second).UTC().Format(time.RFC3339)
	}
	for query, want := range map[string]string{
		"": "4 3 2 1 0", "?q=order-2": "2", "?q=ORDER-2": "2", "?q=" + ids[1]: "1", "?q=nothing": "", "?limit=2": "4 3",
		"?status=paid": "3", "?status=paid,unpaid": "4 3 2 1 0", "?status=timedOut": "", "?after=" + ids[3] + "&limit=2": "2 1",
		"?from=" + at(2): "4 3 2", "?to=" + at(2): "1 0", "?from=" + at(1) + "&to=" + at(3): "2 1",
	} {
		got := w.ok("GET", "/v2/merchant/invoices"+query, "")
		var found []string
		for n := range got.Len("items") {
			found = append(found, strings.TrimPrefix(got.Str(fmt.Sprintf("items.%d.invoiceId", n)), "order-"))
		}
		if strings.Join(found, " ") != want {
			t.Errorf("%s: %v, want %s", query, found, want)
		}
		if next := got.Text("paging.next"); (next != "null") != strings.Contains(query, "limit=2") {
			t.Errorf("%s: next is %s", query, next)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=101", "?limit=x", "?from=yesterday", "?after=" + strings.Repeat("0", 32)} {
		if got := w.call("GET", "/v2/merchant/invoices"+query, ""); got.status != 400 {
			t.Errorf("%s: %d", query, got.status)
		}
	}

	// A new invoice is found only once it is indexed.
	set := w.Settings()
	set.SearchDelay = 10 * time.Second
	if err := w.Set(set); err != nil {
		t.Fatal(err)
	}
	w.invoice("late")
	for _, want := range []int{0, 1} {
		if got := w.ok("GET", "/v2/merchant/invoices?q=late", "").Len("items"); got != want {
			t.Errorf("found %d, want %d", got, want)
		}
		w.box.Advance(11 * time.Second)
	}
}

func TestCancel(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	if got := w.call("POST", "/v1/merchant/invoices/"+id+"/cancel", ""); got.status != 200 || got.Value != nil {
		t.Errorf("%d %v", got.status, got.Value)
	}
	w.hears("InvoiceCreated InvoiceCancelled")
	if got := w.get(id); got.Str("status") != "cancelled" || got.Text("cancelled") == "null" {
		t.Errorf("%v", got.Value)
	}
	if got := w.call("POST", "/v1/merchant/invoices/"+id+"/cancel", ""); got.status != 400 {
		t.Errorf("again: %d", got.status)
	}
	paid := w.invoice("order-2")
	w.pay(coinpayments.Payment{OrderID: "order-2"})
	if got := w.call("POST", "/v1/merchant/invoices/"+paid+"/cancel", ""); got.status != 400 || w.get(paid).Str("status") != "paid" {
		t.Errorf("of a paid one: %d", got.status)
	}
	if got := w.call("POST", "/v2/merchant/invoices/"+paid+"/cancel", ""); got.status != 404 {
		t.Errorf("v2 has no cancel: %d", got.status)
	}
}

func TestInvoiceTimesOut(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.box.Advance(366 * 24 * time.Hour)
	w.hears("InvoiceCreated InvoiceTimedOut")
	if got := w.get(id); got.Str("status") != "timedOut" || got.Text("isLifeTimeFinished") != "true" {
		t.Errorf("%v", got.Value)
	}
}

func TestPayoutsAndHistory(t *testing.T) {
	w := start(t)
	id := w.invoice("order-1")
	w.pay(coinpayments.Payment{OrderID: "order-1", Coin: "USDT.TRC20"})
	w.ok("GET", "/v2/merchant/invoices/"+id+"/payouts", "").Expect(t, map[string]string{
		"items.0.state": `"scheduled"`, "items.0.payoutAmount.valueAsDecimal": `"49.645535"`,
		"items.0.merchantFees.transactionFee.valueAsDecimal": `"0.249476"`, "paidTransactions.0.amount.value": `"49895011"`,
	})
	w.box.Advance(coinpayments.CompleteAfter)
	if got := w.ok("GET", "/v2/merchant/invoices/"+id+"/payouts", "").Str("items.0.state"); got != "confirmed" {
		t.Errorf("completed: %s", got)
	}
	history := w.ok("GET", "/v2/merchant/invoices/"+id+"/history", "")
	if history.Str("items.0.eventType") != "created" || history.Str(fmt.Sprintf("items.%d.eventType", history.Len("items")-1)) != "completed" {
		t.Errorf("%v", history.Value)
	}
}

func TestButtonMakesInvoices(t *testing.T) {
	w := start(t)
	html, _ := w.ok("POST", "/v2/merchant/invoices/buy-now-button", w.body("order-1", "")).Value.(string)
	_, rest, _ := strings.Cut(html, `href="`)
	link, _, _ := strings.Cut(rest, `"`)
	for range 2 {
		resp, err := w.client.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || !strings.HasPrefix(resp.Request.URL.RequestURI(), "/checkout/?invoice-id=") {
			t.Errorf("%d %s", resp.StatusCode, resp.Request.URL)
		}
	}
	if got := w.ok("GET", "/v2/merchant/invoices", "").Len("items"); got != 2 {
		t.Errorf("%d invoices", got)
	}
}
