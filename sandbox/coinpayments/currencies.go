package coinpayments

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// rateDecimals are those of rates and of amounts that the sandbox computes.
const rateDecimals = 18

// currency is what can be priced or paid in.
type currency struct {
	id       string // "<coin>", or "<coin>:<contract>" of a token
	kind     string // kindCrypto, kindToken or kindFiat
	symbol   string
	name     string
	decimals int
	network  string          // its blockchain's name; empty of fiat
	family   string          // of its addresses
	confirms int             // how many confirmations make a payment sure
	usd      decimal.Decimal // the price
	fee      decimal.Decimal // what a transfer costs on its chain, in the currency
}

// The types of currencies, as the API names them.
const (
	kindCrypto = "crypto"
	kindToken  = "token"
	kindFiat   = "fiat"
)

// coin is the number of the coin whose chain the currency is on, which for a coin is its
// own.
func (c *currency) coin() string {
	coin, _, _ := strings.Cut(c.id, ":")
	return coin
}

// contract is a token's smart contract; empty of others.
func (c *currency) contract() string {
	_, contract, _ := strings.Cut(c.id, ":")
	return contract
}

// rank is the currency's place in lists.
func (c *currency) rank() int { return slices.Index(currencies, c) + 1 }

// finest is how many decimals the sandbox computes amounts to.
func (c *currency) finest() int32 { return int32(min(c.decimals, 8)) }

// minor is an amount in the currency's smallest units.
func (c *currency) minor(amount decimal.Decimal) decimal.Decimal {
	return amount.Shift(int32(c.decimals)).Truncate(0)
}

// text writes an amount as the API does in v2: with a currency's decimals if it is fiat,
// and else without zeroes at its end.
func (c *currency) text(amount decimal.Decimal) string {
	if c.kind == kindFiat {
		return amount.StringFixed(int32(c.decimals))
	}
	return amount.Truncate(int32(c.decimals)).String()
}

// currencyByID finds a currency by its id, or returns nil. Contracts that begin with 0x
// compare without case, others with it.
func currencyByID(id string) *currency {
	at := slices.IndexFunc(currencies, func(c *currency) bool {
		return c.id == id || strings.HasPrefix(c.contract(), "0x") && strings.EqualFold(c.id, id)
	})
	if at < 0 {
		return nil
	}
	return currencies[at]
}

// payable reports whether an invoice can be paid in a currency.
func (c *currency) payable() bool { return c.kind != kindFiat }

// capabilities are those that the API lists.
func (c *currency) capabilities() []string {
	if c.kind == kindFiat {
		return []string{}
	}
	if c.family == "BTC" || c.family == "LTC" || c.family == "LTCT" {
		return []string{"payments", "singleSigAccounts", "utxo"}
	}
	return []string{"payments", "singleSigAccounts", "pooledAccounts"}
}
