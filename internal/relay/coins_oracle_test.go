package relay_test

import (
	"math/big"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"
)

// coinsOracle says what must become of each webhook of CoinPayments', by the words of the
// documentation, in fractions, and from what the API knows instead of from its responses.
type coinsOracle struct {
	holdLate, testing bool
	accept            *big.Rat // the share that may be missing

	states  map[coinsNotice]string
	carrier map[string]coinsNotice // of an order's Fulfill or a record's Credit
}

// stages are the statuses of invoices and transactions: which comes after which, and
// whether it says that the money is there, or that it does not come.
var stages = map[string]struct {
	rank int
	end  string
}{
	"unpaid": {1, ""}, "pending": {2, ""}, "cancelled": {2, "no"}, "timedout": {2, "no"},
	"paid": {3, "yes"}, "completed": {4, "yes"}, "refunded": {5, "no"},
	"processing": {2, ""}, "success": {3, "yes"}, "failed": {3, "no"},
}

// deliver returns the outcome of one webhook, with an app that responds 200 or 500.
func (o *coinsOracle) deliver(w *coins, e coinsNotice, yes bool) outcome {
	switch state := o.states[e]; {
	case state == "delivered" || state == "held" || state == "superseded":
		return answered
	case o.isOvertaken(e):
		o.states[e] = "superseded"
		return answered
	}
	out := o.confirm(w, e)
	switch {
	case out.status == http.StatusServiceUnavailable:
		o.states[e] = "retrying"
		return out
	case out.money == nil:
		o.states[e] = "held"
		return out
	case yes:
		o.states[e] = "delivered"
	default:
		o.states[e] = "retrying"
		out.status = http.StatusBadGateway
	}
	for other, state := range o.states { // what the app has seen the end of needs no repeating
		if state == "retrying" && other.isBefore(e) && !o.isCarrier(other) {
			o.states[other] = "superseded"
		}
	}
	return out
}

// isBefore reports whether a webhook of the same record comes before another one.
func (e coinsNotice) isBefore(other coinsNotice) bool {
	return e.invoice == other.invoice && e.deposit == other.deposit && stages[strings.ToLower(e.status)].rank < stages[strings.ToLower(other.status)].rank
}

func (o *coinsOracle) isCarrier(e coinsNotice) bool {
	bound, ok := o.carrier[e.flag()]
	return ok && bound == e
}

// flag names the flag that the webhook may carry.
func (e coinsNotice) flag() string {
	if e.deposit != nil {
		return e.deposit.id
	}
	return e.invoice.order
}

func (o *coinsOracle) isOvertaken(e coinsNotice) bool {
	for other, state := range o.states {
		if state != "held" && e.isBefore(other) && !o.isCarrier(e) {
			return true
		}
	}
	return false
}

var (
	later = outcome{status: http.StatusServiceUnavailable}
	held  = answered
)

// confirm compares a webhook with what the API knows.
func (o *coinsOracle) confirm(w *coins, e coinsNotice) outcome {
	if e.deposit != nil && e.deposit.typ == "conversion" { // which nobody asks for
		return outcome{status: http.StatusOK, money: map[string]string{}}
	}
	knows := ""
	switch {
	case w.down:
	case e.deposit != nil:
		knows = map[string]string{"pendingReceive": "processing", "completed": "success", "failed": "failed"}[e.deposit.api]
	case e.invoice.api != "":
		knows = strings.ToLower(e.invoice.known.status)
	}
	if knows == "" {
		return later
	}
	said, known := stages[strings.ToLower(e.status)], stages[knows]
	hasWon := known.end == "yes" && known.rank > said.rank // over the end of the invoice
	switch {
	case said.end != "" && known.end != "" && said.end != known.end && !hasWon:
		return held
	case known.rank < said.rank:
		return later
	}
	money := map[string]string{"Confirmed": "true"}
	out := outcome{status: http.StatusOK, money: money}
	if e.deposit == nil {
		return o.settle(e, said.end == "yes", out)
	}
	if money["Amount"] = e.deposit.amount.String(); said.end != "yes" {
		return out
	}
	switch earned := e.deposit.symbol != "LTCT" || o.testing; {
	case e.deposit.isDoubtful():
		return held
	case e.deposit.typ == "sameUserReceive":
	case o.carries(e, earned):
		money["Credit"] = "true"
	case !earned:
		money["Reason"] = "test_coin"
	}
	return out
}

