package client

import (
	"context"
	"encoding/json"
	"errors"
	"maps"

	"github.com/shopspring/decimal"
)

// Coin is a token enabled under "Tokens for your business".
type Coin struct {
	CoinID   string             `json:"coinId"`
	Symbol   string             `json:"symbol"` // not unique
	FullName string             `json:"coinFullName"`
	LogoURL  string             `json:"logoUrl"`
	Status   CoinStatus         `json:"status"`
	Networks map[string]Network `json:"networks"` // by the chain's symbol
	Price    decimal.Decimal    `json:"price"`    // in USD; 0: none, as test coins have
	Raw      json.RawMessage
}

// CoinStatus says what can be done with a coin.
type CoinStatus string

// The documented coin statuses.
const (
	CoinNormal       CoinStatus = "Normal"
	CoinMaintain     CoinStatus = "Maintain"      // no withdrawals
	CoinPreDelisting CoinStatus = "Pre-delisting" // no deposits
	CoinDelisted     CoinStatus = "Delisted"      // neither
)

// Network is one chain of a coin.
type Network struct {
	Chain                 string          `json:"chain"`
	ChainFullName         string          `json:"chainFullName"`
	Contract              string          `json:"contract"`
	Precision             int             `json:"precision"` // decimals
	CanDeposit            bool            `json:"canDeposit"`
	CanWithdraw           bool            `json:"canWithdraw"`
	MinimumDepositAmount  decimal.Decimal `json:"minimumDepositAmount"`
	MinimumWithdrawAmount decimal.Decimal `json:"minimumWithdrawAmount"`
	MaximumWithdrawAmount decimal.Decimal `json:"maximumWithdrawAmount"` // 0: no maximum
	NeedsMemo             bool            `json:"isSupportMemo"`
	Protocol              string          `json:"protocol"` // such as ERC20
}

// Coins gives the account's tokens (getCoinList). The list is long and seldom
// changes: keep it for some minutes.
func (c *Client) Coins(ctx context.Context) ([]Coin, error) {
	return c.coins(ctx, endpointCoins)
}

// SwapCoins gives those of the account's tokens that can be swapped
// (getSwapCoinList).
func (c *Client) SwapCoins(ctx context.Context) ([]Coin, error) {
	return c.coins(ctx, endpointSwapCoins)
}

func (c *Client) coins(ctx context.Context, endpoint string) ([]Coin, error) {
	var answer coinsAnswer
	err := c.ask(ctx, c.params(endpoint), "", &answer)
	return answer.Coins, err
}

type coinsAnswer struct {
	Coins []Coin `json:"coins"`
}

func (a *coinsAnswer) check() error { return checkList(a.Coins != nil) }

// checkList returns an error for a response without its list, which is not an empty list.
func checkList(there bool) error {
	if !there {
		return errors.New("it has no list")
	}
	return nil
}

// Coin gives one token (getCoin).
func (c *Client) Coin(ctx context.Context, coinID string) (Coin, error) {
	p := c.params(endpointCoin)
	p.number("coinId", coinID)
	var answer coinAnswer
	err := c.ask(ctx, p, "", &answer)
	return answer.Coin, err
}

type coinAnswer struct {
	Coin Coin `json:"coin"`
}

func (a *coinAnswer) check() error { return checkCoin(a.Coin.CoinID) }

// checkCoin refuses amounts of no coin: a missing object would read as zeros.
func checkCoin(coinID string) error {
	if given(coinID) == "" {
		return errors.New("it names no coin")
	}
	return nil
}

// Prices gives what coins are worth in USDT, by coin id (getCoinUSDTPrice). A
// coin without a price is not in the map.
func (c *Client) Prices(ctx context.Context, coinIDs ...string) (map[string]decimal.Decimal, error) {
	p := c.params(endpointPrices)
	p.numbers("coinIds", coinIDs)
	var answer struct {
		Prices map[string]decimal.Decimal `json:"prices"`
	}
	err := c.ask(ctx, p, "", &answer)
	maps.DeleteFunc(answer.Prices, func(_ string, price decimal.Decimal) bool { return !price.IsPositive() })
	return answer.Prices, err
}

// Fiat is a currency that orders can be priced in.
type Fiat struct {
	FiatID  string          `json:"fiatId"`
	Symbol  string          `json:"symbol"`
	LogoURL string          `json:"logoUrl"`
	Mark    string          `json:"mark"`
	USDRate decimal.Decimal `json:"usdRate"`
	Raw     json.RawMessage
}

// Fiats gives the currencies that orders can be priced in (getFiatList).
func (c *Client) Fiats(ctx context.Context) ([]Fiat, error) {
	var answer fiatsAnswer
	err := c.ask(ctx, c.params(endpointFiats), "", &answer)
	return answer.Fiats, err
}

type fiatsAnswer struct {
	Fiats []Fiat `json:"fiats"`
}

func (a *fiatsAnswer) check() error { return checkList(a.Fiats != nil) }

// Chain is a network that coins move on.
type Chain struct {
	Chain         string `json:"chain"`
	FullName      string `json:"chainFullName"`
	Explorer      string `json:"explorer"`
	BaseURL       string `json:"baseUrl"` // of a transaction; %s stands for its hash
	Confirmations int    `json:"confirmations" also:"confirmNum"`
	IsEVM         bool   `json:"isEVM"`
	SupportMemo   bool   `json:"supportMemo"`
	LogoURL       string `json:"logoUrl"`
	Status        string `json:"status"` // Normal, or Maintenance: payments may be slow
	Raw           json.RawMessage
}

// Chains gives the chains named, or all (getChainList).
func (c *Client) Chains(ctx context.Context, symbols ...string) ([]Chain, error) {
	p := c.params(endpointChains)
	p.optionalList("chains", symbols, mostIDs)
	return c.chains(ctx, p)
}

// AllChains gives every chain (all/chain; CCPayment's definitions, Basic Info), with
// fewer fields than [Client.Chains].
func (c *Client) AllChains(ctx context.Context) ([]Chain, error) {
	return c.chains(ctx, c.params(endpointAllChains))
}

func (c *Client) chains(ctx context.Context, p *params) ([]Chain, error) {
	var answer chainsAnswer
	err := c.ask(ctx, p, "", &answer)
	return answer.Chains, err
}

type chainsAnswer struct {
	Chains []Chain `json:"chains"`
}

func (a *chainsAnswer) check() error { return checkList(a.Chains != nil) }

// MainCoin is the own coin of a chain, such as ETH of Ethereum.
type MainCoin struct {
	CoinID  string     `json:"coinId"`
	Symbol  string     `json:"symbol"`
	LogoURL string     `json:"logoUrl"`
	Status  CoinStatus `json:"status"`
	Chain   string     `json:"chain"`
	Network string     `json:"network"`
	Raw     json.RawMessage
}

// MainCoins gives the chains' own coins (getMainCoinList; CCPayment's definitions, Basic
// Info).
func (c *Client) MainCoins(ctx context.Context) ([]MainCoin, error) {
	p := c.params(endpointMainCoins)
	p.plain("appId", c.appID) // the definitions ask for it; the SDKs send it or nothing
	var answer mainCoinsAnswer
	err := c.ask(ctx, p, "", &answer)
	return answer.Coins, err
}

type mainCoinsAnswer struct {
	Coins []MainCoin `json:"coinChainList"`
}

func (a *mainCoinsAnswer) check() error { return checkList(a.Coins != nil) }
