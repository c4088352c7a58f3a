package client

import (
	"fmt"
	"strconv"
)

// CodeError is one of the API's codes as a sentinel for [errors.Is].
type CodeError int

// Error is the code with its name, where it has one.
func (c CodeError) Error() string {
	if known, ok := codes[c]; ok {
		return fmt.Sprintf("%d %s", int(c), known.name)
	}
	return strconv.Itoa(int(c))
}

// The codes of the reference (Status Codes & Error Codes), and those of
// CCPayment's newer definitions. Each is a refusal, after which nothing has
// happened, but for ErrFailed and ErrInternal, which prove nothing.
const (
	ErrFailed CodeError = 10001

	ErrInvalidArgument       CodeError = 11000
	ErrHeaderInvalidArgument CodeError = 11001
	ErrInternal              CodeError = 11002
	ErrNotFound              CodeError = 11003
	ErrRateLimit             CodeError = 11004
	ErrVerifySignFailed      CodeError = 11005
	ErrReqExpired            CodeError = 11006
	ErrRepeatedSubmit        CodeError = 11007
	ErrQueryDurationTooMax   CodeError = 11008
	ErrReqDailyLimit         CodeError = 11009
	ErrQueryNumMax           CodeError = 11010
	ErrOrderDuplicate        CodeError = 11011
	ErrExpiredAtTooMax       CodeError = 11012
	ErrNoSupportVersion      CodeError = 11013
	ErrMaliciousReq          CodeError = 11014
	ErrUserIDNotFound        CodeError = 11015
	ErrNotOnlineDeposit      CodeError = 11016
	ErrCwalletClosed         CodeError = 11017
	ErrFrequentOperation     CodeError = 11018

	ErrMerchantDisabled    CodeError = 12000
	ErrMerchantNotFound    CodeError = 12001
	ErrIPNotInWhitelist    CodeError = 12002
	ErrMerchantAPIDisabled CodeError = 12003

	ErrInvalidCoin                     CodeError = 13000
	ErrInvalidChain                    CodeError = 13001
	ErrAbnormalCoinPrice               CodeError = 13002
	ErrAbnormalCoinPriceNotSupportMode CodeError = 13003
	ErrUnstableBlockchain              CodeError = 13004
	ErrAbnormalCoinStatus              CodeError = 13005
	ErrCoinStopSwap                    CodeError = 13006

	ErrBalanceInsufficient          CodeError = 14000
	ErrWithdrawFeeTooLow            CodeError = 14001
	ErrAddressNotActive             CodeError = 14002
	ErrAddressEmptyMemo             CodeError = 14003
	ErrChainStopWithdraw            CodeError = 14004
	ErrWithdrawValueLessThanLimit   CodeError = 14005
	ErrWithdrawValueMoreThanLimit   CodeError = 14006
	ErrWithdrawAddrFormat           CodeError = 14007
	ErrWithdrawCannotSelf           CodeError = 14008
	ErrCoinNoSupportMemo            CodeError = 14009
	ErrNoSupportCoin                CodeError = 14010
	ErrWithdrawFeeBalanceNotEnough  CodeError = 14011
	ErrNotSupportMerchantTransfer   CodeError = 14012
	ErrCoinPrecisionLimit           CodeError = 14013
	ErrNotFinishCollection          CodeError = 14014
	ErrWithdrawToContractAddress    CodeError = 14015
	ErrWithdrawInvalidAddressType   CodeError = 14016
	ErrAddressInBlackList           CodeError = 14017
	ErrDisabledWithdraw             CodeError = 14018
	ErrWithdrawAmountFeeTooLittle   CodeError = 14019
	ErrNotWhitelistDisabledWithdraw CodeError = 14020
	ErrNotWhitelistDisabledSwap     CodeError = 14021
	ErrTestModeLimitAmount          CodeError = 14022
	ErrTestModeSingleLimitAmount    CodeError = 14023
	ErrAddressFormat                CodeError = 14024
	ErrAddressMemoFormat            CodeError = 14025
	ErrRiskAddress                  CodeError = 14026
	ErrSeqDuplicate                 CodeError = 14027
	ErrUnableAbort                  CodeError = 14028
	ErrAddressBlackList             CodeError = 14029

	ErrGenerateAddressFailed    CodeError = 15000
	ErrPaymentAddressNumTooMuch CodeError = 15001
	ErrOrderExpired             CodeError = 15002
	ErrChainStopDeposit         CodeError = 15003
	ErrOrderURLExpired          CodeError = 15004

	ErrCoinUnavailableForSwap  CodeError = 16001
	ErrSwapAmountInTooLow      CodeError = 16002
	ErrAmountOutMinimumTooHigh CodeError = 16003
	ErrMerchantSwapLimit       CodeError = 16004
	ErrDisabledSwap            CodeError = 16005
	ErrNoSupportSwap           CodeError = 16006

	ErrUnUsedAddressDeprecatedNotAllowed  CodeError = 17000
	ErrUnMatchedMerchantAddressDeprecated CodeError = 17001
	ErrUnBindingMemoAddressDeprecated     CodeError = 17002
	ErrUnBindingAddressDeprecated         CodeError = 17003
	ErrUnSupportedAddressDeprecated       CodeError = 17004
	ErrUnSupportedChainAddress            CodeError = 17005
	ErrUnbindingAddressFailed             CodeError = 17006
	ErrAddressNotBelongCCP                CodeError = 17007
)

