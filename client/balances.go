package client

import (
	"context"
	"encoding/json"

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
	return c.balance(ctx, p)
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
	return c.balance(ctx, p)
}

func (c *Client) balances(ctx context.Context, p *params) ([]Balance, error) {
	var answer struct {
		Assets []Balance `json:"assets"`
	}
	err := c.ask(ctx, p, "", &answer)
	return answer.Assets, err
}

func (c *Client) balance(ctx context.Context, p *params) (Balance, error) {
	var answer balanceAnswer
	err := c.ask(ctx, p, "", &answer)
	return answer.Asset, err
}

type balanceAnswer struct {
	Asset Balance `json:"asset"`
}

func (a *balanceAnswer) check() error { return checkCoin(a.Asset.CoinID) }
