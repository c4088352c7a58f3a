package coinpayments

import (
	"net/http"
	"net/mail"
	"time"

	"github.com/shopspring/decimal"
)

// ownPage is what a merchant asked for who shows the payment on a page of its own.
type ownPage struct {
	id    string // the payment's
	email string
}

// beginPayment makes the payment that a new invoice asks for, and adds it to the answer.
func (c *call) beginPayment(i *invoice, in *askedPayment, answer object) error {
	i.own = &ownPage{id: newUUID(), email: in.RefundEmail}
	answer["payment"] = c.offers(i)
	if in.Currency == "" {
		return nil
	}
	p, err := c.s.choose(i, currencyByID(in.Currency), in.RefundEmail)
	if err != nil {
		return refuse(http.StatusBadRequest, "%s", err.Error())
	}
	wallet := p.hotWallet(c.v1)
	wallet["amount"] = writer(c.v1)(p.currency, p.expected)
	answer["hotWallet"] = wallet
	return nil
}

// offers are the currencies that an invoice can be paid in on the merchant's own page.
func (c *call) offers(i *invoice) object {
	write := writer(c.v1)
	list := []object{}
	for _, one := range currencies {
		if one.payable() {
			amount := i.total.DivRound(c.st.worth(one, i.currency), rateDecimals).RoundCeil(one.finest())
			list = append(list, object{
				"currency": one.view(), "isDisabled": false, "amount": write(one, amount),
				"approximateNetworkAmount": write(one, one.fee), "remainingAmount": write(one, amount),
			})
		}
	}
	return object{
		"paymentId": i.own.id, "expires": stamp(c.now.Add(c.st.settings.PaymentLifetime)), "paymentCurrencies": list,
		"refundEmail": i.own.email,
	}
}

// hotWallet is where and what to pay.
func (p *payment) hotWallet(v1 bool) object {
	received, _ := p.received()
	due := sum(p.currency, p.expected)
	due["rate"], due["breakdown"] = p.rate.String(), []object{}
	return object{
		"currency": p.currency.view(), "amount": due,
		"addresses":       object{"address": p.address, "biP21": p.biP21()},
		"expires":         stamp(p.expiresAt),
		"remainingAmount": sum(p.currency, decimal.Max(p.expected.Sub(received), decimal.Zero)),
	}
}

// biP21 is a payment as wallets read it from a QR code.
func (p *payment) biP21() string {
	scheme := map[string]string{"1": "bitcoin", "2": "litecoin", "1002": "litecoin", "4": "ethereum", "9": "tron"}[p.currency.coin()]
	if scheme == "" {
		scheme = "payment"
	}
	return scheme + ":" + p.address + "?amount=" + p.expected.String()
}

// openInvoice finds the invoice of a call that needs no signature, which must be open.
func (c *call) openInvoice() (*invoice, error) {
	i := c.st.find(c.PathValue("id"))
	switch {
	case i == nil:
		return nil, notFound("no invoice has the id %s", c.PathValue("id"))
	case !i.open():
		return nil, refuse(http.StatusBadRequest, "the invoice is %s", i.status)
	}
	return i, nil
}

// createPayment begins a payment on the merchant's own page.
func createPayment(c *call) (reply, error) {
	var in askedPayment
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	i, err := c.openInvoice()
	if err != nil {
		return reply{}, err
	}
	if _, err := mail.ParseAddress(in.RefundEmail); err != nil {
		return reply{}, invalid("refundEmail", "must be an e-mail address")
	}
	i.own = &ownPage{id: newUUID(), email: in.RefundEmail}
	return ok(c.offers(i))
}

// payIn gives the buyer of an invoice an address, an amount and the time for it.
func payIn(c *call) (reply, error) {
	one, err := c.named("currency")
	if err != nil {
		return reply{}, err
	}
	i, err := c.openInvoice()
	switch {
	case err != nil:
		return reply{}, err
	case i.own == nil:
		return reply{}, refuse(http.StatusBadRequest, "the invoice has no payment yet: POST …/payments first")
	}
	p, err := c.s.choose(i, one, i.own.email)
	if err != nil {
		return reply{}, refuse(http.StatusBadRequest, "%s", err.Error())
	}
	return ok(p.hotWallet(c.v1))
}

// paymentStatus tells how far a payment in a currency is.
func paymentStatus(c *call) (reply, error) {
	one, err := c.named("currency")
	if err != nil {
		return reply{}, err
	}
	i := c.st.find(c.PathValue("id"))
	if i == nil {
		return reply{}, notFound("no invoice has the id %s", c.PathValue("id"))
	}
	p := i.latest(one)
	if p == nil {
		return reply{}, notFound("the invoice has no payment in %s", one.symbol)
	}
	received, confirmed := p.received()
	return ok(object{
		"created": stamp(i.createdAt), "expires": stamp(p.expiresAt), "status": i.status,
		"payment": object{
			"currencyId": one.id, "confirmations": p.confirms(), "requiredConfirmations": one.confirms,
			"confirmedAmount": sum(one, confirmed), "unconfirmedAmount": sum(one, received.Sub(confirmed)),
			"expectedAmount": sum(one, p.expected),
		},
		"partialAcceptAvailable": i.partial(),
	})
}

// latest is the latest payment of an invoice in a currency, or nil.
func (i *invoice) latest(c *currency) *payment {
	var found *payment
	for _, p := range i.payments {
		if p.currency == c {
			found = p
		}
	}
	return found
}

// listPayouts tells what the merchant got, or will get, for an invoice.
func listPayouts(c *call) (reply, error) {
	i := c.st.find(c.PathValue("id"))
	if i == nil {
		return reply{}, notFound("no invoice has the id %s", c.PathValue("id"))
	}
	answer, items := i.payoutDetails(), []object{}
	for _, p := range i.payments {
		if !p.counts() {
			continue
		}
		gain, fee := p.gain()
		state, sent := "scheduled", time.Time{}
		if p.state == stateCompleted {
			state, sent = "confirmed", p.completedAt
		}
		none := sum(p.currency, decimal.Zero)
		items = append(items, object{
			"currency":     p.currency.view(),
			"merchantFees": object{"transactionFee": sum(p.currency, fee), "networkFee": none, "conversionFee": none},
			"payoutAmount": sum(p.currency, gain), "payoutAmountInInvoiceCurrency": sum(i.currency, p.native(gain)),
			"merchantFeesInInvoiceCurrency": sum(i.currency, p.native(fee)), "merchantPayoutAddress": nil,
			"created": stamp(p.confirmedAt), "sent": stamp(sent), "expected": stamp(p.confirmedAt.Add(c.st.settings.CompleteAfter)),
			"confirmed": stamp(sent), "state": state,
		})
		answer["destinationCurrencyId"], answer["sourceCurrencyId"] = p.currency.id, p.currency.id
		answer["destinationAmount"] = object{"amount": sum(p.currency, gain), "nativeAmount": sum(i.currency, p.native(gain))}
	}
	answer["items"], answer["isConversion"] = items, false
	return ok(answer)
}

// listHistory tells what became of an invoice, oldest first.
func listHistory(c *call) (reply, error) {
	i := c.st.find(c.PathValue("id"))
	if i == nil {
		return reply{}, notFound("no invoice has the id %s", c.PathValue("id"))
	}
	items := []object{}
	for _, h := range i.history {
		items = append(items, object{"timestamp": stamp(h.At), "eventType": h.Type})
	}
	return ok(object{"items": items, "paging": paging(len(items), nil)})
}
