package ccpayment

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
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
const symbolsAge = 10 * time.Minute

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

	mu      sync.Mutex // held while the first list is read: all wait for that one
	list    []T
	readAt  time.Time
	reading bool // a newer list is being read
}

// get returns the list. It waits only for the first list; later ones are read in the
// background.
func (c *cachedList[T]) get(ctx context.Context, now time.Time) ([]T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil {
		list, err := c.read(ctx)
		if err != nil {
			return nil, err
		}
		c.list, c.readAt = list, now
	}
	if now.Sub(c.readAt) > symbolsAge && !c.reading {
		c.reading = true
		go c.refresh(context.WithoutCancel(ctx), now)
	}
	return c.list, nil
}

// refresh reads a newer list. The client's timeout applies.
func (c *cachedList[T]) refresh(ctx context.Context, now time.Time) {
	list, err := c.read(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if err == nil {
		c.list, c.readAt = list, now
	}
}

// unit finds a currency by symbol, or by `fiat:<id>` or `coin:<id>`.
func (s *symbols) unit(ctx context.Context, text string) (unit, error) {
	kind, id, byID := strings.Cut(text, ":")
	fiats, err := s.fiats.get(ctx, s.now())
	if err != nil {
		return unit{}, asking("the currencies", err)
	}
	var found []unit
	var names []string
	for _, f := range fiats {
		names = append(names, f.Symbol)
		if byID && kind == "fiat" && f.FiatID == id || !byID && strings.EqualFold(f.Symbol, text) {
			found = append(found, unit{symbol: f.Symbol, fiatID: f.FiatID})
		}
	}
	if len(found) == 0 && (!byID || kind == "coin") {
		coins, err := s.coins.get(ctx, s.now())
		if err != nil {
			return unit{}, asking("the coins", err)
		}
		for _, c := range coins {
			names = append(names, c.Symbol)
			if byID && c.CoinID == id || !byID && strings.EqualFold(c.Symbol, text) {
				found = append(found, unit{symbol: c.Symbol, coinID: c.CoinID})
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return unit{}, gateway.WrongField("currency", "%.40q is no currency that CCPayment knows%s", text, nearest(text, names))
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
		return coin{}, gateway.WrongField("coin", "%.40q is no coin of this account%s", text, nearest(text, names))
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

// nearest returns the names of symbols that begin as the text does, for an error.
func nearest(text string, names []string) string {
	var near []string
	for length := min(len(text), 3); length > 0 && len(near) == 0; length-- {
		for _, name := range names {
			if len(name) >= length && strings.EqualFold(name[:length], text[:length]) && !slices.Contains(near, name) {
				near = append(near, name)
			}
		}
	}
	if len(near) == 0 {
		return ""
	}
	return ": is one of these meant, " + strings.Join(near[:min(len(near), 5)], ", ") + "?"
}

func asking(what string, err error) error {
	return fmt.Errorf("asking CCPayment for %s: %w", what, explain(err))
}
