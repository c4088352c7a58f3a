package coinpayments

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// InvoiceStatus is where an invoice stands. Webhooks write it in another case than the
// API: compare it with Is. One that this package does not know is kept as it came; it
// is not final.
type InvoiceStatus string

// The documented statuses, and two that are seen inside CoinPayments.
const (
	InvoiceDraft              InvoiceStatus = "draft"
	InvoiceScheduled          InvoiceStatus = "scheduled"
	InvoiceUnpaid             InvoiceStatus = "unpaid"
	InvoicePending            InvoiceStatus = "pending" // paid in part or in full, and not confirmed
	InvoicePaid               InvoiceStatus = "paid"    // confirmed and enough; CoinPayments has the money
	InvoiceScheduledForPayout InvoiceStatus = "scheduledForPayout"
	InvoiceCompleted          InvoiceStatus = "completed" // the merchant has the money, less fees
	InvoiceCancelling         InvoiceStatus = "cancelling"
	InvoiceCancelled          InvoiceStatus = "cancelled"
	InvoiceTimedOut           InvoiceStatus = "timedOut"
	InvoiceDeleted            InvoiceStatus = "deleted"
)

// Is compares without regard to case.
func (s InvoiceStatus) Is(other InvoiceStatus) bool {
	return strings.EqualFold(string(s), string(other))
}

// Paid reports whether the money is there: paid, scheduledForPayout or completed.
func (s InvoiceStatus) Paid() bool {
	return s.Is(InvoicePaid) || s.Is(InvoiceScheduledForPayout) || s.Is(InvoiceCompleted)
}

// Ended reports whether nothing can be paid any more: cancelled, timedOut or deleted.
func (s InvoiceStatus) Ended() bool {
	return s.Is(InvoiceCancelled) || s.Is(InvoiceTimedOut) || s.Is(InvoiceDeleted)
}

// CreatedInvoice is what CoinPayments says about an invoice that it made.
type CreatedInvoice struct {
	ID           string         `json:"id"`           // CoinPayments' own, a UUID
	Link         string         `json:"link"`         // to the invoice
	CheckoutLink string         `json:"checkoutLink"` // to the page to pay on
	Payment      CreatedPayment `json:"payment"`      // where one was asked for
	HotWallet    PaymentDetails `json:"hotWallet"`    // where a payment in a currency was asked for
	Raw          json.RawMessage
}

// URL is where the buyer goes: the checkout page, or the invoice where there is none.
func (i CreatedInvoice) URL() string {
	if i.CheckoutLink != "" {
		return i.CheckoutLink
	}
	return i.Link
}

// Invoice is an invoice with its payments. Amounts are in whole units, of Currency
// unless another is named.
type Invoice struct {
	ID              string          `json:"id"`              // CoinPayments' own, a UUID
	InvoiceID       string          `json:"invoiceId"`       // yours, without its suffix
	InvoiceIDSuffix string          `json:"invoiceIdSuffix"` // where InvoiceID was used before
	PONumber        string          `json:"poNumber"`
	CustomData      CustomData      `json:"customData"`
	Status          InvoiceStatus   `json:"status"`
	Currency        InvoiceCurrency `json:"currency"`
	Amount          InvoiceAmount   `json:"amount"`
	Items           []Item          `json:"items"`
	Payments        []Payment       `json:"payments"`
	PayoutDetails   PayoutDetails   `json:"payoutDetails"`
	Description     string          `json:"description"`

	Created     time.Time `json:"created"`
	InvoiceDate time.Time `json:"invoiceDate"`
	DueDate     time.Time `json:"dueDate"`
	Confirmed   time.Time `json:"confirmed"`
	Completed   time.Time `json:"completed"`
	Cancelled   time.Time `json:"cancelled"`
	Expires     time.Time `json:"expires"`

	Merchant                   Merchant        `json:"merchant"`
	MerchantOptions            MerchantOptions `json:"merchantOptions"`
	Buyer                      Buyer           `json:"buyer"`
	Shipping                   Shipping        `json:"shipping"`
	RequireBuyerNameAndEmail   bool            `json:"requireBuyerNameAndEmail"`
	BuyerDataCollectionMessage string          `json:"buyerDataCollectionMessage"`
	Notes                      string          `json:"notes"`
	NotesToRecipient           string          `json:"notesToRecipient"`
	TermsAndConditions         string          `json:"termsAndConditions"`
	EmailDelivery              EmailDelivery   `json:"emailDelivery"`
	IsEmailDelivery            bool            `json:"isEmailDelivery"`
	Metadata                   Metadata        `json:"metadata"`
	PartialAcceptAvailable     bool            `json:"partialAcceptAvailable"`
	IsLifeTimeFinished         bool            `json:"isLifeTimeFinished"`
	HideShoppingCart           bool            `json:"hideShoppingCart"`
	Raw                        json.RawMessage
}

// CustomData is what the merchant attached to an invoice.
type CustomData map[string]string

// InvoiceCurrency is the currency of an invoice's amounts.
type InvoiceCurrency struct {
	ID            string `json:"id"` // see [CurrencyID]
	Symbol        string `json:"symbol"`
	Name          string `json:"name"`
	Token         Token  `json:"token"`
	Logo          Logo   `json:"logo"`
	DecimalPlaces int    `json:"decimalPlaces"`
}

// Token is a contract whose units are money.
type Token struct {
	Name            string `json:"name"`
	Symbol          string `json:"symbol"`
	ContractAddress string `json:"contractAddress"`
	DecimalPlaces   int    `json:"decimalPlaces"`
}

// Item is a line of an invoice.
type Item struct {
	CustomID       string          `json:"customId"`    // yours; at most 127 characters
	SKU            string          `json:"sku"`         // at most 127 characters
	Name           string          `json:"name"`        // at most 127 characters
	Description    string          `json:"description"` // at most 1000 characters
	Quantity       Quantity        `json:"quantity"`
	OriginalAmount decimal.Decimal `json:"originalAmount"` // before a discount
	Amount         decimal.Decimal `json:"amount"`         // of the whole line
	Tax            decimal.Decimal `json:"tax"`
}

// Quantity is how much of an item there is. In a request, nothing stands for one unit.
type Quantity struct {
	Value int    `json:"value"`
	Type  string `json:"type"` // QuantityUnits or QuantityHours; in answers also 2 or 1
}

// The types of a quantity.
const (
	QuantityUnits = "quantity"
	QuantityHours = "hours"
)

// InvoiceAmount is what an invoice comes to.
type InvoiceAmount struct {
	Breakdown AmountBreakdown `json:"breakdown"`
	Total     decimal.Decimal `json:"total"`
}

// AmountBreakdown is what a total consists of.
type AmountBreakdown struct {
	Subtotal decimal.Decimal `json:"subtotal"` // the sum of the items; a request may leave it out
	Shipping decimal.Decimal `json:"shipping"`
	Handling decimal.Decimal `json:"handling"`
	TaxTotal decimal.Decimal `json:"taxTotal"`
	Discount decimal.Decimal `json:"discount"`
}
