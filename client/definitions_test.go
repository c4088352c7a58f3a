package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// Case 29: what CCPayment's newer definitions have and its reference leaves out is
// read without loss.
func TestCase29_Definitions(t *testing.T) {
	t.Parallel()
	for endpoint, data := range map[string]string{
		"getAppDepositRecordList": `{"records":[{"recordId":"1","txIndex":3,"status":"Success"}],"nextId":""}`,
		"getAppWithdrawRecordList": `{"records":[{"recordId":"1","orderId":"out-1","appId":"app-123","coinUSDPrice":"1.0001",
			"status":"Rejected","reason":"the address is odd","createdAt":1767225600}],"nextId":""}`,
		"getAutoWithdrawRecordList": `{"records":[{"recordId":"1","orderId":"auto-1","coinId":1280,"amount":"5","serviceFee":"0.01",
			"fee":{"coinId":1280,"coinSymbol":"USDT","amount":"1"},"createdAt":1767225600}],"nextId":""}`,
		"getRiskyRefundRecordList": `{"records":[{"recordId":"1","orderId":"refund-1","createdAt":1767225600,
			"fromDeposit":[{"recordId":"20240312090950176747809258812620"},{"recordId":"2"}]}],"nextId":""}`,
		"getAppOrderInfo":     `{"amountToPay":"10","coinId":1280,"buyerEmail":"buyer@shop.example","paidList":[]}`,
		"getInvoiceOrderInfo": `{"orderId":"order-1","price":"10","priceFiatId":"1033","buyerEmail":"buyer@shop.example","paidList":[]}`,
		"getCoin": `{"coin":{"coinId":1891,"symbol":"TETH","price":"0","networks":{"ETH_SEPOLIA":{
			"chain":"ETH_SEPOLIA","protocol":"ETH","precision":18,"canDeposit":true}}}}`,
		"checkWithdrawAddress": `{"addressInfoResults":[{"seq":1,"codes":[]},{"seq":7,"codes":[14024,14029]}]}`,
		"confirmBatchWithdraw": batchInFull, "getBatchWithdrawOrder": batchInFull,
		"abortBatchWithdraw": `{"batchOrderId":"order-1","canceledSeqs":[2],"ignoredSeqs":[3]}`,
		"getBatchWithdrawOrderRecordList": `{"nextId":"","records":[{"seq":1,"address":"TRPKg7","memo":"","amount":"1.5","remark":"May",
			"recordId":"20240312090950176747809258812620","orderId":"wages-1","status":"Successful","networkFee":"1","txId":"9f15",
			"reason":"","createdAt":1767225600,"updatedAt":1767225601},{"seq":2,"address":"TRPKg8","amount":"2","status":"Pending"}]}`,
		"getUserBatchTransferRecord": `{"record":{"recordId":"1","orderId":"order-1","userId":"app-123","coinId":1280,"coinSymbol":"USDT",
			"toUsers":[{"userId":"user-1","amount":"7.500"},{"userId":"user-2","amount":"1.000"}],"status":"Success","remark":"tips","coinUSDPrice":"1.0001"}}`,
		"getUserBatchTransferRecordList": `{"records":[{"recordId":"1","orderId":"order-1","toUsers":[{"userId":"user-1","amount":"7.5"}]}],"nextId":""}`,
		"getUserBatchTransferRecordDetail": `{"records":[{"recordId":"2","orderId":"order-1","fromUserId":"app-123","toUserId":"user-1",
			"coinId":1280,"coinSymbol":"USDT","amount":"7.5","status":"Success","remark":"tips","coinUSDPrice":"1.0001"}],"nextId":""}`,
		"getAggregationFeeRecord": `{"list":[{"collects":[{"coinId":1280,"coinSymbol":"USDT","aggregationFee":"0.5"}],
			"aggregationTime":1767225600,"chain":"TRX","address":"TRPKg7"}],"nextId":""}`,
		"getPaymentBlockHeight": `{"chain":"TRX","txBlockHeight":68000001,"currBlockHeight":68000020,"reqConfirmations":19}`,
		"all/chain": `{"chains":[{"chain":"ETH","chainFullName":"Ethereum","explorer":"https://etherscan.io/","logoUrl":"https://x.example/ETH.png",
			"status":"Normal","confirmNum":12,"isEVM":true}]}`,
		"getMainCoinList": `{"coinChainList":[{"coinId":1161,"symbol":"ETH","logoUrl":"https://x.example/eth.png","status":"Normal","chain":"ETH","network":"Ethereum"}]}`,
	} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			checkExample(t, endpoint, []byte(`{"code":10000,"msg":"success","data":`+data+`}`))
		})
	}
	// The SDKs have a text where the definitions have an object.
	api := newFakeAPI(t, say(`{"code":10000,"data":{"records":[{"recordId":"1","fromDeposit":["7",{"recordId":"8"}]}]}}`))
	refunds, err := collect(api.dial(t).RiskRefunds(t.Context(), client.RiskRefundFilter{}))
	if err != nil || len(refunds) != 1 || len(refunds[0].FromDeposit) != 2 ||
		refunds[0].FromDeposit[0].RecordID != "7" || refunds[0].FromDeposit[1].RecordID != "8" {
		t.Errorf("%+v, %v", refunds, err)
	}
	// The id of an inquiry stands beside the fee.
	api = newFakeAPI(t, say(`{"code":10000,"data":{"fee":{"coinId":1280,"amount":"1"},"networkFeeInquiryID":"fee-1"}}`))
	if fee, err := api.dial(t).WithdrawalFee(t.Context(), "1280", "TRX"); err != nil || fee.InquiryID != "fee-1" {
		t.Errorf("%+v, %v", fee, err)
	}
}

