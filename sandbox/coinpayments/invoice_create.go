package coinpayments

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// details are parts of an invoice that are kept as they came and given back.
type details map[string]json.RawMessage

// value is a detail, or null.
func (d details) value(name string) any {
	if len(d[name]) == 0 {
		return nil
	}
	return d[name]
}

// quantity is how many of an item there are. Its type is "hours" or "quantity", or the
// number that stands for it.
type quantity struct {
	Value json.Number     `json:"value"`
	Type  json.RawMessage `json:"type"`
}

// asked is the body of a new invoice. Amounts are texts with a point in v2, and objects
// with a value in the smallest unit in v1.
type asked struct {
	Currency   string          `json:"currency"`
	CurrencyID string          `json:"currencyId"`
	Items      []askedItem     `json:"items"`
	Amount     json.RawMessage `json:"amount"`

	InvoiceID   *string           `json:"invoiceId"`
	PONumber    string            `json:"poNumber"`
	Description string            `json:"description"`
	CustomData  map[string]string `json:"customData"`
	SuccessURL  string            `json:"successUrl"`
	CancelURL   string            `json:"cancelUrl"`
	Webhooks    []hook            `json:"webhooks"`
	Payment     *askedPayment     `json:"payment"`
	ClientID    string            `json:"clientId"`
}

type askedItem struct {
	CustomID       string          `json:"customId"`
	SKU            string          `json:"sku"`
	Name           string          `json:"name"`
	Description    string          `json:"description"`
	Quantity       quantity        `json:"quantity"`
	OriginalAmount json.RawMessage `json:"originalAmount"`
	Amount         json.RawMessage `json:"amount"`
	Tax            json.RawMessage `json:"tax"`
}

type askedPayment struct {
	Currency    string `json:"paymentCurrency"`
	RefundEmail string `json:"refundEmail"`
}

// kept are the names of details.
var kept = []string{
	"buyer", "shipping", "metadata", "merchantOptions", "notes", "notesToRecipient", "termsAndConditions",
	"buyerDataCollectionMessage", "requireBuyerNameAndEmail", "hideShoppingCart", "isEmailDelivery", "emailDelivery",
	"dueDate", "invoiceDate", "payoutOverrides",
}

// longest is how many characters texts of an invoice may have.
var longest = map[string]int{
	"invoiceId": 127, "poNumber": 16, "description": 200, "notes": 500, "notesToRecipient": 2000,
	"termsAndConditions": 2000, "buyerDataCollectionMessage": 300,
}

func createInvoice(c *call) (reply, error) {
	var in asked
	i := &invoice{}
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	if err := c.read(&i.asked); err != nil {
		return reply{}, err
	}
	if err := c.fill(i, &in); err != nil {
		return reply{}, err
	}
	if err := in.checkPayment(); err != nil {
		return reply{}, err
	}
	c.s.enter(i, c.base)
	answer := object{"id": i.id, "link": i.pageURL, "checkoutLink": i.pageURL}
	if in.Payment != nil {
		if err := c.beginPayment(i, in.Payment, answer); err != nil {
			return reply{}, err
		}
	}
	return created(object{"invoices": []object{answer}})
}

// suffix tells an invoice apart from those that have its number already; empty of the
// first.
func (st *state) suffix(number string) string {
	same := 0
	for _, other := range st.invoices {
		if number != "" && other.number == number {
			same++
		}
	}
	if same == 0 {
		return ""
	}
	return strconv.Itoa(same)
}

// fill reads what an invoice is of, by the reference's rules.
func (c *call) fill(i *invoice, in *asked) error {
	id, field := in.Currency, "currency"
	if c.v1 {
		id, field = in.CurrencyID, "currencyId"
	}
	if i.currency = currencyByID(id); i.currency == nil {
		return invalid(field, "there is no currency %q", id)
	}
	if err := c.fillAmounts(i, in); err != nil {
		return err
	}
	if in.InvoiceID != nil {
		i.number = *in.InvoiceID
	}
	i.po, i.description, i.custom = in.PONumber, in.Description, in.CustomData
	i.success, i.cancel, i.hooks = in.SuccessURL, in.CancelURL, in.Webhooks
	for name, limit := range longest {
		var text string
		if json.Unmarshal(i.asked[name], &text) == nil && utf8.RuneCountInString(text) > limit {
			return invalid(name, "must be at most %d characters", limit)
		}
	}
	if i.po != "" && slices.ContainsFunc(c.st.invoices, func(other *invoice) bool { return other.po == i.po }) {
		return invalid("poNumber", "another invoice has %q already, and it must be unique", i.po)
	}
	for _, link := range []struct{ field, url string }{{"successUrl", i.success}, {"cancelUrl", i.cancel}} {
		if link.url != "" && !engine.IsHTTP(link.url) {
			return invalid(link.field, "must be an absolute http or https address")
		}
	}
	for n := range i.hooks {
		if err := i.hooks[n].check(fmt.Sprintf("webhooks[%d].", n)); err != nil {
			return err
		}
	}
	keep := details{}
	for _, name := range kept {
		if raw, given := i.asked[name]; given && string(raw) != "null" {
			keep[name] = raw
		}
	}
	i.asked = keep
	return nil
}

