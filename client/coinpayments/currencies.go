package coinpayments

import (
	"context"
	"encoding/json"
	"strings"
)

// Currency is a coin, a token or a fiat currency of CoinPayments'.
type Currency struct {
	ID                    string         `json:"id"` // see [CurrencyID]
	Type                  CurrencyType   `json:"type"`
	Symbol                string         `json:"symbol"` // not unique: tokens on several chains share one
	Name                  string         `json:"name"`
	Logo                  Logo           `json:"logo"`
	DecimalPlaces         int            `json:"decimalPlaces"`
	Rank                  int            `json:"rank"`
	Status                CurrencyStatus `json:"status"`
	Capabilities          []string       `json:"capabilities"` // such as payments, singleSigAccounts, utxo
	URLs                  CurrencyURLs   `json:"urls"`
	RequiredConfirmations int            `json:"requiredConfirmations"`
	IsEnabledForPayment   bool           `json:"isEnabledForPayment"`
	Raw                   json.RawMessage
}

// CurrencyType is what a currency is.
type CurrencyType string

// The documented types.
const (
	CurrencyCrypto CurrencyType = "crypto"
	CurrencyToken  CurrencyType = "token"
	CurrencyFiat   CurrencyType = "fiat"
)

// Is compares without regard to case.
func (t CurrencyType) Is(other CurrencyType) bool { return strings.EqualFold(string(t), string(other)) }

// CurrencyStatus says what can be done with a currency.
type CurrencyStatus string

// The documented statuses.
const (
	CurrencyActive           CurrencyStatus = "active"
	CurrencyUnderMaintenance CurrencyStatus = "underMaintenance"
	CurrencyDeleted          CurrencyStatus = "deleted"
)

// Is compares without regard to case.
func (s CurrencyStatus) Is(other CurrencyStatus) bool {
	return strings.EqualFold(string(s), string(other))
}

// Logo is a picture of a currency.
type Logo struct {
	ImageURL  string `json:"imageUrl" also:"iamgeUrl"` // the reference has both
	VectorURL string `json:"vectorUrl"`
}

// CurrencyURLs are a currency's sites.
type CurrencyURLs struct {
	Websites  []string `json:"websites"`
	Explorers []string `json:"explorers"`
}

// CurrencyFilter picks currencies; empty fields pick all.
type CurrencyFilter struct {
	// Query is words of the symbol or the name. It finds more than those whose symbol it
	// is: compare the symbol.
	Query        string
	Types        []CurrencyType
	Capabilities []string
}

// Currencies gives the currencies of the platform, in the order of their rank (GET
// /api/v2/currencies; reference, Currencies, List currencies and their capabilities).
// The list is long and seldom changes: keep it for some minutes.
func (c *Client) Currencies(ctx context.Context, f CurrencyFilter) ([]Currency, error) {
	p := c.params(routeCurrencies)
	p.ask("q", f.Query)
	types := make([]string, len(f.Types))
	for i, t := range f.Types {
		types[i] = string(t)
	}
	p.ask("types", strings.Join(types, ","))
	p.ask("capabilities", strings.Join(f.Capabilities, ","))
	return collect[Currency](ctx, c, p)
}
