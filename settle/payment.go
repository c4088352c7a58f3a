package settle

import "github.com/shopspring/decimal"

// judge returns the verdict on one payment, and what the payment is worth in the
// order's unit if it counts.
func (o Order) judge(p Payment, policy Policy) (Verdict, decimal.Decimal) {
	switch {
	case p.Returned:
		return Returned, decimal.Zero
	case p.Failed:
		return Failed, decimal.Zero
	case o.CoinID != "" && p.CoinID != o.CoinID:
		return WrongCoin, decimal.Zero
	case !p.Finished:
		return Unfinished, decimal.Zero
	case p.Worthless:
		return TestCoin, decimal.Zero
	case !p.Clean:
		return Risky, decimal.Zero
	case !sensible(p.Amount):
		return Invalid, decimal.Zero
	case p.OtherUnit:
		return OtherUnit, decimal.Zero
	case (policy.HoldLate && o.isLate(p) || p.Unpriced) && !p.Released:
		return Late, decimal.Zero
	}
	return o.worth(p)
}

// worth is the amount that a payment counts for. Where the price is in fiat and the
// coin is fixed, a payment counts by its own rate: a late payment is worth what it
// was worth when it came.
func (o Order) worth(p Payment) (Verdict, decimal.Decimal) {
	switch {
	case o.Rate.IsZero():
		return Counts, p.Amount
	case p.Rate.IsZero() && o.isLate(p) && !p.Released:
		return Late, decimal.Zero
	case p.Rate.IsZero():
		return Counts, p.Amount // at the order's own rate, which was locked for it
	case !sensible(p.Rate):
		return Invalid, decimal.Zero
	case p.Rate.Equal(o.Rate):
		return Counts, p.Amount // exactly, without dividing
	default:
		return Counts, p.Amount.Mul(p.Rate).DivRound(o.Rate, worthDecimals)
	}
}

// worthDecimals is far beyond what any coin has, so that rounding is not seen.
const worthDecimals = 40

func (o Order) isLate(p Payment) bool {
	expires := o.ExpiresAt
	if !p.ExpiresAt.IsZero() {
		expires = p.ExpiresAt
	}
	return !expires.IsZero() && p.ArrivedAt.After(expires)
}

// The bounds of a number, which keep the sums small whatever comes in.
const (
	maxDigits   = 40
	maxExponent = 40
)

// sensible reports whether a number is positive and within the bounds.
func sensible(d decimal.Decimal) bool {
	return d.IsPositive() && d.Exponent() >= -maxExponent && d.Exponent() <= maxExponent && d.NumDigits() <= maxDigits
}

// share returns d where it is between 0 and 1, else 0.
func share(d decimal.Decimal) decimal.Decimal {
	if !sensible(d) || d.GreaterThanOrEqual(decimal.New(1, 0)) {
		return decimal.Zero
	}
	return d
}
