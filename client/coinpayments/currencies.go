package coinpayments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/shopspring/decimal"
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
	types := make([]string, len(f.Types))
	for i, t := range f.Types {
		types[i] = string(t)
	}
	return collect(ctx, pages[Currency]{
		client: c, route: routeCurrencies,
		id: func(u Currency) string { return u.ID + "/" + u.Symbol },
		write: func(p *params) {
			p.ask("q", f.Query)
			p.ask("types", strings.Join(types, ","))
			p.ask("capabilities", strings.Join(f.Capabilities, ","))
		},
	})
}

// Currency gives one currency (GET /api/v2/currencies/{id}; reference, Currencies, Get
// currency by Id). It needs no signature.
func (c *Client) Currency(ctx context.Context, id string) (Currency, error) {
	p := c.params(routeCurrency)
	p.currency("id", id)
	answer := currencyAnswer{asked: id}
	err := c.ask(ctx, p, &answer)
	return answer.Currency, err
}

type currencyAnswer struct {
	asked string
	Currency
}

func (a *currencyAnswer) check() error {
	if !SameCurrency(a.ID, a.asked) {
		return fmt.Errorf("it is about currency %.60q", a.ID)
	}
	return nil
}

// LatestBlock gives the number of a chain's latest block (GET
// /api/v2/currencies/blockchain-nodes/{id}/latest-block-number; reference, Currencies, Get
// latest block number).
func (c *Client) LatestBlock(ctx context.Context, currencyID string) (int64, error) {
	p := c.params(routeLatestBlock)
	p.currency("id", currencyID)
	var answer latestBlock
	err := c.ask(ctx, p, &answer)
	return answer.Number, err
}

type latestBlock struct {
	CurrencyID string `json:"currencyId"`
	Number     int64  `json:"latestBlockNumber"`
}

func (a *latestBlock) check() error {
	if a.Number <= 0 {
		return errors.New("it has no block number")
	}
	return nil
}

// RequiredConfirmations is how many confirmations a currency's payments need.
type RequiredConfirmations struct {
	CurrencyID     string `json:"currencyId"`
	CurrencySymbol string `json:"currencySymbol"`
	Count          int    `json:"confirmationsCount"`
}

// RequiredConfirmations gives them for each currency (GET
// /api/v2/currencies/required-confirmations; reference, Currencies, Get required
// confirmations).
func (c *Client) RequiredConfirmations(ctx context.Context) ([]RequiredConfirmations, error) {
	return collect(ctx, pages[RequiredConfirmations]{
		client: c, route: routeRequiredConfirmations, write: func(*params) {},
		id: func(r RequiredConfirmations) string { return r.CurrencyID + "/" + r.CurrencySymbol },
	})
}

// CurrencyPair is a conversion that is possible.
type CurrencyPair struct {
	From       string `json:"from"` // a currency's id
	FromSymbol string `json:"fromSymbol"`
	To         string `json:"to"` // a currency's id
	ToSymbol   string `json:"toSymbol"`
}

// Conversions gives all conversions that are possible (GET
// /api/v2/currencies/conversions; reference, Currencies, Get all possible conversions).
func (c *Client) Conversions(ctx context.Context) ([]CurrencyPair, error) {
	return collect(ctx, pages[CurrencyPair]{
		client: c, route: routeConversions, write: func(*params) {},
		id: func(pair CurrencyPair) string {
			return strings.Join([]string{pair.From, pair.FromSymbol, pair.To, pair.ToSymbol}, "/")
		},
	})
}

// ConversionLimits is how much can be converted at once, in the currency that is
// converted. The reference does not say in which units.
type ConversionLimits struct {
	Min decimal.Decimal `json:"min"`
	Max decimal.Decimal `json:"max"`
}

// ConversionLimits gives how much of a currency can be converted to another (GET
// /api/v2/currencies/limits/{from}/{to}; reference, Currencies, Get minimum and maximum
// amounts).
func (c *Client) ConversionLimits(ctx context.Context, from, to string) (ConversionLimits, error) {
	p := c.params(routeConversionLimits)
	p.currency("from", from)
	p.currency("to", to)
	var answer ConversionLimits
	err := c.ask(ctx, p, &answer)
	return answer, err
}

// MerchantCurrency is a currency that the merchant accepts.
type MerchantCurrency struct {
	Currency             Currency        `json:"currency"`
	PayoutFrequency      string          `json:"payoutFrequency"` // normal, asSoonAsPossible, hourly, nightly or weekly
	Order                int             `json:"order"`           // its rank; 0: none
	DiscountPercent      decimal.Decimal `json:"discountPercent"`
	MarkupPercent        decimal.Decimal `json:"markupPercent"`
	PayoutConfigurations []PayoutConfig  `json:"payoutConfigurations"`
	SwitcherStatus       string          `json:"switcherStatus"` // enabled or disabled
	Raw                  json.RawMessage
}

// PayoutConfig is where money goes.
type PayoutConfig struct {
	CurrencyID string `json:"currencyId"`
	Address    string `json:"address"`
	WalletID   string `json:"walletId"`
}

// MerchantCurrencies lists the currencies that the merchant accepts, those with a rank
// first (GET /api/v1/merchant/currencies; reference, Currencies, Get merchant's accepted
// currencies).
func (c *Client) MerchantCurrencies(ctx context.Context) iter.Seq2[MerchantCurrency, error] {
	return pages[MerchantCurrency]{
		client: c, route: routeMerchantCurrencies, write: func(*params) {},
		id: func(m MerchantCurrency) string { return m.Currency.ID },
	}.all(ctx)
}
