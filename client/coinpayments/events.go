package coinpayments

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// EventType is what a webhook about an invoice says. The reference writes it in another
// case than the webhooks do: compare it with Is. One that this package does not know is
// kept as it came.
type EventType string

// The known types.
const (
	EventInvoiceCreated   EventType = "InvoiceCreated"
	EventInvoicePending   EventType = "InvoicePending" // for each confirmation anew
	EventInvoicePaid      EventType = "InvoicePaid"
	EventInvoiceCompleted EventType = "InvoiceCompleted"
	EventInvoiceCancelled EventType = "InvoiceCancelled"
	EventInvoiceTimedOut  EventType = "InvoiceTimedOut"
	EventPaymentCreated   EventType = "PaymentCreated"
	EventPaymentTimedOut  EventType = "PaymentTimedOut"
)

// Is compares without regard to case.
func (t EventType) Is(other EventType) bool { return strings.EqualFold(string(t), string(other)) }

// Event is the content of a webhook: one of the two.
type Event struct {
	Invoice *InvoiceEvent
	Wallet  *WalletEvent
}

// ReadEvent reads the body of a webhook, which [Verify] has verified. What it says is a
// hint, and its amounts are in smallest units: ask [Client.Invoice] or
// [Client.Transaction] for what happened. A field that cannot be read is left out; the
// error is that the body is no JSON object, that a key stands in an object twice, or that it
// is about neither an invoice nor a transaction.
func ReadEvent(body []byte) (Event, error) {
	if !isObject(body) {
		return Event{}, errors.New("the webhook's body is no JSON object")
	}
	var both struct {
		InvoiceEvent
		WalletEvent
	}
	if err := lenient.Decode(body, &both); err != nil {
		return Event{}, fmt.Errorf("the webhook's body cannot be read: %w", err)
	}
	switch {
	case both.Invoice.ID != "":
		return Event{Invoice: &both.InvoiceEvent}, nil
	case both.TransactionID != "":
		return Event{Wallet: &both.WalletEvent}, nil
	default:
		return Event{}, errors.New("the webhook names neither an invoice nor a transaction")
	}
}

// InvoiceEvent is a webhook about an invoice (reference, Webhooks, Webhook Payload).
type InvoiceEvent struct {
	// ID is the notification's: two deliveries of one event have different ones.
	ID        string       `json:"id"`
	Type      EventType    `json:"type"`
	Timestamp time.Time    `json:"timestamp"`
	Invoice   EventInvoice `json:"invoice"`
	Raw       json.RawMessage
}

// EventInvoice is the invoice in a webhook. Its amounts are in the currency's smallest
// units: 4990 are 49.90 USD.
type EventInvoice struct {
	ID                  string        `json:"id"`
	InvoiceID           string        `json:"invoiceId"` // yours
	UserID              string        `json:"userId"`
	UserEmail           string        `json:"userEmail"`
	MerchantID          string        `json:"merchantId"`
	MerchantClientID    string        `json:"merchantClientId"` // with dashes, unlike the header's
	InvoiceNumber       string        `json:"invoiceNumber"`
	InvoiceNumberSuffix string        `json:"invoiceNumberSuffix"`
	CreatedAt           time.Time     `json:"createdAt"`
	InvoiceDate         time.Time     `json:"invoiceDate"`
	DueDate             time.Time     `json:"dueDate"`
	ExpiresDate         time.Time     `json:"expiresDate"`
	CanceledAt          time.Time     `json:"canceledAt"`
	CompletedAt         time.Time     `json:"completedAt"`
	ConfirmedAt         time.Time     `json:"confirmedAt"`
	Description         string        `json:"description"`
	CustomData          CustomData    `json:"customData"`
	PONumber            string        `json:"poNumber"`
	State               InvoiceStatus `json:"state"`
	Amount              EventAmount   `json:"amount"`
	LineItems           []EventItem   `json:"lineItems"`

	Notes                      string          `json:"notes"`
	NotesToRecipient           string          `json:"notesToRecipient"`
	BuyerDataCollectionMessage string          `json:"buyerDataCollectionMessage"`
	TermsAndConditions         string          `json:"termsAndConditions"`
	Metadata                   Metadata        `json:"metadata"`
	Buyer                      EventBuyer      `json:"buyer"`
	Shipping                   Shipping        `json:"shipping"`
	MerchantOptions            MerchantOptions `json:"merchantOptions"`
	EmailDeliveryOptions       EmailDelivery   `json:"emailDeliveryOptions"`
	Flags                      EventFlags      `json:"flags"`
	Payments                   []EventPayment  `json:"payments"`
	PayoutConfig               PayoutConfig    `json:"payoutConfig"`
	PartialAcceptAvailable     bool            `json:"partialAcceptAvailable"`
}

