package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// documented are the codes of CCPayment's reference and of its newer
// definitions, with CCPayment's names.
var documented = []struct {
	code int
	name string
	is   error
}{
	{10001, "Failed", client.ErrFailed},
	{11000, "InvalidArgument", client.ErrInvalidArgument},
	{11001, "HeaderInvalidArgument", client.ErrHeaderInvalidArgument},
	{11002, "Internal", client.ErrInternal},
	{11003, "NotFound", client.ErrNotFound},
	{11004, "RateLimit", client.ErrRateLimit},
	{11005, "VerifySignFailed", client.ErrVerifySignFailed},
	{11006, "ReqExpired", client.ErrReqExpired},
	{11007, "RepeatedSubmit", client.ErrRepeatedSubmit},
	{11008, "QueryDurationTooMax", client.ErrQueryDurationTooMax},
	{11009, "ReqDailyLimit", client.ErrReqDailyLimit},
	{11010, "QueryNumMax", client.ErrQueryNumMax},
	{11011, "OrderDuplicate", client.ErrOrderDuplicate},
	{11012, "ExpiredAtTooMax", client.ErrExpiredAtTooMax},
	{11013, "NoSupportVersion", client.ErrNoSupportVersion},
	{11014, "MaliciousReq", client.ErrMaliciousReq},
	{11015, "UserIdNotFound", client.ErrUserIDNotFound},
	{11016, "NotOnlineDeposit", client.ErrNotOnlineDeposit},
	{11017, "CwalletClosed", client.ErrCwalletClosed},
	{11018, "FrequentOperation", client.ErrFrequentOperation},
	{12000, "MerchantDisabled", client.ErrMerchantDisabled},
	{12001, "MerchantNotFound", client.ErrMerchantNotFound},
	{12002, "IpNotInWhitelist", client.ErrIPNotInWhitelist},
	{12003, "MerchantApiDisabled", client.ErrMerchantAPIDisabled},
	{13000, "InvalidCoin", client.ErrInvalidCoin},
	{13001, "InvalidChain", client.ErrInvalidChain},
	{13002, "AbnormalCoinPrice", client.ErrAbnormalCoinPrice},
	{13003, "AbnormalCoinPriceNotSupportMode", client.ErrAbnormalCoinPriceNotSupportMode},
	{13004, "UnstableBlockchain", client.ErrUnstableBlockchain},
	{13005, "AbnormalCoinStatus", client.ErrAbnormalCoinStatus},
	{13006, "CoinStopSwap", client.ErrCoinStopSwap},
	{14000, "BalanceInsufficient", client.ErrBalanceInsufficient},
	{14001, "WithdrawFeeTooLow", client.ErrWithdrawFeeTooLow},
	{14002, "AddressNotActive", client.ErrAddressNotActive},
	{14003, "AddressEmptyMemo", client.ErrAddressEmptyMemo},
	{14004, "ChainStopWithdraw", client.ErrChainStopWithdraw},
	{14005, "WithdrawValueLessThanLimit", client.ErrWithdrawValueLessThanLimit},
	{14006, "WithdrawValueMoreThanLimit", client.ErrWithdrawValueMoreThanLimit},
	{14007, "WithdrawAddrFormat", client.ErrWithdrawAddrFormat},
	{14008, "WithdrawCannotSelf", client.ErrWithdrawCannotSelf},
	{14009, "CoinNoSupportMemo", client.ErrCoinNoSupportMemo},
	{14010, "NoSupportCoin", client.ErrNoSupportCoin},
	{14011, "WithdrawFeeBalanceNotEnough", client.ErrWithdrawFeeBalanceNotEnough},
	{14012, "NotSupportMerchantTransfer", client.ErrNotSupportMerchantTransfer},
	{14013, "CoinPrecisionLimit", client.ErrCoinPrecisionLimit},
	{14014, "NotFinishCollection", client.ErrNotFinishCollection},
	{14015, "WithdrawToContractAddress", client.ErrWithdrawToContractAddress},
	{14016, "WithdrawInvalidAddressType", client.ErrWithdrawInvalidAddressType},
	{14017, "AddressInBlackList", client.ErrAddressInBlackList},
	{14018, "DisabledWithdraw", client.ErrDisabledWithdraw},
	{14019, "WithdrawAmountFeeTooLittle", client.ErrWithdrawAmountFeeTooLittle},
	{14020, "NotWhitelistDisabledWithdraw", client.ErrNotWhitelistDisabledWithdraw},
	{14021, "NotWhitelistDisabledSwap", client.ErrNotWhitelistDisabledSwap},
	{14022, "TestModeLimitAmount", client.ErrTestModeLimitAmount},
	{14023, "TestModeSingleLimitAmount", client.ErrTestModeSingleLimitAmount},
	{14024, "AddressFormatErr", client.ErrAddressFormat},
	{14025, "AddressMemoFormatErr", client.ErrAddressMemoFormat},
	{14026, "RiskAddress", client.ErrRiskAddress},
	{14027, "SeqDuplicate", client.ErrSeqDuplicate},
	{14028, "UnableAbort", client.ErrUnableAbort},
	{14029, "AddressBlackList", client.ErrAddressBlackList},
	{15000, "GenerateAddressFailed", client.ErrGenerateAddressFailed},
	{15001, "PaymentAddressNumTooMuch", client.ErrPaymentAddressNumTooMuch},
	{15002, "OrderExpired", client.ErrOrderExpired},
	{15003, "ChainStopDeposit", client.ErrChainStopDeposit},
	{15004, "OrderUrlExpired", client.ErrOrderURLExpired},
	{16001, "CoinUnavailableForSwap", client.ErrCoinUnavailableForSwap},
	{16002, "SwapAmountInTooLow", client.ErrSwapAmountInTooLow},
	{16003, "AmountOutMinimumTooHigh", client.ErrAmountOutMinimumTooHigh},
	{16004, "MerchantSwapLimit", client.ErrMerchantSwapLimit},
	{16005, "DisabledSwap", client.ErrDisabledSwap},
	{16006, "NoSupportSwap", client.ErrNoSupportSwap},
	{17000, "UnUsedAddressDeprecatedNotAllowed", client.ErrUnUsedAddressDeprecatedNotAllowed},
	{17001, "UnMatchedMerchantAddressDeprecated", client.ErrUnMatchedMerchantAddressDeprecated},
	{17002, "UnBindingMemoAddressDeprecated", client.ErrUnBindingMemoAddressDeprecated},
	{17003, "UnBindingAddressDeprecated", client.ErrUnBindingAddressDeprecated},
	{17004, "UnSupportedAddressDeprecated", client.ErrUnSupportedAddressDeprecated},
	{17005, "UnSupportedChainAddress", client.ErrUnSupportedChainAddress},
	{17006, "UnbindingAddressFailed", client.ErrUnbindingAddressFailed},
	{17007, "AddressNotBelongCCP", client.ErrAddressNotBelongCCP},
}

