package ccpayment

import (
	"fmt"
	"slices"
	"strings"
)

// The doors of ours beside CCPayment's endpoints.
const (
	doorCheckout = "checkout"
	doorOrders   = "orders"
)

// allowNotifyURL lets a body name where webhooks are sent.
const allowNotifyURL = "notify_url"

// apiGroups are what `allow` names. Each endpoint, and each door, is in one.
var apiGroups = map[string][]string{
	"read": {
		"getAppOrderInfo", "getInvoiceOrderInfo", "getAppDepositRecord", "getAppDepositRecordList",
		"getAppWithdrawRecord", "getAppWithdrawRecordList", "estimate", "getSwapRecord", "getSwapRecordList",
		"getUserCoinAssetList", "getUserCoinAsset", "getUserDepositRecord", "getUserDepositRecordList",
		"getUserWithdrawRecord", "getUserWithdrawRecordList", "getUserTransferRecord", "getUserTransferRecordList",
		"getUserSwapRecord", "getUserSwapRecordList", "getCoinList", "getCoin", "getCoinUSDTPrice",
		"getAppCoinAssetList", "getAppCoinAsset", "getCwalletUserId", "checkWithdrawalAddressValidity",
		"getWithdrawFee", "getFiatList", "getSwapCoinList", "getChainList", "getAutoWithdrawRecordList",
		"getRiskyRefundRecordList", doorOrders,
	},
	"deposit": {
		"getOrCreateAppDepositAddress", "getOrCreateUserDepositAddress", "createAppOrderDepositAddress",
		"createInvoiceUrl", "addressUnbinding", "rescanLostTransaction", doorCheckout,
	},
	"withdraw": {
		"applyAppWithdrawToNetwork", "applyAppWithdrawToCwallet", "applyUserWithdrawToNetwork", "applyUserWithdrawToCwallet",
	},
	"swap":    {"swap", "userSwap"},
	"wallet":  {"userTransfer"},
	"webhook": {"webhook/resend"},
}

// apiGroupNames are in the order in which people read them.
var apiGroupNames = []string{"read", "deposit", "withdraw", "swap", "wallet", "webhook"}

// notifying are the endpoints that take where their webhooks are sent.
var notifying = []string{
	"getOrCreateAppDepositAddress", "getOrCreateUserDepositAddress", "createAppOrderDepositAddress", "createInvoiceUrl",
	"applyAppWithdrawToNetwork", "applyUserWithdrawToNetwork",
}

// groupOf returns the group of an endpoint or a door; empty: there is none such.
func groupOf(name string) string {
	for group, names := range apiGroups {
		if slices.Contains(names, name) {
			return group
		}
	}
	return ""
}

// allowedEndpoints spells out what `allow` names. `swap` is a group, and so the
// endpoints of it.
func allowedEndpoints(words []string) (allowed map[string]bool, notifyURL bool, err error) {
	allowed = make(map[string]bool)
	for _, word := range words {
		switch {
		case word == allowNotifyURL:
			notifyURL = true
		case apiGroups[word] != nil:
			for _, name := range apiGroups[word] {
				allowed[name] = true
			}
		case groupOf(word) != "":
			allowed[word] = true
		default:
			return nil, false, fmt.Errorf("allow: %.60q is none of the groups %s, nor %s, nor the name of an endpoint such as getCoinList",
				word, strings.Join(apiGroupNames, ", "), allowNotifyURL)
		}
	}
	if len(allowed) == 0 {
		return nil, false, fmt.Errorf("allow names no group and no endpoint: use %s, or an endpoint's name", strings.Join(apiGroupNames, ", "))
	}
	return allowed, notifyURL, nil
}
