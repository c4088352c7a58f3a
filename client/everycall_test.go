package client_test

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// everyCall makes each of the 61 calls with all the parameters it has.
var everyCall = slices.Concat(referenceCalls, definedCalls)

type apiCall struct {
	endpoint string
	value    string // where in the answer's data the returned value stands; "": it is the data
	call     func(context.Context, *client.Client) (any, error)
	sends    string
}

// referenceCalls are those of the API reference.
var referenceCalls = []apiCall{
	{
		"getOrCreateAppDepositAddress", "",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.PermanentAddress(ctx, client.AddressRequest{ReferenceID: "user-1", Chain: "TRX", NotifyURL: hook})
		},
		`{"referenceId":"user-1","chain":"TRX","notifyUrl":"https://shop.example/hook"}`,
	},
	{
		"createAppOrderDepositAddress", "",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.CreateDepositOrder(ctx, client.DepositOrderRequest{
				OrderID: "order-1", CoinID: "1280", Chain: "POLYGON", Price: amount("49.90"), FiatID: "1033", ExpiredAt: until,
				BuyerEmail: "buyer@shop.example", GenerateCheckoutURL: true, Product: "A <b>hat</b> & Ω",
				ReturnURL: "https://shop.example/thanks?a=1&b=2", CloseURL: "https://shop.example/cart", NotifyURL: hook,
			})
		},
		`{"coinId":1280,"chain":"POLYGON","price":"49.9","orderId":"order-1","fiatId":1033,"expiredAt":1767312000,
		"buyerEmail":"buyer@shop.example","generateCheckoutURL":true,"product":"A <b>hat</b> & Ω",
		"returnUrl":"https://shop.example/thanks?a=1&b=2","closeUrl":"https://shop.example/cart","notifyUrl":"https://shop.example/hook"}`,
	},
	{
		"createInvoiceUrl", "invoiceUrl",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.CreateInvoice(ctx, client.InvoiceRequest{
				OrderID: "order-1", Price: amount("49.90"), PriceFiatID: "1033", Product: "Hat", ReturnURL: "https://shop.example/thanks",
				CloseURL: "https://shop.example/cart", NotifyURL: hook, ExpiredAt: until, BuyerEmail: "buyer@shop.example",
			})
		},
		`{"orderId":"order-1","price":"49.9","priceFiatId":"1033","product":"Hat","returnUrl":"https://shop.example/thanks",
		"closeUrl":"https://shop.example/cart","notifyUrl":"https://shop.example/hook","expiredAt":1767312000,"buyerEmail":"buyer@shop.example"}`,
	},
	{
		"getAppOrderInfo", "",
		func(ctx context.Context, c *client.Client) (any, error) { return c.DepositOrder(ctx, "order-1") },
		`{"orderId":"order-1"}`,
	},
	{
		"getInvoiceOrderInfo", "",
		func(ctx context.Context, c *client.Client) (any, error) { return c.Invoice(ctx, "order-1") },
		`{"orderId":"order-1"}`,
	},
	{
		"addressUnbinding", "",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.UnbindAddress(ctx, "POLYGON", "0xa9a363")
		},
		`{"chain":"POLYGON","address":"0xa9a363"}`,
	},
	{
		"getAppDepositRecord", "record",
		func(ctx context.Context, c *client.Client) (any, error) { return c.DepositRecord(ctx, longID) },
		`{"recordId":"20240312090950176747809258812620"}`,
	},
	{
		"getAppDepositRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.DepositRecords(ctx, client.DepositFilter{
				CoinID: "1280", Chain: "TRX", ReferenceID: "user-1", ToAddress: "TRPKg7", RecordIDs: []string{"1"}, OrderIDs: []string{"order-1"},
				ReferenceIDs: []string{"user-1", "user-2"}, Between: span, PageSize: 100,
			}))
		},
		`{"coinId":1280,"referenceId":"user-1","chain":"TRX","toAddress":"TRPKg7","recordIds":["1"],"orderIds":["order-1"],
		"referenceIds":["user-1","user-2"],"startAt":1767225600,"endAt":1767312000,"limit":100}`,
	},
	{
		"applyAppWithdrawToNetwork", "recordId",
		func(ctx context.Context, c *client.Client) (any, error) { return c.Withdraw(ctx, merchantWithdrawal) },
		`{"coinId":1280,"chain":"TRX","address":"TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL","memo":"109","orderId":"order-1",
		"amount":"0.000000000000000001","merchantPayNetworkFee":true,"notifyUrl":"https://shop.example/hook","networkFeeInquiryID":"fee-1"}`,
	},
	{
		"applyAppWithdrawToCwallet", "recordId",
		func(ctx context.Context, c *client.Client) (any, error) { return c.WithdrawToCwallet(ctx, cwallet) },
		`{"coinId":1280,"cwalletUser":"9558861","amount":"1.5","orderId":"order-1"}`,
	},
	{
		"getAppWithdrawRecord", "record",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.WithdrawalRecord(ctx, client.ByOrder("order-1"))
		},
		`{"orderId":"order-1"}`,
	},
	{
		"getAppWithdrawRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.WithdrawalRecords(ctx, client.WithdrawalFilter{CoinID: "1280", Chain: "TRX", OrderIDs: []string{"order-1", "order-2"}, ToAddress: "TRPKg7", Between: span}))
		},
		`{"coinId":1280,"orderIds":["order-1","order-2"],"chain":"TRX","toAddress":"TRPKg7","startAt":1767225600,"endAt":1767312000}`,
	},
	{
		"estimate", "",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.SwapQuote(ctx, client.SwapQuoteRequest{CoinIDIn: "1280", AmountIn: amount("100"), CoinIDOut: "1482", ExtraFeeRate: amount("0.01")})
		},
		`{"coinIdIn":1280,"amountIn":"100","coinIdOut":1482,"extraFeeRate":"0.01"}`,
	},
	{
		"swap", "",
		func(ctx context.Context, c *client.Client) (any, error) { return c.Swap(ctx, swap) },
		`{"orderId":"order-1","coinIdIn":1280,"amountIn":"100","coinIdOut":1329,"amountOutMinimum":"190.5"}`,
	},
	{
		"getSwapRecord", "record",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.SwapRecord(ctx, client.ByRecord(longID))
		},
		`{"recordId":"20240312090950176747809258812620"}`,
	},
	{
		"getSwapRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) { return collect(c.SwapRecords(ctx, swaps)) },
		`{"recordIds":["1","2"],"orderIds":["order-1"],"coinIdIn":1280,"coinIdOut":1329,"startAt":1767225600,"endAt":1767312000}`,
	},
	{
		"getUserCoinAssetList", "assets",
		func(ctx context.Context, c *client.Client) (any, error) { return c.UserBalances(ctx, "user-1") },
		`{"userId":"user-1"}`,
	},
	{
		"getUserCoinAsset", "asset",
		func(ctx context.Context, c *client.Client) (any, error) { return c.UserBalance(ctx, "user-1", "1280") },
		`{"userId":"user-1","coinId":1280}`,
	},
	{
		"getOrCreateUserDepositAddress", "",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserDepositAddress(ctx, client.UserAddressRequest{UserID: "user-1", Chain: "TRX", NotifyURL: hook})
		},
		`{"userId":"user-1","chain":"TRX","notifyUrl":"https://shop.example/hook"}`,
	},
	{
		"getUserDepositRecord", "record",
		func(ctx context.Context, c *client.Client) (any, error) { return c.UserDepositRecord(ctx, longID) },
		`{"recordId":"20240312090950176747809258812620"}`,
	},
	{
		"getUserDepositRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.UserDepositRecords(ctx, client.UserDepositFilter{UserID: "user-1", CoinID: "1280", Chain: "TRX", ToAddress: "TRPKg7", Between: span}))
		},
		`{"userId":"user-1","coinId":1280,"chain":"TRX","toAddress":"TRPKg7","startAt":1767225600,"endAt":1767312000}`,
	},
	{
		"applyUserWithdrawToNetwork", "recordId",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserWithdraw(ctx, userWithdrawal)
		},
		`{"userId":"user-1","coinId":1280,"chain":"TRX","address":"TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL","memo":"109","orderId":"order-1",
		"amount":"0.000000000000000001","notifyUrl":"https://shop.example/hook","networkFeeInquiryID":"fee-1"}`,
	},
	{
		"applyUserWithdrawToCwallet", "recordId",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserWithdrawToCwallet(ctx, client.UserCwalletTransferRequest{UserID: "user-1", CwalletTransferRequest: cwallet})
		},
		`{"userId":"user-1","coinId":1280,"cwalletUser":"9558861","amount":"1.5","orderId":"order-1"}`,
	},
	{
		"getUserWithdrawRecord", "record",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserWithdrawalRecord(ctx, client.ByOrder("order-1"))
		},
		`{"orderId":"order-1"}`,
	},
	{
		"getUserWithdrawRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.UserWithdrawalRecords(ctx, client.UserWithdrawalFilter{UserID: "user-1", CoinID: "1280", Chain: "TRX", ToAddress: "TRPKg7", OrderIDs: []string{"order-1"}, Between: span}))
		},
		`{"userId":"user-1","coinId":1280,"orderIds":["order-1"],"toAddress":"TRPKg7","chain":"TRX","startAt":1767225600,"endAt":1767312000}`,
	},
	{
		"userTransfer", "recordId",
		func(ctx context.Context, c *client.Client) (any, error) { return c.UserTransfer(ctx, transfer) },
		`{"fromUserId":"user-1","toUserId":"app-123","coinId":1280,"amount":"0.005","orderId":"order-1","remark":"tip"}`,
	},
	{
		"getUserTransferRecord", "record",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserTransferRecord(ctx, client.ByRecord(longID))
		},
		`{"recordId":"20240312090950176747809258812620"}`,
	},
	{
		"getUserTransferRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.UserTransferRecords(ctx, client.TransferFilter{FromUserID: "user-1", ToUserID: "user-2", CoinID: "1280", Between: span}))
		},
		`{"coinId":1280,"fromUserId":"user-1","toUserId":"user-2","startAt":1767225600,"endAt":1767312000}`,
	},
	{
		"userSwap", "",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserSwap(ctx, client.UserSwapRequest{UserID: "user-1", SwapRequest: swap, ExtraFeeRate: amount("0.01")})
		},
		`{"userId":"user-1","orderId":"order-1","coinIdIn":1280,"amountIn":"100","coinIdOut":1329,"extraFeeRate":"0.01","amountOutMinimum":"190.5"}`,
	},
	{
		"getUserSwapRecord", "record",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserSwapRecord(ctx, client.ByOrder("order-1"))
		},
		`{"orderId":"order-1"}`,
	},
	{
		"getUserSwapRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.UserSwapRecords(ctx, client.UserSwapFilter{UserID: "user-1", SwapFilter: swaps}))
		},
		`{"userId":"user-1","recordIds":["1","2"],"orderIds":["order-1"],"coinIdIn":1280,"coinIdOut":1329,"startAt":1767225600,"endAt":1767312000}`,
	},
	{
		"getCoinList", "coins",
		func(ctx context.Context, c *client.Client) (any, error) { return c.Coins(ctx) },
		``,
	},
	{
		"getCoin", "coin",
		func(ctx context.Context, c *client.Client) (any, error) { return c.Coin(ctx, "1280") },
		`{"coinId":1280}`,
	},
	{
		"getCoinUSDTPrice", "prices",
		func(ctx context.Context, c *client.Client) (any, error) { return c.Prices(ctx, "1280", "1329") },
		`{"coinIds":[1280,1329]}`,
	},
	{
		"getAppCoinAssetList", "assets",
		func(ctx context.Context, c *client.Client) (any, error) { return c.Balances(ctx) },
		``,
	},
	{
		"getAppCoinAsset", "asset",
		func(ctx context.Context, c *client.Client) (any, error) { return c.Balance(ctx, "1280") },
		`{"coinId":1280}`,
	},
	{
		"rescanLostTransaction", "description",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.Rescan(ctx, client.RescanRequest{Chain: "XLM", ToAddress: "GBSCAK4D", Memo: "109", TxID: "9f15"})
		},
		`{"chain":"XLM","toAddress":"GBSCAK4D","memo":"109","txId":"9f15"}`,
	},
	{
		"getCwalletUserId", "",
		func(ctx context.Context, c *client.Client) (any, error) { return c.CwalletUser(ctx, "9558861") },
		`{"cwalletUserId":"9558861"}`,
	},
	{
		"checkWithdrawalAddressValidity", "addrIsValid",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.AddressIsValid(ctx, "TRX", "TRPKg7")
		},
		`{"chain":"TRX","address":"TRPKg7"}`,
	},
	{
		"getWithdrawFee", "fee",
		func(ctx context.Context, c *client.Client) (any, error) { return c.WithdrawalFee(ctx, "1280", "TRX") },
		`{"coinId":1280,"chain":"TRX"}`,
	},
	{
		"getFiatList", "fiats",
		func(ctx context.Context, c *client.Client) (any, error) { return c.Fiats(ctx) },
		``,
	},
	{
		"getSwapCoinList", "coins",
		func(ctx context.Context, c *client.Client) (any, error) { return c.SwapCoins(ctx) },
		``,
	},
	{
		"getChainList", "chains",
		func(ctx context.Context, c *client.Client) (any, error) { return c.Chains(ctx, "ETH", "TRX") },
		`{"chains":["ETH","TRX"]}`,
	},
	{
		"getAutoWithdrawRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.AutoWithdrawalRecords(ctx, client.AutoWithdrawalFilter{CoinID: "1280", Chain: "TRX", RecordIDs: []string{"1"}, ToAddress: "TRPKg7", Between: span}))
		},
		`{"coinId":1280,"recordIds":["1"],"chain":"TRX","toAddress":"TRPKg7","startAt":1767225600,"endAt":1767312000}`,
	},
	{
		"getRiskyRefundRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.RiskRefunds(ctx, client.RiskRefundFilter{CoinID: "1280", Chain: "TRX", ToAddress: "TRPKg7", RecordIDs: []string{"1"}, Between: span}))
		},
		`{"coinId":1280,"recordIds":["1"],"chain":"TRX","toAddress":"TRPKg7","startAt":1767225600,"endAt":1767312000}`,
	},
	{
		"webhook/resend", "resendCount",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.ResendWebhooks(ctx, client.ResendRequest{
				From: span.StartAt, To: span.StartAt.Add(time.Hour), RecordIDs: []string{"1", "2"}, All: true, Type: "ApiDeposit",
			})
		},
		`{"recordIds":["1","2"],"startTimestamp":1767225600,"endTimestamp":1767229200,"webhookResult":"AllResult","transactionType":"ApiDeposit"}`,
	},
}

