package coinpayments

// routes are all endpoints of the reference. In v3, which is beside it, a wallet is named
// by its label and currency instead of its id. Their names are those of the permissions
// where there is one.
var routes = join(invoiceRoutes, currencyRoutes, clientRoutes, walletRoutes)

func join(tables ...[]route) (all []route) {
	for _, table := range tables {
		all = append(all, table...)
	}
	return all
}

var invoiceRoutes = []route{
	{name: "createInvoice", method: "POST", versions: "v1 v2", path: "/merchant/invoices", handle: createInvoice},
	{name: "listInvoices", method: "GET", versions: "v1 v2", path: "/merchant/invoices", handle: listInvoices},
	{name: "findInvoice", method: "GET", versions: "v1 v2", path: "/merchant/invoices/{id}", handle: findInvoice},
	{name: "cancelInvoice", method: "POST", versions: "v1", path: "/merchant/invoices/{id}/cancel", handle: cancelInvoice},
	{name: "invoicePayouts", method: "GET", versions: "v1 v2", path: "/merchant/invoices/{id}/payouts", handle: listPayouts},
	{name: "listInvoiceHistory", method: "GET", versions: "v1 v2", path: "/merchant/invoices/{id}/history", handle: listHistory},
	{name: "createButton", method: "POST", versions: "v1 v2", path: "/merchant/invoices/buy-now-button", handle: createButton},
	{name: "createPayment", method: "POST", versions: "v1", path: "/invoices/{id}/payments", open: true, handle: createPayment},
	{name: "payIn", method: "GET", versions: "v1", path: "/invoices/{id}/payment-currencies/{currency}", open: true, handle: payIn},
	{
		name: "paymentStatus", method: "GET", versions: "v1",
		path: "/invoices/{id}/payment-currencies/{currency}/status", open: true, handle: paymentStatus,
	},
}

var currencyRoutes = []route{
	{name: "listCurrencies", method: "GET", versions: "v1 v2", path: "/currencies", open: true, handle: listCurrencies},
	{name: "findCurrency", method: "GET", versions: "v1 v2", path: "/currencies/{id}", open: true, handle: findCurrency},
	{
		name: "latestBlock", method: "GET", versions: "v1 v2",
		path: "/currencies/blockchain-nodes/{id}/latest-block-number", open: true, handle: latestBlock,
	},
	{
		name: "requiredConfirmations", method: "GET", versions: "v1 v2",
		path: "/currencies/required-confirmations", open: true, handle: requiredConfirmations,
	},
	{name: "listConversions", method: "GET", versions: "v1 v2", path: "/currencies/conversions", open: true, handle: listConversions},
	{name: "conversionLimits", method: "GET", versions: "v1 v2", path: "/currencies/limits/{from}/{to}", open: true, handle: conversionLimits},
	{name: "merchantCurrencies", method: "GET", versions: "v1", path: "/merchant/currencies", handle: merchantCurrencies},
	{name: "listRates", method: "GET", versions: "v1 v2", path: "/rates", open: true, handle: listRates},
	{name: "blockchainFee", method: "GET", versions: "v1 v2", path: "/fees/blockchain/{id}", open: true, handle: blockchainFee},
}

var clientRoutes = []route{
	{name: "createClientWebHook", method: "POST", versions: "v1", path: "/merchant/clients/{client}/webhooks", handle: createClientHook},
	{name: "getWebhooks", method: "GET", versions: "v1", path: "/merchant/clients/{client}/webhooks", handle: listClientHooks},
	{name: "updateWebhook", method: "PUT", versions: "v1", path: "/merchant/clients/{client}/webhooks/{hook}", handle: updateClientHook},
	{name: "deleteWebhook", method: "DELETE", versions: "v1", path: "/merchant/clients/{client}/webhooks/{hook}", handle: deleteClientHook},
	{name: "getAccess", method: "GET", versions: "v1", path: "/merchant/clients/access-control", handle: getAccess},
	{name: "limitAccess", method: "POST", versions: "v1", path: "/merchant/clients/access-control", handle: limitAccess},
}

var walletRoutes = []route{
	{name: "createWallet", method: "POST", versions: "v1 v2", path: "/merchant/wallets", handle: createWallet},
	{name: "putWallet", method: "PUT", versions: "v3", path: "/merchant/wallets", handle: putWallet},
	{name: "getWallets", method: "GET", versions: "v1 v2 v3", path: "/merchant/wallets", handle: listWallets},
	{name: "countWallets", method: "GET", versions: "v1 v2 v3", path: "/merchant/wallets/count", handle: countWallets},
	{name: "getWalletById", method: "GET", versions: "v1 v2", path: "/merchant/wallets/{id}", handle: findWallet},
	{name: "walletBalance", method: "GET", versions: "v1 v2", path: "/merchant/wallets/{id}/balance/{date}", handle: walletBalance},
	{name: "updateWalletWebhook", method: "PUT", versions: "v1 v2 v3", path: "/merchant/wallets/{id}/webhook", handle: setWalletHook},
	{name: "createAddress", method: "POST", versions: "v1 v2", path: "/merchant/wallets/{id}/addresses", handle: createAddress},
	{name: "getWalletAddresses", method: "GET", versions: "v1 v2 v3", path: "/merchant/wallets/{id}/addresses", handle: listAddresses},
	{name: "countAddresses", method: "GET", versions: "v1 v2 v3", path: "/merchant/wallets/{id}/addresses/count", handle: countAddresses},
	{name: "getWalletAddress", method: "GET", versions: "v1 v2 v3", path: "/merchant/wallets/{id}/addresses/{address}", handle: findAddress},
	{
		name: "updateAddressWebhook", method: "PUT", versions: "v1 v2 v3",
		path: "/merchant/wallets/{id}/addresses/{address}/webhook", handle: setAddressHook,
	},
	{name: "getWalletTransactions", method: "GET", versions: "v1 v2 v3", path: "/merchant/wallets/{id}/transactions", handle: listTransactions},
	{
		name: "countTransactions", method: "GET", versions: "v1 v2 v3",
		path: "/merchant/wallets/{id}/transactions/count", handle: countTransactions,
	},
	{name: "getWalletTransaction", method: "GET", versions: "v1 v2 v3", path: "/merchant/wallets/{id}/transaction", handle: findTransaction},
	{name: "spendRequest", method: "POST", versions: "v1 v2 v3", path: "/merchant/wallets/{id}/spend/request", handle: spendRequest},
	{name: "confirmSpendingFunds", method: "POST", versions: "v1 v2 v3", path: "/merchant/wallets/{id}/spend/confirmation", handle: confirmSpend},
	{name: "consolidation", method: "GET", versions: "v1 v2 v3", path: "/merchant/wallets/{id}/consolidation", handle: showConsolidation},
	{name: "consolidate", method: "POST", versions: "v1 v2 v3", path: "/merchant/wallets/{id}/consolidation/{to}", handle: consolidate},
	{
		name: "previewConsolidation", method: "POST", versions: "v1 v2 v3",
		path: "/merchant/wallets/consolidation-preview", handle: previewConsolidation,
	},
	// With "consolidation" written out, neither this pattern nor that of createAddress would be the more specific one.
	{name: "consolidateWallets", method: "POST", versions: "v1 v2 v3", path: "/merchant/wallets/{consolidation}/{to}", handle: consolidateWallets},
	{
		name: "consolidationTransactions", method: "GET", versions: "v1 v2 v3",
		path: "/merchant/wallets/{id}/consolidation-transactions/{spend}", handle: consolidationTransactions,
	},
}
