package ccpayment

import (
	"encoding/json"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// gatewayOrder is an order of either kind, in the words of settling.
type gatewayOrder struct {
	due      settle.Order
	currency string
	payments []settle.Payment
	risks    []client.Risk // of the payments
	raw      json.RawMessage
	// terms are what the order asks for, as far as its answer tells; url is its
	// hosted page, the rest how a deposit order is paid without it.
	terms              ledger.Terms
	url, address, memo string
	// lacksRate: the price is in fiat, and what a coin is worth in it is missing.
	lacksRate bool
}

// has reports an error where the order's list does not have the payment as
// Success yet: CCPayment's order API can lag its record API.
func (o *gatewayOrder) has(recordID string) error {
	for _, p := range o.payments {
		if p.RecordID == recordID {
			if p.Finished && !p.Failed {
				return nil
			}
			return behind("the order lists the payment, and not as Success")
		}
	}
	return behind("the order does not list the payment")
}

func fromDepositOrder(o client.DepositOrder) *gatewayOrder {
	order := &gatewayOrder{
		currency: o.CoinSymbol, raw: o.Raw, url: o.CheckoutURL, address: o.ToAddress, memo: o.ToMemo,
		due:   settle.Order{Due: o.AmountToPay, CoinID: o.CoinID, ExpiresAt: o.ExpiredAt},
		terms: ledger.Terms{Price: o.AmountToPay.String(), CoinID: o.CoinID, PayCoinID: o.CoinID, Chain: o.Chain},
	}
	if fiat := given(o.FiatID); fiat != "" {
		order.due.Rate, order.lacksRate = o.Rate, !o.Rate.IsPositive()
		order.terms.Price = o.AmountToPay.Mul(o.Rate).Round(fiatDecimals).String()
		order.terms.FiatID, order.terms.CoinID = fiat, ""
	}
	for _, p := range o.PaidList {
		order.add(p.RecordID, o.CoinID, p.Amount, p.Rate, p.ArrivedAt, p.Status, p.Risk)
	}
	return order
}

func fromInvoice(o client.Invoice) *gatewayOrder {
	order := &gatewayOrder{
		currency: o.PriceSymbol, raw: o.Raw, url: o.InvoiceURL,
		due:   settle.Order{Due: o.Price, ExpiresAt: o.ExpiredAt},
		terms: ledger.Terms{Price: o.Price.String(), FiatID: given(o.PriceFiatID), CoinID: given(o.PriceCoinID)},
	}
	for _, p := range o.PaidList {
		order.add(p.RecordID, p.CoinID, p.PaidValue, decimal.Decimal{}, p.ArrivedAt, p.Status, p.Risk)
	}
	return order
}

// fiatDecimals is how many decimals a price in fiat has.
const fiatDecimals = 2

// given is an id, which CCPayment also writes as 0 where there is none.
func given(id string) string {
	if id == "0" {
		return ""
	}
	return id
}

func (o *gatewayOrder) add(
	recordID, coinID string, amount, rate decimal.Decimal, arrived time.Time, status client.Status, risk client.Risk,
) {
	o.payments = append(o.payments, settle.Payment{
		RecordID: recordID, CoinID: coinID, Amount: amount, Rate: rate, ArrivedAt: arrived,
		Finished: status.Final(), Failed: status.Final() && !status.Is(client.StatusSuccess),
		Clean: risk == client.RiskNone,
	})
	o.risks = append(o.risks, risk)
}

// judged are the order's payments as the ledger keeps them.
func (o *gatewayOrder) judged(r settle.Result) []ledger.OrderPayment {
	payments := make([]ledger.OrderPayment, 0, len(o.payments))
	for _, p := range o.payments {
		payments = append(payments, ledger.OrderPayment{
			RecordID: p.RecordID, Verdict: string(r.Verdicts[p.RecordID]), Amount: p.Amount.String(),
		})
	}
	return payments
}
