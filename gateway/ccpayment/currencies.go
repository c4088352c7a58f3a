package ccpayment

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/coalesce"
	"github.com/seed-338f6760/caddy-ccpayment/internal/hint"
)

// unit is what a price is in: a fiat currency, or a coin.
type unit struct {
	symbol         string
	fiatID, coinID string // one of the two
}

// coin is what a deposit order is paid in.
type coin struct{ id, symbol, chain string }

// symbols looks currencies, coins and chains up in CCPayment's lists, by the names that
// people use. It caches the lists, and uses an old one while CCPayment cannot be
// reached.
type symbols struct {
	now func() time.Time

	fiats cachedList[client.Fiat]
	coins cachedList[client.Coin]
}

// symbolsAge is how old a list may be before it is read again.
const symbolsAge = coalesce.ListAge

func newSymbols(api func() *client.Client, now func() time.Time) *symbols {
	return &symbols{
		now:   now,
		fiats: cachedList[client.Fiat]{read: func(ctx context.Context) ([]client.Fiat, error) { return api().Fiats(ctx) }},
		coins: cachedList[client.Coin]{read: func(ctx context.Context) ([]client.Coin, error) { return api().Coins(ctx) }},
	}
}

// cachedList caches a list that seldom changes.
type cachedList[T any] struct {
	read func(context.Context) ([]T, error)
	kept coalesce.List[T]
}

// get returns the list. The client's timeout applies to each time that it is read.
func (c *cachedList[T]) get(ctx context.Context, now time.Time) ([]T, error) {
	return c.kept.Get(ctx, now, c.read)
}

// unit finds a currency by symbol, or by `fiat:<id>` or `coin:<id>`.
func (s *symbols) unit(ctx context.Context, text string) (unit, error) {
	kind, id, byID := strings.Cut(text, ":")
	fiats, err := s.fiats.get(ctx, s.now())
	if err != nil {
		return unit{}, asking("the currencies", err)
	}
	var found []unit
	for _, f := range fiats {
		if byID && kind == "fiat" && f.FiatID == id || !byID && strings.EqualFold(f.Symbol, text) {
			found = append(found, unit{symbol: f.Symbol, fiatID: f.FiatID})
		}
	}
	var coins []client.Coin
	if len(found) == 0 && (!byID || kind == "coin") {
		if coins, err = s.coins.get(ctx, s.now()); err != nil {
			return unit{}, asking("the coins", err)
		}
		for _, c := range coins {
			if byID && c.CoinID == id || !byID && strings.EqualFold(c.Symbol, text) {
				found = append(found, unit{symbol: c.Symbol, coinID: c.CoinID})
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		var names []string
		for _, f := range fiats {
			names = append(names, f.Symbol)
		}
		for _, c := range coins {
			names = append(names, c.Symbol)
		}
		return unit{}, gateway.WrongField("currency", "%.40q is no currency that CCPayment knows%s", text, hint.Nearest(text, names))
	default:
		var ids []string
		for _, u := range found {
			ids = append(ids, cmp.Or(prefixed("fiat:", u.fiatID), "coin:"+u.coinID))
		}
		return unit{}, gateway.WrongField("currency", "%.40q is ambiguous: use one of %s", text, strings.Join(ids, ", "))
	}
}

func prefixed(prefix, id string) string {
	if id == "" {
		return ""
	}
	return prefix + id
}

// coin finds a coin by symbol, or by `coin:<id>`, and a chain of it.
func (s *symbols) coin(ctx context.Context, text, chain string) (coin, error) {
	coins, err := s.coins.get(ctx, s.now())
	if err != nil {
		return coin{}, asking("the coins", err)
	}
	id, byID := strings.CutPrefix(text, "coin:")
	var found []client.Coin
	var names []string
	for _, c := range coins {
		names = append(names, c.Symbol)
		if byID && c.CoinID == id || !byID && strings.EqualFold(c.Symbol, text) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return coin{}, gateway.WrongField("coin", "%.40q is no coin of this account%s", text, hint.Nearest(text, names))
	case 1:
	default:
		var ids []string
		for _, c := range found {
			ids = append(ids, "coin:"+c.CoinID)
		}
		return coin{}, gateway.WrongField("coin", "%.40q is ambiguous: use one of %s", text, strings.Join(ids, ", "))
	}
	var chains []string
	for name := range found[0].Networks {
		if strings.EqualFold(name, chain) {
			return coin{found[0].CoinID, found[0].Symbol, name}, nil
		}
		chains = append(chains, name)
	}
	slices.Sort(chains)
	return coin{}, gateway.WrongField("chain", "%.40q is no chain of %s: use one of %s", chain, found[0].Symbol, strings.Join(chains, ", "))
}

func asking(what string, err error) error {
	return fmt.Errorf("asking CCPayment for %s: %w", what, explain(err))
}