// EventAmount is what an invoice comes to, in smallest units.
type EventAmount struct {
	Currency      EventCurrency   `json:"currency"`
	CurrencyID    string          `json:"currencyId"` // where Currency is not given
	Subtotal      decimal.Decimal `json:"subtotal"`
	ShippingTotal decimal.Decimal `json:"shippingTotal"`
	HandlingTotal decimal.Decimal `json:"handlingTotal"`
	DiscountTotal decimal.Decimal `json:"discountTotal"`
	TaxTotal      decimal.Decimal `json:"taxTotal"`
	Total         decimal.Decimal `json:"total"`
}

// EventCurrency is a currency by its coin and contract.
type EventCurrency struct {
	Coin          string `json:"id"`
	SmartContract string `json:"smartContract"` // empty for a coin
}

// ID is the currency's id as the API writes it, see [CurrencyID].
func (c EventCurrency) ID() string { return CurrencyID(c.Coin, c.SmartContract) }

// EventItem is a line of the invoice in a webhook, with amounts in smallest units.
type EventItem struct {
	Name           string          `json:"name"`
	CustomID       string          `json:"customId"`
	SKU            string          `json:"sku"`
	Description    string          `json:"description"`
	Quantity       decimal.Decimal `json:"quantity"`
	Type           string          `json:"type"`
	Amount         decimal.Decimal `json:"amount"`
	OriginalAmount decimal.Decimal `json:"originalAmount"`
	Tax            decimal.Decimal `json:"tax"`
}

// EventBuyer is the buyer in a webhook.
type EventBuyer struct {
	CompanyName string  `json:"companyName"`
	Email       string  `json:"email"`
	FirstName   string  `json:"firstName"`
	LastName    string  `json:"lastName"`
	PhoneNumber string  `json:"phoneNumber"`
	Address     Address `json:"address"`
}

// EventFlags are an invoice's flags.
type EventFlags struct {
	RequireBuyerNameAndEmail             bool `json:"requireBuyerNameAndEmail"`
	SendPaymentCompleteEmailNotification bool `json:"sendPaymentCompleteEmailNotification"`
	IsPOS                                bool `json:"isPos"`
}

// EventPayment is a payment in a webhook.
type EventPayment struct {
	ID          string         `json:"id"`
	InvoiceID   string         `json:"invoiceId"`
	CreatedAt   time.Time      `json:"createdAt"`
	ExpiresAt   time.Time      `json:"expiresAt"`
	CancelledAt time.Time      `json:"cancelledAt"`
	DetectedAt  time.Time      `json:"detectedAt"`
	PendingAt   time.Time      `json:"pendingAt"`
	ConfirmedAt time.Time      `json:"confirmedAt"`
	CompletedAt time.Time      `json:"completedAt"`
	ScheduledAt time.Time      `json:"scheduledAt"`
	RefundedAt  time.Time      `json:"refundedAt"`
	State       PaymentState   `json:"state"`
	RefundEmail string         `json:"refundEmail"`
	IsGuest     bool           `json:"isGuest"`
	IsActive    bool           `json:"isActive"`
	HotWallet   EventHotWallet `json:"hotWallet"`
	Payout      EventPayout    `json:"payout"`
	Refund      EventRefund    `json:"refund"`
}

