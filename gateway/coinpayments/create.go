package coinpayments

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Terms implements [gateway.Checkouts] by the list of currencies.
func (v *V2) Terms(ctx context.Context, p gateway.Price) (gateway.Terms, error) {
	var t gateway.Terms
	priced, err := v.symbols.price(ctx, p.Currency)
	if err != nil {
		return t, err
	}
	t.Decimals, t.Symbol, t.Fiat = priced.decimals, priced.symbol, priced.fiat
	if t.Amount, err = gateway.ParseAmount(p.Amount, t.Decimals, priced.symbol); err != nil {
		return t, err
	}
	t.Terms = ledger.Terms{Price: t.Amount.String(), CoinID: priced.id}
	if p.Coin == "" {
		if p.Chain != "" {
			return t, gateway.WrongField("chain", "there is a chain without a coin")
		}
		return t, nil
	}
	pay, err := v.symbols.coin(ctx, p.Coin, p.Chain)
	t.PayCoinID, t.Chain, t.PaySymbol = pay.id, p.Chain, pay.symbol
	return t, err
}

// poDigits is how many characters a poNumber has at most.
const poDigits = 16

// poNumber is the number by which an invoice is found again. It must be unique for the
// merchant: a hash over the order's id, which is another for each generation, and the
// terms.
func (v *V2) poNumber(id string, t ledger.Terms) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{v.info.AccountID, id, t.Price, t.CoinID, t.PayCoinID}))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:poDigits]
}

// Create implements [gateway.Checkouts]: an invoice with one item, whose webhooks are
// signed for the account's webhook URL. Its payment is begun at once where the coin is
// known.
func (v *V2) Create(ctx context.Context, o gateway.NewOrder) (gateway.Checkout, error) {
	request := coinpayments.InvoiceRequest{
		Currency: o.CoinID, InvoiceID: o.ID, PONumber: v.poNumber(o.ID, o.Terms.Terms),
		Items:      []coinpayments.Item{{Name: cmp.Or(o.Product, o.ID), Amount: o.Amount}},
		Amount:     coinpayments.InvoiceAmount{Total: o.Amount},
		CustomData: map[string]string{orderKey: o.ID},
		SuccessURL: o.ReturnURL, CancelURL: o.CloseURL,
		Webhooks: []coinpayments.InvoiceWebhook{{NotificationsURL: v.options.WebhookURL, Notifications: coinpayments.Notifications()}},
	}
	if !o.IsInvoice() {
		request.Payment = coinpayments.PaymentRequest{RefundEmail: o.BuyerEmail, PaymentCurrency: o.PayCoinID}
	}
	made, err := v.Client().CreateInvoice(ctx, request)
	if err != nil {
		return gateway.Checkout{}, explain(err)
	}
	return gateway.Checkout{Ref: plainID(made.ID), URL: made.URL(), ExpiresAt: expiry(o)}, nil
}

// expiry is when an order can no longer be paid. CoinPayments takes no such time: our
// checkout has the invoice cancelled then.
func expiry(o gateway.NewOrder) time.Time {
	if o.Expires.IsZero() {
		return o.Now.Add(lifetime)
	}
	return o.Expires
}

// Find implements [gateway.Finder] by a search for the poNumber, and for the order's id:
// nobody knows which of them CoinPayments looks for.
func (v *V2) Find(ctx context.Context, id string, terms ledger.Terms) ([]gateway.FoundOrder, error) {
	number := v.poNumber(id, terms)
	isMeant := func(i coinpayments.Invoice) bool { return i.PONumber == number && i.InvoiceID == id }
	for _, query := range []string{number, id} {
		list, err := v.list(ctx, query, isMeant)
		if err != nil {
			return nil, explain(err)
		}
		var found []gateway.FoundOrder
		for _, i := range list {
			order := v.order(i)
			found = append(found, gateway.FoundOrder{Ref: order.Ref, URL: order.CheckoutURL, ExpiresAt: order.Due.ExpiresAt})
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, gateway.ErrNotFound
}
