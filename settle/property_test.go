package settle_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// oracle settles by fractions, and by asking of each payment whether anything
// speaks against it.
func oracle(o settle.Order, payments []settle.Payment, policy settle.Policy, now time.Time) (settle.State, *big.Rat) {
	due, sum := o.Due.Rat(), new(big.Rat)
	seen := map[string]bool{}
	doubt, coming := false, false
	for _, p := range payments {
		if seen[p.RecordID] {
			continue
		}
		seen[p.RecordID] = true
		isLate := p.ArrivedAt.After(o.ExpiresAt)
		if p.Failed || o.CoinID != "" && p.CoinID != o.CoinID {
			continue
		}
		if !p.Finished {
			coming = true
			continue
		}
		if !p.Clean || isLate && policy.HoldLate && !p.Released || isLate && !o.Rate.IsZero() && p.Rate.IsZero() && !p.Released {
			doubt = true
			continue
		}
		worth := p.Amount.Rat()
		if !o.Rate.IsZero() && !p.Rate.IsZero() {
			worth.Mul(worth, p.Rate.Rat())
			worth.Quo(worth, o.Rate.Rat())
		}
		sum.Add(sum, worth)
	}
	noise := new(big.Rat).Mul(due, big.NewRat(1, 1_000_000))
	least := new(big.Rat).Sub(due, new(big.Rat).Mul(due, policy.AcceptUnderpaid.Rat()))
	least.Sub(least, noise)
	most := new(big.Rat).Add(due, noise)
	switch {
	case sum.Cmp(most) > 0:
		return settle.Overpaid, sum
	case sum.Sign() > 0 && sum.Cmp(least) >= 0:
		return settle.Paid, sum
	case doubt:
		return settle.Review, sum
	case sum.Sign() > 0:
		return settle.Partial, sum
	case coming:
		return settle.Processing, sum
	case now.After(o.ExpiresAt):
		return settle.Expired, sum
	}
	return settle.Unpaid, sum
}

// cents draws a positive number with few digits, so that sums often meet the
// due exactly.
func cents(t *rapid.T, name string, most int64, decimals int32) decimal.Decimal {
	return decimal.New(rapid.Int64Range(1, most).Draw(t, name), -decimals)
}

func drawOrder(t *rapid.T) settle.Order {
	o := settle.Order{Due: cents(t, "due", 40, 2), ExpiresAt: expiry}
	if rapid.Bool().Draw(t, "deposit order") {
		o.CoinID = "1280"
		if rapid.Bool().Draw(t, "price in fiat") {
			o.Rate = cents(t, "rate", 3, 0)
		}
	}
	return o
}

func drawPayment(t *rapid.T) settle.Payment {
	p := settle.Payment{
		RecordID:  fmt.Sprint(rapid.IntRange(1, 6).Draw(t, "record")),
		CoinID:    rapid.SampledFrom([]string{"1280", "1280", "1280", "1482"}).Draw(t, "coin"),
		Amount:    cents(t, "amount", 40, rapid.SampledFrom([]int32{2, 2, 9}).Draw(t, "decimals")),
		ArrivedAt: rapid.SampledFrom([]time.Time{before, before, expiry, after}).Draw(t, "arrived"),
		Finished:  rapid.IntRange(0, 3).Draw(t, "finished") > 0,
		Failed:    rapid.IntRange(0, 5).Draw(t, "failed") == 0,
		Clean:     rapid.IntRange(0, 4).Draw(t, "clean") > 0,
		Released:  rapid.IntRange(0, 3).Draw(t, "released") == 0,
	}
	if rapid.Bool().Draw(t, "has a rate") {
		p.Rate = cents(t, "own rate", 3, 0)
	}
	return p
}

// TestSettleAgreesWithTheOracle: state and sum are those of exact fractions.
// `-rapid.checks` says how many cases are tried.
func TestSettleAgreesWithTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		order := drawOrder(t)
		payments := rapid.SliceOfN(rapid.Custom(drawPayment), 0, 6).Draw(t, "payments")
		policy := settle.Policy{
			HoldLate:        rapid.Bool().Draw(t, "hold late"),
			AcceptUnderpaid: decimal.New(rapid.Int64Range(0, 20).Draw(t, "accept underpaid"), -2),
		}
		now := rapid.SampledFrom([]time.Time{before, after}).Draw(t, "now")
		state, sum := oracle(order, payments, policy, now)
		got := settle.Settle(order, payments, policy, now)
		if got.State != state {
			t.Fatalf("%s with %s paid, the oracle says %s with %s", got.State, got.Paid, state, sum.FloatString(12))
		}
		if off := new(big.Rat).Sub(got.Paid.Rat(), sum); off.Abs(off).Cmp(big.NewRat(1, 1_000_000_000_000_000_000)) > 0 {
			t.Fatalf("%s paid, the oracle says %s", got.Paid, sum.FloatString(24))
		}
	})
}

// TestOrderOfPaymentsDoesNotMatter: payments settle to the same in any order,
// as long as a record says the same whenever it is seen.
func TestOrderOfPaymentsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		order := drawOrder(t)
		byRecord := map[string]settle.Payment{}
		var payments []settle.Payment
		for _, p := range rapid.SliceOfN(rapid.Custom(drawPayment), 0, 6).Draw(t, "payments") {
			if known, ok := byRecord[p.RecordID]; ok {
				p = known
			}
			byRecord[p.RecordID] = p
			payments = append(payments, p)
		}
		policy := settle.Policy{HoldLate: rapid.Bool().Draw(t, "hold late")}
		one := settle.Settle(order, payments, policy, before)
		other := settle.Settle(order, rapid.Permutation(payments).Draw(t, "in another order"), policy, before)
		if one.State != other.State || !one.Paid.Equal(other.Paid) || one.Late != other.Late || fmt.Sprint(one.Verdicts) != fmt.Sprint(other.Verdicts) {
			t.Fatalf("%+v or %+v", one, other)
		}
	})
}

// TestSettleIsTotal: whatever the numbers are, there is an answer, at once.
func TestSettleIsTotal(t *testing.T) {
	number := rapid.Custom(func(t *rapid.T) decimal.Decimal {
		return decimal.New(rapid.Int64().Draw(t, "digits"), rapid.SampledFrom([]int32{-2_000_000_000, -41, -40, -18, 0, 18, 40, 41, 2_000_000_000}).Draw(t, "exponent"))
	})
	rapid.Check(t, func(t *rapid.T) {
		order := settle.Order{Due: number.Draw(t, "due"), Rate: number.Draw(t, "rate"), ExpiresAt: expiry}
		p := paid("1", "1", func(p *settle.Payment) { p.Amount, p.Rate = number.Draw(t, "amount"), number.Draw(t, "own rate") })
		got := settle.Settle(order, []settle.Payment{p}, settle.Policy{AcceptUnderpaid: number.Draw(t, "share")}, before)
		if got.State == settle.Unknown && len(got.Verdicts) > 0 {
			t.Fatalf("%+v", got)
		}
	})
}