// mayNotRepeat are the endpoints that move money or create something.
var mayNotRepeat = []string{
	"createAppOrderDepositAddress", "createInvoiceUrl", "addressUnbinding", "applyAppWithdrawToNetwork", "applyAppWithdrawToCwallet",
	"swap", "applyUserWithdrawToNetwork", "applyUserWithdrawToCwallet", "userTransfer", "userSwap",
	"applyBatchWithdraw", "appendBatchWithdraw", "confirmBatchWithdraw", "abortBatchWithdraw", "userBatchTransfer",
}

// orderIDOf is the order id of a call in everyCall that may not be repeated.
func orderIDOf(endpoint string) string {
	if endpoint == "addressUnbinding" {
		return ""
	}
	return "order-1"
}

func repeatable(endpoint string) bool { return !slices.Contains(mayNotRepeat, endpoint) }

const (
	hook   = "https://shop.example/hook"
	longID = "20240312090950176747809258812620"
)

var (
	until = time.Unix(1767312000, 0)
	span  = client.Between{StartAt: time.Unix(1767225600, 0), EndAt: until}

	merchantWithdrawal = client.WithdrawalRequest{
		OrderID: "order-1", CoinID: "1280", Chain: "TRX", Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Memo: "109",
		Amount: amount("0.000000000000000001"), MerchantPayNetworkFee: true, NotifyURL: hook, FeeInquiryID: "fee-1",
	}
	userWithdrawal = client.UserWithdrawalRequest{
		UserID: "user-1", OrderID: "order-1", CoinID: "1280", Chain: "TRX", Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Memo: "109",
		Amount: amount("0.000000000000000001"), NotifyURL: hook, FeeInquiryID: "fee-1",
	}
	cwallet  = client.CwalletTransferRequest{OrderID: "order-1", CoinID: "1280", CwalletUser: "9558861", Amount: amount("1.50")}
	transfer = client.UserTransferRequest{OrderID: "order-1", FromUserID: "user-1", ToUserID: appID, CoinID: "1280", Amount: amount("0.005"), Remark: "tip"}
	swap     = client.SwapRequest{OrderID: "order-1", CoinIDIn: "1280", AmountIn: amount("100"), CoinIDOut: "1329", AmountOutMinimum: amount("190.5")}
	swaps    = client.SwapFilter{RecordIDs: []string{"1", "2"}, OrderIDs: []string{"order-1"}, CoinIDIn: "1280", CoinIDOut: "1329", Between: span}
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
