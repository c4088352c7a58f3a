package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// Checkout is what a hosted page shows of an order. It is a copy: the sandbox
// does not change it.
type Checkout struct {
	Token     string
	OrderID   string
	Invoice   bool // the customer picks the coin
	Product   string
	Price     decimal.Decimal
	Symbol    string // the price's currency
	Now       time.Time
	CreatedAt time.Time
	ExpiresAt time.Time
	Expired   bool

	Paid       decimal.Decimal // successful payments that are not risky, in Unit
	Processing decimal.Decimal // those under way, in Unit
	Total      decimal.Decimal // what Paid has to reach, in Unit
	Unit       string          // an invoice's price currency, else the coin

	Payments  []CheckoutPayment // oldest first
	Choices   []CheckoutChoice  // of an invoice
	Due       *CheckoutDue      // nil until a coin is chosen
	ReturnURL string
	CloseURL  string
}

// CheckoutPayment is a payment that arrived.
type CheckoutPayment struct {
	RecordID string
	TxID     string
	Coin     string
	Chain    string
	Amount   decimal.Decimal
	Value    decimal.Decimal // in the price's currency
	Status   string
	Risky    bool
	Late     bool // after expiry
	Counts   bool // of the coin that the order is in
	At       time.Time
}

// CheckoutChoice is a coin on a chain that can be paid in now.
type CheckoutChoice struct {
	CoinID    int64
	Symbol    string
	Name      string
	Chain     string
	ChainName string
	Amount    decimal.Decimal // what is due in it at present
}

// CheckoutDue is where and what to pay.
type CheckoutDue struct {
	CheckoutChoice
	Address string
	Memo    string
	Rate    decimal.Decimal // of a coin in the price's currency
}

// ErrNoCheckout is the error of a token that no order has.
var ErrNoCheckout = errors.New("no order has this page")

// Checkout looks an order up by the last part of its page's address.
func (s *Sandbox) Checkout(token string) (Checkout, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.st.tokens[token]
	if o == nil || o.url == "" {
		return Checkout{}, ErrNoCheckout
	}
	return s.view(o), nil
}

// ChooseCoin picks the coin and chain of an invoice: it gets an address there,
// and a rate that holds until the invoice expires. A chain that is halted and
// an invoice that has expired are refused.
func (s *Sandbox) ChooseCoin(token string, coinID int64, onChain string) (Checkout, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, c := s.st.tokens[token], coinByID(coinID)
	switch {
	case o == nil:
		return Checkout{}, ErrNoCheckout
	case !o.invoice:
		return Checkout{}, errors.New("the coin of a deposit order is fixed")
	case s.engine.Now().After(o.expiresAt):
		return Checkout{}, errors.New("the invoice has expired")
	case c == nil || c.on(onChain) == nil:
		return Checkout{}, fmt.Errorf("there is no such coin on %s", onChain)
	}
	n := c.on(onChain)
	if err := acceptsDeposit(c, n); err != nil {
		return Checkout{}, err
	}
	if !s.st.converts(o, c) {
		return Checkout{}, errNoPrice(c, o)
	}
	s.st.choose(o, c, n)
	s.st.rateOf(o, c, s.engine.Now())
	return s.view(o), nil
}

func errNoPrice(c *coin, o *order) error {
	return fmt.Errorf("coin: an order priced in %s cannot be paid in %s, for test coins have no price", o.symbol(), c.symbol)
}

// The ways to pay that a hosted page offers.
const (
	ScenarioExact     = "exact"
	ScenarioUnder     = "under" // half of what is due
	ScenarioOver      = "over"  // half more than what is due
	ScenarioLate      = "late"  // after expiry
	ScenarioWrongCoin = "wrong_coin"
	ScenarioRisky     = "risky"
	ScenarioFailed    = "failed"
)

// PayScenario pays an order from its page in one of the ways above. An order
// that is paid already takes the same amount once more.
func (s *Sandbox) PayScenario(ctx context.Context, token, scenario string) (Paid, error) {
	view, err := s.Checkout(token)
	if err != nil {
		return Paid{}, err
	}
	p := Payment{OrderID: view.OrderID}
	if view.Due != nil {
		p.Amount, p.Coin, p.Chain = view.Due.Amount, fmt.Sprint(view.Due.CoinID), view.Due.Chain
		if p.Amount.IsZero() {
			p.Amount = s.fullAmount(token)
		}
	} else if scenario == ScenarioUnder || scenario == ScenarioOver {
		return Paid{}, errors.New("choose a coin first")
	}
	half := p.Amount.Div(decimal.New(2, 0))
	switch scenario {
	case ScenarioExact:
	case ScenarioUnder:
		p.Amount = half
	case ScenarioOver:
		p.Amount = p.Amount.Add(half)
	case ScenarioLate:
		p.Late = true
	case ScenarioRisky:
		p.Risky = true
	case ScenarioFailed:
		p.Status = "failed"
	case ScenarioWrongCoin:
		if p.Coin, p.Chain, err = s.otherCoin(token); err != nil {
			return Paid{}, err
		}
		p.Amount = decimal.Zero
	default:
		return Paid{}, fmt.Errorf("there is no way to pay called %q", scenario)
	}
	if view.Due != nil && scenario != ScenarioWrongCoin {
		precision := coinByID(view.Due.CoinID).on(view.Due.Chain).precision
		p.Amount = p.Amount.RoundCeil(int32(precision))
	}
	return s.Pay(ctx, p)
}

