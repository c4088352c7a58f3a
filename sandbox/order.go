package sandbox

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

const (
	maxExpiry       = 10 * 24 * time.Hour
	invoiceLifetime = 24 * time.Hour
	rateDecimals    = 18
)

// order is a deposit order, whose coin the merchant names, or an invoice,
// whose coin the customer picks.
type order struct {
	id        string
	invoice   bool
	token     string // the secret part of the hosted page's address
	url       string // of the hosted page; empty if there is none
	product   string
	price     decimal.Decimal
	fiat      *fiat // nil if the price is in a coin
	priceCoin *coin // nil if the price is in fiat
	buyer     string
	returnURL string
	closeURL  string
	notifyURL string
	createdAt time.Time
	expiresAt time.Time

	// What is to be paid; of an invoice, what the customer chose last.
	coin    *coin
	network *network
	address *address
	amount  decimal.Decimal

	byFamily map[string]*address       // of an invoice: the addresses given out
	rates    map[int64]decimal.Decimal // by coin, locked until the order expires
	deposits []*deposit                // oldest first
}

// symbol is that of the currency that the price is in.
func (o *order) symbol() string {
	if o.fiat != nil {
		return o.fiat.symbol
	}
	return o.priceCoin.symbol
}

// unitUSD is the worth of one unit of the price's currency at present.
func (st *state) unitUSD(o *order) decimal.Decimal {
	if o.fiat != nil {
		return o.fiat.usdRate
	}
	return st.price(o.priceCoin)
}

// converts reports whether a coin can pay what the order's price says: it is the
// price's own, or both have a price. Test coins have none.
func (st *state) converts(o *order, c *coin) bool {
	return o.priceCoin == c || st.price(c).IsPositive() && st.unitUSD(o).IsPositive()
}

// currentRate is the worth of one coin in the price's currency for a deposit
// that arrives at a moment: the rate that was locked, or after expiry today's.
// It is rounded up, so that an amount that was rounded up never falls short.
func (st *state) currentRate(o *order, c *coin, arrives time.Time) decimal.Decimal {
	if locked, ok := o.rates[c.id]; ok && !arrives.After(o.expiresAt) {
		return locked
	}
	if o.priceCoin == c {
		return decimal.New(1, 0)
	}
	if !st.converts(o, c) {
		return decimal.Zero
	}
	return st.price(c).DivRound(st.unitUSD(o), rateDecimals+12).RoundCeil(rateDecimals)
}

// rateOf is currentRate, and locks it until the order expires.
func (st *state) rateOf(o *order, c *coin, arrives time.Time) decimal.Decimal {
	rate := st.currentRate(o, c, arrives)
	if !arrives.After(o.expiresAt) {
		o.rates[c.id] = rate
	}
	return rate
}

// toPay converts a value in the price's currency to a coin, at the locked rate
// until the order expires, rounded up to what the chain and eight decimals
// allow.
func (st *state) toPay(o *order, value decimal.Decimal, c *coin, n *network, arrives time.Time) decimal.Decimal {
	if o.priceCoin == c {
		return value.RoundCeil(int32(n.precision))
	}
	rate := st.rateOf(o, c, arrives)
	return value.DivRound(rate, rateDecimals+12).RoundCeil(int32(min(n.precision, feeDecimals)))
}

// choose gives an invoice its coin: an address on the chain's family and a
// rate that is locked until expiry.
func (st *state) choose(o *order, c *coin, n *network) {
	a := o.byFamily[n.chain.family]
	if a == nil {
		a = st.addresses.assign(n.chain)
		a.order = o
		o.byFamily[n.chain.family] = a
	}
	o.coin, o.network, o.address = c, n, a
}

// paidValue is a deposit in the currency of its order's price.
func (d *deposit) paidValue() decimal.Decimal { return d.amount.Mul(d.rate).Truncate(rateDecimals) }

// counts reports whether a deposit belongs into the order's paidList. A deposit
// order lists only its own coin.
func (o *order) counts(d *deposit) bool { return o.invoice || d.coin == o.coin }