// EventHotWallet is where a payment arrives, in smallest units.
type EventHotWallet struct {
	ID        string `json:"id"`
	PaymentID string `json:"paymentId"`

	NativeCurrency                           EventCurrency   `json:"nativeCurrency"` // the invoice's
	PaymentSubTotalInNativeCurrency          decimal.Decimal `json:"paymentSubTotalInNativeCurrency"`
	MerchantMarkupOrDiscountInNativeCurrency decimal.Decimal `json:"merchantMarkupOrDiscountInNativeCurrency"`
	BuyerFeeInNativeCurrency                 EventFees       `json:"buyerFeeInNativeCurrency"`
	MerchantFeeInNativeCurrency              EventFees       `json:"merchantFeeInNativeCurrency"`
	ConfirmedAmountInNativeCurrency          decimal.Decimal `json:"confirmedAmountInNativeCurrency"`
	UnconfirmedAmountInNativeCurrency        decimal.Decimal `json:"unconfirmedAmountInNativeCurrency"`

	Currency                        EventCurrency   `json:"currency"` // paid in
	MerchantPayoutCurrency          EventCurrency   `json:"merchantPayoutCurrency"`
	CurrencyRateFromInvoiceCurrency decimal.Decimal `json:"currencyRateFromInvoiceCurrency"`
	PaymentReceiveAddress           string          `json:"paymentReceiveAddress"`
	MerchantPayoutAddress           string          `json:"merchantPayoutAddress"`
	MerchantPayoutWalletID          string          `json:"merchantPayoutWalletId"`
	PaymentSubTotal                 decimal.Decimal `json:"paymentSubTotal"`
	MerchantMarkupOrDiscount        decimal.Decimal `json:"merchantMarkupOrDiscount"`
	IsConversion                    bool            `json:"isConversion"`
	BuyerFee                        EventFees       `json:"buyerFee"`
	MerchantFee                     EventFees       `json:"merchantFee"`
	PayoutFrequency                 string          `json:"payoutFrequency"`
	CreatedAt                       time.Time       `json:"createdAt"`
	ExpiresAt                       time.Time       `json:"expiresAt"`
	Error                           EventError      `json:"error"`
	Confirmations                   int             `json:"confirmations"`
	RequiredConfirmations           int             `json:"requiredConfirmations"`
	ConfirmedAmount                 decimal.Decimal `json:"confirmedAmount"`
	UnconfirmedAmount               decimal.Decimal `json:"unconfirmedAmount"`
	Assignment                      Assignment      `json:"assignment"`
	PooledWalletID                  string          `json:"pooledWalletId"`
}

// EventFees are fees in smallest units.
type EventFees struct {
	CoinPaymentsFee decimal.Decimal `json:"coinPaymentsFee" also:"coin_payments_fee"`
	NetworkFee      decimal.Decimal `json:"networkFee" also:"network_fee"`
	ConversionFee   decimal.Decimal `json:"conversionFee" also:"conversion_fee"`
}

// EventError is why a payment cannot be paid out.
type EventError struct {
	Code    string   `json:"code"`
	Message []string `json:"message"`
}

// Assignment is how long an address is a payment's.
type Assignment struct {
	AssignedFrom  time.Time `json:"assignedFrom"`
	AssignedUntil time.Time `json:"assignedUntil"`
	CompletedDate time.Time `json:"completedDate"`
}

