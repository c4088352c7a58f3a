package sandbox

import "github.com/shopspring/decimal"

// The codes that payouts answer beside those of codes.go.
const (
	codeUserUnknown     = 11015
	codeCoinStopSwap    = 13006
	codeFeeTooHigh      = 14001
	codeAddressInactive = 14002
	codeMemoMissing     = 14003
	codeBelowLimit      = 14005
	codeAboveLimit      = 14006
	codeAddressFormat   = 14007
	codeOwnAddress      = 14008
	codeMemoNotWanted   = 14009
	codeFeeBalance      = 14011
	codeContractAddress = 14015
	codeBlackListed     = 14017
	codeRiskyAddress    = 14026
	codeSwapTooLittle   = 16002
	codeMinimumTooHigh  = 16003
	codeNoSwap          = 16006

	codeRepeated       = 11007
	codeFeeUnpayable   = 13003
	codeLeftTooLittle  = 14019
	codeBatchAddress   = 14024
	codeBatchMemo      = 14025
	codeSeqTwice       = 14027
	codeUnableAbort    = 14028
	codeBatchBlackList = 14029
)

// leastUSD is what a transfer or a payment to a Cwallet user must be worth.
var leastUSD = number("0.001")

// payouts are the records of money that leaves a balance.
type payouts struct {
	approval    bool // withdrawals wait for the merchant's approval
	withdrawals *book[*withdrawal]
	transfers   *book[*transfer]
	swaps       *book[*swap]

	batches        map[string]*batch // by batchOrderId
	batchTransfers *book[*batchTransfer]
}

func newPayouts() payouts {
	return payouts{
		withdrawals: newBook[*withdrawal](), transfers: newBook[*transfer](), swaps: newBook[*swap](),
		batches: map[string]*batch{}, batchTransfers: newBook[*batchTransfer](),
	}
}

var payoutEndpoints = map[string]handler{
	"applyAppWithdrawToNetwork":  withdrawToNetwork,
	"applyAppWithdrawToCwallet":  withdrawToCwallet,
	"getAppWithdrawRecord":       merchantWithdrawal,
	"getAppWithdrawRecordList":   merchantWithdrawals,
	"applyUserWithdrawToNetwork": userWithdrawToNetwork,
	"applyUserWithdrawToCwallet": userWithdrawToCwallet,
	"getUserWithdrawRecord":      userWithdrawal,
	"getUserWithdrawRecordList":  userWithdrawals,
	"getAutoWithdrawRecordList":  autoWithdrawals,
	"getRiskyRefundRecordList":   riskRefunds,

	"estimate":              estimateSwap,
	"swap":                  swapCoins,
	"getSwapRecord":         merchantSwap,
	"getSwapRecordList":     merchantSwaps,
	"userSwap":              userSwapCoins,
	"getUserSwapRecord":     userSwap,
	"getUserSwapRecordList": userSwaps,

	"getUserCoinAssetList":          userBalances,
	"getUserCoinAsset":              userBalance,
	"getOrCreateUserDepositAddress": userAddress,
	"getUserDepositRecord":          userDeposit,
	"getUserDepositRecordList":      userDeposits,
	"userTransfer":                  transferCoins,
	"getUserTransferRecord":         userTransfer,
	"getUserTransferRecordList":     userTransfers,

	// From here on only the definitions of April 2026 have them.
	"checkWithdrawAddress":             checkAddresses,
	"applyBatchWithdraw":               applyBatch,
	"appendBatchWithdraw":              appendBatch,
	"confirmBatchWithdraw":             confirmBatch,
	"abortBatchWithdraw":               abortBatch,
	"getBatchWithdrawOrder":            batchOrder,
	"getBatchWithdrawOrderRecordList":  batchRecords,
	"userBatchTransfer":                transferToMany,
	"getUserBatchTransferRecord":       batchTransferRecord,
	"getUserBatchTransferRecordList":   batchTransfers,
	"getUserBatchTransferRecordDetail": batchTransferDetail,
	"getAggregationFeeRecord":          aggregationFees,
}

// payable reads an amount that is to leave a balance. More decimals than the
// coin has are 14013; zeros at the end do not count.
func (p *params) payable(name string, precision int) decimal.Decimal {
	amount := p.amount(name, maxAmountDigits)
	if !amount.Equal(amount.Truncate(int32(precision))) {
		p.reject(codePrecision, "%s: at most %d decimals, got %s", name, precision, amount)
	}
	return amount
}

// payableOf reads a coin and an amount of it that stays within CCPayment,
// where the finest precision of the coin's chains counts.
func (p *params) payableOf(coinName, amountName string) (*coin, decimal.Decimal) {
	c := p.coin(coinName)
	if c == nil {
		return nil, decimal.Zero
	}
	return c, p.payable(amountName, c.precision())
}

// worthMoving refuses an amount of under a tenth of a cent with 14005.
func (st *state) worthMoving(c *coin, amount decimal.Decimal) error {
	if !st.price(c).IsPositive() {
		return nil // nobody knows the worth of a test coin
	}
	if worth := amount.Mul(st.price(c)); worth.LessThan(leastUSD) {
		return refuse(codeBelowLimit, "amount: worth %s USD, at least %s are needed", worth, leastUSD)
	}
	return nil
}
