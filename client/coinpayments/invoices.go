package coinpayments

import (
	"context"
	"errors"
	"iter"
	"time"
)

// InvoiceRequest asks for an invoice (reference, Invoices, Create Invoice). Amounts are
// in whole units of Currency. It must have items and a total.
type InvoiceRequest struct {
	Currency string // id of a fiat currency or a coin, see [Client.Currencies]
	Items    []Item
	Amount   InvoiceAmount
	// InvoiceID is your number of it, shown to the buyer; at most 127 characters. It need
	// not be unique: CoinPayments gives a repeated one a suffix.
	InvoiceID string
	// PONumber, of at most 16 characters, must be unique for the merchant; CoinPayments
	// makes one where it is empty. It finds the invoice after an [OutcomeUnknownError].
	PONumber    string
	Description string            // at most 200 characters
	CustomData  map[string]string // comes back in webhooks and in [Invoice]
	SuccessURL  string            // where the buyer goes after paying
	CancelURL   string            // where the buyer goes without paying
	// Webhooks are sent for this invoice, besides those of the integration.
	Webhooks []InvoiceWebhook
	// Payment begins a payment at once. Leave it empty for a link to CoinPayments' page.
	Payment PaymentRequest

	DueDate     time.Time
	InvoiceDate time.Time // one in the future schedules the invoice
	Draft       bool
	ClientID    string // of the integration; default: the one that calls

	Buyer    Buyer
	Shipping Shipping
	// RequireBuyerNameAndEmail has the buyer asked for both at checkout, with
	// BuyerDataCollectionMessage of at most 300 characters.
	RequireBuyerNameAndEmail   bool
	BuyerDataCollectionMessage string
	Notes                      string // the merchant's own; at most 500 characters
	NotesToRecipient           string // at most 2000 characters
	TermsAndConditions         string // at most 2000 characters
	MerchantOptions            MerchantOptions
	IsEmailDelivery            bool
	EmailDelivery              EmailDelivery
	Metadata                   Metadata
	PayoutOverrides            []PayoutOverride
	HideShoppingCart           bool
}

// InvoiceWebhook is where webhooks about an invoice go.
type InvoiceWebhook struct {
	// NotificationsURL is signed byte for byte in each webhook.
	NotificationsURL string         `json:"notificationsUrl"`
	Notifications    []Notification `json:"notifications"`
}

// PaymentRequest begins a payment with the invoice, for a checkout on one's own pages.
type PaymentRequest struct {
	RefundEmail     string // of the buyer, who gets money back through it
	PaymentCurrency string // optional: with it, the address is made at once; needs RefundEmail
}

// PayoutOverride sends payments in a currency elsewhere than the account's settings say.
type PayoutOverride struct {
	FromCurrency string
	ToCurrency   string
	Address      string
	Frequency    string // normal, asSoonAsPossible, hourly, nightly or weekly
}

// CreateInvoice makes an invoice (POST /api/v2/merchant/invoices; reference, Invoices,
// Create Invoice), which lives for a year and is paid within an hour of choosing a coin.
// The buyer goes to its [CreatedInvoice.URL].
//
// It is never sent twice, and CoinPayments has no idempotency key: see
// [OutcomeUnknownError].
func (c *Client) CreateInvoice(ctx context.Context, r InvoiceRequest) (CreatedInvoice, error) {
	p := c.params(routeCreateInvoice)
	p.reference = r.PONumber
	if p.reference == "" {
		p.reference = r.InvoiceID
	}
	r.write(p.object())
	var answer createdInvoices
	if err := c.ask(ctx, p, &answer); err != nil {
		return CreatedInvoice{}, err
	}
	return answer.Invoices[0], nil
}

