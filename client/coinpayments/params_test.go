package coinpayments_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

// what changes a good request.
func invoiceWith(change func(*coinpayments.InvoiceRequest)) func(ctx, client) error {
	r := fullInvoice
	r.Items = append([]coinpayments.Item(nil), fullItems...)
	change(&r)
	return func(ctx ctx, c client) error { _, err := c.CreateInvoice(ctx, r); return err }
}

func spendWith(change func(*coinpayments.SpendRequest)) func(ctx, client) error {
	r := spend
	change(&r)
	return func(ctx ctx, c client) error { _, err := c.RequestSpend(ctx, "w-1", r); return err }
}

// A request that breaks a rule is refused before it is sent, by an error that names the
// field.
func TestArguments(t *testing.T) {
	t.Parallel()
	type request = coinpayments.InvoiceRequest
	api := newFakeAPI(t, say(`{}`))
	c := api.dial(t)
	long := func(n int) string { return strings.Repeat("ä", n) }
	for _, test := range []struct {
		field string
		call  func(ctx, client) error
	}{
		{"currency", invoiceWith(func(r *request) { r.Currency = "" })},
		{"currency", invoiceWith(func(r *request) { r.Currency = "USD" })},
		{"currency", invoiceWith(func(r *request) { r.Currency = "4:" })},
		{"currency", invoiceWith(func(r *request) { r.Currency = "04" })},
		{"currency", invoiceWith(func(r *request) { r.Currency = "4:0x 1" })},
		{"items", invoiceWith(func(r *request) { r.Items = nil })},
		{"items[0].name", invoiceWith(func(r *request) { r.Items[0].Name = "" })},
		{"items[0].name", invoiceWith(func(r *request) { r.Items[0].Name = long(128) })},
		{"items[0].name", invoiceWith(func(r *request) { r.Items[0].Name = "a\xff" })},
		{"items[0].name", invoiceWith(func(r *request) { r.Items[0].Name = "a\x00" })},
		{"items[0].sku", invoiceWith(func(r *request) { r.Items[0].SKU = long(128) })},
		{"items[0].customId", invoiceWith(func(r *request) { r.Items[0].CustomID = " c" })},
		{"items[0].description", invoiceWith(func(r *request) { r.Items[0].Description = long(1001) })},
		{"items[0].quantity.value", invoiceWith(func(r *request) { r.Items[0].Quantity.Value = -1 })},
		{"items[0].amount", invoiceWith(func(r *request) { r.Items[0].Amount = decimal.Zero })},
		{"items[0].amount", invoiceWith(func(r *request) { r.Items[0].Amount = amount("-1") })},
		{"items[0].tax", invoiceWith(func(r *request) { r.Items[0].Tax = amount("-1") })},
		{"amount.total", invoiceWith(func(r *request) { r.Amount.Total = decimal.Zero })},
		{"amount.total", invoiceWith(func(r *request) { r.Amount.Total = amount("1e40") })},
		{"amount.total", invoiceWith(func(r *request) { r.Amount.Total = amount("1e-31") })},
		{"amount.total", invoiceWith(func(r *request) { r.Amount.Total = amount(strings.Repeat("9", 41)) })},
		{"amount.breakdown.discount", invoiceWith(func(r *request) { r.Amount.Breakdown.Discount = amount("-1") })},
		{"invoiceId", invoiceWith(func(r *request) { r.InvoiceID = long(128) })},
		{"invoiceId", invoiceWith(func(r *request) { r.InvoiceID = "order-1\n" })},
		{"invoiceId", invoiceWith(func(r *request) { r.InvoiceID = "order\u200b1" })},
		{"poNumber", invoiceWith(func(r *request) { r.PONumber = long(17) })},
		{"description", invoiceWith(func(r *request) { r.Description = long(201) })},
		{"successUrl", invoiceWith(func(r *request) { r.SuccessURL = "/thanks" })},
		{"cancelUrl", invoiceWith(func(r *request) { r.CancelURL = "ftp://shop.example.com" })},
		{"webhooks[0].notificationsUrl", invoiceWith(func(r *request) { r.Webhooks = []coinpayments.InvoiceWebhook{{Notifications: paid}} })},
		{"webhooks[0].notifications", invoiceWith(func(r *request) { r.Webhooks = []coinpayments.InvoiceWebhook{{NotificationsURL: hook}} })},
		{"payment.refundEmail", invoiceWith(func(r *request) { r.Payment.RefundEmail = "jane" })},
		{"payment.refundEmail", invoiceWith(func(r *request) { r.Payment.RefundEmail = "" })},
		{"payment.paymentCurrency", invoiceWith(func(r *request) { r.Payment.PaymentCurrency = "LTCT" })},
		{"buyer.emailAddress", invoiceWith(func(r *request) { r.Buyer.EmailAddress = "Jane <jane@doe.example>" })},
		{"buyer.name.firstName", invoiceWith(func(r *request) { r.Buyer.Name.FirstName = long(141) })},
		{"buyer.address.countryCode", invoiceWith(func(r *request) { r.Buyer.Address.CountryCode = "che" })},
		{"shipping.address.city", invoiceWith(func(r *request) { r.Shipping.Address.City = long(121) })},
		{"notes", invoiceWith(func(r *request) { r.Notes = long(501) })},
		{"notesToRecipient", invoiceWith(func(r *request) { r.NotesToRecipient = long(2001) })},
		{"emailDelivery.to", invoiceWith(func(r *request) { r.EmailDelivery.To = long(501) })},
		{"payoutOverrides[0].toCurrency", invoiceWith(func(r *request) { r.PayoutOverrides = []coinpayments.PayoutOverride{{FromCurrency: "1"}} })},

		{"toAddress", spendWith(func(r *coinpayments.SpendRequest) { r.ToAddress = "" })},
		{"toAddress", spendWith(func(r *coinpayments.SpendRequest) { r.ToAddress = "mtx " })},
		{"toCurrency", spendWith(func(r *coinpayments.SpendRequest) { r.ToCurrency = "" })},
		{"amount", spendWith(func(r *coinpayments.SpendRequest) { r.Amount = decimal.Zero })},
		{"memo", spendWith(func(r *coinpayments.SpendRequest) { r.Memo = long(201) })},
		{"spendRequestId", func(ctx ctx, c client) error { return c.ConfirmSpend(ctx, "w-1", "") }},
		{"walletId", func(ctx ctx, c client) error { return c.ConfirmSpend(ctx, "", "s-1") }},
		{"walletId", func(ctx ctx, c client) error { return c.ConfirmSpend(ctx, "../invoices", "s-1") }},
		{"id", func(ctx ctx, c client) error { _, err := c.Invoice(ctx, ""); return err }},
		{"id", func(ctx ctx, c client) error { _, err := c.Invoice(ctx, ".."); return err }},
		{"id", func(ctx ctx, c client) error { _, err := c.Invoice(ctx, "a?b=c"); return err }},
		{"id", func(ctx ctx, c client) error { return c.CancelInvoice(ctx, "a%2Fb") }},
		{"transactionId", func(ctx ctx, c client) error {
			_, err := c.Transaction(ctx, "w-1", coinpayments.TransactionRef{})
			return err
		}},
		{"currency", func(ctx ctx, c client) error { _, err := c.PaymentStatus(ctx, "i-1", "1/../2"); return err }},
		{"from", func(ctx ctx, c client) error { _, err := c.Rates(ctx, coinpayments.RatesFilter{}); return err }},
		{"to", func(ctx ctx, c client) error {
			_, err := c.Rates(ctx, coinpayments.RatesFilter{From: []string{"1"}, To: []string{"USD"}})
			return err
		}},
		{"limit", func(ctx ctx, c client) error {
			_, err := collect(c.Invoices(ctx, coinpayments.InvoiceFilter{PageSize: 101}))
			return err
		}},
		{"to", func(ctx ctx, c client) error {
			_, err := collect(c.Invoices(ctx, coinpayments.InvoiceFilter{From: noon, To: noon.Add(-time.Second)}))
			return err
		}},
		{"label", func(ctx ctx, c client) error {
			_, err := c.CreateWallet(ctx, coinpayments.WalletRequest{Currency: "1"})
			return err
		}},
		{"date", func(ctx ctx, c client) error { _, err := c.WalletBalance(ctx, "w-1", time.Time{}); return err }},
		{"refundEmail", func(ctx ctx, c client) error { _, err := c.CreatePayment(ctx, "i-1", ""); return err }},
		{"notificationUrl", func(ctx ctx, c client) error { return c.SetWalletWebhook(ctx, "w-1", "") }},
		{"wallets", func(ctx ctx, c client) error { _, err := c.PreviewConsolidation(ctx, nil); return err }},
		{"wallets[0].walletId", func(ctx ctx, c client) error {
			_, err := c.ConsolidateWallets(ctx, "w-1", []coinpayments.WalletAddresses{{}})
			return err
		}},
		{"flags", func(ctx ctx, c client) error { return c.SetAccess(ctx) }},
		{"buttonWidth", func(ctx ctx, c client) error {
			own := button
			own.ButtonWidth = -1
			_, err := c.CreateButton(ctx, own)
			return err
		}},
	} {
		var wrong *coinpayments.ArgumentError
		if err := test.call(t.Context(), c); !errors.As(err, &wrong) || wrong.Field != test.field || !errors.Is(err, coinpayments.ErrBadRequest) {
			t.Errorf("%s: %v", test.field, err)
		}
	}
	dots, err := coinpayments.New(coinpayments.Credentials{ClientID: "..", ClientSecret: secret}, coinpayments.WithBaseURL(api.URL))
	if err != nil {
		t.Fatal(err)
	}
	if err := dots.DeleteWebhook(t.Context(), "h-1"); !errors.Is(err, coinpayments.ErrBadRequest) {
		t.Errorf("a client id that leads elsewhere: %v", err)
	}
	if len(api.Sent()) != 0 {
		t.Errorf("%d requests, the first is %s %s", len(api.Sent()), api.Sent()[0].URI, api.Sent()[0].Body)
	}
}

