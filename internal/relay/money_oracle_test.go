package relay_test

import (
	"math/big"
	"net/http"
)

// oracle says what must become of each webhook, by the words of docs/money.md, in
// fractions, and from the world itself instead of from the API's responses.
type oracle struct {
	holdRisky, holdLate bool
	accept              *big.Rat // the share that may be missing

	states    map[webhook]string
	delivered map[webhook]bool   // to the app, whatever it responded
	carrier   map[string]webhook // of an order's Fulfill or a record's Credit
}

// outcome is what a webhook comes to: the response to CCPayment, and the app's
// headers.
type outcome struct {
	status int
	// money is the headers that the app gets; nil: it is not called.
	money map[string]string
	paid  *big.Rat // of the order; nil where there is none
}

var answered = outcome{status: http.StatusOK}

// deliver returns the outcome of one webhook, with an app that responds 200 or 500.
func (o *oracle) deliver(w *world, e webhook, yes bool) outcome {
	switch {
	case o.states[e] == "delivered" || o.states[e] == "held" || o.states[e] == "superseded":
		return answered
	case e.status == processing && o.overtaken(e):
		o.states[e] = "superseded"
		return answered
	}
	out := o.confirm(w, e)
	o.delivered[e] = o.delivered[e] || out.money != nil
	switch {
	case out.status == http.StatusServiceUnavailable:
		o.states[e] = "retrying"
	case out.money == nil:
		o.states[e] = "held"
	case yes:
		o.states[e] = "delivered"
	default:
		o.states[e] = "retrying"
		out.status = http.StatusBadGateway
	}
	return out
}

func (o *oracle) overtaken(e webhook) bool {
	for other, state := range o.states {
		if other.payment == e.payment && other.status != processing && (state == "retrying" || state == "delivered") {
			return true
		}
	}
	return false
}

func (o *oracle) confirm(w *world, e webhook) outcome {
	later := outcome{status: http.StatusServiceUnavailable}
	p := e.payment
	if w.fault == "record" || p.recordHas == "" || p.recordHas == processing && e.status != processing {
		return later
	}
	risky := p.risky || e.risk == "true"
	clean := !risky && (e.risk == "false" || !p.silent)
	if o.holdRisky && !clean {
		return answered
	}
	money := map[string]string{"Confirmed": "true", "Amount": p.amount.String()}
	switch {
	case risky:
		money["Risky"] = "true"
	case !clean:
		money["Risky"] = "unknown"
	}
	out := outcome{status: http.StatusOK, money: money}
	if p.order == nil {
		if e.status == succeeded && o.carries(p.id, e, clean) {
			money["Credit"] = "true"
		}
		return out
	}
	if w.fault == "order" || p.order.incomplete {
		return later
	}
	if e.status == succeeded && !p.wrongCoin() && p.listHas != succeeded {
		return later
	}
	for _, other := range p.order.payments {
		// Where the list says nothing of the risk, the record must.
		listSays := other.risky || !other.listSilent
		if other != p && other.listed() && other.listHas == succeeded && !listSays && other.recordHas == "" {
			return later
		}
	}
	return o.settle(e, clean, out)
}

// comes reports whether a payment's success has still to be delivered to the app.
func (o *oracle) comes(p *worldPayment) bool {
	comes := true // no webhook of it has come yet
	for _, risk := range []string{"true", "", "false"} {
		e := webhook{p, succeeded, risk}
		state, known := o.states[e]
		switch {
		case !known:
		case o.delivered[e] || state != "retrying":
			return false
		default:
			comes = risk != "true" // else an operator must release it
		}
	}
	return comes
}

// carries reports whether the event carries the flag of this name.
func (o *oracle) carries(flag string, e webhook, earned bool) bool {
	carrier, bound := o.carrier[flag]
	if !bound && earned {
		o.carrier[flag] = e
		return true
	}
	return bound && carrier == e
}

