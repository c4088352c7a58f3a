package coinpayments

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// The states of a payment, as the API writes them. From confirmed to completed its money
// counts; in the others it does not.
const (
	stateCreated            = "created"
	stateDetected           = "detected"
	statePending            = "pending"
	stateConfirmed          = "confirmed"
	stateCompleted          = "completed"
	stateTimedOutWaiting    = "timedOutWaitingRefund"
	stateTimedOutProcessed  = "timedOutRefundProcessed"
	stateCancelledWaiting   = "cancelledWaitingRefund"
	stateCancelledProcessed = "cancelledRefundProcessed"
	stateRefunded           = "refunded"
)

// confirmation is how long a transfer takes to be confirmed, at speed 1.
const confirmation = 3 * time.Second

// payment is a try to pay an invoice in one coin, at an address and a rate of its own.
type payment struct {
	id          string
	invoice     *invoice
	currency    *currency
	address     string
	rate        decimal.Decimal // of a coin in the invoice's currency
	expected    decimal.Decimal
	state       string
	active      bool // the buyer is shown it
	refundEmail string
	returned    decimal.Decimal // what went back to the buyer
	transfers   []*transfer     // oldest first

	createdAt   time.Time
	expiresAt   time.Time
	detectedAt  time.Time
	pendingAt   time.Time
	confirmedAt time.Time
	completedAt time.Time
	refundedAt  time.Time
}

// transfer is money that reached a payment's address.
type transfer struct {
	payment  *payment
	hash     string
	amount   decimal.Decimal
	at       time.Time
	confirms int
	failed   bool          // it vanished from its chain
	late     bool          // after the payment's time was up
	final    chan struct{} // closed once the last webhook of it was tried
}

// received is what reached a payment's address; confirmed, how much of it is sure.
func (p *payment) received() (received, confirmed decimal.Decimal) {
	for _, t := range p.transfers {
		if t.failed {
			continue
		}
		received = received.Add(t.amount)
		if t.confirms >= p.currency.confirms {
			confirmed = confirmed.Add(t.amount)
		}
	}
	return received, confirmed
}

// native is an amount in the invoice's currency.
func (p *payment) native(amount decimal.Decimal) decimal.Decimal {
	return amount.Mul(p.rate).Truncate(int32(p.invoice.currency.decimals))
}

// counts reports whether a payment's money is the merchant's.
func (p *payment) counts() bool { return p.state == stateConfirmed || p.state == stateCompleted }

// over reports whether a payment has ended without having been paid.
func (p *payment) over(now time.Time) bool {
	return !p.counts() && (!now.Before(p.expiresAt) || !p.invoice.open() || strings.Contains(p.state, "Refund"))
}

// gain is what the merchant gets of a payment, and the fee that came off it. An excess is
// the buyer's.
func (p *payment) gain() (gain, fee decimal.Decimal) {
	received, _ := p.received()
	paid := decimal.Min(received, p.expected)
	fee = paid.Mul(feeRate).RoundCeil(p.currency.finest())
	return paid.Sub(fee), fee
}

// confirms is how often the latest transfer was confirmed.
func (p *payment) confirms() int {
	if len(p.transfers) == 0 {
		return 0
	}
	return p.transfers[len(p.transfers)-1].confirms
}

// choose begins a payment of an invoice in a coin, or returns the one that has begun. The
// lock is held.
func (s *Sandbox) choose(i *invoice, c *currency, email string) (*payment, error) {
	now := s.engine.Now()
	if !i.open() {
		return nil, fmt.Errorf("the invoice is %s", i.status)
	}
	if c == nil || !c.payable() {
		return nil, errors.New("the invoice cannot be paid in this currency")
	}
	if p := i.active(); p != nil {
		switch received, _ := p.received(); {
		case p.currency == c && !p.over(now):
			return p, nil
		case received.IsPositive() && !p.over(now):
			return nil, fmt.Errorf("a payment in %s has begun", p.currency.symbol)
		}
		p.active = false
	}
	p := &payment{
		id: newUUID(), invoice: i, currency: c, address: engine.NewAddress(c.family), rate: s.st.worth(c, i.currency),
		state: stateCreated, active: true, refundEmail: email,
		createdAt: now, expiresAt: now.Add(s.st.settings.PaymentLifetime),
	}
	p.expected = i.total.DivRound(p.rate, rateDecimals+12).RoundCeil(c.finest())
	if c == i.currency {
		p.expected = i.total
	}
	i.payments = append(i.payments, p)
	s.st.byAddress[sameCase(p.address)] = p
	s.announce(i, eventPaymentCreated)
	s.engine.At(p.expiresAt, s.task(func(time.Time) { s.expire(p) }))
	return p, nil
}

// expire ends a payment whose time is up before it was confirmed. The invoice can be paid
// anew, and what was paid waits to be refunded. The lock is held.
func (s *Sandbox) expire(p *payment) {
	if p.counts() || !p.invoice.open() || strings.Contains(p.state, "Refund") || p.state == stateCreated && !p.active {
		return
	}
	s.endPayment(p, stateTimedOutWaiting)
	if p.invoice.status == statusPending {
		p.invoice.status = statusUnpaid
	}
	s.announce(p.invoice, eventPaymentTimedOut)
}

