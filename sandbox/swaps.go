package sandbox

import (
	"slices"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

const (
	tether       = 1280 // the coin that the smallest fee is named in
	swapDecimals = 18   // of rates
)

// swapFeeRate is CCPayment's share of what a swap yields, and leastSwapFee the
// smallest fee, in USDT.
var (
	swapFeeRate  = number("0.005")
	leastSwapFee = number("0.1")
)

// swap is one coin exchanged for another, or the quote of it. Amounts of the
// output are in coinOut.
type swap struct {
	entry
	user      string // empty: the merchant's
	coinIn    *coin
	coinOut   *coin
	amountIn  decimal.Decimal
	amountOut decimal.Decimal // before fees
	rate      decimal.Decimal // coins out for one coin in
	feeRate   decimal.Decimal
	fee       decimal.Decimal
	extraRate decimal.Decimal // the merchant's share of a user's swap
	extraFee  decimal.Decimal
	least     decimal.Decimal // amountOutMinimum; zero: none
}

// net is what the balance receives.
func (w *swap) net() decimal.Decimal { return w.amountOut.Sub(w.fee).Sub(w.extraFee) }

// estimateSwap serves estimate, for merchant and users alike. It needs no
// balance.
func estimateSwap(c *call) (any, error) {
	w := &swap{}
	if err := c.readSwap(w, c.has("extraFeeRate")); err != nil {
		return nil, err
	}
	if err := c.st.quote(w); err != nil {
		return nil, err
	}
	return w.quoted(c.has("extraFeeRate")), nil
}

// swapCoins serves swap, for the merchant's balance.
func swapCoins(c *call) (any, error) { return c.swap(&swap{entry: entry{orderID: c.id("orderId")}}) }

// userSwapCoins serves userSwap. The extra fee, if there is one, becomes the
// merchant's.
func userSwapCoins(c *call) (any, error) {
	return c.swap(&swap{entry: entry{orderID: c.id("orderId")}, user: c.wallet("userId")})
}

// swap carries out a swap at once. If less than amountOutMinimum would be
// received after fees, it answers 16003 and moves nothing.
func (c *call) swap(w *swap) (any, error) {
	ofUser := c.endpoint == "userSwap"
	w.least = c.notNegative("amountOutMinimum")
	if err := c.readSwap(w, ofUser); err != nil {
		return nil, err
	}
	if err := c.st.payouts.swaps.free(w.orderID); err != nil {
		return nil, err
	}
	payer := c.s.opts.AppID
	if ofUser {
		payer = w.user
	}
	if err := c.knows(payer); err != nil {
		return nil, err
	}
	if err := c.st.quote(w); err != nil {
		return nil, err
	}
	if w.net().LessThan(w.least) {
		return nil, refuse(codeMinimumTooHigh, "amountOutMinimum: the swap yields %s %s, which is less than %s; nothing was swapped",
			w.net(), w.coinOut.symbol, w.least)
	}
	if err := c.st.maySwap(c.now, w); err != nil {
		return nil, err
	}
	if err := c.st.debit(payer, w.coinIn, w.amountIn); err != nil {
		return nil, err
	}
	c.st.credit(payer, w.coinOut, w.net())
	if w.extraFee.IsPositive() {
		c.st.credit(c.s.opts.AppID, w.coinOut, w.extraFee)
	}
	c.st.payouts.swaps.enter(c.st, c.now, w)
	data := w.quoted(ofUser)
	data["recordId"], data["orderId"] = w.recordID, w.orderID
	return data, nil
}

// readSwap reads what quotes and swaps have in common.
func (c *call) readSwap(w *swap, extra bool) error {
	w.coinIn, w.amountIn = c.payableOf("coinIdIn", "amountIn")
	w.coinOut = c.coin("coinIdOut")
	if extra {
		w.extraRate = c.share("extraFeeRate")
	}
	switch {
	case w.coinIn == nil || w.coinOut == nil:
	case w.coinIn == w.coinOut:
		c.reject(codeInvalid, "coinIdOut: is the same as coinIdIn")
	default:
		c.mustSwap("coinIdIn", w.coinIn)
		c.mustSwap("coinIdOut", w.coinOut)
	}
	return c.broken()
}

// mustSwap rejects a coin that takes no part in swaps: 16001 where SetAccount halts them,
// 13006 where its status does, 16006 where there never are any.
func (c *call) mustSwap(name string, of *coin) {
	switch {
	case slices.Contains(c.st.account.HaltedSwaps, of.id):
		c.reject(codeSwapHalted, "%s: swaps of %s are halted", name, of.symbol)
	case of.swappable():
	case of.status != coinNormal:
		c.reject(codeCoinStopSwap, "%s: swaps of %s are halted (%s); getSwapCoinList has what can be swapped", name, of.symbol, of.status)
	default:
		c.reject(codeNoSwap, "%s: %s cannot be swapped; getSwapCoinList has what can", name, of.symbol)
	}
}

// share reads an optional rate such as "0.01", which is 1 %: from 0 to under 1.
func (p *params) share(name string) decimal.Decimal {
	rate := p.notNegative(name)
	if rate.GreaterThanOrEqual(decimal.New(1, 0)) {
		p.reject(codeInvalid, "%s: must be a rate such as \"0.01\", which is 1 %%, and under 1", name)
	}
	return rate
}

// notNegative reads an optional number that may be 0, as it is when absent.
func (p *params) notNegative(name string) decimal.Decimal {
	text := p.optional(name, 2*maxAmountDigits)
	if text == "" {
		return decimal.Zero
	}
	value, err := engine.ParseAmount(text)
	if err != nil {
		p.reject(codeInvalid, "%s: %v", name, err)
	}
	return value
}

// quote fills in what a swap yields at today's prices. The output is rounded
// down to its coin's precision. The fee is half a percent of it, but at least
// the worth of 0.1 USDT, and feeRate says what share that is. Where nothing
// would be left after fees, it answers 16002.
//
// swapRate is coins out for one coin in, as in all published examples; the
// pages' words have it the other way round.
func (st *state) quote(w *swap) error {
	in, out := st.price(w.coinIn), st.price(w.coinOut)
	digits := int32(w.coinOut.precision())
	w.amountOut, _ = w.amountIn.Mul(in).QuoRem(out, digits)
	w.rate, _ = in.QuoRem(out, swapDecimals)
	w.feeRate, w.fee = swapFeeRate, w.amountOut.Mul(swapFeeRate).RoundCeil(digits)
	least := leastSwapFee.Mul(st.price(coinByID(tether))).DivRound(out, 30).RoundCeil(digits)
	if w.fee.LessThan(least) && w.amountOut.IsPositive() {
		w.fee, w.feeRate = least, least.DivRound(w.amountOut, 16)
	}
	w.extraFee = w.amountOut.Mul(w.extraRate).Truncate(digits)
	if !w.net().IsPositive() {
		return refuse(codeSwapTooLittle, "amountIn: yields %s %s, of which fees leave nothing", w.amountOut, w.coinOut.symbol)
	}
	return nil
}

// quoted is a swap as estimate, swap and userSwap answer it.
func (w *swap) quoted(extra bool) object {
	data := object{
		"coinIdIn": w.coinIn.id, "coinIdOut": w.coinOut.id, "amountIn": w.amountIn, "amountOut": w.amountOut,
		"netAmountOut": w.net(), "swapRate": w.rate, "feeRate": w.feeRate, "fee": w.fee,
	}
	if extra {
		data["extraFee"], data["extraFeeRate"] = w.extraFee, w.extraRate
	}
	return data
}