// isDoubtful reports whether a deposit may be a payout of the merchant's own invoices.
func (d *coinsDeposit) isDoubtful() bool {
	if d.typ == "sameUserReceive" {
		return false
	}
	return d.silent || d.typ == "internalReceive" && (d.pays != "false" || d.from == "" || d.from == ownWallet)
}

// carries reports whether the webhook carries its flag.
func (o *coinsOracle) carries(e coinsNotice, earned bool) bool {
	if _, bound := o.carrier[e.flag()]; !bound && earned {
		o.carrier[e.flag()] = e
	}
	return o.isCarrier(e)
}

// settle says where the order stands, and what the webhook is to it.
func (o *coinsOracle) settle(e coinsNotice, isPaid bool, out outcome) outcome {
	b := o.books(e.invoice, e.invoice.known)
	out.paid = b.sum
	isClosed := e.invoice.closed && !o.isCarrier(e)
	if out.money["Order-State"] = b.state; isClosed {
		out.money["Order-State"] = "closed"
	}
	if b.anyLate {
		out.money["Order-Late"] = "true"
	}
	if isClosed && isPaid {
		return held
	}
	if b.state == "overpaid" || b.sentBack {
		out.money["Reason"] = "gateway_refunds"
	}
	if !isPaid {
		return out
	}
	switch {
	case b.isInError, !b.isEnough && !b.worthless: // too little, too late, or sent back
		return held
	case !b.isEnough:
		out.money["Reason"] = "test_coin"
	}
	if o.carries(e, b.isEnough) {
		out.money["Fulfill"] = "true"
	} else if b.isEnough {
		out.money["Reason"] = "already_fulfilled"
	}
	return out
}

// coinsBooks is what the payments of an invoice come to.
type coinsBooks struct {
	sum                                               *big.Rat
	state                                             string
	isEnough, anyLate, worthless, sentBack, isInError bool
}

func (o *coinsOracle) books(i *coinsInvoice, s seen) coinsBooks {
	b := coinsBooks{sum: new(big.Rat)}
	coming, doubt := false, false
	for _, p := range s.payments {
		isThere := p.state == "confirmed" || p.state == "completed"
		isLate := p.pending.After(i.expires)
		b.isInError = b.isInError || isThere && p.err
		switch {
		case strings.Contains(strings.ToLower(p.state), "refund"):
			b.sentBack = true
			coming = coming || strings.Contains(p.state, "Waiting")
		case !isThere:
			coming = true
		case p.symbol == "LTCT" && !o.testing:
			b.worthless = true
		case isLate && o.holdLate:
			doubt = true
		default:
			b.sum.Add(b.sum, p.worth())
			b.anyLate = b.anyLate || isLate
		}
	}
	due := i.total.Rat()
	most := new(big.Rat).Add(big.NewRat(1, 1), millionth)
	least := new(big.Rat).Sub(big.NewRat(1, 1), millionth)
	least.Sub(least, o.accept)
	b.isEnough = b.sum.Sign() > 0 && b.sum.Cmp(least.Mul(least, due)) >= 0
	switch {
	case b.sum.Cmp(most.Mul(most, due)) > 0:
		b.state = "overpaid"
	case b.isEnough:
		b.state = "paid"
	case doubt:
		b.state = "review"
	case b.sum.Sign() > 0 || coming:
		b.state = "processing"
	case caseTime.After(i.expires):
		b.state = "expired"
	default:
		b.state = "unpaid"
	}
	return b
}

// worth is what a payment adds: what was asked for, where that came; else what CoinPayments
// says that it is, which is no less where more came.
func (p *coinsPayment) worth() *big.Rat {
	switch p.actual.Cmp(p.expected) {
	case 0:
		return p.due.Rat()
	case 1:
		return decimal.Max(p.native(), p.due).Rat()
	default:
		return p.native().Rat()
	}
}

// isPaid reports whether an order is paid by what happened, whatever the API knows.
func (o *coinsOracle) isPaid(i *coinsInvoice) bool {
	now := seen{status: i.status}
	for _, p := range i.payments {
		now.payments = append(now.payments, *p)
	}
	b := o.books(i, now)
	return stages[strings.ToLower(i.status)].end == "yes" && b.isEnough && !b.isInError
}
