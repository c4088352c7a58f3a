package apiclienttest

import (
	"encoding/json"
	"math/big"

	"github.com/shopspring/decimal"
)

// Plain is a JSON text or number as its text; null and nothing are empty.
func Plain(value json.RawMessage) string {
	var text string
	switch {
	case len(value) == 0 || string(value) == "null":
		return ""
	case value[0] == '"' && json.Unmarshal(value, &text) == nil:
		return text
	default:
		return string(value)
	}
}

// IsExactly reports whether an amount is the number that a text is; the empty text is 0.
func IsExactly(amount decimal.Decimal, text string) bool {
	want, ok := new(big.Rat), true
	if text != "" {
		_, ok = want.SetString(text)
	}
	return ok && amount.Rat().Cmp(want) == 0
}
