package confirm

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// readOrder reads an order at the gateway. Where our checkout made the order, its terms
// must be those that the checkout asked for.
func readOrder(ctx context.Context, a *gateway.Account, id string, known *ledger.Order) (gateway.Order, error) {
	return readMade(ctx, a, id, madeBy(known, id))
}

// readMade is readOrder for an order as our checkout made it; nil: it did not.
func readMade(ctx context.Context, a *gateway.Account, id string, made *ledger.GatewayOrder) (gateway.Order, error) {
	order, err := a.Gateway.Order(ctx, id, made)
	if err != nil {
		return order, explain(a.Info, "order", err)
	}
	return ofCheckout(order, made)
}

// FindOrder returns an order that the gateway has, as a checkout would have made it.
func FindOrder(ctx context.Context, a *gateway.Account, id string) (found ledger.GatewayOrder, isThere bool, err error) {
	order, err := a.Gateway.Order(ctx, id, nil)
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return found, false, nil
	case err != nil:
		return found, false, explain(a.Info, "order", err)
	}
	return Made(id, order.Terms, order), true, nil
}

// Made returns an order that the gateway has, by the terms that it was made with.
func Made(id string, terms ledger.Terms, order gateway.Order) ledger.GatewayOrder {
	g := ledger.GatewayOrder{
		ID: id, Ref: order.Ref, Terms: terms, ExpiresAt: order.Due.ExpiresAt,
		CheckoutURL: order.CheckoutURL, Address: order.Address, Memo: order.Memo,
	}
	if !terms.IsInvoice() && order.Ref == "" {
		g.Amount = order.Due.Due.String()
	}
	return g
}

// madeBy returns the order at the gateway with this id as our checkout made it; nil:
// the checkout did not make it.
func madeBy(known *ledger.Order, id string) *ledger.GatewayOrder {
	if known == nil || known.Checkout == nil {
		return nil
	}
	for i, g := range known.Checkout.Generations {
		if g.ID == id {
			return &known.Checkout.Generations[i]
		}
	}
	return nil
}

// isMade reports whether an order has the terms that our checkout made it with. Where
// the gateway returned an amount in coins then, that amount is compared instead of
// the price, which cannot be computed back exactly for a coin of very high value; an order
// that the gateway has by an id of its own has the price.
func isMade(made ledger.GatewayOrder, order gateway.Order) bool {
	if made.Amount == "" || order.Ref != "" {
		return SameTerms(made.Terms, order.Terms)
	}
	amount, err := decimal.NewFromString(made.Amount)
	asked, is := made.Terms, order.Terms
	asked.Price, is.Price = "", ""
	return err == nil && amount.Equal(order.Due.Due) && asked == is
}

// SameTerms reports whether two terms ask for the same.
func SameTerms(a, b ledger.Terms) bool {
	priceA, errA := decimal.NewFromString(a.Price)
	priceB, errB := decimal.NewFromString(b.Price)
	a.Price, b.Price = "", ""
	return errA == nil && errB == nil && priceA.Equal(priceB) && a == b
}

// readOthers returns the order over all orders at the gateway that our checkout made
// for it, where there are others than the one that was read, or the price has changed.
func readOthers(ctx context.Context, a *gateway.Account, order gateway.Order, id string, known *ledger.Order) (gateway.Order, error) {
	if known == nil || known.Checkout == nil {
		return order, nil
	}
	checkout := known.Checkout
	if made := checkout.Generations; len(made) == 1 && isRead(made[0], order, id) && SameTerms(made[0].Terms, checkout.Terms) {
		return order, nil
	}
	return join(ctx, a, &order, id, known)
}

// isRead reports whether an order that was read by its id is the one that our checkout
// made.
func isRead(made ledger.GatewayOrder, order gateway.Order, id string) bool {
	if made.Ref != "" && order.Ref != "" {
		return made.Ref == order.Ref
	}
	return made.ID == id
}

// Whole reads an order that our checkout made, over all orders at the gateway that the
// checkout made for it: due is the app's price, and the payments are those of all, in
// the price's unit. A [HeldError] means that an order at the gateway has not the
// terms that our checkout asked for.
func Whole(ctx context.Context, a *gateway.Account, known *ledger.Order) (gateway.Order, error) {
	return join(ctx, a, nil, "", known)
}

