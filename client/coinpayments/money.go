package coinpayments

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// ParseAmount reads a decimal number of at most 40 digits, with an exponent
// within ±40. The empty text is 0: the API sends it for "none".
func ParseAmount(text string) (decimal.Decimal, error) { return apiclient.ParseAmount(text) }

// CurrencyID is the id of a coin, or of a token by its contract on that coin's chain:
// "4", or "4:0xdac17f958d2ee523a2206206994597c13d831ec7" (reference, Currencies).
func CurrencyID(coin, contract string) string {
	if contract == "" {
		return coin
	}
	return coin + ":" + contract
}

// SameCurrency reports whether two ids are one currency's. Contracts that begin with 0x
// are hexadecimal and compared without case, others with it.
func SameCurrency(a, b string) bool { return a != "" && plainCurrency(a) == plainCurrency(b) }

func plainCurrency(id string) string {
	coin, contract, _ := strings.Cut(id, ":")
	if len(contract) > 2 && strings.EqualFold(contract[:2], "0x") {
		contract = strings.ToLower(contract)
	}
	return CurrencyID(coin, contract)
}

// Money is an amount as the v1 routes and the payouts write it.
type Money struct {
	CurrencyID      string          `json:"currencyId"`
	CurrencySymbol  string          `json:"currencySymbol"`
	ContractAddress string          `json:"contractAddress"`
	DisplayValue    string          `json:"displayValue"` // for people
	Value           decimal.Decimal `json:"value"`        // in the currency's smallest units; in wallets, in whole ones
	ValueAsDecimal  decimal.Decimal `json:"valueAsDecimal"`
}

// AmountDue is what is to be paid in a currency, and why.
type AmountDue struct {
	Money
	Rate      decimal.Decimal `json:"rate"` // from the invoice's currency
	Breakdown []Charge        `json:"breakdown"`
}

// Charge is a part of an amount due.
type Charge struct {
	Name string `json:"name"`
	Money
}

// decodeMoney also takes a plain amount, which is in whole units.
func decodeMoney[T Money | AmountDue](d *apiclient.Decoder) func(json.RawMessage, reflect.Value) error {
	return func(data json.RawMessage, v reflect.Value) error {
		if isObject(data) {
			return d.Object(data, v)
		}
		return d.Value(data, v.FieldByName("ValueAsDecimal"))
	}
}
