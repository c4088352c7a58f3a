package coinpayments

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/coalesce"
	"github.com/seed-338f6760/caddy-ccpayment/internal/hint"
)

// unit is what a price is in, or what it is paid in.
type unit struct {
	id, symbol string
	decimals   int32
	fiat       bool
}

// longestList is how long all pages of a list may take: others wait for them.
const longestList = time.Minute

// symbols looks currencies up in CoinPayments' lists, by the names that people use. It
// caches the lists, and uses an old one while CoinPayments cannot be reached.
type symbols struct {
	now          func() time.Time
	api          func() *coinpayments.Client
	fiats, coins coalesce.List[coinpayments.Currency]
}

func newSymbols(api func() *coinpayments.Client, now func() time.Time) *symbols {
	return &symbols{now: now, api: api}
}

// list returns the currencies of the types that CoinPayments still has.
func (s *symbols) list(ctx context.Context, kept *coalesce.List[coinpayments.Currency], types ...coinpayments.CurrencyType) ([]coinpayments.Currency, error) {
	list, err := kept.Get(ctx, s.now(), func(ctx context.Context) ([]coinpayments.Currency, error) {
		ctx, stop := context.WithTimeout(ctx, longestList)
		defer stop()
		all, err := s.api().Currencies(ctx, coinpayments.CurrencyFilter{Types: types})
		return slices.DeleteFunc(all, func(c coinpayments.Currency) bool { return c.Status.Is(coinpayments.CurrencyDeleted) }), err
	})
	if err != nil {
		return nil, fmt.Errorf("asking CoinPayments for the currencies: %w", explain(err))
	}
	return list, nil
}

// price finds what a price is in by symbol, or by `fiat:<id>` or `coin:<id>`: among the fiat
// currencies first, whose symbols some tokens have, too.
func (s *symbols) price(ctx context.Context, text string) (unit, error) {
	kind, id, byID := strings.Cut(text, ":")
	var others []string
	if !byID || kind == "fiat" {
		fiats, err := s.list(ctx, &s.fiats, coinpayments.CurrencyFiat)
		if err != nil {
			return unit{}, err
		}
		if found := named(fiats, text, id); len(found) > 0 {
			one, err := only(found, "currency", text)
			one.fiat = true
			return one, err
		}
		others = symbolsOf(fiats)
	}
	var coins []coinpayments.Currency
	if !byID || kind == "coin" {
		var err error
		if coins, err = s.list(ctx, &s.coins); err != nil {
			return unit{}, err
		}
	}
	if found := named(coins, text, id); len(found) > 0 {
		return only(found, "currency", text)
	}
	return unit{}, gateway.WrongField("currency", "%.40q is no currency that CoinPayments knows%s",
		text, hint.Nearest(text, append(others, symbolsOf(coins)...)))
}

// coin finds what an order is paid in by its symbol at CoinPayments, or by `coin:<id>`.
// With a chain, by the symbol or id of the chain's own coin, the symbol may be the one that
// a token has on several chains.
func (s *symbols) coin(ctx context.Context, text, chain string) (unit, error) {
	coins, err := s.list(ctx, &s.coins)
	if err != nil {
		return unit{}, err
	}
	id, _ := strings.CutPrefix(text, "coin:")
	found := named(coins, text, id)
	if chain != "" {
		found = slices.DeleteFunc(append(found, tokensNamed(coins, text)...), func(c coinpayments.Currency) bool {
			network, _, _ := strings.Cut(c.ID, ":")
			own := named(coins, chain, chain)
			return !slices.ContainsFunc(own, func(of coinpayments.Currency) bool { return of.ID == network })
		})
	}
	if len(found) == 0 && chain != "" {
		return unit{}, gateway.WrongField("chain", "there is no %.40q on %.40q at CoinPayments", text, chain)
	}
	if len(found) == 0 {
		return unit{}, gateway.WrongField("coin", "%.40q is no coin that CoinPayments knows%s", text, hint.Nearest(text, symbolsOf(coins)))
	}
	return only(found, "coin", text)
}

// only returns the currency of those found. Tokens on several chains may have one symbol.
func only(found []coinpayments.Currency, field, text string) (unit, error) {
	var ids []string
	for _, c := range found {
		if id := "coin:" + currencyID(c.ID); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) > 1 {
		return unit{}, gateway.WrongField(field, "%.40q is ambiguous: use one of %s", text, strings.Join(ids, ", "))
	}
	return unit{id: currencyID(found[0].ID), symbol: found[0].Symbol, decimals: int32(found[0].DecimalPlaces)}, nil
}

// named returns the currencies with a symbol or an id.
func named(list []coinpayments.Currency, symbol, id string) []coinpayments.Currency {
	var found []coinpayments.Currency
	for _, c := range list {
		if strings.EqualFold(c.Symbol, symbol) || coinpayments.SameCurrency(c.ID, id) {
			found = append(found, c)
		}
	}
	return found
}

// tokensNamed returns the tokens whose symbol has the chain behind it, as USDT.ERC20 has.
func tokensNamed(list []coinpayments.Currency, symbol string) []coinpayments.Currency {
	var found []coinpayments.Currency
	for _, c := range list {
		if name, _, isOfChain := strings.Cut(c.Symbol, "."); isOfChain && strings.EqualFold(name, symbol) {
			found = append(found, c)
		}
	}
	return found
}

func symbolsOf(list []coinpayments.Currency) []string {
	symbols := make([]string, 0, len(list))
	for _, c := range list {
		symbols = append(symbols, c.Symbol)
	}
	return symbols
}