func (r InvoiceRequest) write(o *object) {
	o.currency("currency", r.Currency)
	writeSale(o, r.Items, r.Amount)
	o.word("invoiceId", r.InvoiceID, 127)
	o.word("poNumber", r.PONumber, 16)
	o.optionalText("description", r.Description, 200)
	if len(r.CustomData) > 0 {
		o.value("customData", r.CustomData)
	}
	o.link("successUrl", r.SuccessURL)
	o.link("cancelUrl", r.CancelURL)
	o.children("webhooks", len(r.Webhooks), func(i int, o *object) {
		writeWebhook(o, r.Webhooks[i].NotificationsURL, r.Webhooks[i].Notifications)
	})
	o.child("payment", func(o *object) {
		o.email("refundEmail", r.Payment.RefundEmail)
		o.optionalCurrency("paymentCurrency", r.Payment.PaymentCurrency)
		if r.Payment.PaymentCurrency != "" && r.Payment.RefundEmail == "" {
			o.wrong("refundEmail", "is missing, which a payment needs")
		}
	})
	o.optionalTime("dueDate", r.DueDate)
	o.optionalTime("invoiceDate", r.InvoiceDate)
	o.flag("draft", r.Draft)
	o.word("clientId", r.ClientID, 100)
	o.child("buyer", r.Buyer.write)
	o.child("shipping", r.Shipping.write)
	o.flag("requireBuyerNameAndEmail", r.RequireBuyerNameAndEmail)
	o.optionalText("buyerDataCollectionMessage", r.BuyerDataCollectionMessage, 300)
	o.optionalText("notes", r.Notes, 500)
	o.optionalText("notesToRecipient", r.NotesToRecipient, 2000)
	o.optionalText("termsAndConditions", r.TermsAndConditions, 2000)
	o.child("merchantOptions", r.MerchantOptions.write)
	o.flag("isEmailDelivery", r.IsEmailDelivery)
	o.child("emailDelivery", r.EmailDelivery.write)
	o.child("metadata", func(o *object) {
		o.optionalText("integration", r.Metadata.Integration, 100)
		o.optionalText("hostname", r.Metadata.HostName, 255)
	})
	writeOverrides(o, r.PayoutOverrides)
	o.flag("hideShoppingCart", r.HideShoppingCart)
}

// writeSale writes what is sold. Where the subtotal is left out, it is the sum of the
// items, as CoinPayments wants it.
func writeSale(o *object, items []Item, amount InvoiceAmount) {
	if len(items) == 0 {
		o.wrong("items", "is missing: an invoice has at least one")
	}
	o.children("items", len(items), func(i int, o *object) { items[i].write(o) })
	if amount.Breakdown.Subtotal.IsZero() {
		for _, item := range items {
			amount.Breakdown.Subtotal = amount.Breakdown.Subtotal.Add(item.Amount)
		}
	}
	o.child("amount", func(o *object) {
		o.child("breakdown", func(o *object) {
			o.optionalAmount("subtotal", amount.Breakdown.Subtotal)
			o.optionalAmount("shipping", amount.Breakdown.Shipping)
			o.optionalAmount("handling", amount.Breakdown.Handling)
			o.optionalAmount("taxTotal", amount.Breakdown.TaxTotal)
			o.optionalAmount("discount", amount.Breakdown.Discount)
		})
		o.amount("total", amount.Total)
	})
}

func writeOverrides(o *object, overrides []PayoutOverride) {
	o.children("payoutOverrides", len(overrides), func(i int, o *object) {
		override := overrides[i]
		o.currency("fromCurrency", override.FromCurrency)
		o.currency("toCurrency", override.ToCurrency)
		o.word("address", override.Address, 300)
		o.word("frequency", override.Frequency, 50)
	})
}

