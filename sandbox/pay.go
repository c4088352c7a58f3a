package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Payment is a payment to make.
type Payment struct {
	OrderID string // either this
	Address string // or this
	Memo    string // for an Address on a chain with memos

	Amount decimal.Decimal // in coins; zero: what is still due for the order
	Coin   string          // symbol or id; empty: see Pay
	Chain  string          // empty: the first that fits
	Status string          // the last status: "success" (also if empty), "failed" or "processing"
	Risky  bool            // flagged as risky
	Late   bool            // arrives as if one second after the order's expiry
	// Instant leaves out the confirmation time of three seconds divided by
	// the speed.
	Instant bool
	// Wait lets Pay return once the last webhook was tried for the first time,
	// or after this long.
	Wait time.Duration
}

// Paid is a payment that was made. Deliveries are those of its webhooks so
// far, newest first.
type Paid struct {
	RecordID   string     `json:"record_id"`
	Deliveries []Delivery `json:"deliveries"`
}

// Pay makes a payment arrive. Webhooks follow: Processing at once and the last
// status after the confirmation time. With the status "processing" the payment
// stays so until Finish or rescanLostTransaction.
//
// An order is paid in its own coin if none is named, an invoice in the coin
// that was chosen or else USDT on TRX, and any other address in USDT where the
// chain has it or else in the chain's own coin.
//
// The error says what cannot be paid and why.
func (s *Sandbox) Pay(ctx context.Context, p Payment) (Paid, error) {
	d, err := s.start(p)
	if err != nil {
		return Paid{}, err
	}
	s.engine.Await(ctx, d.final, p.Wait)
	sent := s.engine.Deliveries(func(one *Delivery) bool { return one.RecordID == d.recordID })
	return Paid{RecordID: d.recordID, Deliveries: sent}, nil
}

