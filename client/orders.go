package client

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/shopspring/decimal"
)

// DepositOrderRequest asks for an order that is paid in one coin.
type DepositOrderRequest struct {
	OrderID string // your id of it, 3 to 64 characters, never used before
	CoinID  string // the coin to pay in
	Chain   string // symbol of the chain to pay on
	// Price is in the fiat currency, with at most 2 decimals, where FiatID is
	// given; else in the coin, with at most 18.
	Price      decimal.Decimal
	FiatID     string    // optional: the price's currency; its rate is locked until ExpiredAt
	ExpiredAt  time.Time // optional: at most, and by default, 10 days from now
	BuyerEmail string    // optional: CCPayment writes to it about the payment; at most 120 characters
	// GenerateCheckoutURL asks for a hosted page, of which the next three are.
	GenerateCheckoutURL bool
	Product             string // optional: at most 120 characters
	ReturnURL           string // optional: where the buyer goes after paying; at most 150 characters
	CloseURL            string // optional: where the buyer goes on leaving; at most 150 characters
	NotifyURL           string // optional: webhooks go here instead of to the console's URL; at most 150 characters
}

// NewDepositOrder is how a deposit order is to be paid.
type NewDepositOrder struct {
	Address        string          `json:"address"`
	Amount         decimal.Decimal `json:"amount"` // to pay, in the coin
	Memo           string          `json:"memo"`   // must stand in the payment where it is not empty
	CheckoutURL    string          `json:"checkoutUrl"`
	ConfirmsNeeded int             `json:"confirmsNeeded"` // block confirmations until Success
	Raw            json.RawMessage
}

func (o *NewDepositOrder) check() error {
	if o.Address == "" {
		return errors.New("it has no address")
	}
	return nil
}

// CreateDepositOrder creates an order that is paid in the coin you name
// (createAppOrderDepositAddress). Payments come as ApiDeposit webhooks.
// [ErrOrderDuplicate]: the id was used; see [Client.DepositOrder].
func (c *Client) CreateDepositOrder(ctx context.Context, r DepositOrderRequest) (NewDepositOrder, error) {
	p := c.params(endpointCreateDepositOrder)
	p.number("coinId", r.CoinID)
	p.plain("chain", r.Chain)
	decimals := int32(coinDecimals)
	if r.FiatID != "" {
		decimals = fiatDecimals
	}
	p.amount("price", r.Price, decimals)
	p.reference("orderId", r.OrderID)
	p.optionalNumber("fiatId", r.FiatID)
	p.optionalTime("expiredAt", r.ExpiredAt)
	p.email("buyerEmail", r.BuyerEmail)
	p.flag("generateCheckoutURL", r.GenerateCheckoutURL)
	p.checkoutPage(r.Product, r.ReturnURL, r.CloseURL, r.NotifyURL)
	var answer NewDepositOrder
	err := c.ask(ctx, p, r.OrderID, &answer)
	return answer, err
}

const fiatDecimals = 2

func (p *params) checkoutPage(product, returnURL, closeURL, notifyURL string) {
	p.optionalText("product", product, 1, 120)
	p.link("returnUrl", returnURL)
	p.link("closeUrl", closeURL)
	p.link("notifyUrl", notifyURL)
}

// InvoiceRequest asks for a hosted page on which the buyer picks the coin.
type InvoiceRequest struct {
	OrderID string // your id of it, 3 to 64 characters, never used before
	// Price is in the fiat currency, with at most 2 decimals, or in the coin,
	// with at most 18. Exactly one of PriceFiatID and PriceCoinID says which.
	Price       decimal.Decimal
	PriceFiatID string
	PriceCoinID string
	Product     string    // optional: at most 120 characters
	ReturnURL   string    // optional: where the buyer goes after paying; at most 150 characters
	CloseURL    string    // optional: where the buyer goes on leaving; at most 150 characters
	NotifyURL   string    // optional: webhooks go here instead of to the console's URL; at most 150 characters
	ExpiredAt   time.Time // optional: at most 10 days from now; default 24 hours
	BuyerEmail  string    // optional: CCPayment writes to it about the payment; at most 120 characters
}

// CreateInvoice creates an invoice and returns the address of its page
// (createInvoiceUrl). Payments come as ApiDeposit webhooks.
// [ErrOrderDuplicate]: the id was used; see [Client.Invoice].
func (c *Client) CreateInvoice(ctx context.Context, r InvoiceRequest) (invoiceURL string, err error) {
	p := c.params(endpointCreateInvoice)
	p.reference("orderId", r.OrderID)
	decimals := int32(coinDecimals)
	if r.PriceFiatID != "" {
		decimals = fiatDecimals
	}
	p.amount("price", r.Price, decimals)
	if (r.PriceFiatID == "") == (r.PriceCoinID == "") {
		p.fail("priceFiatId", "or priceCoinId is given, one of the two")
	}
	p.optionalNumberText("priceFiatId", r.PriceFiatID)
	p.optionalNumberText("priceCoinId", r.PriceCoinID)
	p.checkoutPage(r.Product, r.ReturnURL, r.CloseURL, r.NotifyURL)
	p.optionalTime("expiredAt", r.ExpiredAt)
	p.email("buyerEmail", r.BuyerEmail)
	var answer invoiceAnswer
	err = c.ask(ctx, p, r.OrderID, &answer)
	return answer.URL, err
}

type invoiceAnswer struct {
	URL string `json:"invoiceUrl"`
}