// due is what is left to pay, in the order's coin or, of an invoice, in the
// price's currency. Payments that are still processing count; failed and risky
// ones do not.
func (o *order) due() decimal.Decimal {
	rest := o.amount
	if o.invoice {
		rest = o.price
	}
	for _, d := range o.deposits {
		if d.status == statusFailed || d.risky || !o.counts(d) {
			continue
		}
		if o.invoice {
			rest = rest.Sub(d.paidValue())
		} else {
			rest = rest.Sub(d.amount)
		}
	}
	return decimal.Max(rest, decimal.Zero)
}

// totalPaidValue sums an invoice's successful payments, risky ones too: the
// list distinguishes them, and apps that go by the sum alone should fail here.
// With more than one payment the sum is off by about 1e-15, as the live API's
// is, which adds them up in binary.
func (o *order) totalPaidValue() decimal.Decimal {
	sum, n := decimal.Zero, 0
	for _, d := range o.deposits {
		if d.status == statusSuccess {
			sum, n = sum.Add(d.paidValue()), n+1
		}
	}
	switch {
	case n < 2:
		return sum
	case n%2 == 0:
		return sum.Sub(decimal.New(1, -15))
	}
	return sum.Add(decimal.New(8, -18))
}

// longestProduct is how many characters a product may have, by endpoint.
var longestProduct = map[string]int{"createAppOrderDepositAddress": 120, "createInvoiceUrl": 128, "createCheckoutUrl": 128}

// newOrder reads what deposit orders and invoices have in common.
func newOrder(c *call, lifetime time.Duration) *order {
	o := &order{
		id:        c.id("orderId"),
		product:   c.optional("product", longestProduct[c.endpoint]),
		buyer:     c.email("buyerEmail"),
		returnURL: c.link("returnUrl"),
		closeURL:  c.link("closeUrl"),
		notifyURL: c.link("notifyUrl"),
		createdAt: c.now,
		expiresAt: c.optionalTime("expiredAt"),
		token:     strings.ToLower(rand.Text()),
		byFamily:  map[string]*address{},
		rates:     map[int64]decimal.Decimal{},
	}
	switch {
	case o.expiresAt.IsZero():
		o.expiresAt = c.now.Add(lifetime)
	case !o.expiresAt.After(c.now):
		c.reject(codeInvalid, "expiredAt: must be in the future")
	case o.expiresAt.Sub(c.now) > maxExpiry:
		c.reject(codeExpiryTooFar, "expiredAt: at most 10 days from now")
	}
	return o
}

// price reads the price: fiat has at most two decimals, a coin at most 18 and
// no more than its chain has (14013).
func (o *order) readPrice(c *call, precision int) {
	decimals := rateDecimals
	if o.fiat != nil {
		decimals = 2
	}
	o.price = c.amount("price", decimals)
	if o.priceCoin != nil && -int(o.price.Exponent()) > precision {
		c.reject(codePrecision, "price: %s has at most %d decimals, got %d",
			o.priceCoin.symbol, precision, -o.price.Exponent())
	}
}

// fiat reads the id of a fiat currency; nil when it is absent.
func (p *params) fiat(name string) *fiat {
	id := p.optionalNumber(name)
	if id == 0 {
		return nil
	}
	f := fiatByID(id)
	if f == nil {
		p.reject(codeInvalid, "%s: no fiat currency has the id %d; getFiatList has them all", name, id)
	}
	return f
}

// add keeps an order, unless its id was used before (11011).
func (st *state) add(o *order) error {
	if st.orders[o.id] != nil {
		return refuse(codeOrderDuplicate, "orderId: %q exists already", o.id)
	}
	st.orders[o.id], st.tokens[o.token] = o, o
	return nil
}

// order finds an order for a response, or refuses with 11003.
func (st *state) order(id string, invoice bool) (*order, error) {
	o := st.orders[id]
	switch {
	case o == nil:
		return nil, refuse(codeNotFound, "orderId: no order is called %q", id)
	case o.invoice != invoice && invoice:
		return nil, refuse(codeNotFound, "orderId: %q is a deposit order; ask getAppOrderInfo", id)
	case o.invoice != invoice:
		return nil, refuse(codeNotFound, "orderId: %q is an invoice; ask getInvoiceOrderInfo", id)
	}
	return o, nil
}
