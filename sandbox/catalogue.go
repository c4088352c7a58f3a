package sandbox

import (
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// The statuses of a coin, as getCoinList gives them.
const (
	coinNormal       = "Normal"
	coinMaintain     = "Maintain"      // withdrawals are halted
	coinPreDelisting = "Pre-delisting" // deposits are halted
	coinDelisted     = "Delisted"      // both are halted
)

// feeDecimals bounds the decimals of amounts that the sandbox computes.
const feeDecimals = 8

// coin is a token that the merchant accepts.
type coin struct {
	id       int64
	symbol   string
	recordAs string // the symbol in records and webhooks, where it differs
	name     string
	status   string
	networks []network
	usd      decimal.Decimal // the price at the start, zero of test coins; state.prices has today's
}

// network is a coin on one chain.
type network struct {
	chain       *chain
	contract    string
	precision   int
	minWithdraw decimal.Decimal
	maxWithdraw decimal.Decimal // zero: no maximum
}

// chain is a blockchain. Chains of one family share their addresses.
type chain struct {
	symbol        string
	name          string
	family        string
	explorer      string
	confirmations int
	memo          bool
	status        string
	protocol      string          // of its tokens; empty: there are none, and the symbol stands for it
	native        int64           // id of the coin that pays its fees
	feeUSD        decimal.Decimal // what a withdrawal costs
}

// fiat is a currency that prices can be named in. usdRate is the worth of one
// unit in US dollars.
type fiat struct {
	id      int64
	symbol  string
	mark    string
	usdRate decimal.Decimal
}

func (c *chain) evm() bool { return c.family == engine.FamilyEVM }

// halted reports whether deposits and withdrawals of the chain are suspended.
func (c *chain) halted() bool { return c.status == "Maintenance" }

// inRecords is the coin's symbol as records and webhooks write it. The live
// API lists coin 1329 as POL but still calls it MATIC there.
func (c *coin) inRecords() string {
	if c.recordAs != "" {
		return c.recordAs
	}
	return c.symbol
}

// on returns the coin's network on a chain, or nil.
func (c *coin) on(symbol string) *network {
	for i := range c.networks {
		if c.networks[i].chain.symbol == symbol {
			return &c.networks[i]
		}
	}
	return nil
}

// takesDeposits and paysOut follow from the coin's status.
func (c *coin) takesDeposits() bool { return c.status == coinNormal || c.status == coinMaintain }
func (c *coin) paysOut() bool       { return c.status == coinNormal || c.status == coinPreDelisting }

// precision is the finest that the coin has on any chain.
func (c *coin) precision() int {
	finest := 0
	for _, n := range c.networks {
		finest = max(finest, n.precision)
	}
	return finest
}

func coinByID(id int64) *coin {
	for i := range coins {
		if coins[i].id == id {
			return &coins[i]
		}
	}
	return nil
}

// coinsNamed finds coins by id or symbol, in either of a coin's two spellings.
// With a chain, only those on it. Two coins can share a symbol.
func coinsNamed(name, onChain string) []*coin {
	var found []*coin
	for i := range coins {
		c := &coins[i]
		named := strings.EqualFold(name, c.symbol) || strings.EqualFold(name, c.recordAs) ||
			name == strconv.FormatInt(c.id, 10)
		if named && (onChain == "" || c.on(onChain) != nil) {
			found = append(found, c)
		}
	}
	return found
}

func chainNamed(symbol string) *chain {
	for i := range chains {
		if chains[i].symbol == symbol {
			return &chains[i]
		}
	}
	return nil
}

func fiatByID(id int64) *fiat {
	at := slices.IndexFunc(fiats, func(f fiat) bool { return f.id == id })
	if at < 0 {
		return nil
	}
	return &fiats[at]
}

// coin reads a required coin id; an unknown one is 13000. The coin returned is
// nil only if broken says so too.
func (p *params) coin(name string) *coin {
	if !p.requireNumber(name) {
		return nil
	}
	return p.optionalCoin(name)
}

// optionalCoin reads a coin id; nil when it is absent.
func (p *params) optionalCoin(name string) *coin {
	id := p.optionalNumber(name)
	if id == 0 {
		return nil
	}
	c := coinByID(id)
	if c == nil {
		p.reject(codeCoin, "%s: no coin has the id %d; getCoinList has them all", name, id)
	}
	return c
}

// chain reads a required chain symbol; an unknown one is 13001.
func (p *params) chain(name string) *chain {
	p.require(name)
	return p.optionalChain(name)
}

// optionalChain reads a chain symbol; nil when it is absent.
func (p *params) optionalChain(name string) *chain {
	symbol := p.optional(name, 32)
	if symbol == "" {
		return nil
	}
	c := chainNamed(symbol)
	if c == nil {
		p.reject(codeChain, "%s: no chain is called %q; getChainList has them all", name, symbol)
	}
	return c
}

// network reads coinId and chain, which must belong together (13001).
func (p *params) network() (*coin, *network) {
	c, on := p.coin("coinId"), p.chain("chain")
	if c == nil || on == nil {
		return nil, nil
	}
	n := c.on(on.symbol)
	if n == nil {
		p.reject(codeChain, "chain: %s (coin %d) is not on %s", c.symbol, c.id, on.symbol)
	}
	return c, n
}

// acceptsDeposit says why a coin cannot be received on a chain at present, or
// nil.
func acceptsDeposit(c *coin, n *network) error {
	if !c.takesDeposits() {
		return refuse(codeCoinHalted, "coinId: deposits of %s are halted (%s)", c.symbol, c.status)
	}
	if n.chain.halted() {
		return refuse(codeDepositHalted, "chain: deposits on %s are halted", n.chain.symbol)
	}
	return nil
}