func (a *invoiceAnswer) check() error {
	if a.URL == "" {
		return errors.New("it has no invoiceUrl")
	}
	return nil
}

// DepositOrder is a deposit order with its payments.
type DepositOrder struct {
	AmountToPay decimal.Decimal `json:"amountToPay"` // in the coin
	CoinID      string          `json:"coinId"`
	CoinSymbol  string          `json:"coinSymbol"`
	Chain       string          `json:"chain"`
	ToAddress   string          `json:"toAddress"`
	ToMemo      string          `json:"toMemo"`
	Rate        decimal.Decimal `json:"rate"`       // fiat per coin, locked until ExpiredAt
	FiatID      string          `json:"fiatId"`     // of the price, if it was in fiat
	FiatSymbol  string          `json:"fiatSymbol"` // of the price, if it was in fiat
	CreateAt    time.Time       `json:"createAt"`
	ExpiredAt   time.Time       `json:"expiredAt"`
	CheckoutURL string          `json:"checkoutUrl"`
	BuyerEmail  string          `json:"buyerEmail"`
	// PaidList holds the payments in the order's coin; one in another coin has
	// a deposit record, but does not stand here.
	PaidList []DepositOrderPayment `json:"paidList"`
	Raw      json.RawMessage
}

// given returns an id; empty where CCPayment writes 0 for none.
func given(id string) string {
	if id == "0" {
		return ""
	}
	return id
}

// check: an order of which nothing is to be paid would pass as paid.
func (o *DepositOrder) check() error {
	o.FiatID = given(o.FiatID)
	if !o.AmountToPay.IsPositive() {
		return errors.New("it has no amountToPay")
	}
	return nil
}

// DepositOrderPayment is one payment of a deposit order.
type DepositOrderPayment struct {
	RecordID    string          `json:"recordId"`
	FromAddress string          `json:"fromAddress"` // empty for coins of Bitcoin's kind
	Amount      decimal.Decimal `json:"amount"`      // received, in the coin
	ServiceFee  decimal.Decimal `json:"serviceFee"`
	TxID        string          `json:"txid"`
	Status      Status          `json:"status"`
	Risk        Risk            `json:"isFlaggedAsRisky"`
	ArrivedAt   time.Time       `json:"arrivedAt"`
	Rate        decimal.Decimal `json:"rate"` // when it was received; that of the order unless it was late
	Raw         json.RawMessage
}

// DepositOrder looks a deposit order up (getAppOrderInfo). [ErrNotFound]: there
// is none with this id; it may be an invoice's.
func (c *Client) DepositOrder(ctx context.Context, orderID string) (DepositOrder, error) {
	p := c.params(endpointDepositOrder)
	p.reference("orderId", orderID)
	var answer DepositOrder
	err := c.ask(ctx, p, "", &answer)
	return answer, err
}

// Invoice is an invoice with its payments.
type Invoice struct {
	OrderID     string          `json:"orderId"`
	CreateAt    time.Time       `json:"createAt"`
	Product     string          `json:"product"`
	Price       decimal.Decimal `json:"price"`       // in the currency or coin named below
	PriceFiatID string          `json:"priceFiatId"` // of the price, if it is in fiat
	PriceCoinID string          `json:"priceCoinId"` // of the price, if it is in a coin
	PriceSymbol string          `json:"priceSymbol"`
	InvoiceURL  string          `json:"invoiceUrl"`
	BuyerEmail  string          `json:"buyerEmail"`
	ExpiredAt   time.Time       `json:"expiredAt"`
	// TotalPaidValue is CCPayment's sum in the price's unit. It has binary
	// noise (1.022400000000000008): add up PaidValue instead.
	TotalPaidValue decimal.Decimal  `json:"totalPaidValue"`
	PaidList       []InvoicePayment `json:"paidList"`
	Raw            json.RawMessage
}

// check: an invoice without a price would pass as paid.
func (i *Invoice) check() error {
	i.PriceFiatID, i.PriceCoinID = given(i.PriceFiatID), given(i.PriceCoinID)
	if !i.Price.IsPositive() {
		return errors.New("it has no price")
	}
	return nil
}

// InvoicePayment is one payment of an invoice.
type InvoicePayment struct {
	RecordID    string          `json:"recordId"`
	CoinID      string          `json:"coinId"`
	CoinSymbol  string          `json:"coinSymbol"`
	Chain       string          `json:"chain"`
	FromAddress string          `json:"fromAddress"`
	ToAddress   string          `json:"toAddress"`
	PaidAmount  decimal.Decimal `json:"paidAmount"` // in the coin
	ServiceFee  decimal.Decimal `json:"serviceFee"`
	Rate        decimal.Decimal `json:"rate"`      // price's unit per coin
	PaidValue   decimal.Decimal `json:"paidValue"` // PaidAmount in the price's unit
	TxID        string          `json:"txid"`
	Status      Status          `json:"status"`
	Risk        Risk            `json:"isFlaggedAsRisky"`
	ArrivedAt   time.Time       `json:"arrivedAt"`
	Raw         json.RawMessage
}

// Invoice looks an invoice up (getInvoiceOrderInfo). [ErrNotFound]: there is
// none with this id; it may be a deposit order's.
func (c *Client) Invoice(ctx context.Context, orderID string) (Invoice, error) {
	p := c.params(endpointInvoice)
	p.reference("orderId", orderID)
	var answer Invoice
	err := c.ask(ctx, p, "", &answer)
	return answer, err
}
