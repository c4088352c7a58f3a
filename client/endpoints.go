package client

import (
	"maps"
	"slices"
)

// The 46 endpoints of CCPayment's API reference (Complete API Endpoint Reference),
// in its order.
const (
	endpointPermanentAddress     = "getOrCreateAppDepositAddress"
	endpointCreateDepositOrder   = "createAppOrderDepositAddress"
	endpointCreateInvoice        = "createInvoiceUrl"
	endpointDepositOrder         = "getAppOrderInfo"
	endpointInvoice              = "getInvoiceOrderInfo"
	endpointUnbindAddress        = "addressUnbinding"
	endpointDepositRecord        = "getAppDepositRecord"
	endpointDepositRecords       = "getAppDepositRecordList"
	endpointWithdraw             = "applyAppWithdrawToNetwork"
	endpointWithdrawToCwallet    = "applyAppWithdrawToCwallet"
	endpointWithdrawalRecord     = "getAppWithdrawRecord"
	endpointWithdrawalRecords    = "getAppWithdrawRecordList"
	endpointSwapQuote            = "estimate"
	endpointSwap                 = "swap"
	endpointSwapRecord           = "getSwapRecord"
	endpointSwapRecords          = "getSwapRecordList"
	endpointUserBalances         = "getUserCoinAssetList"
	endpointUserBalance          = "getUserCoinAsset"
	endpointUserDepositAddress   = "getOrCreateUserDepositAddress"
	endpointUserDepositRecord    = "getUserDepositRecord"
	endpointUserDepositRecords   = "getUserDepositRecordList"
	endpointUserWithdraw         = "applyUserWithdrawToNetwork"
	endpointUserWithdrawCwallet  = "applyUserWithdrawToCwallet"
	endpointUserWithdrawalRecord = "getUserWithdrawRecord"
	endpointUserWithdrawals      = "getUserWithdrawRecordList"
	endpointUserTransfer         = "userTransfer"
	endpointUserTransferRecord   = "getUserTransferRecord"
	endpointUserTransfers        = "getUserTransferRecordList"
	endpointUserSwap             = "userSwap"
	endpointUserSwapRecord       = "getUserSwapRecord"
	endpointUserSwapRecords      = "getUserSwapRecordList"
	endpointCoins                = "getCoinList"
	endpointCoin                 = "getCoin"
	endpointPrices               = "getCoinUSDTPrice"
	endpointBalances             = "getAppCoinAssetList"
	endpointBalance              = "getAppCoinAsset"
	endpointRescan               = "rescanLostTransaction"
	endpointCwalletUser          = "getCwalletUserId"
	endpointCheckAddress         = "checkWithdrawalAddressValidity"
	endpointWithdrawalFee        = "getWithdrawFee"
	endpointFiats                = "getFiatList"
	endpointSwapCoins            = "getSwapCoinList"
	endpointChains               = "getChainList"
	endpointAutoWithdrawals      = "getAutoWithdrawRecordList"
	endpointRiskRefunds          = "getRiskyRefundRecordList"
	endpointResendWebhooks       = "webhook/resend"
)

// The 15 endpoints that only CCPayment's definitions of April 2026 and its SDKs have.
const (
	endpointCheckAddresses       = "checkWithdrawAddress"
	endpointCreateBatch          = "applyBatchWithdraw"
	endpointAppendBatch          = "appendBatchWithdraw"
	endpointConfirmBatch         = "confirmBatchWithdraw"
	endpointAbortBatch           = "abortBatchWithdraw"
	endpointBatch                = "getBatchWithdrawOrder"
	endpointBatchRecords         = "getBatchWithdrawOrderRecordList"
	endpointUserBatchTransfer    = "userBatchTransfer"
	endpointBatchTransferRecord  = "getUserBatchTransferRecord"
	endpointBatchTransferRecords = "getUserBatchTransferRecordList"
	endpointBatchTransferDetail  = "getUserBatchTransferRecordDetail"
	endpointAggregationFees      = "getAggregationFeeRecord"
	endpointBlockHeight          = "getPaymentBlockHeight"
	endpointAllChains            = "all/chain"
	endpointMainCoins            = "getMainCoinList"
)

// endpoints says of each whether making the call twice is as good as making it
// once. The others move money or create something: they are repeated only
// where it is certain that nothing happened.
var endpoints = map[string]struct{ repeatable bool }{
	endpointPermanentAddress:     {true}, // gives the same address again
	endpointCreateDepositOrder:   {},
	endpointCreateInvoice:        {},
	endpointDepositOrder:         {true},
	endpointInvoice:              {true},
	endpointUnbindAddress:        {},
	endpointDepositRecord:        {true},
	endpointDepositRecords:       {true},
	endpointWithdraw:             {},
	endpointWithdrawToCwallet:    {},
	endpointWithdrawalRecord:     {true},
	endpointWithdrawalRecords:    {true},
	endpointSwapQuote:            {true},
	endpointSwap:                 {},
	endpointSwapRecord:           {true},
	endpointSwapRecords:          {true},
	endpointUserBalances:         {true},
	endpointUserBalance:          {true},
	endpointUserDepositAddress:   {true}, // gives the same address again
	endpointUserDepositRecord:    {true},
	endpointUserDepositRecords:   {true},
	endpointUserWithdraw:         {},
	endpointUserWithdrawCwallet:  {},
	endpointUserWithdrawalRecord: {true},
	endpointUserWithdrawals:      {true},
	endpointUserTransfer:         {},
	endpointUserTransferRecord:   {true},
	endpointUserTransfers:        {true},
	endpointUserSwap:             {},
	endpointUserSwapRecord:       {true},
	endpointUserSwapRecords:      {true},
	endpointCoins:                {true},
	endpointCoin:                 {true},
	endpointPrices:               {true},
	endpointBalances:             {true},
	endpointBalance:              {true},
	endpointRescan:               {true}, // looks again
	endpointCwalletUser:          {true},
	endpointCheckAddress:         {true},
	endpointWithdrawalFee:        {true},
	endpointFiats:                {true},
	endpointSwapCoins:            {true},
	endpointChains:               {true},
	endpointAutoWithdrawals:      {true},
	endpointRiskRefunds:          {true},
	endpointResendWebhooks:       {true}, // receivers dedupe

	endpointCheckAddresses:       {true},
	endpointCreateBatch:          {},
	endpointAppendBatch:          {},
	endpointConfirmBatch:         {},
	endpointAbortBatch:           {},
	endpointBatch:                {true},
	endpointBatchRecords:         {true},
	endpointUserBatchTransfer:    {},
	endpointBatchTransferRecord:  {true},
	endpointBatchTransferRecords: {true},
	endpointBatchTransferDetail:  {true},
	endpointAggregationFees:      {true},
	endpointBlockHeight:          {true},
	endpointAllChains:            {true},
	endpointMainCoins:            {true},
}

// Endpoints returns the names that [Client.Call] takes, in alphabetical order.
func Endpoints() []string { return slices.Sorted(maps.Keys(endpoints)) }