// fillAmounts reads items and amounts, which must add up.
func (c *call) fillAmounts(i *invoice, in *asked) error {
	if len(in.Items) == 0 && in.Description == "" {
		return invalid("items", "name at least one item")
	}
	r := amounts{currency: i.currency, v1: c.v1}
	sum := decimal.Zero
	for n, line := range in.Items {
		field := fmt.Sprintf("items[%d].", n)
		count, err := decimal.NewFromString(line.Quantity.Value.String())
		switch {
		case line.Name == "":
			r.reject(field+"name", "is required")
		case err != nil || !count.IsPositive() || !count.IsInteger():
			r.reject(field+"quantity", "must be a whole number above 0")
		case !slices.Contains([]string{`"hours"`, `"quantity"`, "1", "2"}, string(line.Quantity.Type)):
			r.reject(field+"quantity", `type: must be "hours" or "quantity"`)
		}
		one := item{
			CustomID: line.CustomID, SKU: line.SKU, Name: line.Name, Description: line.Description, Quantity: line.Quantity,
			Amount: r.required(field+"amount", line.Amount), Tax: r.optional(field+"tax", line.Tax),
		}
		one.OriginalAmount = one.Amount
		if len(line.OriginalAmount) > 0 {
			one.OriginalAmount = r.optional(field+"originalAmount", line.OriginalAmount)
		}
		i.items, sum = append(i.items, one), sum.Add(one.Amount)
	}
	var parts struct {
		Breakdown *struct{ Subtotal, Shipping, Handling, TaxTotal, Discount json.RawMessage }
		Total     json.RawMessage
	}
	if json.Unmarshal(in.Amount, &parts) != nil {
		return invalid("amount", "must be an object with breakdown and total")
	}
	if c.v1 {
		parts.Total = in.Amount
	}
	i.total = r.required("amount.total", parts.Total)
	b := &i.breakdown
	b.subtotal = i.total
	if given := parts.Breakdown; given != nil {
		b.subtotal = r.required("amount.breakdown.subtotal", given.Subtotal)
		b.shipping, b.handling = r.optional("amount.breakdown.shipping", given.Shipping), r.optional("amount.breakdown.handling", given.Handling)
		b.tax, b.discount = r.optional("amount.breakdown.taxTotal", given.TaxTotal), r.optional("amount.breakdown.discount", given.Discount)
	}
	total := b.subtotal.Add(b.shipping).Add(b.handling).Add(b.tax).Sub(b.discount)
	switch {
	case r.err != nil:
	case len(i.items) > 0 && !sum.Equal(b.subtotal):
		r.reject("amount.breakdown.subtotal", "is %s, and the items come to %s", b.subtotal, sum)
	case !total.Equal(i.total):
		r.reject("amount.total", "is %s, and its breakdown comes to %s", i.total, total)
	case !i.total.IsPositive():
		r.reject("amount.total", "must be above 0")
	}
	return r.err
}

// amounts reads amounts in a currency, and keeps the first mistake.
type amounts struct {
	currency *currency
	v1       bool
	err      error
}

func (r *amounts) reject(field, format string, args ...any) {
	if r.err == nil {
		r.err = invalid(field, format, args...)
	}
}

func (r *amounts) required(field string, raw json.RawMessage) decimal.Decimal {
	if len(raw) == 0 || string(raw) == "null" {
		r.reject(field, "is required")
		return decimal.Zero
	}
	return r.optional(field, raw)
}

func (r *amounts) optional(field string, raw json.RawMessage) decimal.Decimal {
	if len(raw) == 0 || string(raw) == "null" {
		return decimal.Zero
	}
	var text string
	if r.v1 {
		var inUnits struct {
			Value *string `json:"value"`
		}
		if json.Unmarshal(raw, &inUnits) != nil || inUnits.Value == nil {
			r.reject(field, `must be an object with a value in the smallest unit, such as "4990"`)
			return decimal.Zero
		}
		text = *inUnits.Value
	} else if json.Unmarshal(raw, &text) != nil {
		r.reject(field, `must be a text such as "49.90"`)
		return decimal.Zero
	}
	value, err := engine.ParseAmount(text)
	switch {
	case err != nil:
		r.reject(field, "%s", err.Error())
	case r.v1 && !value.IsInteger():
		r.reject(field, "must be a whole number of the smallest unit")
	case r.v1:
		value = value.Shift(-int32(r.currency.decimals))
	case !value.Equal(value.Truncate(int32(r.currency.decimals))):
		r.reject(field, "%s has %d decimals", r.currency.symbol, r.currency.decimals)
	}
	return value
}

// checkPayment reads the request to be paid in a coin on the merchant's own page.
func (in *asked) checkPayment() error {
	if in.Payment == nil {
		return nil
	}
	if _, err := mail.ParseAddress(in.Payment.RefundEmail); err != nil {
		return invalid("payment.refundEmail", "must be an e-mail address; leave payment out for a link to a checkout page")
	}
	if id := in.Payment.Currency; id != "" {
		if pays := currencyByID(id); pays == nil || !pays.payable() {
			return invalid("payment.paymentCurrency", "nothing can be paid in %q", id)
		}
	}
	return nil
}

// jsonMistake finds the field of a body that has the wrong type.
func jsonMistake(err error) (*json.UnmarshalTypeError, bool) {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	return wrong, ok && wrong.Field != ""
}
