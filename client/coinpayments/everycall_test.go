package coinpayments_test

import (
	"context"
	"iter"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

type (
	ctx    = context.Context
	client = *coinpayments.Client
)

// everyCall makes each typed call once, in the order of the routes. The id is that of the
// record that the answer is about, where the client compares it.
var everyCall = []struct {
	method string // of the client
	sends  string // method, path with query, and body
	answer string // one that satisfies the call
	call   func(ctx, client, string) (any, error)
}{
	{
		"Currencies", `GET /api/v2/currencies?q=US%20dollar&types=fiat%2Ctoken&capabilities=payments`, `[]`,
		func(ctx ctx, c client, _ string) (any, error) {
			return c.Currencies(ctx, coinpayments.CurrencyFilter{
				Query: "US dollar", Types: []coinpayments.CurrencyType{coinpayments.CurrencyFiat, coinpayments.CurrencyToken}, Capabilities: []string{"payments"},
			})
		},
	},
	{
		"Currency", `GET /api/v2/currencies/{id}`, `{"id":"{id}"}`,
		func(ctx ctx, c client, id string) (any, error) { return c.Currency(ctx, id) },
	},
	{
		"LatestBlock", `GET /api/v2/currencies/blockchain-nodes/1/latest-block-number`, `{"latestBlockNumber":773862}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.LatestBlock(ctx, "1") },
	},
	{
		"RequiredConfirmations", `GET /api/v2/currencies/required-confirmations`, `[]`,
		func(ctx ctx, c client, _ string) (any, error) { return c.RequiredConfirmations(ctx) },
	},
	{
		"Conversions", `GET /api/v2/currencies/conversions`, `[]`,
		func(ctx ctx, c client, _ string) (any, error) { return c.Conversions(ctx) },
	},
	{
		"ConversionLimits", `GET /api/v2/currencies/limits/4/9:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t`, `{"min":1,"max":2}`,
		func(ctx ctx, c client, _ string) (any, error) {
			return c.ConversionLimits(ctx, "4", "9:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
		},
	},
	{
		"MerchantCurrencies", `GET /api/v1/merchant/currencies`, `{"items":[]}`,
		func(ctx ctx, c client, _ string) (any, error) { return collect(c.MerchantCurrencies(ctx)) },
	},
	{
		"Rates", `GET /api/v2/rates?from=1%2C1002&to=5057&pointInTime=2026-01-15T09%3A30%3A00Z`, `{"items":[]}`,
		func(ctx ctx, c client, _ string) (any, error) {
			return c.Rates(ctx, coinpayments.RatesFilter{From: []string{"1", "1002"}, To: []string{"5057"}, At: noon})
		},
	},
	{
		"BlockchainFee", `GET /api/v2/fees/blockchain/1002`, `"0.0001"`,
		func(ctx ctx, c client, _ string) (any, error) { return c.BlockchainFee(ctx, "1002") },
	},
	{
		"CreateWallet", `POST /api/v2/merchant/wallets {"currency":"1002","label":"John's wallet","usePermanentAddresses":true,"webhookUrl":"https://shop.example.com/cp-hook?a=1&b=2"}`,
		`{"walletId":"wallet-1"}`,
		func(ctx ctx, c client, _ string) (any, error) {
			return c.CreateWallet(ctx, coinpayments.WalletRequest{Currency: "1002", Label: "John's wallet", UsePermanentAddresses: true, WebhookURL: hook})
		},
	},
	{
		"Wallets", `GET /api/v2/merchant/wallets?skip=0&take=100`, `[]`,
		func(ctx ctx, c client, _ string) (any, error) { return collect(c.Wallets(ctx)) },
	},
	{
		"CountWallets", `GET /api/v2/merchant/wallets/count`, `7`,
		func(ctx ctx, c client, _ string) (any, error) { return c.CountWallets(ctx) },
	},
	{
		"Wallet", `GET /api/v2/merchant/wallets/{id}`, `{"walletId":"{id}"}`,
		func(ctx ctx, c client, id string) (any, error) { return c.Wallet(ctx, id) },
	},
	{
		"WalletBalance", `GET /api/v2/merchant/wallets/wallet-1/balance/2026-01-15T09:30:00Z`, `{"confirmedBalance":{"value":"1","currencyId":"2"}}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.WalletBalance(ctx, "wallet-1", noon) },
	},
	{
		"CreateAddress", `POST /api/v2/merchant/wallets/wallet-1/addresses {"label":"Müller & Söhne","notificationUrl":"https://shop.example.com/cp-hook?a=1&b=2"}`,
		`{"networkAddress":"LNUPQLeQFfF67RtH1dqFBiwJhYBNZCW7pm"}`,
		func(ctx ctx, c client, _ string) (any, error) {
			return c.CreateAddress(ctx, "wallet-1", coinpayments.AddressRequest{Label: "Müller & Söhne", NotificationURL: hook})
		},
	},
	{
		"Addresses", `GET /api/v2/merchant/wallets/wallet-1/addresses?skip=0&take=100`, `[]`,
		func(ctx ctx, c client, _ string) (any, error) { return collect(c.Addresses(ctx, "wallet-1")) },
	},
	{
		"CountAddresses", `GET /api/v2/merchant/wallets/wallet-1/addresses/count`, `{"count":7}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.CountAddresses(ctx, "wallet-1") },
	},
	{
		"Address", `GET /api/v2/merchant/wallets/wallet-1/addresses/{id}`, `{"addressId":"{id}"}`,
		func(ctx ctx, c client, id string) (any, error) { return c.Address(ctx, "wallet-1", id) },
	},
	{
		"Transactions", `GET /api/v2/merchant/wallets/wallet-1/transactions?skip=0&take=100`, `[]`,
		func(ctx ctx, c client, _ string) (any, error) { return collect(c.Transactions(ctx, "wallet-1")) },
	},
	{
		"CountTransactions", `GET /api/v2/merchant/wallets/wallet-1/transactions/count`, `"7"`,
		func(ctx ctx, c client, _ string) (any, error) { return c.CountTransactions(ctx, "wallet-1") },
	},
	{
		"Transaction", `GET /api/v2/merchant/wallets/wallet-1/transaction?transactionId={id}`, `{"id":"{id}"}`,
		func(ctx ctx, c client, id string) (any, error) {
			return c.Transaction(ctx, "wallet-1", coinpayments.ByTransaction(id))
		},
	},
	{
		"RequestSpend", `POST /api/v2/merchant/wallets/wallet-1/spend/request {"toAddress":"mtxASJZHNmGeUPQ3DxLvJeKja6Lh7TcJM9","toCurrency":"1002",` +
			`"amount":"2.50","blockchainFeeOverride":"0.0003234","memo":"rent","receiverPaysFee":false,"walletToPayFeeFrom":"wallet-2"}`,
		`{"spendRequestId":"spend-1"}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.RequestSpend(ctx, "wallet-1", spend) },
	},
	{
		"ConfirmSpend", `POST /api/v2/merchant/wallets/wallet-1/spend/confirmation {"spendRequestId":"spend-1"}`, ``,
		func(ctx ctx, c client, _ string) (any, error) {
			return nil, c.ConfirmSpend(ctx, "wallet-1", "spend-1")
		},
	},
	{
		"Consolidation", `GET /api/v2/merchant/wallets/wallet-1/consolidation?addressIds=a-1%2Ca-2`, `{}`,
		func(ctx ctx, c client, _ string) (any, error) {
			return c.Consolidation(ctx, "wallet-1", "a-1", "a-2")
		},
	},
	{
		"Consolidate", `POST /api/v2/merchant/wallets/wallet-1/consolidation/wallet-2?addressIds=a-1`, `{}`,
		func(ctx ctx, c client, _ string) (any, error) {
			return c.Consolidate(ctx, "wallet-1", "wallet-2", "a-1")
		},
	},
	{
		"PreviewConsolidation", `POST /api/v2/merchant/wallets/consolidation-preview {"wallets":[{"walletId":"wallet-1"},{"walletId":"wallet-3","addresses":["a-1"]}]}`, `{}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.PreviewConsolidation(ctx, parts) },
	},
	{
		"ConsolidateWallets", `POST /api/v2/merchant/wallets/consolidation/wallet-2 {"wallets":[{"walletId":"wallet-1"},{"walletId":"wallet-3","addresses":["a-1"]}]}`, `{}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.ConsolidateWallets(ctx, "wallet-2", parts) },
	},
	{
		"ConsolidationTransactions", `GET /api/v2/merchant/wallets/wallet-1/consolidation-transactions/spend-1`, `[]`,
		func(ctx ctx, c client, _ string) (any, error) {
			return c.ConsolidationTransactions(ctx, "wallet-1", "spend-1")
		},
	},
	{
		"CreateInvoice", `POST /api/v2/merchant/invoices {"currency":"5057","items":[{"name":"A hat","quantity":{"value":1,"type":"quantity"},"amount":"49.90"}],` +
			`"amount":{"breakdown":{"subtotal":"49.90"},"total":"49.90"},"invoiceId":"order-1","poNumber":"0123456789abcdef"}`,
		`{"invoices":[{"id":"2008d68d-0f66-44ec-8500-68d054b882b9"}]}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.CreateInvoice(ctx, invoice) },
	},
	{
		"Invoices", `GET /api/v2/merchant/invoices?status=paid&from=2026-01-15T09%3A30%3A00Z&to=2026-01-15T10%3A30%3A00Z&q=order-1&integration=shop&payoutWalletId=wallet-1&limit=25`,
		`{"items":[]}`,
		func(ctx ctx, c client, _ string) (any, error) {
			return collect(c.Invoices(ctx, coinpayments.InvoiceFilter{
				Query: "order-1", Status: coinpayments.InvoicePaid, From: noon, To: noon.Add(time.Hour), Integration: "shop", PayoutWalletID: "wallet-1", PageSize: 25,
			}))
		},
	},
	{
		"Invoice", `GET /api/v2/merchant/invoices/{id}?include_full_details=true`,
		`{"id":"{id}","status":"unpaid","currency":{"id":"5057"},"amount":{"total":"49.90"}}`,
		func(ctx ctx, c client, id string) (any, error) { return c.Invoice(ctx, id) },
	},
	{
		"CancelInvoice", `POST /api/v1/merchant/invoices/2008d68d-0f66-44ec-8500-68d054b882b9/cancel`, ``,
		func(ctx ctx, c client, _ string) (any, error) {
			return nil, c.CancelInvoice(ctx, "2008d68d-0f66-44ec-8500-68d054b882b9")
		},
	},
	{
		"InvoicePayouts", `GET /api/v2/merchant/invoices/invoice-1/payouts`, `{}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.InvoicePayouts(ctx, "invoice-1") },
	},
	{
		"InvoiceHistory", `GET /api/v2/merchant/invoices/invoice-1/history`, `{"items":[]}`,
		func(ctx ctx, c client, _ string) (any, error) { return collect(c.InvoiceHistory(ctx, "invoice-1")) },
	},
	{
		"CreateButton", `POST /api/v2/merchant/invoices/buy-now-button {"currency":"5057","items":[{"name":"A hat","quantity":{"value":1,"type":"quantity"},"amount":"49.90"}],` +
			`"amount":{"breakdown":{"subtotal":"49.90"},"total":"49.90"},"hideShoppingCart":true,"successUrl":"https://shop.example.com/thanks",` +
			`"cancelUrl":"https://shop.example.com/cart","ipnUrl":"https://shop.example.com/cp-hook?a=1&b=2","notifications":["invoicePaid"],"emailNotifications":true,` +
			`"buttonWidth":"252","buttonStyle":"dark","invoiceId":"order-1","type":"buy","payoutOverrides":[{"fromCurrency":"1002","toCurrency":"1","address":"mtxASJ","frequency":"normal"}]}`,
		`"<button>"`,
		func(ctx ctx, c client, _ string) (any, error) { return c.CreateButton(ctx, button) },
	},
	{
		"CreatePayment", `POST /api/v1/invoices/invoice-1/payments {"refundEmail":"jane@doe.example"}`, `{"paymentId":"payment-1"}`,
		func(ctx ctx, c client, _ string) (any, error) {
			return c.CreatePayment(ctx, "invoice-1", "jane@doe.example")
		},
	},
	{
		"PaymentDetails", `GET /api/v1/invoices/invoice-1/payment-currencies/4:0xdac17f958d2ee523a2206206994597c13d831ec7`, `{"addresses":{"address":"0x1"}}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.PaymentDetails(ctx, "invoice-1", usdt) },
	},
	{
		"PaymentStatus", `GET /api/v1/invoices/invoice-1/payment-currencies/4:0xdac17f958d2ee523a2206206994597c13d831ec7/status`, `{"status":"unpaid"}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.PaymentStatus(ctx, "invoice-1", usdt) },
	},
	{
		"Webhooks", `GET /api/v1/merchant/clients/dc6a16e545c34187ba21a9edbbe484a5/webhooks?type=invoicePaid`, `{"items":[]}`,
		func(ctx ctx, c client, _ string) (any, error) {
			return collect(c.Webhooks(ctx, coinpayments.NotifyInvoicePaid))
		},
	},
	{
		"CreateWebhook", `POST /api/v1/merchant/clients/dc6a16e545c34187ba21a9edbbe484a5/webhooks {"notificationsUrl":"https://shop.example.com/cp-hook?a=1&b=2","notifications":["invoicePaid"]}`,
		`{"id":"hook-1"}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.CreateWebhook(ctx, hook, paid) },
	},
	{
		"UpdateWebhook", `PUT /api/v1/merchant/clients/dc6a16e545c34187ba21a9edbbe484a5/webhooks/hook-1 {"notificationsUrl":"https://shop.example.com/cp-hook?a=1&b=2","notifications":["invoicePaid"]}`,
		``,
		func(ctx ctx, c client, _ string) (any, error) { return nil, c.UpdateWebhook(ctx, "hook-1", hook, paid) },
	},
	{
		"DeleteWebhook", `DELETE /api/v1/merchant/clients/dc6a16e545c34187ba21a9edbbe484a5/webhooks/hook-1`, ``,
		func(ctx ctx, c client, _ string) (any, error) { return nil, c.DeleteWebhook(ctx, "hook-1") },
	},
	{
		"SetWalletWebhook", `PUT /api/v2/merchant/wallets/wallet-1/webhook {"notificationUrl":"https://shop.example.com/cp-hook?a=1&b=2"}`, ``,
		func(ctx ctx, c client, _ string) (any, error) { return nil, c.SetWalletWebhook(ctx, "wallet-1", hook) },
	},
	{
		"SetAddressWebhook", `PUT /api/v2/merchant/wallets/wallet-1/addresses/address-1/webhook {"notificationUrl":"https://shop.example.com/cp-hook?a=1&b=2"}`, ``,
		func(ctx ctx, c client, _ string) (any, error) {
			return nil, c.SetAddressWebhook(ctx, "wallet-1", "address-1", hook)
		},
	},
	{
		"Access", `GET /api/v1/merchant/clients/access-control`, `{"flags":"createInvoice, listInvoices"}`,
		func(ctx ctx, c client, _ string) (any, error) { return c.Access(ctx) },
	},
	{
		"SetAccess", `POST /api/v1/merchant/clients/access-control {"flags":"createInvoice, listInvoices"}`, ``,
		func(ctx ctx, c client, _ string) (any, error) {
			return nil, c.SetAccess(ctx, "createInvoice", "listInvoices")
		},
	},
}

// neverAgain are the calls that move money or make something, with what their error
// names to look up.
var neverAgain = map[string]string{
	"CreateWallet": "John's wallet", "CreateAddress": "Müller & Söhne", "RequestSpend": "", "ConfirmSpend": "spend-1",
	"Consolidate": "wallet-1", "ConsolidateWallets": "wallet-2", "CreateInvoice": "0123456789abcdef",
	"CancelInvoice": "2008d68d-0f66-44ec-8500-68d054b882b9", "CreateButton": "order-1", "CreatePayment": "invoice-1", "CreateWebhook": hook,
}

const (
	hook = "https://shop.example.com/cp-hook?a=1&b=2"
	usdt = "4:0xdac17f958d2ee523a2206206994597c13d831ec7"
)

var (
	noon    = time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	paid    = []coinpayments.Notification{coinpayments.NotifyInvoicePaid}
	items   = []coinpayments.Item{{Name: "A hat", Amount: amount("49.90")}}
	total   = coinpayments.InvoiceAmount{Total: amount("49.90")}
	invoice = coinpayments.InvoiceRequest{Currency: "5057", Items: items, Amount: total, InvoiceID: "order-1", PONumber: "0123456789abcdef"}
	spend   = coinpayments.SpendRequest{
		ToAddress: "mtxASJZHNmGeUPQ3DxLvJeKja6Lh7TcJM9", ToCurrency: "1002", Amount: amount("2.50"), BlockchainFeeOverride: amount("0.0003234"),
		Memo: "rent", WalletToPayFeeFrom: "wallet-2",
	}
	parts  = []coinpayments.WalletAddresses{{WalletID: "wallet-1"}, {WalletID: "wallet-3", AddressIDs: []string{"a-1"}}}
	button = coinpayments.ButtonRequest{
		Currency: "5057", Items: items, Amount: total, InvoiceID: "order-1", SuccessURL: "https://shop.example.com/thanks", CancelURL: "https://shop.example.com/cart",
		IPNURL: hook, Notifications: paid, EmailNotifications: true, ButtonWidth: 252, ButtonStyle: "dark", Type: "buy", HideShoppingCart: true,
		PayoutOverrides: []coinpayments.PayoutOverride{{FromCurrency: "1002", ToCurrency: "1", Address: "mtxASJ", Frequency: "normal"}},
	}
)

func amount(text string) decimal.Decimal { return decimal.RequireFromString(text) }

// collect reads a list to its end or its first error.
func collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	all := []T{}
	for item, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, item)
	}
	return all, nil
}
