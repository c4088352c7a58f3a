package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/shopspring/decimal"
)

// Balance is what is available of one coin.
type Balance struct {
	CoinID     string          `json:"coinId"`
	CoinSymbol string          `json:"coinSymbol"`
	Available  decimal.Decimal `json:"available"`
	Raw        json.RawMessage
}

// Balances gives the merchant's balances (getAppCoinAssetList).
func (c *Client) Balances(ctx context.Context) ([]Balance, error) {
	return c.balances(ctx, c.params(endpointBalances))
}

// Balance gives the merchant's balance of a coin (getAppCoinAsset).
func (c *Client) Balance(ctx context.Context, coinID string) (Balance, error) {
	p := c.params(endpointBalance)
	p.number("coinId", coinID)
	return c.balance(ctx, p, coinID)
}

// UserBalances gives a user's balances (getUserCoinAssetList).
func (c *Client) UserBalances(ctx context.Context, userID string) ([]Balance, error) {
	p := c.params(endpointUserBalances)
	p.user("userId", userID, false)
	return c.balances(ctx, p)
}

// UserBalance gives a user's balance of a coin (getUserCoinAsset).
func (c *Client) UserBalance(ctx context.Context, userID, coinID string) (Balance, error) {
	p := c.params(endpointUserBalance)
	p.user("userId", userID, false)
	p.number("coinId", coinID)
	return c.balance(ctx, p, coinID)
}

func (c *Client) balances(ctx context.Context, p *params) ([]Balance, error) {
	var answer balancesAnswer
	err := c.ask(ctx, p, "", &answer)
	return answer.Assets, err
}

type balancesAnswer struct {
	Assets []Balance `json:"assets"`
}

func (a *balancesAnswer) check() error {
	for _, asset := range a.Assets {
		if err := checkCoin(asset.CoinID); err != nil {
			return err
		}
	}
	return checkList(a.Assets != nil)
}

func (c *Client) balance(ctx context.Context, p *params, coinID string) (Balance, error) {
	answer := balanceAnswer{asked: coinID}
	err := c.ask(ctx, p, "", &answer)
	return answer.Asset, err
}

type balanceAnswer struct {
	asked string
	Asset Balance `json:"asset"`
}

func (a *balanceAnswer) check() error {
	if a.Asset.CoinID != a.asked {
		return fmt.Errorf("it is about coin %.30q", a.Asset.CoinID)
	}
	return nil
}

// AggregationFee is what it cost to bring the payments to a deposit address together
// with the merchant's other coins.
type AggregationFee struct {
	Chain        string           `json:"chain"`
	Address      string           `json:"address"`
	AggregatedAt time.Time        `json:"aggregationTime"`
	Collects     []AggregatedCoin `json:"collects"`
	Raw          json.RawMessage
}

// AggregatedCoin is one coin of an aggregation.
type AggregatedCoin struct {
	CoinID     string          `json:"coinId"`
	CoinSymbol string          `json:"coinSymbol"`
	Fee        decimal.Decimal `json:"aggregationFee"`
}

// ref names it by all that is known of it: it has no id.
func (f AggregationFee) ref() Ref { return Ref{recordID: string(f.Raw)} }

// AggregationFeeFilter picks aggregations; Chain and Address, where empty, pick all.
type AggregationFeeFilter struct {
	Chain    string
	Address  string
	Between      // both ends are required
	PageSize int // records that one call asks for: at most 100; default 20
}

// AggregationFees lists what aggregations cost (getAggregationFeeRecord; CCPayment's
// definitions, Merchant Assets).
func (c *Client) AggregationFees(ctx context.Context, f AggregationFeeFilter) iter.Seq2[AggregationFee, error] {
	return list[AggregationFee](ctx, c, endpointAggregationFees, func(p *params) {
		if f.StartAt.IsZero() {
			p.fail("startAt", "is missing")
		}
		if f.EndAt.IsZero() {
			p.fail("endAt", "is missing")
		}
		f.write(p, 0)
		p.optionalCount("limit", f.PageSize, 100)
		p.optionalPlain("chain", f.Chain)
		p.optionalPlain("address", f.Address)
	})
}
