package confirm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// readOrder reads an order at the gateway. Where our checkout made the order, its terms
// must be those that the checkout asked for.
func readOrder(ctx context.Context, a *gateway.Account, id string, known *ledger.Order) (gateway.Order, error) {
	made := madeBy(a, known, id)
	order, err := a.Gateway.Order(ctx, id, made)
	if err != nil {
		return order, explain(a.Info, "order", err)
	}
	return ofCheckout(a, order, made)
}

// ReadMade reads an order at the gateway that our checkout has made, or may have. The error
// is the gateway's, or a [HeldError] where the order's terms are not those that the checkout
// asked for.
func ReadMade(ctx context.Context, a *gateway.Account, made ledger.GatewayOrder) (gateway.Order, error) {
	order, err := a.Gateway.Order(ctx, made.ID, &made)
	if err != nil {
		return order, err
	}
	return ofCheckout(a, order, &made)
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

// madeBy returns the order at the account's gateway with this id as our checkout made it;
// nil: the checkout did not make it.
func madeBy(a *gateway.Account, known *ledger.Order, id string) *ledger.GatewayOrder {
	if known == nil || known.Checkout == nil {
		return nil
	}
	for i, g := range known.Checkout.Generations {
		if g.ID == id && isAt(a, known, g) {
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
	return err == nil && amount.Equal(order.Due.Due) && withoutPrice(made.Terms) == withoutPrice(order.Terms)
}

// SameTerms reports whether two terms ask for the same, at one account.
func SameTerms(a, b ledger.Terms) bool {
	return samePrice(a, b) && withoutPrice(a) == withoutPrice(b)
}

// withoutPrice leaves out of an account's terms what may be written in several ways, or is
// about other accounts.
func withoutPrice(t ledger.Terms) ledger.Terms {
	t.Price, t.Unit = "", ""
	return t
}

// SamePrice reports whether two terms have the same price, whatever it is paid in and at
// which account.
func SamePrice(a, b ledger.Terms) bool { return samePrice(a, b) && sameUnit(a, b) }

func samePrice(a, b ledger.Terms) bool {
	priceA, errA := decimal.NewFromString(a.Price)
	priceB, errB := decimal.NewFromString(b.Price)
	return errA == nil && errB == nil && priceA.Equal(priceB)
}

// sameUnit reports whether two prices are in one unit.
func sameUnit(a, b ledger.Terms) bool {
	if a.Unit != "" && b.Unit != "" {
		return a.Unit == b.Unit
	}
	return a.FiatID == b.FiatID && a.CoinID == b.CoinID
}

// fiatUnit begins the [ledger.Terms.Unit] of fiat currencies.
const fiatUnit = "fiat:"

// Unit returns the [ledger.Terms.Unit] of a price at an account: a fiat currency is the
// same at every gateway, and a coin is one at its own.
func Unit(info gateway.Info, t ledger.Terms, fiat string) string {
	if fiat != "" {
		return fiatUnit + fiat
	}
	return info.Name + ":" + cmp.Or(t.CoinID, t.FiatID)
}

// readOthers returns the order over all orders at the gateway that our checkout made
// for it, where there are others than the one that was read, or the price has changed.
// unread is why orders at other accounts could not be read.
func readOthers(ctx context.Context, a *gateway.Account, order gateway.Order, id string, known *ledger.Order) (whole gateway.Order, unread, err error) {
	if known == nil || known.Checkout == nil {
		return order, nil, nil
	}
	checkout := known.Checkout
	if made := checkout.Generations; len(made) == 1 && isAt(a, known, made[0]) && isRead(made[0], order, id) && SameTerms(made[0].Terms, checkout.Terms) {
		return order, nil, nil
	}
	return join(ctx, a, &order, id, known)
}

// isAt reports whether an order at the gateway is the account's.
func isAt(a *gateway.Account, known *ledger.Order, made ledger.GatewayOrder) bool {
	return known.AppOf(made.AppID) == a.Info.AccountID
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
// checkout made for it: due is the app's price, and the payments are those of all, in the
// price's unit, with their risk and whether an operator lets them count. A [HeldError] means
// that an order at the gateway has not the terms that our checkout asked for. A [MemberError]
// says at which account an order could not be read.
func Whole(ctx context.Context, a *gateway.Account, known *ledger.Order) (gateway.Order, error) {
	whole, unread, err := join(ctx, a, nil, "", known)
	if err := cmp.Or(err, unread); err != nil {
		return whole, err
	}
	for i, payment := range whole.Payments {
		whole.Payments[i].Released = isReleased(known, recordOf(payment))
	}
	return whole, askOtherRisks(ctx, a, paymentType(a.Info), whole, "")
}

// MemberError is the error of reading one of the orders at gateways that a checkout made for
// the app's, with the account that has it.
type MemberError struct {
	Account *gateway.Account
	Err     error
}

func (e *MemberError) Error() string { return e.Err.Error() }
func (e *MemberError) Unwrap() error { return e.Err }

// Settle computes what an order's payments come to at a time, under a policy.
func Settle(o gateway.Order, policy settle.Policy, at time.Time) settle.Result {
	return settle.Settle(o.Due, payments(o), policy, at)
}

// join returns the order over all orders at the gateway that our checkout made for it,
// of which the one with this id was read; nil: none was. unread is why those at other
// accounts could not be read, of which the order has no payments then.
func join(ctx context.Context, a *gateway.Account, read *gateway.Order, id string, known *ledger.Order) (whole gateway.Order, unread, err error) {
	checkout := known.Checkout
	price, err := decimal.NewFromString(checkout.Terms.Price)
	if err != nil {
		return whole, nil, behind(a.Info, "the ledger has no price of the order")
	}
	whole = gateway.Order{Currency: checkout.Symbol, Due: settle.Order{Due: price, Refunds: true}}
	if checkout.Terms.FiatID != "" || strings.HasPrefix(checkout.Terms.Unit, fiatUnit) {
		whole.Due.Slack = decimal.New(1, -fiatDecimals)
	}
	if read != nil {
		whole.Raw = read.Raw
	}
	add := func(of *gateway.Account, part gateway.Order, made ledger.GatewayOrder) error {
		if part.LacksRate {
			return behind(of.Info, "an order is priced in fiat and has no rate")
		}
		if len(part.Payments) > 0 { // what was paid elsewhere is not sent back
			whole.Due.Refunds = whole.Due.Refunds && part.Due.Refunds
		}
		list := inUnit(part, made, checkout.Terms)
		if part.Due.Refunds && price.GreaterThan(part.Due.Due) {
			keepOnly(list, part.Due.Due)
		}
		if of != a {
			elsewhere(of, list)
		}
		whole.Payments = append(whole.Payments, list...)
		return nil
	}
	reads, err := readEach(ctx, a, read, id, known)
	if err != nil {
		return whole, nil, err
	}
	isThere := read == nil || read.Ref == ""
	for i, r := range reads {
		for j := 0; j < len(r.parts) && r.err == nil; j++ {
			r.err = add(r.of, r.parts[j], checkout.Generations[i])
		}
		isThere = isThere || r.isGiven
		var held *HeldError
		switch {
		case r.err == nil:
		case r.of == a || errors.As(r.err, &held):
			return whole, nil, &MemberError{r.of, r.err}
		default:
			unread = &MemberError{r.of, r.err}
		}
	}
	if !isThere { // the gateway made more than one order of a call, and this one has paid
		twin := Made(id, read.Terms, *read)
		if made := madeBy(a, known, id); made != nil {
			twin.Terms.Unit = made.Terms.Unit
		}
		return whole, unread, add(a, *read, twin)
	}
	return whole, unread, nil
}

// partsAtOnce is how many of an order's orders at gateways are read at the same time.
const partsAtOnce = 4

// partRead is what one of an order's orders at gateways has become.
type partRead struct {
	of      *gateway.Account
	parts   []gateway.Order
	isGiven bool // it is the one that was read before
	err     error
}

// readEach reads the orders at gateways that a checkout made for the app's, except the one
// with this id where it was read.
func readEach(ctx context.Context, a *gateway.Account, read *gateway.Order, id string, known *ledger.Order) ([]partRead, error) {
	all := make([]partRead, len(known.Checkout.Generations))
	for i, made := range known.Checkout.Generations {
		if all[i].of = a.Member(known.AppOf(made.AppID)); all[i].of == nil {
			return nil, fmt.Errorf("the order has %s at an account that is not configured, with the id %s: configure it, with the same `orders` as the %s", made.ID, known.AppOf(made.AppID), a.Label())
		}
	}
	others, cancel := context.WithTimeout(ctx, a.Budget/2) // so that there is time left for the rest
	defer cancel()
	slots := make(chan struct{}, partsAtOnce)
	var reading sync.WaitGroup
	for i, made := range known.Checkout.Generations {
		r, within := &all[i], others
		if r.of == a {
			within = ctx
		}
		if read != nil && r.of == a && isRead(made, *read, id) {
			r.parts, r.isGiven = []gateway.Order{*read}, true
			continue
		}
		slots <- struct{}{}
		reading.Go(func() {
			defer func() { <-slots }()
			defer func() {
				if p := recover(); p != nil {
					r.err = fmt.Errorf("reading an order at the gateway panicked: %v", p)
				}
			}()
			r.parts, r.err = readParts(within, r.of, made)
		})
	}
	reading.Wait()
	return all, nil
}

// elsewhere marks payments as those of another account. It puts the account in front of
// their record ids, because two accounts may have records of one id.
func elsewhere(of *gateway.Account, payments []gateway.OrderPayment) {
	for i := range payments {
		payments[i].AccountID = of.Info.AccountID
		payments[i].RecordID = of.Info.AccountID + elsewhereMark + payments[i].RecordID
	}
}

const elsewhereMark = "\x00"

// recordOf returns a payment's record id as its own account has it.
func recordOf(p gateway.OrderPayment) string {
	return strings.TrimPrefix(p.RecordID, p.AccountID+elsewhereMark)
}

// readParts reads what the gateway has of an order that our checkout made. That is
// nothing where it is not known whether the gateway made it, and the gateway does not
// find it, and nothing where the order was ended and the gateway has it no more.
func readParts(ctx context.Context, a *gateway.Account, made ledger.GatewayOrder) ([]gateway.Order, error) {
	finder, isFinder := a.Gateway.(gateway.Finder)
	refs := []string{made.Ref}
	if isFinder && made.IsDraft() {
		if made.Ended {
			return nil, nil
		}
		found, err := finder.Find(ctx, made.ID, made.Terms)
		if errors.Is(err, gateway.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, explain(a.Info, "order", err)
		}
		refs = nil
		for _, one := range found {
			refs = append(refs, one.Ref)
		}
	}
	var parts []gateway.Order
	for _, made.Ref = range refs {
		part, err := ReadMade(ctx, a, made)
		var held *HeldError
		switch {
		case made.Ended && errors.Is(err, gateway.ErrNotFound):
			continue
		case errors.As(err, &held):
			return nil, err
		case err != nil:
			return nil, explain(a.Info, "order", err)
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// inUnit returns the payments of an order at the gateway, with the amounts in the unit
// of the app's price.
func inUnit(part gateway.Order, made ledger.GatewayOrder, terms ledger.Terms) []gateway.OrderPayment {
	price, _ := decimal.NewFromString(made.Terms.Price) // it was compared with the order's
	otherUnit := !sameUnit(made.Terms, terms)
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

// keepOnly takes from payments what the gateway sends back, because it is more than was due
// there: it pays nothing of a price that is higher by now.
func keepOnly(list []gateway.OrderPayment, due decimal.Decimal) {
	seen := make(map[string]bool, len(list)) // one that is listed twice counts once
	for i := range list {
		p := &list[i]
		isCopy := seen[p.RecordID]
		seen[p.RecordID] = true
		switch {
		case isCopy, !p.Finished || p.Failed || p.Returned || p.OtherUnit || p.Worthless || !p.Clean: // it does not count
		case due.IsPositive():
			p.Amount = decimal.Min(p.Amount, due)
			due = due.Sub(p.Amount)
		default:
			p.Returned, p.Failed = true, true
		}
	}
}

const (
	// fiatDecimals is how many decimals a price in fiat has.
	fiatDecimals = 2
	// worthDecimals is more than any unit has, and leaves room for large sums.
	worthDecimals = 18
)
