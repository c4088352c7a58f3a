package coinpayments

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
	"time"
)

// CreatedPayment is a payment that was begun, with what it comes to in each currency.
type CreatedPayment struct {
	PaymentID         string            `json:"paymentId"`
	Expires           time.Time         `json:"expires"`
	PaymentCurrencies []PaymentCurrency `json:"paymentCurrencies"`
	RefundEmail       string            `json:"refundEmail"`
	Raw               json.RawMessage
}

// PaymentCurrency is what a payment comes to in a currency.
type PaymentCurrency struct {
	Currency                 Currency  `json:"currency"`
	IsDisabled               bool      `json:"isDisabled"` // it cannot be paid in just now
	Amount                   AmountDue `json:"amount"`
	ApproximateNetworkAmount Money     `json:"approximateNetworkAmount"`
	RemainingAmount          Money     `json:"remainingAmount"`
}

// PaymentDetails is where to pay in one currency.
type PaymentDetails struct {
	Currency        Currency         `json:"currency"`
	Amount          AmountDue        `json:"amount"`
	RemainingAmount Money            `json:"remainingAmount"`
	Addresses       PaymentAddresses `json:"addresses"`
	Expires         time.Time        `json:"expires"` // about an hour after it was begun
	Raw             json.RawMessage
}

// PaymentAddresses is an address to pay to.
type PaymentAddresses struct {
	Address string `json:"address"`
	BIP21   string `json:"biP21"` // a URI for wallets; empty where the chain has none
}

// CreatePayment begins a payment of an invoice, for a checkout on one's own pages (POST
// /api/v1/invoices/{id}/payments; reference, Invoices, Integrated Checkout with White
// Labeling). The buyer gets money back through the e-mail address. Show the address of
// [Client.PaymentDetails]. It is never sent twice: see [OutcomeUnknownError].
func (c *Client) CreatePayment(ctx context.Context, invoiceID, refundEmail string) (CreatedPayment, error) {
	p := c.params(routeCreatePayment)
	p.id("invoiceId", invoiceID)
	p.reference = invoiceID
	if refundEmail == "" {
		p.fail("refundEmail", "is missing")
	}
	p.object().email("refundEmail", refundEmail)
	var answer CreatedPayment
	err := c.ask(ctx, p, &answer)
	return answer, err
}

// PaymentDetails gives the address and the amount of a payment in a currency (GET
// /api/v1/invoices/{id}/payment-currencies/{currency}; reference, Invoices, Get payment
// address). It needs no signature.
func (c *Client) PaymentDetails(ctx context.Context, invoiceID, currencyID string) (PaymentDetails, error) {
	p := c.params(routePaymentCurrency)
	p.id("invoiceId", invoiceID)
	p.currency("currency", currencyID)
	var answer paymentDetailsAnswer
	err := c.ask(ctx, p, &answer)
	return answer.PaymentDetails, err
}

type paymentDetailsAnswer struct{ PaymentDetails }

func (a *paymentDetailsAnswer) check() error {
	if a.Addresses.Address == "" {
		return errors.New("it has no address")
	}
	return nil
}

// InvoicePaymentStatus is where an invoice and its payment in one currency stand.
type InvoicePaymentStatus struct {
	Created                time.Time       `json:"created"`
	Expires                time.Time       `json:"expires"`
	Status                 InvoiceStatus   `json:"status"`
	Payment                PaymentProgress `json:"payment"`
	PartialAcceptAvailable bool            `json:"partialAcceptAvailable"`
	Raw                    json.RawMessage
}

// PaymentProgress is what has arrived of a payment.
type PaymentProgress struct {
	CurrencyID            string    `json:"currencyId"`
	Confirmations         int       `json:"confirmations"`
	RequiredConfirmations int       `json:"requiredConfirmations"`
	ConfirmedAmount       Money     `json:"confirmedAmount"`
	UnconfirmedAmount     Money     `json:"unconfirmedAmount"`
	ExpectedAmount        AmountDue `json:"expectedAmount"`
	RemainingAmount       Money     `json:"remainingAmount"`
}