// Amounts go out digit for digit.
func TestAmountsAreSentExactly(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"49.90", "0.000000000000000001", "1", "1.0", "100", "123456789012345678901234567890.1234567890"} {
		api := newFakeAPI(t, say(`{"spendRequestId":"s-1"}`))
		if err := spendWith(func(r *coinpayments.SpendRequest) { r.Amount = amount(text) })(t.Context(), api.dial(t)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if body := string(api.Sent()[0].Body); !strings.Contains(body, `"amount":"`+text+`"`) {
			t.Errorf("%s was sent as %s", text, body)
		}
	}
}

// What is signed is what is sent, whatever stands in it, and a webhook's URL stays as it
// is.
func TestOddTexts(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, say(`{"invoices":[{"id":"i-1"}]}`))
	own := fullInvoice
	own.Description = "Zürich 東京 \u2028 </script> \"quoted\" \\ & 🎩"
	own.SuccessURL = "https://shop.example.com/thanks?a=%2F&b=ü"
	if _, err := api.dial(t).CreateInvoice(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	request := api.Sent()[0]
	checkSignature(t, api, request, false)
	body := parse(t, request.Body).(map[string]any)
	webhook := body["webhooks"].([]any)[0].(map[string]any)
	if body["description"] != own.Description || body["successUrl"] != own.SuccessURL || webhook["notificationsUrl"] != hook || len(webhook["notifications"].([]any)) != 6 {
		t.Errorf("sent %s", request.Body)
	}
	if !strings.Contains(string(request.Body), hook) {
		t.Errorf("the webhook's URL was rewritten: %s", request.Body)
	}
	// A query keeps its meaning too.
	list := newFakeAPI(t, say(`[]`))
	if _, err := collect(list.dial(t).Invoices(t.Context(), coinpayments.InvoiceFilter{Query: "a b&c=d+e/ü?#%"})); err != nil {
		t.Fatal(err)
	}
	sent := list.Sent()[0]
	checkSignature(t, list, sent, false)
	if want := "?q=a%20b%26c%3Dd%2Be%2F%C3%BC%3F%23%25&limit=100"; !strings.HasSuffix(sent.URI, want) {
		t.Errorf("sent %s", sent.URI)
	}
}

// A payment is left out unless it is asked for: CoinPayments takes an empty one for an error.
func TestNoEmptyParts(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, say(`{"invoices":[{"id":"i-1"}]}`))
	if _, err := api.dial(t).CreateInvoice(t.Context(), invoice); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"payment", "buyer", "shipping", "webhooks", "customData", "emailDelivery", "metadata", "dueDate", "draft"} {
		if strings.Contains(string(api.Sent()[0].Body), `"`+name+`"`) {
			t.Errorf("%s is in %s", name, api.Sent()[0].Body)
		}
	}
}
