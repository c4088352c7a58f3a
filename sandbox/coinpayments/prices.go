package coinpayments

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// price is what a currency is worth in US dollars at present.
func (st *state) price(c *currency) decimal.Decimal {
	if moved, ok := st.prices[c.id]; ok {
		return moved
	}
	return c.usd
}

// worth is that of one unit of a currency in another, rounded up, so that an amount that
// was rounded up never falls short.
func (st *state) worth(from, to *currency) decimal.Decimal {
	if from == to {
		return decimal.New(1, 0)
	}
	return st.price(from).DivRound(st.price(to), rateDecimals+12).RoundCeil(rateDecimals)
}

// SetPrice moves the price of a currency, named by its id or symbol, in US dollars.
// Payments that have begun keep their rate.
func (s *Sandbox) SetPrice(name string, usd decimal.Decimal) error {
	c := currencyNamed(name)
	switch {
	case c == nil:
		return noCoin(name)
	case !usd.IsPositive():
		return fmt.Errorf("usd: must be above 0")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.prices[c.id] = usd
	return nil
}