// PaymentStatus gives the state of an invoice's payment in a currency (GET
// /api/v1/invoices/{id}/payment-currencies/{currency}/status; reference, Invoices, Get
// payment status). It needs no signature.
func (c *Client) PaymentStatus(ctx context.Context, invoiceID, currencyID string) (InvoicePaymentStatus, error) {
	p := c.params(routePaymentStatus)
	p.id("invoiceId", invoiceID)
	p.currency("currency", currencyID)
	var answer paymentStatusAnswer
	err := c.ask(ctx, p, &answer)
	return answer.InvoicePaymentStatus, err
}

type paymentStatusAnswer struct{ InvoicePaymentStatus }

func (a *paymentStatusAnswer) check() error {
	if a.Status == "" {
		return errors.New("it has no status")
	}
	return nil
}

// InvoicePayouts says how an invoice's money reaches the merchant (GET
// /api/v2/merchant/invoices/{id}/payouts; reference, Invoices, Get invoice payouts).
func (c *Client) InvoicePayouts(ctx context.Context, invoiceID string) (PayoutDetails, error) {
	p := c.params(routeInvoicePayouts)
	p.id("id", invoiceID)
	var answer PayoutDetails
	err := c.ask(ctx, p, &answer)
	return answer, err
}

// HistoryEvent is something that happened to an invoice.
type HistoryEvent struct {
	Timestamp time.Time `json:"timestamp"`
	EventType string    `json:"eventType"`
}

// InvoiceHistory lists what happened to an invoice (GET
// /api/v2/merchant/invoices/{id}/history; reference, Invoices, Get invoice history).
func (c *Client) InvoiceHistory(ctx context.Context, invoiceID string) iter.Seq2[HistoryEvent, error] {
	return pages[HistoryEvent]{
		client: c, route: routeInvoiceHistory,
		write: func(p *params) { p.id("id", invoiceID) },
	}.all(ctx)
}

// ButtonRequest asks for a button that makes an invoice and leads to its page
// (reference, Invoices, Create Buy-Now Button). Amounts are in whole units of Currency.
type ButtonRequest struct {
	Currency           string // id of a fiat currency or a coin
	Items              []Item
	Amount             InvoiceAmount
	InvoiceID          string // your number of it; at most 127 characters
	SuccessURL         string
	CancelURL          string
	IPNURL             string // where webhooks go
	Notifications      []Notification
	EmailNotifications bool   // mail the merchant when it is paid
	ButtonWidth        int    // in pixels; 0: CoinPayments' own
	ButtonStyle        string // optional
	Type               string // optional
	PayoutOverrides    []PayoutOverride
	HideShoppingCart   bool
}

// CreateButton returns the HTML of a button (POST
// /api/v2/merchant/invoices/buy-now-button; reference, Invoices, Create Buy-Now Button).
// It is never sent twice: see [OutcomeUnknownError].
func (c *Client) CreateButton(ctx context.Context, r ButtonRequest) (html string, err error) {
	p := c.params(routeBuyNowButton)
	p.reference = r.InvoiceID
	o := p.object()
	o.currency("currency", r.Currency)
	writeSale(o, r.Items, r.Amount)
	o.flag("hideShoppingCart", r.HideShoppingCart)
	o.link("successUrl", r.SuccessURL)
	o.link("cancelUrl", r.CancelURL)
	o.link("ipnUrl", r.IPNURL)
	if len(r.Notifications) > 0 {
		o.value("notifications", r.Notifications)
	}
	o.flag("emailNotifications", r.EmailNotifications)
	switch {
	case r.ButtonWidth < 0:
		o.wrong("buttonWidth", "is less than 0")
	case r.ButtonWidth > 0:
		o.value("buttonWidth", strconv.Itoa(r.ButtonWidth))
	}
	o.word("buttonStyle", r.ButtonStyle, 100)
	o.word("invoiceId", r.InvoiceID, 127)
	o.word("type", r.Type, 100)
	writeOverrides(o, r.PayoutOverrides)
	var answer rawText
	err = c.ask(ctx, p, &answer)
	return string(answer), err
}
