package coinpayments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// Payment is a payment to make.
type Payment struct {
	OrderID   string // the merchant's invoiceId, of which the latest invoice is paid; or
	InvoiceID string // the invoice's own id; or
	Address   string // that of a payment, or of a wallet

	Amount decimal.Decimal // in coins; zero: what the payment still expects
	Coin   string          // symbol or id; empty: that which was chosen, or else LTC
	Status string          // "success" (also if empty), "failed", or "processing", which stays so
	// Confirmations is how many there are to begin with: zero is all that are needed, or one
	// if the status is not "success"; below zero is none. Confirm adds to them.
	Confirmations int
	Late          bool // arrives as if one second after the payment's time was up
	// Type is that of a deposit to a wallet, such as "InternalReceive" or "SameUserReceive";
	// empty: one from outside.
	Type string
	// Instant leaves out the confirmation time of three seconds divided by the speed.
	Instant bool
	// Wait lets Pay return once the last webhook was tried for the first time, or after this
	// long.
	Wait time.Duration
}

// Paid is a payment that was made: RecordID is the invoice's id, or the transaction's of a
// deposit to a wallet. Deliveries are those of the record's webhooks so far, newest first.
type Paid struct {
	RecordID   string            `json:"record_id"`
	Hash       string            `json:"hash"`
	Address    string            `json:"address"`
	Deliveries []engine.Delivery `json:"deliveries"`

	final <-chan struct{}
}

// Pay makes a payment arrive. Webhooks follow: of an invoice one Pending for each
// confirmation, then Paid if it was enough, and Completed later; of a wallet one for each
// confirmation. The error says what cannot be paid and why.
func (s *Sandbox) Pay(ctx context.Context, p Payment) (Paid, error) {
	paid, err := s.start(p)
	if err != nil {
		return Paid{}, err
	}
	s.engine.Await(ctx, paid.final, p.Wait)
	paid.Deliveries = s.engine.Deliveries(func(d *engine.Delivery) bool {
		return d.Gateway == Name && d.RecordID == paid.RecordID
	})
	return paid, nil
}

// start resolves a payment and receives it.
func (s *Sandbox) start(in Payment) (Paid, error) {
	if err := in.check(); err != nil {
		return Paid{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.st.deposits[sameCase(in.Address)]; a != nil {
		t, err := s.deposit(a, in)
		if err != nil {
			return Paid{}, err
		}
		return Paid{RecordID: t.id, Hash: t.hash, Address: a.text, final: t.final}, nil
	}
	p, err := s.payee(in)
	if err != nil {
		return Paid{}, err
	}
	t := &transfer{amount: in.Amount}
	if t.amount.IsZero() {
		received, _ := p.received()
		if t.amount = p.expected.Sub(received); !t.amount.IsPositive() {
			return Paid{}, errors.New("amount: the payment is complete; name an amount to pay more")
		}
	}
	if in.Late {
		if t.at = s.engine.Now(); t.at.Before(p.expiresAt) {
			t.at = p.expiresAt.Add(time.Second)
		}
	}
	confirms, fails := in.fate(p.currency.confirms)
	s.receive(p, t, confirms, s.interval(p.currency.confirms, in.Instant), fails)
	return Paid{RecordID: p.invoice.id, Hash: t.hash, Address: p.address, final: t.final}, nil
}

// check refuses a payment that is wrong whatever it is for, before it begins anything.
func (in *Payment) check() error {
	if in.Amount.IsNegative() {
		return errors.New("amount: must be above 0")
	}
	switch strings.ToLower(in.Status) {
	case "", "success", "failed", "processing":
		return nil
	}
	return fmt.Errorf(`status: must be "success", "failed" or "processing", got %q`, in.Status)
}

// fate is how often a payment is confirmed, of the number that it needs, and whether it
// fails then.
func (in *Payment) fate(required int) (confirms int, fails bool) {
	confirms = required
	if status := strings.ToLower(in.Status); status == "failed" || status == "processing" {
		confirms, fails = min(1, required), status == "failed"
	}
	if in.Confirmations != 0 {
		confirms = min(max(0, in.Confirmations), required)
	}
	return confirms, fails
}

// usualCoin is LTC: a payment in a test coin would fulfil no order.
const usualCoin = "2"

// payee finds the payment that is paid, or begins it. The lock is held.
func (s *Sandbox) payee(in Payment) (*payment, error) {
	if in.Address != "" {
		p := s.st.byAddress[sameCase(in.Address)]
		switch {
		case p == nil:
			return nil, fmt.Errorf("address: nothing is due at %s", in.Address)
		case in.Coin != "" && currencyNamed(in.Coin) != p.currency:
			return nil, fmt.Errorf("coin: %s is due there; another coin would go to the merchant's wallet, not to the invoice", p.currency.symbol)
		}
		return p, p.currency.holds(in.Amount)
	}
	i, err := s.st.named(in.OrderID, in.InvoiceID)
	if err != nil {
		return nil, err
	}
	if !i.open() && len(i.payments) > 0 && in.Coin == "" {
		p := i.payments[len(i.payments)-1] // the buyer pays to what the page last said
		return p, p.currency.holds(in.Amount)
	}
	c := currencyByID(usualCoin)
	p := i.active()
	if p != nil {
		c = p.currency
	}
	if in.Coin != "" {
		if c = currencyNamed(in.Coin); c == nil {
			return nil, noCoin(in.Coin)
		}
	}
	if err := c.holds(in.Amount); err != nil {
		return nil, err
	}
	return s.choose(i, c, "")
}

// holds refuses an amount with more decimals than a currency has.
func (c *currency) holds(amount decimal.Decimal) error {
	if !amount.Equal(amount.Truncate(int32(c.decimals))) {
		return fmt.Errorf("amount: %s has %d decimals", c.symbol, c.decimals)
	}
	return nil
}

// named finds an invoice by the merchant's number, the latest of several, or by its own
// id.
func (st *state) named(number, id string) (*invoice, error) {
	if (number == "") == (id == "") {
		return nil, errors.New("pass one of order_id and invoice_id")
	}
	if id != "" {
		if i := st.find(id); i != nil {
			return i, nil
		}
		return nil, fmt.Errorf("invoice_id: there is no invoice %s", id)
	}
	for _, i := range slices.Backward(st.invoices) {
		if i.number == number {
			return i, nil
		}
	}
	return nil, fmt.Errorf("order_id: no invoice has the invoiceId %q", number)
}

// noCoin is the error of a coin that there is not.
func noCoin(name string) error {
	var symbols []string
	for _, c := range currencies {
		if c.payable() {
			symbols = append(symbols, c.symbol)
		}
	}
	return fmt.Errorf("coin: none is called %q: there are %s", name, strings.Join(symbols, ", "))
}

// currencyNamed finds a coin by its id or symbol, or returns nil.
func currencyNamed(name string) *currency {
	if c := currencyByID(name); c != nil {
		return c
	}
	at := slices.IndexFunc(currencies, func(c *currency) bool { return c.payable() && strings.EqualFold(c.symbol, name) })
	if at < 0 {
		return nil
	}
	return currencies[at]
}
