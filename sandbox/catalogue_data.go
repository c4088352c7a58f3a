package sandbox

import (
	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

func number(text string) decimal.Decimal { return decimal.RequireFromString(text) }

var chains = []chain{
	{
		symbol: "ETH", name: "Ethereum", family: engine.FamilyEVM, explorer: "https://etherscan.io/",
		confirmations: 12, status: "Normal", protocol: "ERC20", native: 1161, feeUSD: number("1.8"),
	},
	{
		symbol: "BSC", name: "Binance Smart Chain", family: engine.FamilyEVM, explorer: "https://bscscan.com/",
		confirmations: 15, status: "Normal", protocol: "BEP20", native: 1839, feeUSD: number("0.2"),
	},
	{
		symbol: "POLYGON", name: "Polygon", family: engine.FamilyEVM, explorer: "https://polygonscan.com/",
		confirmations: 50, status: "Normal", protocol: "ERC20", native: 1329, feeUSD: number("0.02"),
	},
	{
		symbol: "TRX", name: "Tron", family: "TRX", explorer: "https://tronscan.org/#/",
		confirmations: 19, status: "Normal", protocol: "TRC20", native: 1482, feeUSD: number("1"),
	},
	{
		symbol: "BTC", name: "Bitcoin", family: "BTC", explorer: "https://mempool.space/",
		confirmations: 2, status: "Normal", native: 1027, feeUSD: number("2.5"),
	},
	{
		symbol: "XRP", name: "XRP Ledger", family: "XRP", explorer: "https://xrpscan.com/",
		confirmations: 1, memo: true, status: "Normal", native: 1140, feeUSD: number("0.1"),
	},
	{
		symbol: "TON", name: "The Open Network", family: "TON", explorer: "https://tonscan.org/",
		confirmations: 1, memo: true, status: "Normal", native: 2523, feeUSD: number("0.05"),
	},
	{
		symbol: "XLM", name: "Stellar", family: "XLM", explorer: "https://stellarchain.io/",
		confirmations: 1, memo: true, status: "Maintenance", native: 1150, feeUSD: number("0.01"),
	},
	// The chain of the test coin, on which nothing is worth anything.
	{
		symbol: "ETH_SEPOLIA", name: "Ethereum Sepolia", family: engine.FamilyEVM, explorer: "https://sepolia.etherscan.io/",
		confirmations: 12, status: "Normal", protocol: "ERC20", native: 1891, feeUSD: number("0"),
	},
}

var coins = []coin{
	{
		id: 1280, symbol: "USDT", name: "Tether USD", status: coinNormal, usd: number("1.0001"),
		networks: []network{
			on("TRX", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", 6, "2", "0"),
			on("ETH", "0xdac17f958d2ee523a2206206994597c13d831ec7", 6, "5", "0"),
			on("BSC", "0x55d398326f99059ff775485246999027b3197955", 18, "1", "0"),
			on("POLYGON", "0xc2132d05d31c914a87c6611c10748aeb04b58e8f", 6, "1", "100000"),
		},
	},
	{
		id: 1330, symbol: "USDC", name: "USD Coin", status: coinNormal, usd: number("0.9998"),
		networks: []network{
			on("ETH", "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", 6, "5", "0"),
			on("BSC", "0x8ac76a51cc950d9822d68b83fe1ad97b32cd580d", 18, "1", "0"),
			on("POLYGON", "0x3c499c542cef5e3811e1192ce70d8cc03d5c3359", 6, "1", "0"),
		},
	},
	{
		id: 1482, symbol: "TRX", name: "Tron", status: coinNormal, usd: number("0.23717"),
		networks: []network{on("TRX", "TRX", 6, "5", "0")},
	},
	{
		id: 1329, symbol: "POL", recordAs: "MATIC", name: "Polygon Ecosystem Token", status: coinNormal,
		usd: number("0.4213"),
		networks: []network{
			on("POLYGON", "137", 18, "0.5", "0"),
			on("ETH", "0x455e53cbb86018ac2b8092fdcd39d8444affc3f6", 18, "5", "0"),
		},
	},
	{
		id: 1161, symbol: "ETH", name: "Ether", status: coinNormal, usd: number("3127.46"),
		networks: []network{on("ETH", "1", 18, "0.002", "0")},
	},
	{
		id: 1839, symbol: "BNB", name: "BNB", status: coinNormal, usd: number("648.2"),
		networks: []network{on("BSC", "56", 18, "0.005", "0")},
	},
	{
		id: 1027, symbol: "BTC", name: "Bitcoin", status: coinNormal, usd: number("97234.51"),
		networks: []network{on("BTC", "BTC", 8, "0.0002", "0")},
	},
	{
		id: 1140, symbol: "XRP", name: "XRP", status: coinNormal, usd: number("2.3107"),
		networks: []network{on("XRP", "XRP", 6, "1", "0")},
	},
	{
		id: 2523, symbol: "TON", name: "Toncoin", status: coinNormal, usd: number("5.4412"),
		networks: []network{on("TON", "TON", 9, "0.2", "0")},
	},
	{
		id: 1150, symbol: "XLM", name: "Stellar Lumens", status: coinNormal, usd: number("0.38219"),
		networks: []network{on("XLM", "XLM", 7, "1", "0")},
	},
	{
		id: 1207, symbol: "LINK", name: "ChainLink Token", status: coinNormal, usd: number("17.935"),
		networks: []network{
			on("ETH", "0x514910771af9ca656af840dff83e8264ecf986ca", 18, "0.025", "0"),
			on("BSC", "0xf8a0bf9cf54bb92f17374d9e9a321e6a111a51bd", 18, "0.025", "0"),
		},
	},
	{
		id: 1891, symbol: "TETH", name: "Test Ether", status: coinNormal, usd: number("0"),
		networks: []network{on("ETH_SEPOLIA", "11155111", 18, "0.001", "0")},
	},
	// Two coins of one symbol, as the live list has them.
	{
		id: 1864, symbol: "SHIB", name: "Shiba Inu", status: coinNormal, usd: number("0.00002431"),
		networks: []network{
			on("ETH", "0x95ad61b0a150d79219dcf64e1e6cc01f0b64c4ce", 18, "200000", "0"),
			on("BSC", "0x2859e4544c4bb03966803b044a93563bd2d0dd4d", 18, "20000", "0"),
		},
	},
	{
		id: 2964, symbol: "SHIB", name: "Shiba Inu (bridged)", status: coinNormal, usd: number("0.00002407"),
		networks: []network{on("POLYGON", "0x6f8a06447ff6fcf75d803135a7de15ce88c1d4ec", 18, "20000", "0")},
	},
	{
		id: 1125, symbol: "DOGE", name: "Dogecoin (bridged)", status: coinMaintain, usd: number("0.3852"),
		networks: []network{on("BSC", "0xba2ae424d960c26247dd6c32edc70b295c744c43", 8, "5", "0")},
	},
	{
		id: 1700, symbol: "LUNC", name: "Terra Classic (bridged)", status: coinPreDelisting, usd: number("0.000114"),
		networks: []network{on("BSC", "0x156ab3346823b651294766e23e6cf87254d68962", 6, "1000", "0")},
	},
	{
		id: 1701, symbol: "FTT", name: "FTX Token", status: coinDelisted, usd: number("2.071"),
		networks: []network{on("ETH", "0x50d1c9771902476076ecfc8b2a83ad6b9355a4c9", 18, "1", "0")},
	},
}

var fiats = []fiat{
	{1033, "USD", "US", number("1")},
	{1034, "EUR", "EU", number("1.0832")},
	{1035, "GBP", "GB", number("1.2654")},
	{1036, "JPY", "JP", number("0.00651")},
	{1037, "CHF", "CH", number("1.1308")},
	{1038, "AUD", "AU", number("0.6523")},
	{1039, "INR", "IN", number("0.01184")},
	{1040, "BRL", "BR", number("0.1731")},
}

// on returns the network of a coin on one of the chains above.
func on(symbol, contract string, precision int, minWithdraw, maxWithdraw string) network {
	return network{
		chain: chainNamed(symbol), contract: contract, precision: precision,
		minWithdraw: number(minWithdraw), maxWithdraw: number(maxWithdraw),
	}
}