// Settle computes what an order's payments come to at a time, under a policy.
func Settle(o gateway.Order, policy settle.Policy, at time.Time) settle.Result {
	return settle.Settle(o.Due, payments(o), policy, at)
}

// join returns the order over all orders at the gateway that our checkout made for it,
// of which the one with this id was read; nil: none was.
func join(ctx context.Context, a *gateway.Account, read *gateway.Order, id string, known *ledger.Order) (whole gateway.Order, err error) {
	checkout := known.Checkout
	price, err := decimal.NewFromString(checkout.Terms.Price)
	if err != nil {
		return whole, behind(a.Info, "the ledger has no price of the order")
	}
	whole = gateway.Order{Currency: checkout.Symbol, Due: settle.Order{Due: price}}
	if checkout.Terms.FiatID != "" {
		whole.Due.Slack = decimal.New(1, -fiatDecimals)
	}
	if read != nil {
		whole.Raw = read.Raw
	}
	add := func(part gateway.Order, made ledger.GatewayOrder) error {
		if part.LacksRate {
			return behind(a.Info, "an order is priced in fiat and has no rate")
		}
		whole.Due.Refunds = part.Due.Refunds
		whole.Payments = append(whole.Payments, inUnit(part, made, checkout.Terms)...)
		return nil
	}
	isThere := read == nil || read.Ref == ""
	for _, made := range checkout.Generations {
		var parts []gateway.Order
		if read != nil && isRead(made, *read, id) {
			parts, isThere = []gateway.Order{*read}, true
		} else if parts, err = readParts(ctx, a, made); err != nil {
			return whole, err
		}
		for _, part := range parts {
			if err := add(part, made); err != nil {
				return whole, err
			}
		}
	}
	if !isThere { // the gateway made more than one order of a call, and this one has paid
		return whole, add(*read, Made(id, read.Terms, *read))
	}
	return whole, nil
}

// readParts reads what the gateway has of an order that our checkout made. That is
// nothing where it is not known whether the gateway made it, and the gateway does not
// find it.
func readParts(ctx context.Context, a *gateway.Account, made ledger.GatewayOrder) ([]gateway.Order, error) {
	finder, isFinder := a.Gateway.(gateway.Finder)
	refs := []string{made.Ref}
	if isFinder && made.IsDraft() {
		if made.Ended {
			return nil, nil
		}
		found, err := finder.Find(ctx, gateway.NewOrder{ID: made.ID, Terms: gateway.Terms{Terms: made.Terms}})
		if errors.Is(err, gateway.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, explain(a.Info, "order", err)
		}
		refs[0] = found.Ref
		for _, twin := range found.Twins {
			refs = append(refs, twin.Ref)
		}
	}
	var parts []gateway.Order
	for _, made.Ref = range refs {
		part, err := readMade(ctx, a, made.ID, &made)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// inUnit returns the payments of an order at the gateway, with the amounts in the unit
// of the app's price.
func inUnit(part gateway.Order, made ledger.GatewayOrder, terms ledger.Terms) []gateway.OrderPayment {
	price, _ := decimal.NewFromString(made.Terms.Price) // it was compared with the order's
	otherUnit := made.Terms.FiatID != terms.FiatID || made.Terms.CoinID != terms.CoinID
	list := make([]gateway.OrderPayment, 0, len(part.Payments))
	for _, payment := range part.Payments {
		payment.ExpiresAt, payment.OtherUnit = part.Due.ExpiresAt, payment.OtherUnit || otherUnit
		if rate := part.Due.Rate; rate.IsPositive() {
			own := payment.Rate
			if own.IsZero() {
				own = rate // the gateway locked this rate for payments before the expiry
				payment.Unpriced = !part.Due.ExpiresAt.IsZero() && payment.ArrivedAt.After(part.Due.ExpiresAt)
			}
			// Computed as a share of the amount due, so that paying exactly that amount is
			// exactly the price, whatever was rounded on the way.
			payment.Amount = payment.Amount.Mul(own).Mul(price).DivRound(part.Due.Due.Mul(rate), worthDecimals)
			payment.Rate = decimal.Decimal{}
		}
		list = append(list, payment)
	}
	return list
}

const (
	// fiatDecimals is how many decimals a price in fiat has.
	fiatDecimals = 2
	// worthDecimals is more than any unit has, and leaves room for large sums.
	worthDecimals = 18
)