// Case 29: what CCPayment writes for none is none: ids of 0, times of 0 or in the
// year 1, and a price of "0".
func TestCase29_None(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, say(`{"code":10000,"data":{"orderId":"order-1","price":"10","priceFiatId":0,"priceCoinId":"0","amountToPay":"10",
		"fiatId":0,"createAt":"0","expiredAt":"0001-01-01T00:00:00Z","paidList":null,"prices":{"1891":"0","1280":"1"},"asset":{"coinId":0}}}`))
	c := api.dial(t)
	invoice, err := c.Invoice(t.Context(), "order-1")
	if err != nil || invoice.PriceFiatID != "" || invoice.PriceCoinID != "" || !invoice.CreateAt.IsZero() || !invoice.ExpiredAt.IsZero() {
		t.Errorf("%+v, %v", invoice, err)
	}
	if order, err := c.DepositOrder(t.Context(), "order-1"); err != nil || order.FiatID != "" || !order.ExpiredAt.IsZero() {
		t.Errorf("%+v, %v", order, err)
	}
	if prices, err := c.Prices(t.Context(), "1280", "1891"); err != nil || len(prices) != 1 {
		t.Errorf("%v, %v", prices, err)
	}
}

// Case 29: no filter is left out of the request, and one that is beyond CCPayment's
// limits is refused before it is sent.
func TestCase29_FilterLimits(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, agree)
	c, many := api.dial(t), make([]string, 51)
	for i := range many {
		many[i] = "order"
	}
	for name, filter := range map[string]client.DepositFilter{
		"recordIds": {RecordIDs: many}, "orderIds": {OrderIDs: many}, "referenceIds": {ReferenceIDs: many},
		"limit": {PageSize: 101}, "limit below 0": {PageSize: -1},
	} {
		if _, err := collect(c.DepositRecords(t.Context(), filter)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := collect(c.UserTransferRecords(t.Context(), client.TransferFilter{ToUserID: "user-2"})); err != nil {
		t.Error(err)
	}
	sent := api.sent()
	if len(sent) != 1 || string(sent[0].Body) != `{"toUserId":"user-2"}` {
		t.Errorf("sent %d, the first is %s", len(sent), sent[0].Body)
	}
}

const batchInFull = `{"batchOrderId":"order-1","productName":"Wages","billId":"20240312090950176747809258812620",
	"coin":{"coin_id":1280,"coin_symbol":"USDT","coin_price":"1.0001"},"amount":"3.5","networkFee":"2",
	"networkFeeCoin":{"coin_id":1482,"coin_symbol":"TRX","coin_price":"0.23717"},"status":"Processing","reason":"","mode":"Single",
	"stats":{"total":5,"succeeded":1,"failed":1,"canceled":1,"processing":1,"execSeq":3},"createdAt":1767225600,"updatedAt":1767225601}`

// Case 29: the SDKs have other names than the definitions for a batch's name and for the
// numbers of its payouts. Both are read.
func TestCase29_NamesOfTheSDKs(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, say(`{"code":10000,"data":{"batchOrderId":"order-1","taskName":"Wages","coin":{"coinId":1280},"stats":{"execOrderId":3},
		"canceledOrderIds":[2],"ignoredOrderIds":[],"records":[{"orderId":"4","status":"Successful","amount":"1"}]}}`))
	c := api.dial(t)
	batch, err := c.WithdrawalBatch(t.Context(), "order-1", 0)
	if err != nil || batch.ProductName != "Wages" || batch.Stats.ExecSeq != 3 || batch.Coin.CoinID != "1280" {
		t.Errorf("%+v, %v", batch, err)
	}
	if abort, err := c.AbortWithdrawalBatch(t.Context(), "order-1"); err != nil || !slices.Equal(abort.CanceledSeqs, []int{2}) {
		t.Errorf("%+v, %v", abort, err)
	}
	records, err := collect(c.WithdrawalBatchRecords(t.Context(), "order-1"))
	if err != nil || len(records) != 1 || records[0].Seq != 4 || !records[0].Status.Is(client.StatusSuccess) || !records[0].Status.Final() {
		t.Errorf("%+v, %v", records, err)
	}
}

