package hosted

import (
	"time"

	"github.com/shopspring/decimal"
)

// How soon a page looks again.
const (
	Soon  = time.Second     // while a payment is on its way
	Later = 5 * time.Second // while one may come
)

// Merchant is who the pages say is paid: the APIs know no name.
const Merchant = "Sandbox merchant"

// About shortens an amount to six significant digits, rounded up.
func About(amount decimal.Decimal) string {
	whole := int32(amount.NumDigits()) + amount.Exponent()
	return amount.RoundCeil(max(0, 6-whole)).String()
}

// Percent is how much of a total is there, from 0 to 100.
func Percent(part, total decimal.Decimal) int {
	return int(decimal.Min(part.Shift(2).DivRound(total, 4), decimal.New(100, 0)).IntPart())
}
