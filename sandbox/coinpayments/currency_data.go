package coinpayments

import (
	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

func number(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func coin(id, symbol, name, network, family string, decimals, confirms int, usd, fee string) *currency {
	return &currency{
		id: id, kind: kindCrypto, symbol: symbol, name: name, network: network, family: family,
		decimals: decimals, confirms: confirms, usd: number(usd), fee: number(fee),
	}
}

func token(id, symbol, name, network, family string, decimals, confirms int, usd, fee string) *currency {
	c := coin(id, symbol, name, network, family, decimals, confirms, usd, fee)
	c.kind = kindToken
	return c
}

func money(id, symbol, name string, decimals int, usd string) *currency {
	return &currency{id: id, kind: kindFiat, symbol: symbol, name: name, decimals: decimals, usd: number(usd)}
}

// currencies are all that the sandbox knows, by rank. Ids and contracts that the
// reference and its examples name are theirs: those of BTC, LTC, ETH, TRX, BNB, LTCT, USD,
// EUR and of USDT. The others are made up, and so are prices, fees and how many
// confirmations are needed.
var currencies = []*currency{
	coin("1", "BTC", "Bitcoin", "Bitcoin", "BTC", 8, 3, "97234.51", "0.00002"),
	coin("4", "ETH", "Ether", "Ethereum", engine.FamilyEVM, 18, 6, "3127.46", "0.0006"),
	token("9:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "USDT.TRC20", "Tether USD (Tron/TRC20)", "Tron", "TRX", 6, 6, "1.0001", "1"),
	token("4:0xdac17f958d2ee523a2206206994597c13d831ec7", "USDT.ERC20", "Tether USD (ERC20)", "Ethereum", engine.FamilyEVM, 6, 6, "1.0001", "1.8"),
	token("35:0x55d398326f99059ff775485246999027b3197955", "USDT.BEP20", "Tether USD (BSC Chain)", "BNB Smart Chain", engine.FamilyEVM, 18, 6, "1.0001", "0.2"),
	token("4:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "USDC", "USD Coin (ERC20)", "Ethereum", engine.FamilyEVM, 6, 6, "0.9998", "1.8"),
	coin("35", "BNB.BSC", "BNB", "BNB Smart Chain", engine.FamilyEVM, 18, 6, "648.2", "0.0003"),
	coin("9", "TRX", "TRON", "Tron", "TRX", 6, 6, "0.23717", "1.1"),
	coin("2", "LTC", "Litecoin", "Litecoin", "LTC", 8, 6, "92.4", "0.0001"),
	// The coins to test with, which are worth nothing anywhere else.
	coin("1002", "LTCT", "Litecoin Testnet", "Litecoin Testnet", "LTCT", 8, 3, "66.7801", "0.0001"),
	coin("1004", "TETH", "Ether Testnet", "Ethereum Sepolia", engine.FamilyEVM, 18, 3, "3127.46", "0.0006"),

	money("5057", "USD", "United States Dollar", 2, "1"),
	money("5195", "EUR", "Euro", 2, "1.0832"),
	money("5060", "GBP", "Pound Sterling", 2, "1.2654"),
	money("5061", "JPY", "Yen", 0, "0.00651"),
}
