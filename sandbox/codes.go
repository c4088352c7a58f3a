package sandbox

import (
	"fmt"
	"slices"
)

// The codes that the sandbox itself finds reason to answer. The rest of the
// table can be had through a fault.
const (
	codeSuccess         = 10000
	codeInvalid         = 11000
	codeHeaders         = 11001
	codeNotFound        = 11003
	codeRateLimit       = 11004
	codeSign            = 11005
	codeExpiredRequest  = 11006
	codeRange           = 11008
	codeTooMany         = 11010
	codeOrderDuplicate  = 11011
	codeExpiryTooFar    = 11012
	codeMerchantUnknown = 12001
	codeCoin            = 13000
	codeChain           = 13001
	codeCoinPrice       = 13002
	codeCoinHalted      = 13005
	codeBalance         = 14000
	codeWithdrawHalted  = 14004
	codePrecision       = 14013
	codeAddressesMax    = 15001
	codeDepositHalted   = 15003

	codeNoV2            = 11013
	codeCallsPerDay     = 11009
	codeUnverified      = 12003
	codeNoWithdrawals   = 14018
	codeNoWhitelist     = 14020
	codeNoSwapWhitelist = 14021
	codeTestMode        = 14022
	codeTestModeSingle  = 14023
	codeSwapHalted      = 16001
	codeSwapsPerDay     = 16004
	codeNoSwaps         = 16005

	codeUnbindUnused    = 17000
	codeUnbindOthers    = 17001
	codeUnbindMemo      = 17002
	codeUnbindTwice     = 17003
	codeUnbindKind      = 17004
	codeUnbindChain     = 17005
	codeAddressOfOthers = 17007
)

// codes maps every code that CCPayment is known to answer to its name: those of
// its reference and of its newer definitions.
var codes = map[int]string{
	10000: "success",
	10001: "Failed",

	11000: "InvalidArgument",
	11001: "HeaderInvalidArgument",
	11002: "Internal",
	11003: "NotFound",
	11004: "RateLimit",
	11005: "VerifySignFailed",
	11006: "ReqExpired",
	11007: "RepeatedSubmit",
	11008: "QueryDurationTooMax",
	11009: "ReqDailyLimit",
	11010: "QueryNumMax",
	11011: "OrderDuplicate",
	11012: "ExpiredAtTooMax",
	11013: "NoSupportVersion",
	11014: "MaliciousReq",
	11015: "UserIdNotFound",
	11016: "NotOnlineDeposit",
	11017: "CwalletClosed",
	11018: "FrequentOperation",

	12000: "MerchantDisabled",
	12001: "MerchantNotFound",
	12002: "IpNotInWhitelist",
	12003: "MerchantApiDisabled",

	13000: "InvalidCoin",
	13001: "InvalidChain",
	13002: "AbnormalCoinPrice",
	13003: "AbnormalCoinPriceNotSupportMode",
	13004: "UnstableBlockchain",
	13005: "AbnormalCoinStatus",
	13006: "CoinStopSwap",

	14000: "BalanceInsufficient",
	14001: "WithdrawFeeTooLow",
	14002: "AddressNotActive",
	14003: "AddressEmptyMemo",
	14004: "ChainStopWithdraw",
	14005: "WithdrawValueLessThanLimit",
	14006: "WithdrawValueMoreThanLimit",
	14007: "WithdrawAddrFormat",
	14008: "WithdrawCannotSelf",
	14009: "CoinNoSupportMemo",
	14010: "NoSupportCoin",
	14011: "WithdrawFeeBalanceNotEnough",
	14012: "NotSupportMerchantTransfer",
	14013: "CoinPrecisionLimit",
	14014: "NotFinishCollection",
	14015: "WithdrawToContractAddress",
	14016: "WithdrawInvalidAddressType",
	14017: "AddressInBlackList",
	14018: "DisabledWithdraw",
	14019: "WithdrawAmountFeeTooLittle",
	14020: "NotWhitelistDisabledWithdraw",
	14021: "NotWhitelistDisabledSwap",
	14022: "TestModeLimitAmount",
	14023: "TestModeSingleLimitAmount",
	14024: "AddressFormatErr",
	14025: "AddressMemoFormatErr",
	14026: "RiskAddress",
	14027: "SeqDuplicate",
	14028: "UnableAbort",
	14029: "AddressBlackList",

	15000: "GenerateAddressFailed",
	15001: "PaymentAddressNumTooMuch",
	15002: "OrderExpired",
	15003: "ChainStopDeposit",
	15004: "OrderUrlExpired",

	16001: "CoinUnavailableForSwap",
	16002: "SwapAmountInTooLow",
	16003: "AmountOutMinimumTooHigh",
	16004: "MerchantSwapLimit",
	16005: "DisabledSwap",
	16006: "NoSupportSwap",

	17000: "UnUsedAddressDeprecatedNotAllowed",
	17001: "UnMatchedMerchantAddressDeprecated",
	17002: "UnBindingMemoAddressDeprecated",
	17003: "UnBindingAddressDeprecated",
	17004: "UnSupportedAddressDeprecated",
	17005: "UnSupportedChainAddress",
	17006: "UnbindingAddressFailed",
	17007: "AddressNotBelongCCP",
}

// Codes returns every code that the sandbox can be made to answer, in order.
func Codes() []int {
	all := make([]int, 0, len(codes))
	for code := range codes {
		all = append(all, code)
	}
	slices.Sort(all)
	return all
}

// refusal is an answer other than success: a code of the table and words that
// name the rule broken.
type refusal struct {
	code int
	msg  string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s", r.code, r.msg) }

// refuse makes the error that a handler returns to answer a code. Without
// words, the code's tip is the message.
func refuse(code int, format string, args ...any) error {
	if format == "" {
		return &refusal{code: code, msg: codes[code]}
	}
	return &refusal{code: code, msg: fmt.Sprintf(format, args...)}
}
