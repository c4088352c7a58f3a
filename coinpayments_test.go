package ccpayment_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
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

// TestCoinPaymentsForged: what CoinPayments did not sign for the URL that is configured is
// refused, whatever a request says of itself; neither the app nor the API hears of it.
func TestCoinPaymentsForged(t *testing.T) {
	api := newCPAPI(t)
	api.has("paid", "49.90")
	s := start(t, api.setup("", ""))
	now := coinpayments.Timestamp(time.Now())
	right := cpDelivery{timestamp: now}.withDefaults()
	const client, at, sign = "X-Coinpayments-Client", "X-Coinpayments-Timestamp", "X-Coinpayments-Signature"
	raw, err := base64.StdEncoding.DecodeString(right.signature)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		delivery cpDelivery
		status   int
	}{
		"a query":               {cpDelivery{url: cpVectors.URLWithQuery}, 401},
		"a slash":               {cpDelivery{url: cpVectors.URL + "/"}, 401},
		"http":                  {cpDelivery{url: "http://shop.example.com/cp-hook"}, 401},
		"the path":              {cpDelivery{url: "/cp-hook"}, 401},
		"where it came in":      {cpDelivery{url: "http://" + s.addr + "/cp-hook"}, 401},
		"another secret":        {cpDelivery{secret: "guess"}, 401},
		"a decoded secret":      {cpDelivery{secret: "ordinary text, not decoded base64!"}, 401},
		"another client":        {cpDelivery{client: "dc6a16e545c34187ba21a9edbbe484a6"}, 401},
		"a signed other form":   {cpDelivery{signs: "dc6a16e5-45c3-4187-ba21-a9edbbe484a5"}, 401},
		"another body":          {cpDelivery{timestamp: now, signature: right.signature, body: right.body + " "}, 401},
		"another time":          {cpDelivery{timestamp: "2026-01-15T09:30:00", signature: right.signature}, 401},
		"hex":                   {cpDelivery{timestamp: now, signature: fmt.Sprintf("%x", raw)}, 401},
		"with a zone":           {cpDelivery{timestamp: now + "Z"}, 400},
		"the body moved":        {cpDelivery{timestamp: now + "{", body: "}"}, 400},
		"two signatures":        {cpDelivery{timestamp: now, header: http.Header{sign: {right.signature, "x"}}}, 400},
		"two, the other way":    {cpDelivery{timestamp: now, header: http.Header{sign: {"x", right.signature}}}, 400},
		"two times":             {cpDelivery{header: http.Header{at: {now, now}}}, 400},
		"two clients":           {cpDelivery{header: http.Header{client: {cpVectors.Client, cpVectors.Client}}}, 400},
		"no signature":          {cpDelivery{header: http.Header{sign: nil}}, 400},
		"an empty one":          {cpDelivery{header: http.Header{sign: {""}}}, 400},
		"a forged host":         {cpDelivery{url: "https://evil.example/cp-hook", header: http.Header{"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"https"}}}, 401},
		"the legacy platform's": {cpDelivery{body: cpVectors.LegacyBody, header: http.Header{"Hmac": {cpVectors.LegacyHMAC}, sign: nil, at: nil, client: nil, "Content-Type": {"application/x-www-form-urlencoded"}}}, 400},
	} {
		t.Run(name, func(t *testing.T) { s.hook(test.delivery, test.status) })
	}
	s.app.wants(t, 0)
	if n := len(api.called(cpGetInvoice)); n != 0 {
		t.Errorf("the API was asked %d times", n)
	}
	if logs := s.logs(); strings.Contains(logs, right.signature) || strings.Contains(logs, cpVectors.Secret) {
		t.Error("the log has a signature or a secret")
	}
	s.hook(right, 200) // and the right one is
	s.gets(1)
}

// TestCoinPaymentsJunk: a signed body in which there is no event, or more than one, is
// refused.
func TestCoinPaymentsJunk(t *testing.T) {
	api := newCPAPI(t)
	s := start(t, api.setup("", ""))
	for _, body := range []string{
		"[]", "{}", "null", `{"type":"InvoicePaid"}`, `{"type":"InvoicePaid","invoice":{"invoiceId":"order-1","state":"Paid"}}`,
		strings.Replace(cpVectors.Paid, `"type"`, `"type":"x","type"`, 1), strings.Replace(cpVectors.Paid, `"invoice":`, `"invoice":{},"invoice":`, 1),
		strings.Replace(cpVectors.Paid, `"state"`, `"state":"Unpaid","state"`, 1), cpVectors.Paid[1:], "{" + strings.Repeat(" ", 1<<15) + "}",
	} {
		s.hook(cpDelivery{body: body}, 400)
	}
	s.hook(cpDelivery{body: "{" + strings.Repeat(" ", 1<<20) + "}"}, 413)
	s.app.wants(t, 0)
}

// TestCoinPaymentsQuery: a registered URL with a query is the text that is signed, and so is
// one that was registered before.
func TestCoinPaymentsQuery(t *testing.T) {
	api := newCPAPI(t)
	api.has("paid", "49.90")
	setup := api.setup("", "previous_webhook_url "+cpVectors.URL+"\n previous_webhook_url https://old.example/h 2020-01-01T00:00:00Z")
	setup.account = strings.Replace(setup.account, "\twebhook_url "+cpVectors.URL+"\n", "\twebhook_url "+cpVectors.URLWithQuery+"\n", 1)
	s := start(t, setup)
	s.hook(cpDelivery{path: "/cp-hook?client_id=7", url: cpVectors.URLWithQuery}, 200)
	s.hook(cpDelivery{path: "/cp-hook?client_id=7"}, 200)
	s.hook(cpDelivery{path: "/cp-hook?client_id=7", url: "https://old.example/h"}, 401)
	s.hook(cpDelivery{path: "/cp-hook?client_id=7", url: cpVectors.URL + "/"}, 401)
	s.gets(1)
}

// TestCoinPaymentsClient: the client id that is configured may have dashes and capitals,
// and that of a webhook as well.
func TestCoinPaymentsClient(t *testing.T) {
	api := newCPAPI(t)
	api.has("paid", "49.90")
	setup := api.setup("confirm off", "")
	setup.account = strings.Replace(setup.account, cpVectors.Client, "DC6A16E5-45c3-4187-ba21-a9edbbe484a5", 1)
	s := start(t, setup)
	s.hook(cpDelivery{}, 200)
	first := s.gets(1)[0]
	first.says(t, map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Confirmed": ""})
	s.hook(cpDelivery{client: "dc6a16e5-45c3-4187-ba21-a9edbbe484a5"}, 200)
	s.load(api.setup("confirm off", ""))
	s.hook(cpDelivery{}, 200)
	s.gets(1) // it is the same account, and the same event
}

// TestCoinPaymentsCopies: notices of one state are one event, whatever ids, times and
// signatures they have.
func TestCoinPaymentsCopies(t *testing.T) {
	api := newCPAPI(t)
	api.has("paid", "49.90")
	s := start(t, api.setup("", ""))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { s.hook(cpDelivery{body: cpNotice("InvoicePaid", "Paid")}, 200) })
	}
	all.Wait()
	s.gets(1)
	s.hook(cpDelivery{body: cpNotice("invoicepaid", "paid")}, 200)
	s.hook(cpDelivery{body: cpNotice("InvoicePaid", "Completed")}, 200) // another state
	s.gets(1)
	api.has("completed", "49.90")
	s.gets(2)
}

// TestCoinPaymentsPending: the confirmations of a payment are one event.
func TestCoinPaymentsPending(t *testing.T) {
	api := newCPAPI(t)
	api.has("pending", "", cpPayments(cpPayment("pending", "49.90", nil)))
	s := start(t, api.setup("", ""))
	s.hook(cpDelivery{body: cpNotice("InvoiceCreated", "Unpaid")}, 200)
	s.gets(1)[0].says(t, map[string]string{"Ccpayment-Status": "Unpaid", "Ccpayment-Fulfill": ""})
	for range 6 {
		s.hook(cpDelivery{body: cpNotice("InvoicePending", "Pending")}, 200)
	}
	s.gets(2)[1].says(t, map[string]string{"Ccpayment-Status": "Pending", "Ccpayment-Order-State": "processing", "Ccpayment-Fulfill": "", "Ccpayment-Reason": ""})
	api.has("paid", "49.90")
	s.hook(cpDelivery{body: cpNotice("InvoicePaid", "Paid")}, 200)
	s.gets(3)[2].says(t, map[string]string{"Ccpayment-Fulfill": "true"})
	s.hook(cpDelivery{body: cpNotice("InvoicePending", "Pending")}, 200)
	s.app.wants(t, 3)
}

// TestCoinPaymentsStale: a webhook that was signed long ago, or in the future, is confirmed
// all the same, unless it is to be refused.
func TestCoinPaymentsStale(t *testing.T) {
	for _, away := range []time.Duration{-time.Hour, 10 * time.Minute} {
		api := newCPAPI(t)
		api.has("paid", "49.90")
		s := start(t, api.setup("confirm off", ""))
		old := cpDelivery{timestamp: coinpayments.Timestamp(time.Now().Add(away))}
		s.hook(old, 200)
		s.gets(1)[0].says(t, map[string]string{"Ccpayment-Confirmed": "true"})
		if n := len(api.called(cpGetInvoice)); n != 1 {
			t.Errorf("%s away: the API was asked %d times", away, n)
		}
		s.hook(cpDelivery{timestamp: coinpayments.Timestamp(time.Now().Add(48 * away))}, 200) // a copy
		old.body = cpNotice("SomethingNew", "Paid")
		s.hook(old, 401) // nobody can confirm it
		s.load(api.setup("stale reject", ""))
		old.body = ""
		s.hook(old, 401)
		s.app.wants(t, 1)
	}
}

// TestCoinPaymentsSecrets: a previous secret verifies until its end.
func TestCoinPaymentsSecrets(t *testing.T) {
	api := newCPAPI(t)
	api.has("paid", "49.90")
	setup := api.setup("", "")
	setup.account = strings.Replace(setup.account, "base_url", "previous_secret old-1 "+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+
		"\n previous_secret old-2 2020-01-01T00:00:00Z\n previous_secret old-3\n base_url", 1)
	s := start(t, setup)
	s.hook(cpDelivery{secret: "old-2"}, 401)
	s.hook(cpDelivery{secret: "old-1"}, 200)
	s.hook(cpDelivery{secret: "old-3"}, 200)
	s.hook(cpDelivery{}, 200)
	s.gets(1)
}
