package apiclient

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// The bounds of a number from outside, checked before it is parsed: a few bytes
// like 1e20000000 would otherwise become megabytes of digits.
const (
	MaxDigits   = 40
	maxExponent = 40
)

// ParseAmount reads a decimal number of at most 40 digits, with an exponent
// within ±40. The empty text is 0: APIs send it for "none".
func ParseAmount(text string) (decimal.Decimal, error) {
	if text == "" {
		return decimal.Decimal{}, nil
	}
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(text), "e")
	digits := 0
	sign := false // behind the front: decimal takes .-5 for -0.05
	for i, r := range mantissa {
		if r >= '0' && r <= '9' {
			digits++
		}
		sign = sign || i > 0 && (r == '+' || r == '-')
	}
	if digits == 0 || digits > MaxDigits || sign {
		return decimal.Decimal{}, fmt.Errorf("%.60q is not a number of 1 to %d digits", text, MaxDigits)
	}
	if hasExponent {
		n, err := strconv.Atoi(exponent)
		if err != nil || n < -maxExponent || n > maxExponent {
			return decimal.Decimal{}, fmt.Errorf("%.60q has an exponent beyond %d", text, maxExponent)
		}
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return decimal.Decimal{}, fmt.Errorf("%.60q is not a number", text)
	}
	return d, nil
}
