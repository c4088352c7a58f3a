package client_test

import (
	"testing"

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
