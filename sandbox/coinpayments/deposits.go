package coinpayments

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// receiveKind is the type of a deposit in a currency.
func (c *currency) receiveKind() string {
	switch {
	case c.utxo():
		return kindUTXOReceive
	case c.kind == kindToken:
		return kindTokenReceive
	}
	return kindCoinReceive
}

// deposit makes a payment arrive at an address of a wallet. The lock is held.
func (s *Sandbox) deposit(a *address, in Payment) (*transaction, error) {
	w := a.wallet
	kind := lowerFirst(in.Type)
	switch {
	case in.Coin != "" && currencyNamed(in.Coin) != w.currency:
		return nil, fmt.Errorf("coin: the wallet holds %s", w.currency.symbol)
	case !in.Amount.IsPositive():
		return nil, errors.New("amount: name one, for nothing is due at a wallet's address")
	case w.currency.holds(in.Amount) != nil:
		return nil, w.currency.holds(in.Amount)
	case in.Late:
		return nil, errors.New("late: only invoices expire")
	case kind != "" && !slices.Contains(receives, kind):
		return nil, fmt.Errorf("type: no deposit is of the type %q", in.Type)
	case kind == "":
		kind = w.currency.receiveKind()
	}
	t := s.arrive(w, a, kind, in)
	w.transactions = append(w.transactions, t)
	if t.required() == 0 {
		s.settle(t, txCompleted)
		s.tellWallet(t)
		t.closeAfter()
		return t, nil
	}
	t.hash = engine.NewTxID()
	if !w.permanent && !w.currency.utxo() {
		a.rentedTill = s.engine.Now().Add(rented)
	}
	confirms, fails := in.fate(t.required())
	s.progress(t, s.engine.Now(), confirms, s.interval(t.required(), in.Instant), fails)
	return t, nil
}

// arrive makes a transaction that brings money. The lock is held.
func (s *Sandbox) arrive(w *wallet, a *address, kind string, in Payment) *transaction {
	return &transaction{
		id: newUUID(), wallet: w, at: a, kind: kind, incoming: true, status: txPendingReceive, amount: in.Amount,
		from: engine.NewAddress(w.currency.family), to: a.text, createdAt: s.engine.Now(), rate: s.st.price(w.currency),
		final: make(chan struct{}),
	}
}

// interval is the time between two of so many confirmations. The lock is held.
func (s *Sandbox) interval(required int, instant bool) time.Duration {
	if instant {
		return 0
	}
	return s.engine.Sooner(confirmation) / time.Duration(max(1, required))
}

// payOut brings a completed invoice's money to a wallet, as a dashboard can be set to. The
// lock is held.
func (s *Sandbox) payOut(i *invoice) {
	w := s.st.wallet(s.st.settings.PayoutWallet)
	if s.st.settings.PayoutWallet == "" || w == nil {
		return
	}
	for _, p := range i.payments {
		if p.state != stateCompleted || p.currency != w.currency {
			continue
		}
		gain, _ := p.gain()
		t := s.arrive(w, w.addresses[0], kindInternal, Payment{Amount: gain})
		t.payout = true
		w.transactions = append(w.transactions, t)
		s.settle(t, txCompleted)
		s.tellWallet(t)
		t.closeAfter()
	}
}
