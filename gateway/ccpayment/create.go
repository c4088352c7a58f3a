package ccpayment

import (
	"context"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// longestExpiry is how long an order can be paid at most, and by default where
	// it is a deposit order; invoiceExpiry is an invoice's default (API reference,
	// Create Deposit Order, Create Invoice).
	longestExpiry = 10 * 24 * time.Hour
	invoiceExpiry = 24 * time.Hour

	fiatDecimals = 2
	coinDecimals = 18
)

// Terms implements [gateway.Checkouts] by getFiatList and getCoinList.
func (v *V2) Terms(ctx context.Context, p gateway.Price) (gateway.Terms, error) {
	var t gateway.Terms
	priced, err := v.symbols.unit(ctx, p.Currency)
	if err != nil {
		return t, err
	}
	t.Decimals = coinDecimals
	unit := "a coin"
	if priced.fiatID != "" {
		t.Decimals, unit = fiatDecimals, "fiat"
	}
	if t.Amount, err = gateway.ParseAmount(p.Amount, t.Decimals, unit); err != nil {
		return t, err
	}
	t.Terms = ledger.Terms{Price: t.Amount.String(), FiatID: priced.fiatID, CoinID: priced.coinID}
	t.Symbol, t.Fiat = priced.symbol, priced.fiatID != ""
	switch {
	case p.Coin != "":
		pay, err := v.symbols.coin(ctx, p.Coin, p.Chain)
		if err != nil {
			return t, err
		}
		if priced.coinID != "" && priced.coinID != pay.id {
			return t, gateway.WrongField("currency", "an order that is paid in %s is priced in a fiat currency or in %s", pay.symbol, pay.symbol)
		}
		t.PayCoinID, t.Chain, t.PaySymbol = pay.id, pay.chain, pay.symbol
	case p.Chain != "":
		return t, gateway.WrongField("chain", "there is a chain without a coin")
	}
	return t, nil
}

// Create implements [gateway.Checkouts] by createInvoiceUrl and
// createAppOrderDepositAddress.
func (v *V2) Create(ctx context.Context, o gateway.NewOrder) (gateway.Checkout, error) {
	if o.IsInvoice() {
		page, err := v.Client().CreateInvoice(ctx, client.InvoiceRequest{
			OrderID: o.ID, Price: o.Amount, PriceFiatID: o.FiatID, PriceCoinID: o.CoinID, Product: o.Product,
			ReturnURL: o.ReturnURL, CloseURL: o.CloseURL, NotifyURL: o.NotifyURL, ExpiredAt: o.Expires, BuyerEmail: o.BuyerEmail,
		})
		return gateway.Checkout{URL: page, ExpiresAt: expiry(o, invoiceExpiry)}, explain(err)
	}
	made, err := v.Client().CreateDepositOrder(ctx, client.DepositOrderRequest{
		OrderID: o.ID, CoinID: o.PayCoinID, Chain: o.Chain, Price: o.Amount, FiatID: o.FiatID, ExpiredAt: o.Expires,
		BuyerEmail: o.BuyerEmail, GenerateCheckoutURL: true, Product: o.Product, ReturnURL: o.ReturnURL,
		CloseURL: o.CloseURL, NotifyURL: o.NotifyURL,
	})
	c := gateway.Checkout{URL: made.CheckoutURL, Address: made.Address, Memo: made.Memo, ExpiresAt: expiry(o, longestExpiry)}
	if made.Amount.IsPositive() {
		c.Amount = made.Amount.String()
	}
	return c, explain(err)
}

func expiry(o gateway.NewOrder, usual time.Duration) time.Time {
	if o.Expires.IsZero() {
		return o.Now.Add(usual)
	}
	return o.Expires
}
