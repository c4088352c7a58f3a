package confirm

import (
	"slices"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// gatewayRefunds is the reason where the gateway sends money back by itself, so that the
// app must not.
const gatewayRefunds = "gateway_refunds"

// mostAsked is how often a gateway is asked again for the payments of an order that it
// calls paid, before an operator must look. With the defaults of retry that is some ten
// minutes.
const mostAsked = 8

// ownOrder returns the order that an event's record is, with what only our checkout knows
// of it. Where our checkout made the order, its terms must be those that it asked for.
func ownOrder(a *gateway.Account, id string, record gateway.Record, known *ledger.Order) (gateway.Order, error) {
	order := *record.Order
	made := madeAs(a, known, order.Ref)
	if made == nil {
		made = madeBy(a, known, id)
	}
	return ofCheckout(a, order, made)
}

// madeAs returns the order at the account's gateway with this Ref as our checkout made it;
// nil: the ledger knows of none.
func madeAs(a *gateway.Account, known *ledger.Order, ref string) *ledger.GatewayOrder {
	if known == nil || known.Checkout == nil || ref == "" {
		return nil
	}
	for i, g := range known.Checkout.Generations {
		if g.Ref == ref && isAt(a, known, g) {
			return &known.Checkout.Generations[i]
		}
	}
	return nil
}

// ofCheckout compares an order with what our checkout made it with; nil: it did not. An
// order that the gateway has by an id of its own does not tell in which coin it was to be
// paid, nor when our checkout has it expire. Payments in test coins count where the account
// is for testing.
func ofCheckout(a *gateway.Account, order gateway.Order, made *ledger.GatewayOrder) (gateway.Order, error) {
	order.Payments = slices.Clone(order.Payments)
	for i, p := range order.Payments {
		order.Payments[i].Worthless = p.TestCoin && !a.Testing
	}
	if made == nil {
		return order, nil
	}
	if order.Ref != "" {
		order.Terms.PayCoinID, order.Terms.Chain = made.Terms.PayCoinID, made.Terms.Chain
		if at := order.Due.ExpiresAt; !made.ExpiresAt.IsZero() && (at.IsZero() || made.ExpiresAt.Before(at)) {
			order.Due.ExpiresAt = made.ExpiresAt
		}
	}
	if !isMade(*made, order) {
		return order, mismatch("the order asks for %+v, and our checkout for %+v", order.Terms, made.Terms)
	}
	return order, nil
}

// judgeOrder judges an event whose record is an order: own is what the payments of that
// order come to by themselves, and whole what those of all orders at the gateway come to
// that were made for the app's. The gateway's word that the order is paid is not enough.
func (c *Confirmer) judgeOrder(a *gateway.Account, f *Finding, own, whole settle.Result) error {
	has := func(r settle.Result, verdict settle.Verdict) bool {
		for id, v := range r.Verdicts {
			if v == verdict && gateway.RecordOf(id) == f.Record.ID {
				return true
			}
		}
		return false
	}
	if refunds := f.Record.Order.Due.Refunds; refunds && (own.State == settle.Overpaid || has(own, settle.Returned)) {
		f.reason = gatewayRefunds
	}
	if a.Info.Stage(f.event.Status) != gateway.Success {
		return nil
	}
	if err := c.doubt(a, f, own, has); err != nil {
		return err
	}
	switch {
	case !own.State.Fulfils() && has(own, settle.TestCoin):
		f.reason = string(settle.TestCoin)
	case has(whole, settle.OtherUnit):
		f.reason = string(settle.OtherUnit)
	case own.State.Fulfils() && whole.State.Fulfils():
		f.earned = true
	case f.reason == "" && has(own, settle.Late) && f.event.RiskAccepted:
		f.reason = string(settle.Late)
	case f.reason == "":
		f.reason = string(whole.State)
	}
	f.fulfils(a.Info)
	return nil
}

// doubt returns why the gateway's word that an order is paid is not to be believed, or not
// yet. An operator may have the event delivered all the same, without a flag.
func (c *Confirmer) doubt(a *gateway.Account, f *Finding, own settle.Result, has func(settle.Result, settle.Verdict) bool) error {
	f.doubted = f.Record.Doubt != "" || !own.State.Fulfils()
	title := a.Info.Title
	switch {
	case f.Record.Doubt != "" && f.event.RiskAccepted:
		return nil
	case f.Record.Doubt != "":
		return mismatch("%s", f.Record.Doubt)
	case own.State.Fulfils(), has(own, settle.TestCoin):
		return nil
	case has(own, settle.Late) && f.event.AcceptedAs() != ledger.Late:
		return errLate
	case f.event.RiskAccepted:
		return nil
	case own.Paid.IsPositive():
		return mismatch("%s says that the order is paid, and of the %s due %s were paid", title, own.Due, own.Paid)
	case has(own, settle.Returned):
		return mismatch("%s says that the order is paid, and sends its payments back", title)
	case f.event.Failures < mostAsked:
		return behind(a.Info, "the order is %s, and lists no payment that can be read", f.event.Status)
	default:
		return mismatch("%s says that the order is paid, and lists no payment that can be read", title)
	}
}

// isReleased reports whether an operator lets a payment count although it is late.
func isReleased(known *ledger.Order, payment string) bool {
	return known != nil && (slices.Contains(known.Released, payment) || slices.Contains(known.Released, gateway.RecordOf(payment)))
}
