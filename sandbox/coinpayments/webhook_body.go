package coinpayments

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// invoiceInHook is an invoice as webhooks write it: amounts are whole numbers of the
// smallest unit, currencies are numbers with their contract apart, times are Unix
// seconds, and states begin in upper case.
func (s *Sandbox) invoiceInHook(i *invoice) object {
	units := func(amount decimal.Decimal) json.Number { return json.Number(i.currency.minor(amount).String()) }
	lines := make([]object, 0, len(i.items))
	for _, line := range i.items {
		lines = append(lines, object{
			"amount": units(line.Amount), "customId": line.CustomID, "description": line.Description, "name": line.Name,
			"originalAmount": units(line.OriginalAmount), "quantity": line.Quantity.Value, "sku": line.SKU,
			"tax": units(line.Tax), "type": line.Quantity.Type,
		})
	}
	payments := make([]object, 0, len(i.payments))
	for _, p := range i.payments {
		payments = append(payments, p.inHook())
	}
	return object{
		"invoiceId": orNull(i.number), "id": i.id, "userId": merchantID, "merchantId": merchantID,
		"merchantClientId": dashed(s.client), "invoiceNumber": orNull(i.number), "invoiceNumberSuffix": orNull(i.suffix),
		"createdAt": unix(i.createdAt), "invoiceDate": unix(i.createdAt), "dueDate": nil, "expiresDate": unix(i.expiresAt),
		"description": orNull(i.description), "customData": i.custom, "notes": i.asked.value("notes"),
		"notesToRecipient": i.asked.value("notesToRecipient"), "metadata": i.asked.value("metadata"),
		"poNumber": i.po, "buyer": i.asked.value("buyer"), "shipping": i.asked.value("shipping"), "lineItems": lines,
		"amount": object{
			"currency": inHook(i.currency), "subtotal": units(i.breakdown.subtotal), "shippingTotal": units(i.breakdown.shipping),
			"handlingTotal": units(i.breakdown.handling), "discountTotal": units(i.breakdown.discount),
			"taxTotal": units(i.breakdown.tax), "total": units(i.total),
		},
		"state":      pascal(i.status),
		"flags":      object{"requireBuyerNameAndEmail": false, "sendPaymentCompleteEmailNotification": false, "isPos": false},
		"canceledAt": unix(i.cancelledAt), "completedAt": unix(i.completedAt), "confirmedAt": unix(i.confirmedAt),
		"payments": payments, "payoutConfig": nil, "partialAcceptAvailable": i.partial(),
	}
}

// inHook is a payment as webhooks write it.
func (p *payment) inHook() object {
	units := func(amount decimal.Decimal) json.Number { return json.Number(p.currency.minor(amount).String()) }
	native := func(amount decimal.Decimal) json.Number {
		return json.Number(p.invoice.currency.minor(p.native(amount)).String())
	}
	received, confirmed := p.received()
	return object{
		"id": undashed(p.id), "invoiceId": undashed(p.invoice.id), "createdAt": unix(p.createdAt), "expiresAt": unix(p.expiresAt),
		"detectedAt": unix(p.detectedAt), "pendingAt": unix(p.pendingAt), "confirmedAt": unix(p.confirmedAt),
		"completedAt": unix(p.completedAt), "scheduledAt": unix(p.confirmedAt), "refundedAt": unix(p.refundedAt),
		"state": pascal(p.state), "refundEmail": orNull(p.refundEmail), "isGuest": true, "isActive": p.active,
		"hotWallet": object{
			"nativeCurrency": inHook(p.invoice.currency), "currency": inHook(p.currency),
			"paymentSubTotalInNativeCurrency": json.Number(p.invoice.currency.minor(p.invoice.total).String()),
			"confirmedAmountInNativeCurrency": native(confirmed), "unconfirmedAmountInNativeCurrency": native(received.Sub(confirmed)),
			"currencyRateFromInvoiceCurrency": json.Number(p.rate.String()),
			"paymentReceiveAddress":           p.address, "paymentSubTotal": units(p.expected).String(),
			"confirmedAmount": units(confirmed), "unconfirmedAmount": units(received.Sub(confirmed)),
			"confirmations": p.confirms(), "requiredConfirmations": p.currency.confirms,
			"error": nil, "expiresAt": unix(p.expiresAt),
		},
		"payout": nil, "refund": p.refundInHook(),
	}
}

// refundInHook is what of a payment went back to the buyer; null if nothing did.
func (p *payment) refundInHook() any {
	if !p.returned.IsPositive() {
		return nil
	}
	native := p.invoice.currency
	return object{
		"payoutAmountInNativeCurrency":      json.Number(native.minor(p.native(p.returned)).String()),
		"payoutNetworkFeesInNativeCurrency": json.Number(native.minor(p.native(p.currency.fee)).String()), "estimatedNetworkFeesInNativeCurrency": 0,
	}
}

// inHook is a currency as webhooks write it.
func inHook(c *currency) object {
	id, _ := strconv.Atoi(c.coin())
	return object{"id": id, "smartContract": orNull(c.contract())}
}

// unix is a time as webhooks write it; null if it has not come.
func unix(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

// orNull writes an empty text as null.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