// otherCoin finds a coin that reaches the order's address but is not the
// order's.
func (s *Sandbox) otherCoin(token string) (name, onChain string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.st.tokens[token]
	if o == nil {
		return "", "", ErrNoCheckout
	}
	if o.invoice {
		return "", "", errors.New("an invoice takes every coin, so none is wrong")
	}
	for i := range coins {
		c := &coins[i]
		if n := c.on(o.network.chain.symbol); n != nil && c != o.coin && acceptsDeposit(c, n) == nil {
			return fmt.Sprint(c.id), n.chain.symbol, nil
		}
	}
	return "", "", fmt.Errorf("no other coin is on %s", o.network.chain.symbol)
}

// fullAmount is the whole price in the order's coin.
func (s *Sandbox) fullAmount(token string) decimal.Decimal {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.st.tokens[token]
	if !o.invoice {
		return o.amount
	}
	return s.st.toPay(o, o.price, o.coin, o.network, s.engine.Now())
}

// view copies an order for its page. The lock is held.
func (s *Sandbox) view(o *order) Checkout {
	now := s.engine.Now()
	v := Checkout{
		Token: o.token, OrderID: o.id, Invoice: o.invoice, Product: o.product,
		Price: o.price, Symbol: o.symbol(), Now: now, CreatedAt: o.createdAt, ExpiresAt: o.expiresAt,
		Expired: now.After(o.expiresAt), ReturnURL: o.returnURL, CloseURL: o.closeURL,
		Total: o.price, Unit: o.symbol(),
	}
	if !o.invoice {
		v.Total, v.Unit = o.amount, o.coin.symbol
	}
	for _, d := range o.deposits {
		p := CheckoutPayment{
			RecordID: d.recordID, TxID: d.txID, Coin: d.coin.symbol, Chain: d.network.chain.symbol,
			Amount: d.amount, Value: d.paidValue(), Status: d.status, Risky: d.risky, Late: d.late,
			Counts: o.counts(d), At: d.arrivedAt,
		}
		v.Payments = append(v.Payments, p)
		worth := p.Amount
		if o.invoice {
			worth = p.Value
		}
		switch {
		case !p.Counts || p.Risky:
		case p.Status == statusSuccess:
			v.Paid = v.Paid.Add(worth)
		case p.Status == statusProcessing:
			v.Processing = v.Processing.Add(worth)
		}
	}
	if o.invoice {
		v.Choices = s.choices(o, now)
	}
	if o.coin != nil {
		v.Due = &CheckoutDue{
			CheckoutChoice: s.choice(o, o.coin, o.network, now),
			Address:        o.address.text, Memo: o.address.memo, Rate: s.st.rateOf(o, o.coin, now),
		}
	}
	return v
}

// choices are all coins and chains that an invoice can be paid in now.
func (s *Sandbox) choices(o *order, now time.Time) []CheckoutChoice {
	list := make([]CheckoutChoice, 0, 2*len(coins))
	for i := range coins {
		for j := range coins[i].networks {
			if c, n := &coins[i], &coins[i].networks[j]; acceptsDeposit(c, n) == nil && s.st.converts(o, c) {
				list = append(list, s.choice(o, c, n, now))
			}
		}
	}
	return list
}

func (s *Sandbox) choice(o *order, c *coin, n *network, now time.Time) CheckoutChoice {
	due := o.due()
	switch {
	case o.invoice && o.priceCoin != c:
		due = due.DivRound(s.st.currentRate(o, c, now), rateDecimals+12).RoundCeil(int32(min(n.precision, feeDecimals)))
	case o.invoice:
		due = due.RoundCeil(int32(n.precision))
	}
	return CheckoutChoice{
		CoinID: c.id, Symbol: c.symbol, Name: c.name,
		Chain: n.chain.symbol, ChainName: n.chain.name, Amount: due,
	}
}
