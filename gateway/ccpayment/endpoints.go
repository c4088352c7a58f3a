package ccpayment

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
)

// groups are the endpoints by their groups. Each endpoint is in one.
var groups = map[gateway.Group][]string{
	"read": {
		"getAppOrderInfo", "getInvoiceOrderInfo", "getAppDepositRecord", "getAppDepositRecordList",
		"getAppWithdrawRecord", "getAppWithdrawRecordList", "estimate", "getSwapRecord", "getSwapRecordList",
		"getUserCoinAssetList", "getUserCoinAsset", "getUserDepositRecord", "getUserDepositRecordList",
		"getUserWithdrawRecord", "getUserWithdrawRecordList", "getUserTransferRecord", "getUserTransferRecordList",
		"getUserSwapRecord", "getUserSwapRecordList", "getCoinList", "getCoin", "getCoinUSDTPrice",
		"getAppCoinAssetList", "getAppCoinAsset", "getCwalletUserId", "checkWithdrawalAddressValidity",
		"getWithdrawFee", "getFiatList", "getSwapCoinList", "getChainList", "getAutoWithdrawRecordList",
		"getRiskyRefundRecordList", "checkWithdrawAddress", "getBatchWithdrawOrder", "getBatchWithdrawOrderRecordList",
		"getUserBatchTransferRecord", "getUserBatchTransferRecordList", "getUserBatchTransferRecordDetail",
		"getAggregationFeeRecord", "getPaymentBlockHeight", "all/chain", "getMainCoinList",
	},
	"deposit": {
		"getOrCreateAppDepositAddress", "getOrCreateUserDepositAddress", "createAppOrderDepositAddress",
		"createInvoiceUrl", "addressUnbinding", "rescanLostTransaction",
	},
	"withdraw": {
		"applyAppWithdrawToNetwork", "applyAppWithdrawToCwallet", "applyUserWithdrawToNetwork", "applyUserWithdrawToCwallet",
		applyBatch, "appendBatchWithdraw", "confirmBatchWithdraw", "abortBatchWithdraw", "userBatchTransfer",
	},
	"swap":    {"swap", "userSwap"},
	"wallet":  {"userTransfer"},
	"webhook": {"webhook/resend"},
}

// notifying are the endpoints that take the URL of their webhooks.
var notifying = []string{
	"getOrCreateAppDepositAddress", "getOrCreateUserDepositAddress", "createAppOrderDepositAddress", "createInvoiceUrl",
	"applyAppWithdrawToNetwork", "applyUserWithdrawToNetwork", applyBatch,
}

// applyBatch takes a shorter URL than the others (CCPayment's definitions of April 2026,
// Merchant Batch Withdraw).
const (
	applyBatch      = "applyBatchWithdraw"
	longestBatchURL = 120
)

// lists are the endpoints whose answers seldom change.
var lists = []string{"getCoinList", "getFiatList", "getChainList", "getSwapCoinList"}

// What is made at CCPayment and is no order is marked by one of these and the id that the
// app gave it.
const (
	addressMark = "address "
	payoutMark  = "payout "
)

// making are the endpoints that make what records are listed of: which mark it has, and which
// key of the call has its id.
var making = map[string]struct{ mark, key string }{
	"createAppOrderDepositAddress": {gateway.OrderMark(""), "orderId"},
	"createInvoiceUrl":             {gateway.OrderMark(""), "orderId"},
	"getOrCreateAppDepositAddress": {addressMark, "referenceId"},
	"applyAppWithdrawToNetwork":    {payoutMark, "orderId"},
	"applyAppWithdrawToCwallet":    {payoutMark, "orderId"},
	applyBatch:                     {payoutMark, "batchOrderId"},
}

// makes returns the marks of what a call makes.
func makes(name string, body []byte) []string {
	made, isMaking := making[name]
	if id := strictjson.Text(gjson.GetBytes(body, made.key)); isMaking && id != "" {
		return []string{made.mark + id}
	}
	return nil
}

// notifyKey is the key of a call's body that says where its webhooks are sent to.
const notifyKey = "notifyUrl"

// endpoint returns an endpoint by its name, and false where there is none.
func endpoint(name string) (gateway.Endpoint, bool) {
	for group, names := range groups {
		if slices.Contains(names, name) {
			return gateway.Endpoint{
				Name: name, Method: http.MethodPost, Group: group, Lists: slices.Contains(lists, name), WebhookKeys: []string{notifyKey},
			}, true
		}
	}
	return gateway.Endpoint{}, false
}

// Endpoints implements [gateway.API].
func (v *V2) Endpoints() []gateway.Endpoint {
	var all []gateway.Endpoint
	for _, group := range gateway.Groups() {
		for _, name := range groups[group] {
			e, _ := endpoint(name)
			all = append(all, e)
		}
	}
	return all
}

// FindEndpoint implements [gateway.API]: the path is the endpoint's name.
func (v *V2) FindEndpoint(method, path string) (gateway.Endpoint, bool) {
	e, ok := endpoint(nameIn(path))
	return e, ok && method == e.Method
}

// nameIn returns the name of an endpoint in an escaped path.
func nameIn(path string) string {
	name, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	if err != nil {
		return ""
	}
	return name
}