// endPayment ends a payment without its having been paid. Money of it waits to be
// refunded.
func (s *Sandbox) endPayment(p *payment, state string) {
	if p.counts() {
		return
	}
	p.active = false
	if received, _ := p.received(); received.IsPositive() && !strings.Contains(p.state, "Refund") {
		p.state = state
	}
}

// receive notes a transfer to a payment's address. It is confirmed so many times, one
// after the other with an interval between, and then vanishes if it is to fail. The lock
// is held.
func (s *Sandbox) receive(p *payment, t *transfer, confirms int, interval time.Duration, fails bool) {
	t.payment, t.hash, t.final = p, engine.NewTxID(), make(chan struct{})
	if t.at.IsZero() {
		t.at = s.engine.Now()
	}
	t.late = !t.at.Before(p.expiresAt)
	if t.late {
		s.expire(p)
	}
	p.transfers = append(p.transfers, t)
	if p.detectedAt.IsZero() {
		p.detectedAt = t.at
	}
	switch {
	case p.counts():
	case p.over(t.at):
		p.state = stateTimedOutWaiting
		if p.invoice.status == statusCancelled {
			p.state = stateCancelledWaiting
		}
	case p.state == stateCreated:
		p.state = stateDetected
	}
	s.confirmations(t, s.engine.Now(), confirms, interval, fails)
}

// confirmations confirms a transfer so many times from a moment on. The lock is held.
func (s *Sandbox) confirmations(t *transfer, from time.Time, left int, interval time.Duration, fails bool) {
	if left <= 0 {
		if fails {
			s.vanish(t)
		}
		s.closeAfter(t)
		return
	}
	next := func(now time.Time) {
		s.confirm(t)
		s.confirmations(t, now, left-1, interval, fails)
	}
	if interval <= 0 {
		next(from)
		return
	}
	s.engine.At(from.Add(interval), s.task(next))
}

// confirm gives a transfer one more confirmation, of which an open invoice sends a
// webhook. The lock is held.
func (s *Sandbox) confirm(t *transfer) {
	p, i := t.payment, t.payment.invoice
	if t.failed || t.confirms >= p.currency.confirms {
		return
	}
	t.confirms++
	if p.pendingAt.IsZero() {
		p.pendingAt = t.at
	}
	if p.counts() || p.over(s.engine.Now()) {
		return
	}
	p.state, i.status = statePending, statusPending
	s.happen(i, "pending")
	s.announce(i, eventPending)
	if _, confirmed := p.received(); confirmed.GreaterThanOrEqual(s.enough(p)) {
		s.pay(p)
	}
}

// enough is how much of a payment's coin pays the invoice, by the merchant's settings.
func (s *Sandbox) enough(p *payment) decimal.Decimal {
	set := s.st.settings
	less := p.expected.Mul(set.UnderpaymentPercent).Shift(-2)
	if p.rate.IsPositive() {
		less = decimal.Max(less, set.UnderpaymentAmount.DivRound(p.rate, rateDecimals))
	}
	return p.expected.Sub(less)
}

// pay makes an invoice paid by a payment, and completed later. The lock is held.
func (s *Sandbox) pay(p *payment) {
	i, now := p.invoice, s.engine.Now()
	p.state, p.confirmedAt = stateConfirmed, now
	i.status, i.confirmedAt = statusPaid, now
	s.happen(i, "scheduled")
	s.announce(i, eventPaid)
	if after := s.st.settings.CompleteAfter; after >= 0 {
		s.engine.At(now.Add(s.engine.Sooner(after)), s.task(func(time.Time) { s.complete(i) }))
	}
}

// complete pays an invoice's money out to the merchant's balance. The lock is held.
func (s *Sandbox) complete(i *invoice) {
	if i.status != statusPaid {
		return
	}
	now := s.engine.Now()
	i.status, i.completedAt = statusCompleted, now
	for _, p := range i.payments {
		if p.state == stateConfirmed {
			p.state, p.completedAt = stateCompleted, now
			p.returnExcess(now)
		}
	}
	s.happen(i, "completed")
	s.announce(i, eventCompleted)
	s.payOut(i)
}

// returnExcess sends back what was paid beyond the price, less the network's fee, if that
// leaves anything.
func (p *payment) returnExcess(now time.Time) {
	received, _ := p.received()
	if rest := received.Sub(p.expected).Sub(p.currency.fee); rest.IsPositive() {
		p.returned, p.refundedAt = rest, now
	}
}

// vanish takes a transfer off its chain. An invoice that was pending by it alone is unpaid
// again, of which CoinPayments tells nothing. The lock is held.
func (s *Sandbox) vanish(t *transfer) {
	p := t.payment
	t.failed = true
	if received, _ := p.received(); received.IsPositive() || p.counts() {
		return
	}
	if strings.Contains(p.state, "Refund") {
		p.active = false
	}
	p.state = stateCreated
	if p.invoice.status == statusPending {
		p.invoice.status = statusUnpaid
	}
}

// closeAfter ends the waiting of Pay when the latest webhook was tried. The lock is held.
func (s *Sandbox) closeAfter(t *transfer) {
	engine.CloseAfter(t.payment.invoice.last, t.final)
}

// sameCase makes the spellings of one address equal: capitals in those of Ethereum's kind
// are a check sum and no part of them.
func sameCase(address string) string {
	if strings.HasPrefix(address, "0x") {
		return strings.ToLower(address)
	}
	return address
}
