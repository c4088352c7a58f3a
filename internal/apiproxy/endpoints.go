package apiproxy

import (
	"fmt"
	"slices"
	"strings"
)

// The proxy's own endpoints, beside CCPayment's.
const (
	ownCheckout = "checkout"
	ownOrders   = "orders"
)

// allowNotifyURL in the option allow lets a call choose the URL of its webhooks.
const allowNotifyURL = "notify_url"

// groups are the endpoints by the groups that the option allow names. Each endpoint is
// in one.
var groups = map[string][]string{
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
		"getAggregationFeeRecord", "getPaymentBlockHeight", "all/chain", "getMainCoinList", ownOrders,
	},
	"deposit": {
		"getOrCreateAppDepositAddress", "getOrCreateUserDepositAddress", "createAppOrderDepositAddress",
		"createInvoiceUrl", "addressUnbinding", "rescanLostTransaction", ownCheckout,
	},
	"withdraw": {
		"applyAppWithdrawToNetwork", "applyAppWithdrawToCwallet", "applyUserWithdrawToNetwork", "applyUserWithdrawToCwallet",
		"applyBatchWithdraw", "appendBatchWithdraw", "confirmBatchWithdraw", "abortBatchWithdraw", "userBatchTransfer",
	},
	"swap":    {"swap", "userSwap"},
	"wallet":  {"userTransfer"},
	"webhook": {"webhook/resend"},
}

// groupNames are the groups in the order of the documentation.
var groupNames = []string{"read", "deposit", "withdraw", "swap", "wallet", "webhook"}

// notifying are the endpoints that take the URL of their webhooks.
var notifying = []string{
	"getOrCreateAppDepositAddress", "getOrCreateUserDepositAddress", "createAppOrderDepositAddress", "createInvoiceUrl",
	"applyAppWithdrawToNetwork", "applyUserWithdrawToNetwork", "applyBatchWithdraw",
}

// groupOf returns the group of an endpoint; empty: there is no such endpoint.
func groupOf(name string) string {
	for group, names := range groups {
		if slices.Contains(names, name) {
			return group
		}
	}
	return ""
}

// AllowedEndpoints reads the words of the option allow, which are groups, endpoints and
// notify_url. It returns the endpoints that may be called, and whether a call may
// choose the URL of its webhooks. The word swap is the group. The error is an unknown
// word, or that no endpoint is allowed.
func AllowedEndpoints(words []string) (allowed map[string]bool, notifyURL bool, err error) {
	allowed = make(map[string]bool)
	for _, word := range words {
		switch {
		case word == allowNotifyURL:
			notifyURL = true
		case groups[word] != nil:
			for _, name := range groups[word] {
				allowed[name] = true
			}
		case groupOf(word) != "":
			allowed[word] = true
		default:
			return nil, false, fmt.Errorf("allow: %.60q is none of the groups %s, nor %s, nor the name of an endpoint such as getCoinList",
				word, strings.Join(groupNames, ", "), allowNotifyURL)
		}
	}
	if len(allowed) == 0 {
		return nil, false, fmt.Errorf("allow names no group and no endpoint: use %s, or an endpoint's name", strings.Join(groupNames, ", "))
	}
	return allowed, notifyURL, nil
}
