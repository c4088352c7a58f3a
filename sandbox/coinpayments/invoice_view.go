package coinpayments

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// merchantID is the merchant's in answers and webhooks.
const merchantID = "5f6c1f1e-6b7a-4a6e-9a53-0d3c2b1a4f10"

// partial reports whether part of an invoice was paid, which the merchant can accept.
func (i *invoice) partial() bool {
	p := i.active()
	if p == nil || i.status != statusPending {
		return false
	}
	_, confirmed := p.received()
	return confirmed.IsPositive()
}

// stamp writes a time as the API does; null if it has not come.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.0000000+00:00")
}

// sum is an amount of a currency as an object, which v1 uses throughout.
func sum(c *currency, amount decimal.Decimal) object {
	return object{
		"displayValue": c.text(amount) + " " + c.symbol, "value": c.minor(amount).String(), "currencyId": c.id,
		"valueAsDecimal": c.text(amount),
	}
}

// writer writes amounts: as texts in v2, as objects in v1.
func writer(v1 bool) func(*currency, decimal.Decimal) any {
	return func(c *currency, amount decimal.Decimal) any {
		if v1 {
			return sum(c, amount)
		}
		return c.text(amount)
	}
}

// short is a currency as invoices have it.
func (c *currency) short() object {
	token := any(nil)
	if c.kind == kindToken {
		token = object{
			"name": c.name, "symbol": c.symbol, "contractAddress": c.contract(), "decimalPlaces": c.decimals,
		}
	}
	return object{
		"id": c.id, "symbol": c.symbol, "name": c.name, "token": token, "decimalPlaces": c.decimals,
		"logo": c.logo(),
	}
}

func (c *currency) logo() object {
	return object{"imageUrl": "", "vectorUrl": ""}
}

// show is an invoice as the API answers it.
func (i *invoice) show(s *Sandbox, v1 bool) object {
	write := writer(v1)
	amount := func(a decimal.Decimal) any { return write(i.currency, a) }
	items := make([]object, 0, len(i.items))
	for _, line := range i.items {
		items = append(items, object{
			"customId": orNull(line.CustomID), "sku": orNull(line.SKU), "name": line.Name,
			"description": orNull(line.Description), "quantity": line.Quantity,
			"originalAmount": amount(line.OriginalAmount), "amount": amount(line.Amount), "tax": amount(line.Tax),
		})
	}
	payments := make([]object, 0, len(i.payments))
	for _, p := range i.payments {
		payments = append(payments, p.view(v1))
	}
	custom := i.custom
	if custom == nil {
		custom = map[string]string{}
	}
	view := object{
		"id": i.id, "invoiceId": orNull(i.number), "invoiceIdSuffix": orNull(i.suffix),
		"created": stamp(i.createdAt), "invoiceDate": stamp(i.createdAt), "dueDate": i.asked.value("dueDate"),
		"confirmed": stamp(i.confirmedAt), "completed": stamp(i.completedAt), "cancelled": stamp(i.cancelledAt),
		"expires": stamp(i.expiresAt), "currency": i.currency.short(),
		"merchant":    object{"id": merchantID, "name": hosted.Merchant},
		"description": orNull(i.description), "items": items,
		"amount":     i.amountView(amount),
		"customData": custom, "status": i.status, "poNumber": i.po, "payoutDetails": i.payoutDetails(),
		"payments": payments, "isLifeTimeFinished": !s.engine.Now().Before(i.expiresAt),
		"successUrl": orNull(i.success), "cancelUrl": orNull(i.cancel),
	}
	for _, name := range kept {
		if _, own := view[name]; !own {
			view[name] = i.asked.value(name)
		}
	}
	return view
}

func (i *invoice) amountView(amount func(decimal.Decimal) any) object {
	parts := object{
		"subtotal": amount(i.breakdown.subtotal), "shipping": amount(i.breakdown.shipping),
		"handling": amount(i.breakdown.handling), "taxTotal": amount(i.breakdown.tax), "discount": amount(i.breakdown.discount),
	}
	if whole, v1 := amount(i.total).(object); v1 {
		whole["breakdown"] = parts
		return whole
	}
	return object{"breakdown": parts, "total": amount(i.total)}
}

// payoutDetails are the transactions that paid an invoice.
func (i *invoice) payoutDetails() object {
	paid := []object{}
	for _, p := range i.payments {
		for _, t := range p.transfers {
			if p.counts() && !t.failed {
				paid = append(paid, object{"hash": t.hash, "amount": sum(p.currency, t.amount), "conversionId": nil})
			}
		}
	}
	return object{"paidTransactions": paid, "paidDate": stamp(i.confirmedAt)}
}