// Case 29: a response about another batch, or one that is silent about an address, is
// none: it would read as if the money were on its way, or the address fine.
func TestCase29_BatchAnswersAreAboutWhatWasAsked(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, say(`{"code":10000,"data":{"batchOrderId":"order-2","addressInfoResults":[{"seq":1,"codes":[]}],"records":[{"status":"Pending"}]}}`))
	c := api.dial(t)
	var unreadable *client.AnswerError
	if _, err := c.WithdrawalBatch(t.Context(), "order-1", 0); !errors.As(err, &unreadable) {
		t.Errorf("another batch: %v", err)
	}
	for name, addresses := range map[string][]client.PayoutAddress{
		"one is missing": {{Seq: 1, Address: "T1"}, {Seq: 2, Address: "T2"}}, "one is another": {{Seq: 2, Address: "T2"}},
	} {
		if checks, err := c.CheckAddresses(t.Context(), "TRX", addresses); !errors.As(err, &unreadable) {
			t.Errorf("%s: %+v, %v", name, checks, err)
		}
	}
	if _, err := collect(c.WithdrawalBatchRecords(t.Context(), "order-1")); !errors.As(err, &unreadable) {
		t.Errorf("a payout without seq: %v", err)
	}
	api = newFakeAPI(t, say(`{"code":10000,"data":{"addressInfoResults":[{"seq":1,"codes":[]},{"seq":1,"codes":[14024]}]}}`))
	if checks, err := api.dial(t).CheckAddresses(t.Context(), "TRX", []client.PayoutAddress{{Seq: 1, Address: "T1"}}); !errors.As(err, &unreadable) {
		t.Errorf("two results of one address: %+v, %v", checks, err)
	}
}

