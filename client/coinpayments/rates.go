package coinpayments

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Rate is what one unit of a currency is worth in another.
type Rate struct {
	BaseCurrencyID  string          `json:"baseCurrencyId"`
	BaseSymbol      string          `json:"baseSymbol"`
	QuoteCurrencyID string          `json:"quoteCurrencyId"`
	QuoteSymbol     string          `json:"quoteSymbol"`
	Rate            decimal.Decimal `json:"rate"`
	Raw             json.RawMessage
}

// RatesFilter picks rates.
type RatesFilter struct {
	From []string // ids of the currencies to convert; at least one
	To   []string // ids of the currencies to convert to; empty: all
	// At is when the rates were so; the zero time is now.
	At time.Time
}

// Rates gives conversion rates (GET /api/v2/rates; reference, Rates, Conversion rates
// between currencies). It needs no signature.
func (c *Client) Rates(ctx context.Context, f RatesFilter) ([]Rate, error) {
	return collect(ctx, pages[Rate]{
		client: c, route: routeRates,
		id: func(r Rate) string {
			return strings.Join([]string{r.BaseCurrencyID, r.BaseSymbol, r.QuoteCurrencyID, r.QuoteSymbol}, "/")
		},
		write: func(p *params) {
			if len(f.From) == 0 {
				p.fail("from", "is empty")
			}
			p.askCurrencies("from", f.From)
			p.askCurrencies("to", f.To)
			p.askTime("pointInTime", f.At)
		},
	})
}

// BlockchainFee gives what a chain takes for a transfer of a currency just now, in whole
// units (GET /api/v2/fees/blockchain/{id}; reference, Fees, Blockchain fee). It needs no
// signature.
func (c *Client) BlockchainFee(ctx context.Context, currencyID string) (decimal.Decimal, error) {
	p := c.params(routeBlockchainFee)
	p.currency("currency", currencyID)
	var answer feeAnswer
	err := c.ask(ctx, p, &answer)
	return answer.amount, err
}

type feeAnswer struct{ amount decimal.Decimal }

// read takes the fee as JSON, and as the bare text of a number.
func (a *feeAnswer) read(data []byte) error { return decode(data, &a.amount) }