// view is a payment as the API answers it.
func (p *payment) view(v1 bool) object {
	write, native := writer(v1), p.invoice.currency
	received, _ := p.received()
	fee := received.Mul(feeRate).RoundCeil(p.currency.finest())
	fees := func(c *currency, whole, fee decimal.Decimal) object {
		none := func() object {
			return object{"coinPaymentsFee": write(c, decimal.Zero), "networkFee": write(c, decimal.Zero), "conversionFee": write(c, decimal.Zero), "total": 0}
		}
		merchant := none()
		merchant["coinPaymentsFee"], merchant["total"] = write(c, fee), json.Number(fee.String())
		return object{
			"paymentSubTotal": write(c, whole), "merchantMarkupOrDiscount": write(c, decimal.Zero),
			"buyerFee": none(), "merchantFee": merchant, "gross": write(c, whole),
		}
	}
	return object{
		"paymentCurrencyId": p.currency.id, "paymentCurrencySymbol": p.currency.symbol,
		"nativeCurrencyId": native.id, "nativeCurrencySymbol": native.symbol,
		"expectedAmount": write(p.currency, p.expected), "nativeExpectedAmount": write(native, p.invoice.total),
		"actualAmount": write(p.currency, received), "nativeActualAmount": write(native, p.native(received)),
		"paymentAddress": p.address, "errorCode": nil,
		"fees": fees(p.currency, p.expected, fee), "nativeFees": fees(native, p.invoice.total, p.native(fee)),
		"payout": nil, "nativePayout": nil, "refundEmail": orNull(p.refundEmail), "state": p.state, "isActive": p.active,
		"pendingAt": stamp(p.pendingAt), "confirmedAt": stamp(p.confirmedAt), "completedAt": stamp(p.completedAt),
		"confirmations": p.confirms(), "requiredConfirmations": p.currency.confirms,
	}
}

// feeRate is CoinPayments' share of a payment.
var feeRate = number("0.005")

func findInvoice(c *call) (reply, error) {
	i := c.st.find(c.PathValue("id"))
	if i == nil {
		return reply{}, notFound("no invoice has the id %s", c.PathValue("id"))
	}
	return ok(i.of(c.v1, func(v1 bool) object { return i.show(c.s, v1) }))
}

// The sizes of a page of a list: by default, and at most.
const (
	pageSize    = 25
	maxPageSize = 100
)

// listInvoices lists invoices, the newest first. Without a cursor it begins with the
// newest; "after" is the id of the last invoice of the page before.
func listInvoices(c *call) (reply, error) {
	limit, err := c.limit()
	if err != nil {
		return reply{}, err
	}
	from, to, err := c.span()
	if err != nil {
		return reply{}, err
	}
	var statuses []string
	if text := c.query.Get("status"); text != "" {
		statuses = strings.Split(strings.ToLower(text), ",")
	}
	list, last, more := []any{}, "", false
	after := undashed(c.query.Get("after"))
	if after != "" && c.st.byID[after] == nil {
		return reply{}, invalid("after", "no page begins there")
	}
	skipping := after != ""
	for _, i := range slices.Backward(c.st.invoices) {
		switch {
		case skipping:
			skipping = undashed(i.id) != after
		case len(statuses) > 0 && !slices.Contains(statuses, strings.ToLower(i.status)),
			!from.IsZero() && i.createdAt.Before(from), !to.IsZero() && i.createdAt.After(to),
			!i.matches(c.query.Get("q")), i.createdAt.Add(c.st.settings.SearchDelay).After(c.now):
		case len(list) == limit:
			more = true
		default:
			list, last = append(list, i.of(c.v1, func(v1 bool) object { return i.show(c.s, v1) })), i.id
		}
	}
	next := any(nil)
	if more {
		next = last
	}
	return ok(object{"items": list, "paging": paging(limit, next)})
}

// matches reports whether an invoice has a text that is searched for.
func (i *invoice) matches(q string) bool {
	q = strings.ToLower(q)
	for _, text := range []string{i.number, i.po, i.id, i.description} {
		if strings.Contains(strings.ToLower(text), q) {
			return true
		}
	}
	for _, text := range i.custom {
		if strings.Contains(strings.ToLower(text), q) {
			return true
		}
	}
	return false
}

// limit reads how many entries a page has.
func (c *call) limit() (int, error) {
	text := c.query.Get("limit")
	if text == "" {
		return pageSize, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPageSize {
		return 0, invalid("limit", "must be 1 to %d", maxPageSize)
	}
	return n, nil
}

// span reads from and to, which may be left out.
func (c *call) span() (from, to time.Time, err error) {
	for _, end := range []struct {
		name string
		into *time.Time
	}{{"from", &from}, {"to", &to}} {
		text := c.query.Get(end.name)
		if text == "" {
			continue
		}
		if *end.into, err = readTime(text); err != nil {
			return from, to, invalid(end.name, "must be a time such as 2026-01-15T09:30:00Z")
		}
	}
	return from, to, nil
}

// readTime reads an ISO time; without a zone it is UTC.
func readTime(text string) (time.Time, error) {
	for _, form := range []string{time.RFC3339, timestampForm, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Parse(time.RFC3339, text)
}
