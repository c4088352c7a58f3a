package settle_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// numbers takes numbers out of what the fuzzer makes up: nine bytes each, of
// which one chooses the exponent, and some of those are far out of bounds.
type numbers []byte

func (n *numbers) next() decimal.Decimal {
	exponents := []int32{0, -2, -18, 18, -40, 40, -41, 41, -2_000_000_000, 2_000_000_000}
	if len(*n) < 9 {
		*n = nil
		return decimal.Zero
	}
	digits := int64(binary.LittleEndian.Uint64((*n)[1:]))
	d := decimal.New(digits, exponents[int((*n)[0])%len(exponents)])
	*n = (*n)[9:]
	return d
}

func (n *numbers) bits() byte {
	if len(*n) == 0 {
		return 0
	}
	b := (*n)[0]
	*n = (*n)[1:]
	return b
}

// FuzzSettle: whatever stands in the records, there is a state and a verdict on
// each payment; only what counts was paid; and more payments that do not count
// never make an order paid.
func FuzzSettle(f *testing.F) {
	number := func(exponent byte, digits uint64) []byte {
		return binary.LittleEndian.AppendUint64([]byte{exponent}, digits)
	}
	order := slices.Concat(number(1, 4990), []byte{0}, number(0, 0), number(0, 0))
	f.Add(order)
	f.Add(slices.Concat(order, []byte{0b0011, 1}, number(1, 4990), number(0, 0)))
	f.Add(slices.Concat(order, []byte{0b0011, 1}, number(1, 2000), number(0, 0), []byte{0b0011, 2}, number(1, 2990), number(0, 0)))
	f.Add(slices.Concat(order, []byte{0b0001, 1}, number(1, 4990), number(0, 0), []byte{0b0111, 2}, number(1, 1), number(0, 0)))
	f.Add(slices.Concat(number(9, 1), []byte{3}, number(8, 1), number(7, 1), []byte{0b0011, 1}, number(9, 1), number(8, 1)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := numbers(data)
		o := settle.Order{Due: in.next()}
		flags := in.bits()
		if flags&1 != 0 {
			o.ExpiresAt = expiry
		}
		if flags&2 != 0 {
			o.CoinID = "1280"
		}
		o.Rate = in.next()
		policy := settle.Policy{AcceptUnderpaid: in.next(), HoldLate: flags&4 != 0}
		var payments []settle.Payment
		for len(in) > 0 && len(payments) < 8 {
			bits, where := in.bits(), in.bits()
			payments = append(payments, settle.Payment{
				RecordID: string('0' + where%5), CoinID: []string{"1280", "1482"}[where>>7], ArrivedAt: expiry.Add(time.Duration(int8(bits)) * time.Second),
				Finished: bits&1 != 0, Clean: bits&2 != 0, Failed: bits&4 != 0, Released: bits&8 != 0,
				Unpriced: bits&16 != 0 && where&32 != 0, OtherUnit: bits&32 != 0 && where&64 != 0,
				Amount: in.next(), Rate: in.next(),
			})
		}
		got := settle.Settle(o, payments, policy, after)
		if got.State == settle.Unknown {
			if len(got.Verdicts) > 0 || !got.Paid.IsZero() {
				t.Fatalf("unknown, and still %+v", got)
			}
			return
		}
		if !slices.Contains(settle.States, got.State) || !got.Due.Equal(o.Due) || !got.Due.IsPositive() {
			t.Fatalf("%+v is %+v", o, got)
		}
		counting := 0
		for _, p := range payments {
			verdict, ok := got.Verdicts[p.RecordID]
			if !ok || verdict == "" {
				t.Fatalf("no verdict on %+v", p)
			}
			if verdict == settle.Counts {
				counting++
			}
		}
		if counting == 0 && !got.Paid.IsZero() || got.Paid.IsNegative() || got.State.Fulfils() && !got.Paid.IsPositive() {
			t.Fatalf("%s paid by %d payments: %s", got.Paid, counting, got.State)
		}
		if len(got.Paid.Coefficient().Bits()) > 64 {
			t.Fatalf("the sum has %d digits", got.Paid.NumDigits())
		}
		without := slices.DeleteFunc(slices.Clone(payments), func(p settle.Payment) bool { return got.Verdicts[p.RecordID] != settle.Counts })
		if less := settle.Settle(o, without, policy, after); !less.Paid.Equal(got.Paid) || less.State.Fulfils() != got.State.Fulfils() {
			t.Fatalf("%s with %s paid; with what counts alone %s with %s", got.State, got.Paid, less.State, less.Paid)
		}
	})
}