// codes holds each code's name at CCPayment and what to do about it.
var codes = map[CodeError]struct{ name, hint string }{
	ErrFailed: {"Failed", "read msg: it says why the request failed"},

	ErrInvalidArgument:       {"InvalidArgument", "correct the parameter that msg names"},
	ErrHeaderInvalidArgument: {"HeaderInvalidArgument", "Appid, Timestamp or Sign did not arrive as they should: see whether a proxy changes headers"},
	ErrInternal:              {"Internal", "CCPayment has a problem of its own: try again later"},
	ErrNotFound:              {"NotFound", "check the id: this account has nothing under it"},
	ErrRateLimit:             {"RateLimit", "call less often"},
	ErrVerifySignFailed:      {"VerifySignFailed", "check the app id and the app secret (Dashboard > Developer), and that the account's signature algorithm is the one used here"},
	ErrReqExpired:            {"ReqExpired", "set this machine's clock: it is more than two minutes away from CCPayment's"},
	ErrRepeatedSubmit:        {"RepeatedSubmit", "the same request was already sent: look its order id up"},
	ErrQueryDurationTooMax:   {"QueryDurationTooMax", "ask for a shorter time range"},
	ErrReqDailyLimit:         {"ReqDailyLimit", "the day's calls are used up: wait, or ask CCPayment for a higher limit"},
	ErrQueryNumMax:           {"QueryNumMax", "ask for fewer at once"},
	ErrOrderDuplicate:        {"OrderDuplicate", "an order with this id exists: look it up, or use another id"},
	ErrExpiredAtTooMax:       {"ExpiredAtTooMax", "let the order expire within 10 days"},
	ErrNoSupportVersion:      {"NoSupportVersion", "the account may use the V1 API only: ask CCPayment to open V2"},
	ErrMaliciousReq:          {"MaliciousReq", "CCPayment has blocked this IP address, for days: stop calling, find what called wrongly, and write to support"},
	ErrUserIDNotFound:        {"UserIdNotFound", "check the user id: create it with its first deposit address"},
	ErrNotOnlineDeposit:      {"NotOnlineDeposit", "this deposit did not come from a chain: it cannot be treated as one that did"},
	ErrCwalletClosed:         {"CwalletClosed", "transfers to Cwallet are closed for now: withdraw to a network, or later"},
	ErrFrequentOperation:     {"FrequentOperation", "the same operation was made a moment ago: wait and try again"},

	ErrMerchantDisabled:    {"MerchantDisabled", "the merchant account is disabled: write to CCPayment's support"},
	ErrMerchantNotFound:    {"MerchantNotFound", "check the app id (Dashboard > Developer)"},
	ErrIPNotInWhitelist:    {"IpNotInWhitelist", "add this machine's public IP address to the list under Dashboard > Developer"},
	ErrMerchantAPIDisabled: {"MerchantApiDisabled", "complete the verification of the website or company in CCPayment's dashboard"},

	ErrInvalidCoin:                     {"InvalidCoin", "take the coin from the token list, and enable it under Tokens for your business"},
	ErrInvalidChain:                    {"InvalidChain", "take the chain from the coin's networks: TRX, ETH, BSC, not TRC20 or ERC20"},
	ErrAbnormalCoinPrice:               {"AbnormalCoinPrice", "the coin's price is out of order just now: try again later"},
	ErrAbnormalCoinPriceNotSupportMode: {"AbnormalCoinPriceNotSupportMode", "the coin's price is out of order: the merchant cannot pay its network fee, so let it come off the amount"},
	ErrUnstableBlockchain:              {"UnstableBlockchain", "the chain is unstable: withdraw later, or on another chain"},
	ErrAbnormalCoinStatus:              {"AbnormalCoinStatus", "trading in the coin is halted: use another one, or try again later"},
	ErrCoinStopSwap:                    {"CoinStopSwap", "the coin cannot be swapped for now: swap another one, or try again later"},

	ErrBalanceInsufficient:          {"BalanceInsufficient", "top the balance up, or withdraw less"},
	ErrWithdrawFeeTooLow:            {"WithdrawFeeTooLow", "ask for the network fee again: it has risen"},
	ErrAddressNotActive:             {"AddressNotActive", "check the address: it is invalid, or was never activated on its chain"},
	ErrAddressEmptyMemo:             {"AddressEmptyMemo", "give the memo: this chain needs one"},
	ErrChainStopWithdraw:            {"ChainStopWithdraw", "withdrawals on this chain are suspended: withdraw later, or on another chain"},
	ErrWithdrawValueLessThanLimit:   {"WithdrawValueLessThanLimit", "withdraw at least the coin's minimum"},
	ErrWithdrawValueMoreThanLimit:   {"WithdrawValueMoreThanLimit", "withdraw at most the coin's maximum"},
	ErrWithdrawAddrFormat:           {"WithdrawAddrFormat", "check the address: it is not one of this chain"},
	ErrWithdrawCannotSelf:           {"WithdrawCannotSelf", "the address is the account's own: transfer between users instead"},
	ErrCoinNoSupportMemo:            {"CoinNoSupportMemo", "leave the memo away: this coin has none"},
	ErrNoSupportCoin:                {"NoSupportCoin", "enable the coin under Tokens for your business"},
	ErrWithdrawFeeBalanceNotEnough:  {"WithdrawFeeBalanceNotEnough", "top up the chain's own coin: the network fee is paid in it"},
	ErrNotSupportMerchantTransfer:   {"NotSupportMerchantTransfer", "merchants can transfer only between a main account and its sub-accounts"},
	ErrCoinPrecisionLimit:           {"CoinPrecisionLimit", "use at most the decimals that the coin has on this chain"},
	ErrNotFinishCollection:          {"NotFinishCollection", "pay the aggregation fees that the dashboard shows"},
	ErrWithdrawToContractAddress:    {"WithdrawToContractAddress", "withdraw to an account, not to a contract"},
	ErrWithdrawInvalidAddressType:   {"WithdrawInvalidAddressType", "use another address: this chain pays only to data accounts"},
	ErrAddressInBlackList:           {"AddressInBlackList", "CCPayment does not pay to this address: ask its support"},
	ErrDisabledWithdraw:             {"DisabledWithdraw", "withdrawals are disabled for this account: ask CCPayment's support"},
	ErrWithdrawAmountFeeTooLittle:   {"WithdrawAmountFeeTooLittle", "withdraw more: what is left after the fee is below the coin's minimum"},
	ErrNotWhitelistDisabledWithdraw: {"NotWhitelistDisabledWithdraw", "set up a list of addresses or of IP addresses in CCPayment's dashboard: without one there are no withdrawals"},
	ErrNotWhitelistDisabledSwap:     {"NotWhitelistDisabledSwap", "set up a list of IP addresses in CCPayment's dashboard: without one there are no swaps"},
	ErrTestModeLimitAmount:          {"TestModeLimitAmount", "the account is in test mode, and its amount of 10 in all is used up: complete the verification in CCPayment's dashboard"},
	ErrTestModeSingleLimitAmount:    {"TestModeSingleLimitAmount", "the account is in test mode: take an amount of at most 10, or complete the verification in CCPayment's dashboard"},
	ErrAddressFormat:                {"AddressFormatErr", "check the address: it is not one of this chain"},
	ErrAddressMemoFormat:            {"AddressMemoFormatErr", "check the memo: it is not one that this chain has"},
	ErrRiskAddress:                  {"RiskAddress", "the address is flagged as risky: do not send there"},
	ErrSeqDuplicate:                 {"SeqDuplicate", "give each order of the batch a seq of its own"},
	ErrUnableAbort:                  {"UnableAbort", "the batch can no longer be stopped: look up how far it is"},
	ErrAddressBlackList:             {"AddressBlackList", "CCPayment does not pay to this address: ask its support"},

	ErrGenerateAddressFailed:    {"GenerateAddressFailed", "no address could be made: try again"},
	ErrPaymentAddressNumTooMuch: {"PaymentAddressNumTooMuch", "the account's addresses are used up: ask CCPayment for more"},
	ErrOrderExpired:             {"OrderExpired", "the order has expired: create a new one"},
	ErrChainStopDeposit:         {"ChainStopDeposit", "deposits on this chain are suspended: use another chain"},
	ErrOrderURLExpired:          {"OrderUrlExpired", "the checkout page has expired: create a new order"},

	ErrCoinUnavailableForSwap:  {"CoinUnavailableForSwap", "swaps of this coin are halted: swap later, or another coin"},
	ErrSwapAmountInTooLow:      {"SwapAmountInTooLow", "swap more: the amount is below the smallest that can be swapped"},
	ErrAmountOutMinimumTooHigh: {"AmountOutMinimumTooHigh", "the price has moved: ask for a quote again, or take a lower amountOutMinimum"},
	ErrMerchantSwapLimit:       {"MerchantSwapLimit", "the day's swaps are used up: wait, or ask CCPayment for a higher limit"},
	ErrDisabledSwap:            {"DisabledSwap", "swaps are disabled for this account: ask CCPayment's support"},
	ErrNoSupportSwap:           {"NoSupportSwap", "these coins cannot be swapped: take them from the list of swap coins"},

	ErrUnUsedAddressDeprecatedNotAllowed:  {"UnUsedAddressDeprecatedNotAllowed", "the address was never used: it stays bound until a payment came to it"},
	ErrUnMatchedMerchantAddressDeprecated: {"UnMatchedMerchantAddressDeprecated", "the address is not one of this account's: check it, and the app id"},
	ErrUnBindingMemoAddressDeprecated:     {"UnBindingMemoAddressDeprecated", "an address with a memo cannot be unbound"},
	ErrUnBindingAddressDeprecated:         {"UnBindingAddressDeprecated", "the address is unbound already: there is nothing to do"},
	ErrUnSupportedAddressDeprecated:       {"UnSupportedAddressDeprecated", "addresses of this kind cannot be unbound: only a reference's or a user's can"},
	ErrUnSupportedChainAddress:            {"UnSupportedChainAddress", "the address is not one of this chain: check both"},
	ErrUnbindingAddressFailed:             {"UnbindingAddressFailed", "the address was not unbound: try again later, or ask CCPayment's support"},
	ErrAddressNotBelongCCP:                {"AddressNotBelongCCP", "the address is not one that CCPayment gave out: check it"},
}
