package coinpayments

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// PaymentState is where a payment stands. One that this package does not know is kept
// as it came.
type PaymentState string

// The states that are known.
const (
	PaymentCreated                  PaymentState = "created"
	PaymentDetected                 PaymentState = "detected"
	PaymentPending                  PaymentState = "pending"
	PaymentConfirmed                PaymentState = "confirmed"
	PaymentScheduledForPayout       PaymentState = "scheduledForPayout"
	PaymentCompleted                PaymentState = "completed"
	PaymentCancelledWaitingRefund   PaymentState = "cancelledWaitingRefund"
	PaymentTimedOutWaitingRefund    PaymentState = "timedOutWaitingRefund"
	PaymentTimedOutRefundProcessed  PaymentState = "timedOutRefundProcessed"
	PaymentCancelledRefundProcessed PaymentState = "cancelledRefundProcessed"
	PaymentRefunded                 PaymentState = "refunded"
)

// Is compares without regard to case.
func (s PaymentState) Is(other PaymentState) bool {
	return strings.EqualFold(string(s), string(other))
}

// Paid reports whether the payment is money: confirmed, scheduledForPayout or completed.
func (s PaymentState) Paid() bool {
	return s.Is(PaymentConfirmed) || s.Is(PaymentScheduledForPayout) || s.Is(PaymentCompleted)
}

// GivenBack reports whether the buyer gets the money back or has it: the states that
// have a refund in their name.
func (s PaymentState) GivenBack() bool { return strings.Contains(strings.ToLower(string(s)), "refund") }

// Payment is a payment of an invoice. An invoice has several where the buyer began
// again. Amounts are in whole units, of the coin paid in, and with native in their
// name, of the invoice's currency.
type Payment struct {
	PaymentCurrencyID     string          `json:"paymentCurrencyId"`
	PaymentCurrencySymbol string          `json:"paymentCurrencySymbol"`
	NativeCurrencyID      string          `json:"nativeCurrencyId"`
	NativeCurrencySymbol  string          `json:"nativeCurrencySymbol"`
	ExpectedAmount        decimal.Decimal `json:"expectedAmount"`
	NativeExpectedAmount  decimal.Decimal `json:"nativeExpectedAmount"`
	ActualAmount          decimal.Decimal `json:"actualAmount"`
	NativeActualAmount    decimal.Decimal `json:"nativeActualAmount"`
	PaymentAddress        string          `json:"paymentAddress"`
	ErrorCode             string          `json:"errorCode"`
	Fees                  PaymentFees     `json:"fees"`
	NativeFees            PaymentFees     `json:"nativeFees"`
	Payout                PaymentPayout   `json:"payout"`
	NativePayout          Money           `json:"nativePayout"`
	RefundEmail           string          `json:"refundEmail"`
	State                 PaymentState    `json:"state"`
	IsActive              bool            `json:"isActive"` // at most one of an invoice's is
	CreatedAt             time.Time       `json:"createdAt"`
	PendingAt             time.Time       `json:"pendingAt"` // when it was seen on the chain
	ConfirmedAt           time.Time       `json:"confirmedAt"`
	CompletedAt           time.Time       `json:"completedAt"`
	Confirmations         int             `json:"confirmations"`
	RequiredConfirmations int             `json:"requiredConfirmations"`
	Raw                   json.RawMessage
}

// PaymentFees are what a payment costs whom.
type PaymentFees struct {
	PaymentSubTotal          Money      `json:"paymentSubTotal"`
	MerchantMarkupOrDiscount Money      `json:"merchantMarkupOrDiscount"`
	BuyerFee                 PersonFees `json:"buyerFee"`
	MerchantFee              PersonFees `json:"merchantFee"`
	Gross                    Money      `json:"gross"`
}

// PersonFees are the fees that the buyer or the merchant pays.
type PersonFees struct {
	CoinPaymentsFee Money           `json:"coinPaymentsFee"`
	NetworkFee      Money           `json:"networkFee"`
	ConversionFee   Money           `json:"conversionFee"`
	Total           decimal.Decimal `json:"total"`
}

// PaymentPayout is how a payment reaches the merchant.
type PaymentPayout struct {
	ScheduledAt           time.Time       `json:"scheduledAt"`
	CompletedAt           time.Time       `json:"completedAt"`
	BlockchainTx          string          `json:"blockchainTx"`
	SpendRequestID        string          `json:"spendRequestId"`
	Address               string          `json:"address"`
	WalletID              string          `json:"walletId"`
	SentAt                time.Time       `json:"sentAt"`
	ExpectedExecutionDate time.Time       `json:"expectedExecutionDate"`
	ReceivedBlockchainTx  string          `json:"receivedBlockchainTx"`
	CurrencySymbol        string          `json:"currencySymbol"`
	CurrencyID            string          `json:"currencyId"`
	DisplayValue          string          `json:"displayValue"` // for people
	Value                 decimal.Decimal `json:"value"`        // in the currency's smallest units
	ValueAsDecimal        decimal.Decimal `json:"valueAsDecimal"`
}

// PayoutDetails is how an invoice's money reaches the merchant.
type PayoutDetails struct {
	PaidTransactions        []PaidTransaction `json:"paidTransactions"`
	PaidDate                time.Time         `json:"paidDate"`
	CompletedTxID           string            `json:"completedTxId"`
	ExternalAddress         string            `json:"externalAddress"`
	DestinationCurrencyID   string            `json:"destinationCurrencyId"`
	ExpectedDisplayValue    string            `json:"expectedDisplayValue"`
	SourceCurrencyID        string            `json:"sourceCurrencyId"`
	DestinationWalletID     string            `json:"destinationWalletId" also:"destinationAccountId"`
	IsConversion            bool              `json:"isConversion"`
	ConversionProgress      decimal.Decimal   `json:"conversionProgress"`
	SettlementModeErrorCode string            `json:"settlementModeErrorCode"`
	DestinationAmount       DestinationAmount `json:"destinationAmount"`
	ReceivedBlockchainTxID  string            `json:"receivedBlockchainTxId"`
	Items                   []InvoicePayout   `json:"items"`
	Paging                  Paging            `json:"paging"`
	Raw                     json.RawMessage
}

// PaidTransaction is a transaction by which an invoice was paid.
type PaidTransaction struct {
	Hash         string `json:"hash"`
	Amount       Money  `json:"amount"`
	ConversionID string `json:"conversionId"`
}

// DestinationAmount is what arrives, in its currency and in the invoice's.
type DestinationAmount struct {
	Amount       Money `json:"amount"`
	NativeAmount Money `json:"nativeAmount"`
}

// InvoicePayout is one payout of an invoice.
type InvoicePayout struct {
	Currency                      Currency   `json:"currency"`
	MerchantFees                  PayoutFees `json:"merchantFees"`
	PayoutAmount                  Money      `json:"payoutAmount"`
	PayoutAmountInInvoiceCurrency Money      `json:"payoutAmountInInvoiceCurrency"`
	MerchantFeesInInvoiceCurrency Money      `json:"merchantFeesInInvoiceCurrency"`
	MerchantPayoutAddress         string     `json:"merchantPayoutAddress"`
	Created                       time.Time  `json:"created"`
	Sent                          time.Time  `json:"sent"`
	Expected                      time.Time  `json:"expected"`
	Confirmed                     time.Time  `json:"confirmed"`
	State                         string     `json:"state"`
}

// PayoutFees are the merchant's fees of a payout.
type PayoutFees struct {
	TransactionFee Money `json:"transactionFee" also:"transactionFees"`
	NetworkFee     Money `json:"networkFee"`
	ConversionFee  Money `json:"conversionFee"`
}
