package ccpayment

import (
	"context"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// readGeneration reads an order at CCPayment. Where our checkout made it, its
// kind is known, and what it asks for must be what we asked for.
func (g *gatewayV2) readGeneration(ctx context.Context, id string, known *ledger.Order) (*gatewayOrder, error) {
	if known == nil || known.Checkout == nil {
		return g.readOrder(ctx, id)
	}
	for _, generation := range known.Checkout.Generations {
		if generation.ID != id {
			continue
		}
		read := g.readDepositOrder
		if generation.Terms.IsInvoice() {
			read = g.readInvoice
		}
		order, err := read(ctx, id)
		if err != nil {
			return nil, explainAPI("order", err)
		}
		if !isGeneration(generation, order) {
			return nil, mismatch("the order asks for %+v, and our checkout for %+v", order.terms, generation.Terms)
		}
		return order, nil
	}
	return g.readOrder(ctx, id)
}

// isGeneration reports whether an order is the one that our checkout made. Of a
// deposit order CCPayment's own amount is compared, as it was answered then: the
// price cannot be computed back from it where a coin is worth very much.
func isGeneration(generation ledger.GatewayOrder, order *gatewayOrder) bool {
	if generation.Amount == "" {
		return sameTerms(generation.Terms, order.terms)
	}
	amount, err := decimal.NewFromString(generation.Amount)
	asked, is := generation.Terms, order.terms
	asked.Price, is.Price = "", ""
	return err == nil && amount.Equal(order.due.Due) && asked == is
}

// sameTerms reports whether two checkouts are the same.
func sameTerms(a, b ledger.Terms) bool {
	priceA, errA := decimal.NewFromString(a.Price)
	priceB, errB := decimal.NewFromString(b.Price)
	a.Price, b.Price = "", ""
	return errA == nil && errB == nil && priceA.Equal(priceB) && a == b
}

// readOthers reads the other generations of an order that our checkout made,
// where it has more than one or asks for another price by now.
func (g *gatewayV2) readOthers(ctx context.Context, order *gatewayOrder, id string, p policy) (*gatewayOrder, error) {
	if p.order == nil || p.order.Checkout == nil {
		return order, nil
	}
	checkout := p.order.Checkout
	if len(checkout.Generations) == 1 && sameTerms(checkout.Generations[0].Terms, checkout.Terms) {
		return order, nil
	}
	return g.readWhole(ctx, order, id, p.order)
}

// readWhole returns the order over all its generations, of which one was read:
// what is due is the app's price, and the payments are those of all, in its unit.
func (g *gatewayV2) readWhole(ctx context.Context, order *gatewayOrder, id string, known *ledger.Order) (*gatewayOrder, error) {
	checkout := known.Checkout
	price, err := decimal.NewFromString(checkout.Terms.Price)
	if err != nil {
		return nil, behind("the ledger has no price of the order")
	}
	whole := &gatewayOrder{currency: checkout.Symbol, raw: order.raw, due: settle.Order{Due: price}}
	if checkout.Terms.FiatID != "" {
		whole.due.Slack = decimal.New(1, -fiatDecimals)
	}
	for _, generation := range checkout.Generations {
		part := order
		if generation.ID != id {
			if part, err = g.readGeneration(ctx, generation.ID, known); err != nil {
				return nil, err
			}
		}
		if part.lacksRate {
			return nil, behind("an order is priced in fiat and has no rate")
		}
		whole.takeIn(part, generation, checkout.Terms)
	}
	return whole, nil
}

// takeIn adds the payments of a generation, each in the unit of the app's price.
func (o *gatewayOrder) takeIn(part *gatewayOrder, generation ledger.GatewayOrder, terms ledger.Terms) {
	price, _ := decimal.NewFromString(generation.Terms.Price) // it was compared with the order's
	otherUnit := generation.Terms.FiatID != terms.FiatID || generation.Terms.CoinID != terms.CoinID
	for i, payment := range part.payments {
		payment.ExpiresAt, payment.OtherUnit = part.due.ExpiresAt, otherUnit
		if rate := part.due.Rate; rate.IsPositive() {
			own := payment.Rate
			if own.IsZero() {
				own = rate // it was locked for those that were in time
				payment.Unpriced = !part.due.ExpiresAt.IsZero() && payment.ArrivedAt.After(part.due.ExpiresAt)
			}
			// A share of what the generation asks for, so that paying exactly that
			// is exactly its price, whatever was rounded on the way.
			payment.Amount = payment.Amount.Mul(own).Mul(price).DivRound(part.due.Due.Mul(rate), worthDecimals)
			payment.Rate = decimal.Decimal{}
		}
		o.payments, o.risks = append(o.payments, payment), append(o.risks, part.risks[i])
	}
}

// worthDecimals is more than any unit has, and leaves room for large sums.
const worthDecimals = 18