// isCarrier reports whether the event carries the flag of this name.
func (o *oracle) isCarrier(flag string, e webhook) bool {
	carrier, bound := o.carrier[flag]
	return bound && carrier == e
}

// settle says where the order stands, and what the payment is to it.
func (o *oracle) settle(e webhook, clean bool, out outcome) outcome {
	p := e.payment
	sum, doubt, coming, anyLate, counted, another := new(big.Rat), false, false, false, false, false
	for _, other := range p.order.payments {
		isClean := !other.risky && (!other.listSilent || !other.silent)
		if other == p {
			isClean = clean
		}
		switch {
		case !other.listed() || other.listHas == failed:
		case other.listHas == processing:
			coming = true
		case !isClean || o.lateAndDoubtful(other):
			doubt = true
		default:
			sum.Add(sum, other.worth())
			anyLate = anyLate || other.late()
			counted = counted || other == p
			another = another || other != p && o.comes(other)
		}
	}
	state := o.state(p.order, sum, doubt, coming)
	out.paid = sum
	isClosed := p.order.closed && !o.isCarrier(p.order.id, e)
	if out.money["Order-State"] = state; isClosed {
		out.money["Order-State"] = "closed"
	}
	if anyLate {
		out.money["Order-Late"] = "true"
	}
	switch {
	case e.status != succeeded:
		return out
	case isClosed:
		return answered // held for it
	}
	earned := counted && (state == "paid" || state == "overpaid")
	if _, bound := o.carrier[p.order.id]; earned && !bound && o.delivered[e] && another {
		earned, state = false, "partial" // the app may have got it, as a part
	}
	switch {
	case p.wrongCoin():
		out.money["Reason"] = "wrong_coin"
	case !clean:
		out.money["Reason"] = "risky"
	case !counted:
		return answered // late, and held for it
	case !earned:
		out.money["Reason"] = state
	}
	if o.carries(p.order.id, e, earned) {
		out.money["Fulfill"] = "true"
	} else if earned {
		out.money["Reason"] = "already_fulfilled"
	}
	return out
}

func (o *oracle) lateAndDoubtful(p *worldPayment) bool {
	return p.late() && (o.holdLate || p.order.rate.IsPositive() && p.rate.IsZero())
}

// worth is what a payment adds, in the order's unit.
func (p *worldPayment) worth() *big.Rat {
	worth := p.amount.Rat()
	if p.order.rate.IsPositive() && p.rate.IsPositive() {
		worth.Mul(worth, p.rate.Rat())
		worth.Quo(worth, p.order.rate.Rat())
	}
	return worth
}

var millionth = big.NewRat(1, 1_000_000)

// enough reports whether a sum pays the order.
func (o *oracle) enough(order *worldOrder, sum *big.Rat) bool {
	share := new(big.Rat).Sub(big.NewRat(1, 1), o.accept)
	share.Sub(share, millionth)
	return sum.Sign() > 0 && sum.Cmp(share.Mul(share, order.due.Rat())) >= 0
}

func (o *oracle) state(order *worldOrder, sum *big.Rat, doubt, coming bool) string {
	most := new(big.Rat).Add(big.NewRat(1, 1), millionth)
	switch {
	case sum.Cmp(most.Mul(most, order.due.Rat())) > 0:
		return "overpaid"
	case o.enough(order, sum):
		return "paid"
	case doubt:
		return "review"
	case sum.Sign() > 0:
		return "partial"
	case coming:
		return "processing"
	case caseTime.After(order.expires):
		return "expired"
	}
	return "unpaid"
}

// isPaid reports whether the order is paid by what happened, whichever webhooks have
// come.
func (o *oracle) isPaid(order *worldOrder) bool {
	sum := new(big.Rat)
	for _, p := range order.payments {
		if p.status == succeeded && !p.risky && !p.wrongCoin() && !o.lateAndDoubtful(p) {
			sum.Add(sum, p.worth())
		}
	}
	return o.enough(order, sum)
}
