package relay_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// sell has the ledger know an invoice as one that our checkout made.
func (c *coinsCase) sell(i *coinsInvoice) {
	terms := ledger.Terms{Price: i.total.String(), CoinID: "5057"}
	err := c.ledger.SaveCheckout(c.Context(), ledger.Order{
		OrderID: ledger.OrderID{AppID: coinsClient, ID: i.order}, OwnID: i.order,
		Checkout: &ledger.Checkout{Terms: terms, Symbol: "USD", Generations: []ledger.GatewayOrder{{
			ID: i.order, Ref: i.id, Terms: terms, CreatedAt: caseTime, ExpiresAt: i.expires, CheckoutURL: "https://pay.example/" + i.id,
		}}},
	}, "a checkout")
	if err != nil {
		c.Fatal(err)
	}
}

// close closes the order of an invoice, which is cancelled at CoinPayments unless a payment
// of it has begun. One that is fulfilled, or of which CoinPayments shows that it is paid, is
// closed by force alone.
func (c *coinsCase) close(i *coinsInvoice, force bool) {
	c.coins.onCancel = func(i *coinsInvoice) {
		isOpen := i.status == "unpaid" && len(i.payments) == 0
		if isOpen {
			i.status = "cancelled"
			c.waiting = append(c.waiting, coinsNotice{invoice: i, status: "Cancelled"})
		}
		i.catchUp()
	}
	wasClosed := i.closed
	_, isFulfilled := c.carrier[i.order]
	err := closeOrder(c.route.Account, c.ledger, i.order, force)
	var refused *checkout.Error
	isRefused := errors.As(err, &refused) && refused.Status == http.StatusConflict
	isPaid := slices.Contains([]string{"paid", "completed"}, i.known.status)
	switch {
	case err != nil && (wasClosed || force):
		c.Fatalf("closing %s, force: %t: %v", i.order, force, err)
	case !wasClosed && !force && err == nil && (isFulfilled || c.coins.down || isPaid && c.books(i, i.known).isEnough):
		c.Fatalf("%s is closed, fulfilled: %t, down: %t, %s", i.order, isFulfilled, c.coins.down, i.known.status)
	case !wasClosed && !force && isFulfilled && !isRefused:
		c.Fatalf("closing %s, which is fulfilled: %v", i.order, err)
	}
	if i.closed = err == nil; !wasClosed {
		i.forced = force
	}
	if isLeft := i.closed && !c.coins.down && i.api != "" && strings.EqualFold(i.known.status, "unpaid") && len(i.payments) == 0; isLeft {
		c.Fatalf("%s is closed, and can be paid", i.order)
	}
}