// start resolves a payment and receives it.
func (s *Sandbox) start(p Payment) (*deposit, error) {
	goal, err := parseStatus(p.Status)
	if err != nil {
		return nil, err
	}
	if (p.OrderID == "") == (p.Address == "") {
		return nil, errors.New("pass either order_id or address, and not both")
	}
	if p.Amount.IsNegative() {
		return nil, errors.New("amount: must be above 0")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	to, o, err := s.st.payee(p)
	if err != nil {
		return nil, err
	}
	c, n, err := payIn(p, to, o)
	if err != nil {
		return nil, err
	}
	if o != nil && o.invoice && !s.st.converts(o, c) {
		return nil, errNoPrice(c, o)
	}
	if to == nil {
		s.st.choose(o, c, n)
		to = o.address
	}
	d := &deposit{to: to, coin: c, network: n, amount: p.Amount, risky: p.Risky}
	if p.Late {
		if o == nil {
			return nil, errors.New("late: only orders expire, and this address is no order's")
		}
		d.arrivedAt = s.engine.Now()
		if !d.arrivedAt.After(o.expiresAt) {
			d.arrivedAt = o.expiresAt.Add(time.Second)
		}
	}
	if err := s.st.setAmount(d, o, s.engine.Now()); err != nil {
		return nil, err
	}
	confirm := s.engine.Sooner(confirmation)
	if p.Instant {
		confirm = 0
	}
	s.receive(d, goal, confirm)
	return d, nil
}

// payee finds whom a payment goes to. The address is nil for an invoice that
// is yet to choose one for the coin.
func (st *state) payee(p Payment) (*address, *order, error) {
	if p.Address != "" {
		a := st.addresses.find(p.Address, p.Memo)
		if a == nil {
			return nil, nil, fmt.Errorf("address: the merchant has no address %q with the memo %q", p.Address, p.Memo)
		}
		return a, a.order, nil
	}
	o := st.orders[p.OrderID]
	if o == nil {
		return nil, nil, fmt.Errorf("order_id: no order is called %q", p.OrderID)
	}
	if o.invoice {
		return nil, o, nil
	}
	return o.address, o, nil
}

// payIn settles the coin and chain of a payment.
func payIn(p Payment, to *address, o *order) (*coin, *network, error) {
	if p.Chain != "" && chainNamed(p.Chain) == nil {
		return nil, nil, fmt.Errorf("chain: no chain is called %q", p.Chain)
	}
	if p.Coin == "" {
		c, n := usual(p, to, o)
		if c == nil {
			return nil, nil, fmt.Errorf("chain: name a coin to pay on %s", p.Chain)
		}
		return c, n, fits(c, n, to)
	}
	found := coinsNamed(p.Coin, p.Chain)
	switch {
	case len(found) == 0 && p.Chain == "":
		return nil, nil, fmt.Errorf("coin: no coin is called %q", p.Coin)
	case len(found) == 0:
		return nil, nil, fmt.Errorf("coin: no coin is called %q on %s", p.Coin, p.Chain)
	case len(found) > 1 && o != nil && slices.Contains(found, o.coin):
		found = []*coin{o.coin}
	case len(found) > 1:
		ids := make([]string, 0, len(found))
		for _, c := range found {
			ids = append(ids, fmt.Sprint(c.id))
		}
		return nil, nil, fmt.Errorf("coin: %q is the symbol of several coins; name one by its id: %s",
			p.Coin, strings.Join(ids, ", "))
	}
	c := found[0]
	n := c.preferred(p.Chain, to, o)
	return c, n, fits(c, n, to)
}

// usual is the coin of a payment that names none.
func usual(p Payment, to *address, o *order) (*coin, *network) {
	if o != nil && o.coin != nil && (p.Chain == "" || o.network.chain.symbol == p.Chain) {
		return o.coin, o.network
	}
	if o != nil && o.priceCoin != nil && !o.priceCoin.usd.IsPositive() && p.Chain == "" {
		return o.priceCoin, &o.priceCoin.networks[0]
	}
	onChain := p.Chain
	switch {
	case onChain == "" && to == nil:
		onChain = "TRX"
	case onChain == "":
		onChain = to.chains[0]
	}
	c := coinByID(1280)
	if o != nil && o.coin != nil && o.coin.on(onChain) != nil {
		c = o.coin
	}
	if c.on(onChain) == nil {
		c = coinByID(chainNamed(onChain).native)
	}
	return c, c.on(onChain)
}

// preferred picks the chain of a coin: the one named, or the order's or the
// address's own, or the first that reaches the address.
func (c *coin) preferred(named string, to *address, o *order) *network {
	switch {
	case named != "":
		return c.on(named)
	case o != nil && o.network != nil && c.on(o.network.chain.symbol) != nil:
		return c.on(o.network.chain.symbol)
	case to != nil && c.on(to.chains[0]) != nil:
		return c.on(to.chains[0])
	}
	for i := range c.networks {
		if to == nil || c.networks[i].chain.family == to.family {
			return &c.networks[i]
		}
	}
	return &c.networks[0]
}

// fits says whether a coin on a chain can reach an address.
func fits(c *coin, n *network, to *address) error {
	if to != nil && n.chain.family != to.family {
		return fmt.Errorf("chain: %s on %s cannot reach an address of %s", c.symbol, n.chain.symbol, to.chains[0])
	}
	return nil
}

// setAmount fills in what is still due, if the payment names no amount.
func (st *state) setAmount(d *deposit, o *order, now time.Time) error {
	if !d.amount.IsZero() {
		if finest := int32(d.network.precision); !d.amount.Equal(d.amount.Truncate(finest)) {
			return fmt.Errorf("amount: %s has %d decimals on %s, got %s",
				d.coin.symbol, finest, d.network.chain.symbol, d.amount)
		}
		return nil
	}
	if o == nil {
		return errors.New("amount: name one, for nothing is due at an address that is no order's")
	}
	due := o.due()
	if due.IsZero() {
		return errors.New("amount: the order is paid; name an amount to pay more")
	}
	arrives := now
	if !d.arrivedAt.IsZero() {
		arrives = d.arrivedAt
	}
	switch {
	case o.invoice:
		due = st.toPay(o, due, d.coin, d.network, arrives)
	case d.coin != o.coin && !(st.price(o.coin).IsPositive() && st.price(d.coin).IsPositive()):
		return errors.New("amount: name one, for test coins have no price")
	case d.coin != o.coin:
		// The wrong coin, to the same worth.
		due = due.Mul(st.price(o.coin)).DivRound(st.price(d.coin), 30).
			RoundCeil(int32(min(d.network.precision, feeDecimals)))
	}
	d.amount = due
	return nil
}