func (i Item) write(o *object) {
	o.word("customId", i.CustomID, 127)
	o.word("sku", i.SKU, 127)
	o.text("name", i.Name, 127)
	o.optionalText("description", i.Description, 1000)
	quantity := i.Quantity
	if quantity.Value == 0 {
		quantity.Value = 1
	}
	if quantity.Type == "" {
		quantity.Type = QuantityUnits
	}
	if quantity.Value < 0 || quantity.Value > 999_999_999 {
		o.wrong("quantity.value", "is from 1 to 999999999, not %d", quantity.Value)
	}
	o.child("quantity", func(o *object) {
		o.value("value", quantity.Value)
		o.word("type", quantity.Type, 50)
	})
	o.optionalAmount("originalAmount", i.OriginalAmount)
	o.amount("amount", i.Amount)
	o.optionalAmount("tax", i.Tax)
}

// createdInvoices is the answer to a created invoice: one, unless it was mailed to
// several buyers.
type createdInvoices struct {
	Invoices []CreatedInvoice `json:"invoices"`
}

func (a *createdInvoices) check() error {
	if len(a.Invoices) == 0 {
		return errors.New("it has no invoice")
	}
	for _, invoice := range a.Invoices {
		if invoice.ID == "" {
			return errors.New("an invoice has no id")
		}
	}
	return nil
}

// Invoice looks an invoice up by CoinPayments' id (GET
// /api/v2/merchant/invoices/{id}; reference, Invoices, Get Invoice by Id), with all its
// details. Amounts are in whole units.
func (c *Client) Invoice(ctx context.Context, id string) (Invoice, error) {
	p := c.params(routeInvoice)
	p.id("id", id)
	p.ask("include_full_details", "true")
	answer := invoiceAnswer{asked: id}
	err := c.ask(ctx, p, &answer)
	return answer.Invoice, err
}

type invoiceAnswer struct {
	asked string
	Invoice
}

// check: an invoice without a price would pass as paid.
func (a *invoiceAnswer) check() error {
	switch err := checkID(a.ID, a.asked); {
	case err != nil:
		return err
	case a.Currency.ID == "" || !a.Amount.Total.IsPositive():
		return errors.New("it has no price")
	case a.Status == "":
		return errors.New("it has no status")
	}
	return nil
}

// InvoiceFilter picks invoices; empty fields pick all.
type InvoiceFilter struct {
	// Query is words to look for, such as a poNumber or an invoiceId. A new invoice may
	// take a while to be found.
	Query          string
	Status         InvoiceStatus
	From, To       time.Time // when they were made; either may be open
	Integration    string    // by which it was made
	PayoutWalletID string
	PageSize       int // records in a page; default and most: 100
}

// Invoices lists the merchant's invoices (GET /api/v2/merchant/invoices; reference,
// Invoices, Get invoices).
func (c *Client) Invoices(ctx context.Context, f InvoiceFilter, options ...ListOption) iter.Seq2[Invoice, error] {
	size := f.PageSize
	if size == 0 {
		size = mostItems
	}
	return pages[Invoice]{
		client: c, route: routeInvoices, limit: size,
		id: func(i Invoice) string { return i.ID },
		write: func(p *params) {
			if size < 1 || size > mostItems {
				p.fail("limit", "is from 1 to %d, not %d", mostItems, size)
			}
			p.ask("status", string(f.Status))
			p.askTime("from", f.From)
			p.askTime("to", f.To)
			if !f.From.IsZero() && !f.To.IsZero() && f.To.Before(f.From) {
				p.fail("to", "is before from")
			}
			p.ask("q", f.Query)
			p.ask("integration", f.Integration)
			p.ask("payoutWalletId", f.PayoutWalletID)
		},
	}.all(ctx, options...)
}

// CancelInvoice cancels an invoice by CoinPayments' id (POST
// /api/v1/merchant/invoices/{id}/cancel; it has no v2). A payment may come first: look
// the invoice up afterwards. It is never sent twice: see [OutcomeUnknownError].
func (c *Client) CancelInvoice(ctx context.Context, id string) error {
	p := c.params(routeCancelInvoice)
	p.id("id", id)
	p.reference = id
	return c.ask(ctx, p, nil)
}
