package coinpayments

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Order implements [gateway.Records]: an invoice by CoinPayments' id of it, or else by a
// search for its number.
func (v *V2) Order(ctx context.Context, id string, made *ledger.GatewayOrder) (gateway.Order, error) {
	var invoice coinpayments.Invoice
	var err error
	if made != nil && made.Ref != "" {
		invoice, err = v.invoices.Get(ctx, made.Ref)
	} else {
		invoice, err = v.search(ctx, id)
	}
	if err != nil {
		return gateway.Order{}, explain(err)
	}
	return v.order(invoice), nil
}

// search finds an invoice by its number: of several one that can still be paid, or is.
func (v *V2) search(ctx context.Context, id string) (coinpayments.Invoice, error) {
	found, err := v.list(ctx, id, func(i coinpayments.Invoice) bool { return i.InvoiceID == id })
	if err != nil || len(found) == 0 {
		return coinpayments.Invoice{}, cmp.Or(err, gateway.ErrNotFound)
	}
	return found[0], nil
}

// mostListed is how many invoices are looked through: a search for a short number finds
// very many that have it somewhere.
const mostListed = 500

// list searches for invoices, and returns those that are meant: first those that can still
// be paid, or are.
func (v *V2) list(ctx context.Context, query string, isMeant func(coinpayments.Invoice) bool) ([]coinpayments.Invoice, error) {
	var found, ended []coinpayments.Invoice
	listed := 0
	for i, err := range v.Client().Invoices(ctx, coinpayments.InvoiceFilter{Query: query}) {
		if err != nil {
			return nil, err
		}
		switch listed++; {
		case !isMeant(i):
		case i.Status.Ended():
			ended = append(ended, i)
		default:
			found = append(found, i)
		}
		if listed == mostListed {
			break
		}
	}
	return append(found, ended...), nil
}

// order is an invoice as an order.
func (v *V2) order(i coinpayments.Invoice) gateway.Order {
	order := gateway.Order{
		Ref: plainID(i.ID), Currency: i.Currency.Symbol, CheckoutURL: v.pageOf(i), Raw: i.Raw,
		Due:   settle.Order{Due: i.Amount.Total, ExpiresAt: i.Expires, Refunds: true},
		Terms: ledger.Terms{Price: i.Amount.Total.String(), CoinID: currencyID(i.Currency.ID)},
	}
	if i.Status.Ended() {
		order.Due.ExpiresAt = firstTime(i.Cancelled, i.Expires, i.Created)
	}
	for at, p := range i.Payments {
		if payment, isThere := orderPayment(i, at, p); isThere {
			order.Payments = append(order.Payments, payment)
		}
	}
	return order
}

// currencyID is the id of a currency in one form. Of fiat currencies and coins it is alike,
// and invoices do not say which it is: [ledger.Terms] have both as a coin's.
func currencyID(id string) string {
	if coin, contract, isToken := strings.Cut(id, ":"); isToken && strings.HasPrefix(strings.ToLower(contract), "0x") {
		return coin + ":" + strings.ToLower(contract)
	}
	return id
}

// orderPayment is a payment in an invoice's list, and false where nothing was paid yet.
func orderPayment(i coinpayments.Invoice, at int, p coinpayments.Payment) (gateway.OrderPayment, bool) {
	returned := p.State.GivenBack()
	isUnderWay := p.State.Is(coinpayments.PaymentDetected) || p.State.Is(coinpayments.PaymentPending)
	if !p.State.Paid() && !returned && !isUnderWay && !p.ActualAmount.IsPositive() {
		return gateway.OrderPayment{}, false
	}
	return gateway.OrderPayment{
		// The first time that is known is the latest at which it can have arrived.
		Payment: settle.Payment{
			RecordID: gateway.PaymentOf(plainID(i.ID), paymentName(p, at)), CoinID: currencyID(p.PaymentCurrencyID),
			Amount: worth(p), ArrivedAt: firstTime(p.PendingAt, p.ConfirmedAt, p.CompletedAt),
			Finished: p.State.Paid() || returned, Clean: true,
			Returned: returned, Failed: returned && !strings.Contains(strings.ToLower(string(p.State)), "waiting"),
			OtherUnit: !isIn(p, i.Currency.ID, i.Currency.Symbol),
		},
		Risk:     ledger.NotRisky,
		TestCoin: isTestCoin(p.PaymentCurrencyID, p.PaymentCurrencySymbol),
	}, true
}

// isIn reports whether a payment is priced in a currency. One that says neither id nor symbol
// is in no unit that is known.
func isIn(p coinpayments.Payment, id, symbol string) bool {
	if p.NativeCurrencyID != "" {
		return coinpayments.SameCurrency(p.NativeCurrencyID, id)
	}
	return p.NativeCurrencySymbol != "" && strings.EqualFold(p.NativeCurrencySymbol, symbol)
}

// paymentName names a payment among those of its invoice by what does not change: two
// entries of one payment are one.
func paymentName(p coinpayments.Payment, at int) string {
	if p.PaymentAddress == "" {
		return strconv.Itoa(at)
	}
	return strings.Join([]string{currencyID(p.PaymentCurrencyID), p.PaymentAddress, strconv.FormatInt(p.PendingAt.Unix(), 10)}, "/")
}

// worth is what a payment comes to in the invoice's currency. One of the amount that was
// asked for is what was asked for: the rate of its coin leaves noise.
func worth(p coinpayments.Payment) decimal.Decimal {
	switch asked := p.ExpectedAmount.IsPositive() && p.NativeExpectedAmount.IsPositive(); {
	case asked && p.ActualAmount.Equal(p.ExpectedAmount):
		return p.NativeExpectedAmount
	case asked && p.ActualAmount.GreaterThan(p.ExpectedAmount):
		return decimal.Max(p.NativeActualAmount, p.NativeExpectedAmount)
	default:
		return p.NativeActualAmount
	}
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// pageOf is the checkout page of an invoice. CoinPayments is only known to name it when it
// makes one.
func (v *V2) pageOf(i coinpayments.Invoice) string {
	if link := gjson.GetBytes(i.Raw, "checkoutLink").String(); link != "" {
		return link
	}
	host := "checkout.coinpayments.com"
	if v.instance != "" {
		host = v.instance + "-checkout.coinpayments.net"
	}
	return "https://" + host + "/checkout/?invoice-id=" + i.ID
}
