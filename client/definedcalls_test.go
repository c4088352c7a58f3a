package client_test

import (
	"context"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// definedCalls are those that only CCPayment's definitions of April 2026 have.
var definedCalls = []apiCall{
	{
		"checkWithdrawAddress", "addressInfoResults",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.CheckAddresses(ctx, "XRP", []client.PayoutAddress{{Seq: 1, Address: "rHb9", Memo: "109"}, {Seq: 7, Address: "rHb8"}})
		},
		`{"chain":"XRP","addressInfoList":[{"address":"rHb9","memo":"109","seq":1},{"address":"rHb8","seq":7}]}`,
	},
	{
		"applyBatchWithdraw", "",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.CreateWithdrawalBatch(ctx, batch)
		},
		`{"batchOrderId":"order-1","coinId":1280,"chain":"TRX","productName":"Wages","orders":[{"seq":1,
		"address":"TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL","memo":"109","amount":"1.5","remark":"May"}],"mode":"Single","notifyUrl":"https://shop.example/hook"}`,
	},
	{
		"appendBatchWithdraw", "",
		func(ctx context.Context, c *client.Client) (any, error) {
			return struct{}{}, c.AppendWithdrawalBatch(ctx, "order-1", []client.BatchPayout{{Seq: 2, Address: "TRPKg7", Amount: amount("1.50")}, {Seq: 4294967295, Address: "TRPKg8", Amount: amount("2")}})
		},
		`{"batchOrderId":"order-1","orders":[{"seq":2,"address":"TRPKg7","amount":"1.5"},{"seq":4294967295,"address":"TRPKg8","amount":"2"}]}`,
	},
	{
		"confirmBatchWithdraw", "",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.ConfirmWithdrawalBatch(ctx, "order-1", time.Hour)
		},
		`{"batchOrderId":"order-1","delaySeconds":3600}`,
	},
	{
		"abortBatchWithdraw", "",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.AbortWithdrawalBatch(ctx, "order-1", 2, 3)
		},
		`{"batchOrderId":"order-1","seqs":[2,3]}`,
	},
	{
		"getBatchWithdrawOrder", "",
		func(ctx context.Context, c *client.Client) (any, error) { return c.WithdrawalBatch(ctx, "order-1", 3) },
		`{"batchOrderId":"order-1","verbose":3}`,
	},
	{
		"getBatchWithdrawOrderRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.WithdrawalBatchRecords(ctx, "order-1"))
		},
		`{"batchOrderId":"order-1","limit":100}`,
	},
	{
		"userBatchTransfer", "recordId",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserBatchTransfer(ctx, client.UserBatchTransferRequest{
				OrderID: "order-1", UserID: appID, CoinID: "1280", Remark: "tips",
				ToUsers: []client.TransferShare{{UserID: "user-1", Amount: amount("7.5")}, {UserID: "user-2", Amount: amount("0.000000000000000001")}},
			})
		},
		`{"orderId":"order-1","userId":"app-123","toUsers":[{"userId":"user-1","amount":"7.500"},
		{"userId":"user-2","amount":"0.000000000000000001"}],"coinId":1280,"remark":"tips"}`,
	},
	{
		"getUserBatchTransferRecord", "record",
		func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserBatchTransferRecord(ctx, client.ByOrder("order-1"))
		},
		`{"orderId":"order-1"}`,
	},
	{
		"getUserBatchTransferRecordList", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.UserBatchTransferRecords(ctx, client.BatchTransferFilter{OrderIDs: []string{"order-1"}, UserID: appID, CoinID: "1280", Between: span}))
		},
		`{"orderIds":["order-1"],"userId":"app-123","coinId":1280,"startAt":1767225600,"endAt":1767312000}`,
	},
	{
		"getUserBatchTransferRecordDetail", "records",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.UserBatchTransfers(ctx, longID))
		},
		`{"recordId":"20240312090950176747809258812620"}`,
	},
	{
		"getAggregationFeeRecord", "list",
		func(ctx context.Context, c *client.Client) (any, error) {
			return collect(c.AggregationFees(ctx, client.AggregationFeeFilter{Chain: "TRX", Address: "TRPKg7", Between: span, PageSize: 100}))
		},
		`{"startAt":1767225600,"endAt":1767312000,"limit":100,"chain":"TRX","address":"TRPKg7"}`,
	},
	{
		"getPaymentBlockHeight", "",
		func(ctx context.Context, c *client.Client) (any, error) { return c.PaymentBlockHeight(ctx, longID) },
		`{"record_id":"20240312090950176747809258812620"}`,
	},
	{
		"all/chain", "chains",
		func(ctx context.Context, c *client.Client) (any, error) { return c.AllChains(ctx) },
		``,
	},
	{
		"getMainCoinList", "coinChainList",
		func(ctx context.Context, c *client.Client) (any, error) { return c.MainCoins(ctx) },
		`{"appId":"app-123"}`,
	},
}

var batch = client.WithdrawalBatchRequest{
	BatchOrderID: "order-1", CoinID: "1280", Chain: "TRX", Mode: client.BatchModeSingle, ProductName: "Wages", NotifyURL: hook,
	Payouts: []client.BatchPayout{{Seq: 1, Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Memo: "109", Amount: amount("1.50"), Remark: "May"}},
}
