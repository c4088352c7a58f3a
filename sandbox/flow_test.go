package sandbox_test

import "testing"

// The path of a shop: invoice, payment through the door, two webhooks that
// verify, and the invoice read back.
func TestInvoicePaidThroughTheDoor(t *testing.T) {
	w := start(t)
	url := w.ok("createInvoiceUrl", `{"orderId":"order-1","price":"10","priceFiatId":"1033","product":"Tea"}`)
	if got := url.Str("invoiceUrl"); len(got) < len(w.url)+20 || got[:len(w.url)+3] != w.url+"/i/" {
		t.Fatalf("invoiceUrl %q", got)
	}
	status, paid := w.control("POST", "/sandbox/pay", `{"order_id":"order-1","wait":"10s"}`)
	if status != 200 {
		t.Fatalf("%d %s", status, paid.Text("error"))
	}
	if got := w.receiver.statuses(); got != "Processing Success" {
		t.Fatalf("webhooks: %s", got)
	}
	record := paid.Str("record_id")
	for _, h := range w.receiver.got() {
		if h.Type != "ApiDeposit" || h.Msg["recordId"] != record || h.Msg["orderId"] != "order-1" {
			t.Errorf("webhook %s", h.body)
		}
		if _, told := h.Msg["amount"]; told {
			t.Error("a webhook tells an amount")
		}
		sign := sign(appID, secret, h.header.Get("Timestamp"), string(h.body))
		if h.header.Get("Sign") != sign || h.header.Get("Appid") != appID {
			t.Errorf("Sign %s, want %s", h.header.Get("Sign"), sign)
		}
	}
	w.ok("getInvoiceOrderInfo", `{"orderId":"order-1"}`).Expect(t, map[string]string{
		"price": `"10"`, "priceFiatId": `1033`, "priceSymbol": `"USD"`, "product": `"Tea"`,
		"paidList.0.recordId": `"` + record + `"`, "paidList.0.status": `"Success"`,
		"paidList.0.coinId": `1280`, "paidList.0.chain": `"TRX"`, "paidList.0.isFlaggedAsRisky": `false`,
		"paidList.0.paidAmount": `"9.999001"`, "paidList.0.rate": `"1.0001"`,
		"totalPaidValue": `"10.0000009001"`,
	})
}