// Case 29: what the definitions forbid is refused before it is sent, with the place.
func TestCase29_BatchRules(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, agree)
	c, ctx := api.dial(t), t.Context()
	fine := client.BatchPayout{Seq: 1, Address: "TRPKg7", Amount: amount("1")}
	with := func(change func(*client.BatchPayout)) []client.BatchPayout {
		second := fine
		second.Seq = 2
		change(&second)
		return []client.BatchPayout{fine, second}
	}
	create := func(change func(*client.WithdrawalBatchRequest)) error {
		r := batch
		change(&r)
		_, err := c.CreateWithdrawalBatch(ctx, r)
		return err
	}
	add := func(payouts []client.BatchPayout) error { return c.AppendWithdrawalBatch(ctx, "order-1", payouts) }
	last := func(_ any, err error) error { return err }
	transfer := func(shares ...client.TransferShare) error {
		_, err := c.UserBatchTransfer(ctx, client.UserBatchTransferRequest{OrderID: "order-1", UserID: "user-1", CoinID: "1280", ToUsers: shares})
		return err
	}
	for name, test := range map[string]struct {
		err   error
		field string
	}{
		"a short id":          {create(func(r *client.WithdrawalBatchRequest) { r.BatchOrderID = "ab" }), "batchOrderId"},
		"no mode":             {create(func(r *client.WithdrawalBatchRequest) { r.Mode = "" }), "mode"},
		"a long URL":          {create(func(r *client.WithdrawalBatchRequest) { r.NotifyURL = hook + strings.Repeat("x", 100) }), "notifyUrl"},
		"501 payouts":         {create(func(r *client.WithdrawalBatchRequest) { r.Payouts = make([]client.BatchPayout, 501) }), "orders"},
		"none to append":      {add(nil), "orders"},
		"seq 0":               {add(with(func(p *client.BatchPayout) { p.Seq = 0 })), "orders[1].seq"},
		"a seq twice":         {add(with(func(p *client.BatchPayout) { p.Seq = 1 })), "orders[1].seq"},
		"no address":          {add(with(func(p *client.BatchPayout) { p.Address = "" })), "orders[1].address"},
		"a long memo":         {add(with(func(p *client.BatchPayout) { p.Memo = "12345678901234567" })), "orders[1].memo"},
		"no amount":           {add(with(func(p *client.BatchPayout) { p.Amount = decimal.Zero })), "orders[1].amount"},
		"a long remark":       {add(with(func(p *client.BatchPayout) { p.Remark = strings.Repeat("x", 65) })), "orders[1].remark"},
		"too late":            {last(c.ConfirmWithdrawalBatch(ctx, "order-1", time.Hour+time.Second)), "delaySeconds"},
		"half a second":       {last(c.ConfirmWithdrawalBatch(ctx, "order-1", time.Second/2)), "delaySeconds"},
		"abort seq 0":         {last(c.AbortWithdrawalBatch(ctx, "order-1", 0)), "seqs"},
		"too verbose":         {last(c.WithdrawalBatch(ctx, "order-1", 4)), "verbose"},
		"no addresses":        {last(c.CheckAddresses(ctx, "TRX", nil)), "addressInfoList"},
		"an address's number": {last(c.CheckAddresses(ctx, "TRX", []client.PayoutAddress{{Address: "T1"}})), "addressInfoList[0].seq"},
		"nobody to transfer":  {transfer(), "toUsers"},
		"a short user":        {transfer(client.TransferShare{UserID: "abc", Amount: amount("1")}), "toUsers[0].userId"},
		"nothing to transfer": {transfer(client.TransferShare{UserID: "user-2"}), "toUsers[0].amount"},
		"no end":              {last(collect(c.AggregationFees(ctx, client.AggregationFeeFilter{Between: client.Between{StartAt: until}}))), "endAt"},
	} {
		var broken *client.ArgumentError
		if !errors.As(test.err, &broken) || broken.Field != test.field {
			t.Errorf("%s: %v, want %s", name, test.err, test.field)
		}
	}
	if n := len(api.sent()); n != 0 {
		t.Errorf("%d were sent", n)
	}
	// Short amounts grow to the five characters that the definitions ask for.
	for given, want := range map[string]string{"5": "5.000", "10": "10.00", "123": "123.0", "1234": "1234.0", "12345": "12345", "0.01": "0.010", "1.234": "1.234"} {
		if err := transfer(client.TransferShare{UserID: "user-2", Amount: amount(given)}); err != nil {
			t.Error(err)
		}
		sent := api.sent()
		if body := string(sent[len(sent)-1].Body); !strings.Contains(body, `"amount":"`+want+`"`) {
			t.Errorf("%s was sent as %s", given, body)
		}
	}
}
