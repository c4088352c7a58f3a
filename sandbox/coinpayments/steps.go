package coinpayments

import (
	"errors"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// The steps that happen at CoinPayments, in the buyer's wallet or in the merchant's
// dashboard. Each takes an invoice's own id or the merchant's number of it, of several the
// latest; those of transactions take their ids.

// on does a step on an invoice.
func (s *Sandbox) on(id string, act func(*invoice) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.st.find(id); i != nil {
		return act(i)
	}
	i, err := s.st.named(id, "")
	if err != nil {
		return err
	}
	return act(i)
}

// latestTransfer is the latest money that came for an invoice, or nil.
func (i *invoice) latestTransfer() *transfer {
	var latest *transfer
	for _, p := range i.payments {
		for _, t := range p.transfers {
			if latest == nil || !t.at.Before(latest.at) {
				latest = t
			}
		}
	}
	return latest
}

// Confirm gives the latest payment of an invoice, or a transaction, so many more
// confirmations at once; zero is all that are missing.
func (s *Sandbox) Confirm(id string, confirmations int) error {
	s.mu.Lock()
	if t := s.st.transaction(id); t != nil {
		defer s.mu.Unlock()
		if t.ended() {
			return fmt.Errorf("record_id: the transaction has ended, it is %s", t.status)
		}
		if confirmations == 0 {
			confirmations = t.required()
		}
		s.progress(t, s.engine.Now(), confirmations, 0, false)
		return nil
	}
	s.mu.Unlock()
	return s.on(id, func(i *invoice) error {
		t := i.latestTransfer()
		if t == nil {
			return errors.New("order_id: nothing was paid yet")
		}
		missing := t.payment.currency.confirms - t.confirms
		if confirmations == 0 {
			confirmations = missing
		}
		for range min(confirmations, missing) {
			s.confirm(t)
		}
		return nil
	})
}

// Fail takes the latest payment of an invoice, or a deposit, off its chain. CoinPayments
// tells nobody.
func (s *Sandbox) Fail(id string) error {
	s.mu.Lock()
	if t := s.st.transaction(id); t != nil {
		defer s.mu.Unlock()
		if t.ended() {
			return fmt.Errorf("record_id: the transaction has ended, it is %s", t.status)
		}
		s.settle(t, txFailed)
		return nil
	}
	s.mu.Unlock()
	return s.on(id, func(i *invoice) error {
		t := i.latestTransfer()
		switch {
		case t == nil:
			return errors.New("order_id: nothing was paid yet")
		case t.payment.counts():
			return errors.New("order_id: the payment is confirmed; refund it instead")
		}
		s.vanish(t)
		return nil
	})
}

// Accept lets part of an invoice's price pay it, as the merchant can in the dashboard
// while a payment waits for the rest.
func (s *Sandbox) Accept(id string) error {
	return s.on(id, func(i *invoice) error {
		if !i.partial() {
			return errors.New("order_id: no part of the invoice was confirmed that could be accepted")
		}
		s.pay(i.active())
		return nil
	})
}

// Complete pays a paid invoice out now.
func (s *Sandbox) Complete(id string) error {
	return s.on(id, func(i *invoice) error {
		if i.status != statusPaid {
			return fmt.Errorf("order_id: the invoice is %s", i.status)
		}
		s.complete(i)
		return nil
	})
}

// Cancel cancels an invoice, as the merchant can in the dashboard.
func (s *Sandbox) Cancel(id string) error {
	return s.on(id, func(i *invoice) error {
		if !i.open() {
			return fmt.Errorf("order_id: the invoice is %s", i.status)
		}
		s.cancelNow(i)
		return nil
	})
}

// TimeOut ends an invoice's time, or only that of its payment.
func (s *Sandbox) TimeOut(id string, payment bool) error {
	return s.on(id, func(i *invoice) error {
		p := i.active()
		switch {
		case !i.open():
			return fmt.Errorf("order_id: the invoice is %s", i.status)
		case payment && p == nil:
			return errors.New("order_id: the invoice has no payment that could time out")
		case payment:
			p.expiresAt = s.engine.Now()
			s.expire(p)
		default:
			s.timeOut(i)
		}
		return nil
	})
}

// Refund sends money of an invoice back to the buyer: of payments that wait for it, as when
// the buyer claims it, or else all of a paid invoice, as after a complaint. No webhook
// tells of it.
func (s *Sandbox) Refund(id string) error {
	return s.on(id, func(i *invoice) error {
		done := false
		after := map[string]string{stateTimedOutWaiting: stateTimedOutProcessed, stateCancelledWaiting: stateCancelledProcessed}
		for _, p := range i.payments {
			if next := after[p.state]; next != "" {
				p.refund(next, s)
				done = true
			}
		}
		for _, p := range i.payments {
			if !done && p.counts() {
				p.refund(stateRefunded, s)
				done = true
			}
		}
		if !done {
			return errors.New("order_id: there is nothing to refund")
		}
		return nil
	})
}

// refund gives a payment the state of one whose money went back, less the network's fee.
func (p *payment) refund(state string, s *Sandbox) {
	received, _ := p.received()
	p.state, p.refundedAt = state, s.engine.Now()
	p.returned = decimal.Max(received.Sub(p.currency.fee), decimal.Zero)
}

// Copy sends webhooks of an invoice again, each with a new notification id: of the latest
// event, or of the latest of a type ("InvoicePaid" or "invoicePaid"), or of all that there
// were, with "*". Of a transaction it sends the latest again. It returns how many events
// were told anew.
func (s *Sandbox) Copy(id, kind string, times int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.st.transaction(id); t != nil {
		if t.hookURL == "" {
			return 0, errors.New("record_id: no webhook told of the transaction")
		}
		for range max(1, times) {
			s.sendWallet(t, t.hookURL)
		}
		return max(1, times), nil
	}
	i := s.st.find(id)
	if i == nil {
		var err error
		if i, err = s.st.named(id, ""); err != nil {
			return 0, err
		}
	}
	var chosen []*event
	for _, e := range i.events {
		switch {
		case kind == "*":
			chosen = append(chosen, e)
		case kind == "" || e.name == notifications[lowerFirst(kind)]:
			chosen = []*event{e}
		}
	}
	if len(chosen) == 0 {
		return 0, fmt.Errorf("type: the invoice has no event of the type %q", kind)
	}
	for range max(1, times) {
		for _, e := range chosen {
			s.tell(e)
		}
	}
	return len(chosen) * max(1, times), nil
}

// lowerFirst writes a type of a webhook as the API does.
func lowerFirst(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToLower(name[:1]) + name[1:]
}
