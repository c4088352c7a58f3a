package sandbox

import (
	"fmt"

	"github.com/shopspring/decimal"
)

var balanceEndpoints = map[string]handler{
	"getAppCoinAssetList": merchantBalances,
	"getAppCoinAsset":     merchantBalance,
}

func merchantBalances(c *call) (any, error) {
	return object{"assets": c.assets(c.s.opts.AppID)}, nil
}

func merchantBalance(c *call) (any, error) {
	wanted := c.coin("coinId")
	if err := c.broken(); err != nil {
		return nil, err
	}
	return object{"asset": c.asset(c.s.opts.AppID, wanted)}, nil
}

// assets lists a user's balances as answers have them.
func (c *call) assets(user string) []object {
	held := c.st.held(user)
	list := make([]object, 0, len(held))
	for _, one := range held {
		list = append(list, c.asset(user, one))
	}
	return list
}

func (c *call) asset(user string, of *coin) object {
	return object{"coinId": of.id, "coinSymbol": of.inRecords(), "available": c.st.balance(user, of)}
}

// Credit adds an amount to a user's balance, as if by a deposit without a
// record. The merchant's user id is the app id. The error is that the
// coin does not exist, or that the amount is not above 0.
func (s *Sandbox) Credit(userID string, coinID int64, amount decimal.Decimal) error {
	c := coinByID(coinID)
	if c == nil {
		return fmt.Errorf("coin: no coin has the id %d", coinID)
	}
	if !amount.IsPositive() {
		return fmt.Errorf("amount: must be above 0, got %s", amount)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.credit(userID, c, amount)
	return nil
}

// Balance returns what a user holds of a coin. The merchant's user id is the
// app id.
func (s *Sandbox) Balance(userID string, coinID int64) decimal.Decimal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.balances[userID][coinID]
}

// SetPrice sets what a coin is worth in US dollars from now on. Rates that
// orders locked stay. The error is that the coin does not exist, or that
// the price is not above 0.
func (s *Sandbox) SetPrice(coinID int64, usd decimal.Decimal) error {
	if coinByID(coinID) == nil {
		return fmt.Errorf("coin: no coin has the id %d", coinID)
	}
	if !usd.IsPositive() {
		return fmt.Errorf("usd: must be above 0, got %s", usd)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.prices[coinID] = usd
	return nil
}
