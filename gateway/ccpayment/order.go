package ccpayment

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Order implements [gateway.Records] by getAppOrderInfo and getInvoiceOrderInfo. Where
// it is not known which of the two has the order, it calls first the one that had the
// last order, and then the other.
func (v *V2) Order(ctx context.Context, id string, made *ledger.GatewayOrder) (gateway.Order, error) {
	first, second := v.depositOrder, v.invoice
	isInvoice := v.reads.invoices.Load()
	if made != nil {
		isInvoice = made.Terms.IsInvoice()
	}
	if isInvoice {
		first, second = second, first
	}
	order, err := first(ctx, id)
	if made == nil && errors.Is(err, client.ErrNotFound) {
		order, err = second(ctx, id)
	}
	return order, explain(err)
}

func (v *V2) depositOrder(ctx context.Context, id string) (gateway.Order, error) {
	order, err := v.reads.order.Get(ctx, id)
	if err != nil {
		return gateway.Order{}, err
	}
	v.reads.invoices.Store(false)
	return fromDepositOrder(order), nil
}

func (v *V2) invoice(ctx context.Context, id string) (gateway.Order, error) {
	invoice, err := v.reads.invoice.Get(ctx, id)
	if err != nil {
		return gateway.Order{}, err
	}
	v.reads.invoices.Store(true)
	return fromInvoice(invoice), nil
}

func fromDepositOrder(o client.DepositOrder) gateway.Order {
	order := gateway.Order{
		Currency: o.CoinSymbol, Raw: o.Raw, CheckoutURL: o.CheckoutURL, Address: o.ToAddress, Memo: o.ToMemo,
		Due:   settle.Order{Due: o.AmountToPay, CoinID: o.CoinID, ExpiresAt: o.ExpiredAt},
		Terms: ledger.Terms{Price: o.AmountToPay.String(), CoinID: o.CoinID, PayCoinID: o.CoinID, Chain: o.Chain},
	}
	if o.FiatID != "" {
		order.Due.Rate, order.LacksRate = o.Rate, !o.Rate.IsPositive()
		order.Terms.Price = o.AmountToPay.Mul(o.Rate).Round(fiatDecimals).String()
		order.Terms.FiatID, order.Terms.CoinID = o.FiatID, ""
	}
	for _, p := range o.PaidList {
		order.Payments = append(order.Payments, payment(p.RecordID, o.CoinID, o.CoinSymbol, p.Amount, p.Rate, p.ArrivedAt, p.Status, p.Risk))
	}
	return order
}

func fromInvoice(o client.Invoice) gateway.Order {
	order := gateway.Order{
		Currency: o.PriceSymbol, Raw: o.Raw, CheckoutURL: o.InvoiceURL,
		Due:   settle.Order{Due: o.Price, ExpiresAt: o.ExpiredAt},
		Terms: ledger.Terms{Price: o.Price.String(), FiatID: o.PriceFiatID, CoinID: o.PriceCoinID},
	}
	for _, p := range o.PaidList {
		order.Payments = append(order.Payments, payment(p.RecordID, p.CoinID, p.CoinSymbol, p.PaidValue, decimal.Decimal{}, p.ArrivedAt, p.Status, p.Risk))
	}
	return order
}

func payment(recordID, coinID, symbol string, amount, rate decimal.Decimal, arrived time.Time, status client.Status, r client.Risk) gateway.OrderPayment {
	return gateway.OrderPayment{
		Payment: settle.Payment{
			RecordID: recordID, CoinID: coinID, Amount: amount, Rate: rate, ArrivedAt: arrived,
			Finished: status.Final(), Failed: status.Final() && !status.Is(client.StatusSuccess),
			Clean: r == client.RiskNone,
		},
		Risk: risk(r), TestCoin: gateway.IsTestCoin(symbol),
	}
}
