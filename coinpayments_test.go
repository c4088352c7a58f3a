package ccpayment_test

import (
	"testing"
)

// TestCoinPaymentsPaid: a signed notice of a paid invoice of ours is confirmed by the
// API and tells the app to fulfil the order.
func TestCoinPaymentsPaid(t *testing.T) {
	api := newCPAPI(t)
	api.has("paid", "49.90")
	s := start(t, api.setup("", ""))
	s.hook(cpDelivery{}, 200)
	s.gets(1)[0].says(t, map[string]string{
		"Ccpayment-Gateway": "coinpayments", "Ccpayment-Kind": "payment", "Ccpayment-Type": "Invoice", "Ccpayment-Status": "Paid",
		"Ccpayment-Record-Id": cpInvoice, "Ccpayment-Order-Id": "order-1", "Ccpayment-Confirmed": "true", "Ccpayment-Risky": "",
		"Ccpayment-Order-State": "paid", "Ccpayment-Order-Amount-Due": "49.9", "Ccpayment-Order-Amount-Paid": "49.9",
		"Ccpayment-Order-Currency": "USD", "Ccpayment-Coin": "ETH", "Ccpayment-Amount": "0.01",
		"Ccpayment-Fulfill": "true", "Ccpayment-Reason": "", "Ccpayment-Testing": "",
	})
	if n := len(api.called(cpGetInvoice)); n != 1 {
		t.Errorf("the invoice was read %d times", n)
	}
}