// EventPayout is how a payment reaches the merchant, in smallest units.
type EventPayout struct {
	ID                                 string          `json:"id"`
	InvoicePaymentID                   string          `json:"invoicePaymentId"`
	InvoicePaymentHotWalletID          string          `json:"invoicePaymentHotWalletId"`
	Created                            time.Time       `json:"created"`
	Sent                               time.Time       `json:"sent"`
	Confirmed                          time.Time       `json:"confirmed"`
	Failed                             time.Time       `json:"failed"`
	MerchantPayoutWalletID             string          `json:"merchantPayoutWalletId"`
	MerchantPayoutWalletCurrencyID     string          `json:"merchantPayoutWalletCurrencyId"`
	MerchantPayoutWalletSmartContract  string          `json:"merchantPayoutWalletSmartContract"`
	MerchantPayoutAddress              string          `json:"merchantPayoutAddress"`
	PayoutAmountToMerchant             decimal.Decimal `json:"payoutAmountToMerchant"`
	BlockchainTransactionID            string          `json:"blockchainTransactionId"`
	State                              string          `json:"state"`
	BatchID                            string          `json:"batchId"`
	DestinationAmount                  decimal.Decimal `json:"destinationAmount"`
	TransactionID                      string          `json:"transactionId"`
	BuyerBlockchainFeeAfterGrouping    decimal.Decimal `json:"buyerBlockchainFeeAfterGrouping"`
	MerchantBlockchainFeeAfterGrouping decimal.Decimal `json:"merchantBlockchainFeeAfterGrouping"`

	DestinationAmountInNativeCurrency                  decimal.Decimal `json:"destinationAmountInNativeCurrency"`
	PayoutAmountToMerchantInNativeCurrency             decimal.Decimal `json:"payoutAmountToMerchantInNativeCurrency"`
	BuyerBlockchainFeeAfterGroupingInNativeCurrency    decimal.Decimal `json:"buyerBlockchainFeeAfterGroupingInNativeCurrency"`
	MerchantBlockchainFeeAfterGroupingInNativeCurrency decimal.Decimal `json:"merchantBlockchainFeeAfterGroupingInNativeCurrency"`
}

// EventRefund is what the buyer gets back, in smallest units.
type EventRefund struct {
	PayoutAmountInNativeCurrency         decimal.Decimal `json:"payoutAmountInNativeCurrency"`
	PayoutNetworkFeesInNativeCurrency    decimal.Decimal `json:"payoutNetworkFeesInNativeCurrency"`
	EstimatedNetworkFeesInNativeCurrency decimal.Decimal `json:"estimatedNetworkFeesInNativeCurrency"`
}

// WalletEvent is a webhook about a transaction of a wallet or an address (reference, Wallet
// Webhooks, Webhook Payload). Its amounts are in whole units. There is one for each
// confirmation.
type WalletEvent struct {
	WalletID                    string          `json:"walletId"`
	Address                     string          `json:"address"`
	TransactionID               string          `json:"transactionId"` // what to book by
	TxHash                      string          `json:"txHash"`        // not unique
	SpendRequestID              string          `json:"spendRequestId"`
	TransactionType             TransactionType `json:"transactionType"`
	Amount                      decimal.Decimal `json:"amount"`
	Symbol                      string          `json:"symbol"`
	CoinPaymentsFee             decimal.Decimal `json:"coinPaymentsFee"`
	CoinPaymentsFeeSymbol       string          `json:"coinPaymentsFeeSymbol"`
	BlockchainFee               decimal.Decimal `json:"blockchainFee"`
	BlockchainFeeSymbol         string          `json:"blockchainFeeSymbol"`
	TotalAmount                 decimal.Decimal `json:"totalAmount"`
	TotalAmountSymbol           string          `json:"totalAmountSymbol"`
	NativeAmount                decimal.Decimal `json:"nativeAmount"`
	CoinPaymentsFeeNativeAmount decimal.Decimal `json:"coinPaymentsFeeNativeAmount"`
	BlockchainFeeNativeAmount   decimal.Decimal `json:"blockchainFeeNativeAmount"`
	TotalNativeAmount           decimal.Decimal `json:"totalNativeAmount"`
	NativeSymbol                string          `json:"nativeSymbol"`
	Confirmations               int             `json:"confirmations"`
	RequiredConfirmations       int             `json:"requiredConfirmations"`
	Raw                         json.RawMessage
}