// A documented code is a refusal: one request, an error of that code, and no
// doubt about the outcome, for reads and for money alike. 10001, 11002, 11004
// and 11018 differ only in being tried again, or in leaving a doubt, as other tests
// show.
func TestCase29_EveryCode(t *testing.T) {
	t.Parallel()
	for _, test := range documented {
		answer := sayWith(http.StatusOK, "application/json", fmt.Sprintf(`{"code":%d,"msg":"because","data":null}`, test.code))
		api := newFakeAPI(t, answer)
		options := []client.Option{}
		if test.code == 11002 || test.code == 11004 || test.code == 11018 {
			options = append(options, client.WithTries(1))
		}
		for _, each := range everyCall {
			if each.endpoint != "getAppOrderInfo" && repeatable(each.endpoint) || (test.code == 11002 || test.code == 10001) && !repeatable(each.endpoint) {
				continue
			}
			before := len(api.sent())
			// A client of its own, as 11014 stops one.
			_, err := each.call(t.Context(), api.dial(t, options...))
			var failure *client.Error
			if !errors.As(err, &failure) {
				t.Errorf("%d of %s: %v", test.code, each.endpoint, err)
				continue
			}
			if failure.Code != test.code || failure.Msg != "because" || failure.Endpoint != each.endpoint || failure.HTTPStatus != 200 {
				t.Errorf("%d of %s: %+v", test.code, each.endpoint, *failure)
			}
			if !errors.Is(err, test.is) || errors.Is(err, client.ErrOutcomeUnknown) || len(api.sent()) != before+1 {
				t.Errorf("%d of %s: %v after %d requests", test.code, each.endpoint, err, len(api.sent())-before)
			}
			if text := fmt.Sprintf("%d %s: because", test.code, test.name); !strings.Contains(err.Error(), text) {
				t.Errorf("%d reads %q", test.code, err)
			}
			if failure.Hint() == "" || failure.Hint() == (&client.Error{Code: 19999}).Hint() {
				t.Errorf("%d has no hint", test.code)
			}
			for _, other := range documented {
				if other.code != test.code && errors.Is(err, other.is) {
					t.Errorf("%d is also %v", test.code, other.is)
				}
			}
		}
	}
}

// What is no code of CCPayment's still says something to do.
func TestHintWithoutCode(t *testing.T) {
	t.Parallel()
	hints := make(map[string]bool)
	for _, failure := range []client.Error{{Code: 19999}, {HTTPStatus: 503}, {HTTPStatus: 404}, {HTTPStatus: 200}} {
		hints[failure.Hint()] = true
	}
	if len(hints) != 4 || hints[""] {
		t.Errorf("%v", hints)
	}
}

// CCPayment's words go into one line of a log, and not without end.
func TestMessageIsOneLine(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, say(`{"code":10001,"msg":"first\r\nsecond\u001b[31m\u007f`+strings.Repeat("é", 500)+`"}`))
	_, err := api.dial(t).Balances(t.Context())
	if text := err.Error(); strings.ContainsAny(text, "\r\n\x1b\x7f") || len(text) > 300 || !strings.Contains(text, "first  second") || strings.Contains(text, "\ufffd") {
		t.Errorf("%q", text)
	}
	api = newFakeAPI(t, say("<html>\n"+strings.Repeat("x", 1<<20)))
	if _, err := api.dial(t).Balances(t.Context()); strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 300 {
		t.Errorf("%q", err)
	}
}
