package sandbox

import (
	"cmp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

const resources = "https://resource.ccpayment.com/"

var catalogueEndpoints = map[string]handler{
	"getCoinList":      coinList,
	"getCoin":          oneCoinInfo,
	"getCoinUSDTPrice": coinPrices,
	"getFiatList":      fiatList,
	"getSwapCoinList":  swapCoinList,
	"getChainList":     chainList,
	"all/chain":        allChains,
	"getMainCoinList":  mainCoins,
}

func coinList(c *call) (any, error) {
	list := make([]object, 0, len(coins))
	for i := range coins {
		list = append(list, c.info(&coins[i]))
	}
	return object{"coins": list}, nil
}

func oneCoinInfo(c *call) (any, error) {
	wanted := c.coin("coinId")
	if err := c.broken(); err != nil {
		return nil, err
	}
	return object{"coin": c.info(wanted)}, nil
}

// info is a coin as getCoinList and getCoin answer it.
func (c *call) info(of *coin) object {
	networks := object{}
	for _, n := range of.networks {
		networks[n.chain.symbol] = object{
			"chain": n.chain.symbol, "chainFullName": n.chain.name, "contract": n.contract,
			"precision": n.precision, "canDeposit": of.takesDeposits() && !n.chain.halted(),
			"canWithdraw": of.paysOut() && !n.chain.halted(), "minimumDepositAmount": "0",
			"minimumWithdrawAmount": n.minWithdraw, "maximumWithdrawAmount": n.maxWithdraw,
			"isSupportMemo": n.chain.memo, "protocol": cmp.Or(n.chain.protocol, n.chain.symbol),
		}
	}
	return object{
		"coinId": of.id, "symbol": of.symbol, "coinFullName": of.name, "status": of.status, "price": c.st.price(of),
		"logoUrl": resources + "token/icon/" + strings.ToLower(of.symbol) + ".png", "networks": networks,
	}
}

func coinPrices(c *call) (any, error) {
	if !c.has("coinIds") {
		c.reject(codeInvalid, "coinIds: required")
	}
	ids := c.numbers("coinIds", maxIDs)
	if err := c.broken(); err != nil {
		return nil, err
	}
	prices := map[string]decimal.Decimal{}
	for _, id := range ids {
		found := coinsNamed(id, "")
		if len(found) == 0 {
			return nil, refuse(codeCoin, "coinIds: no coin has the id %s", id)
		}
		prices[id] = c.st.price(found[0])
	}
	return object{"prices": prices}, nil
}

func fiatList(*call) (any, error) {
	list := make([]object, 0, len(fiats))
	for _, f := range fiats {
		list = append(list, object{
			"fiatId": f.id, "symbol": f.symbol, "mark": f.mark, "usdRate": f.usdRate,
			"logoUrl": resources + "fiat/" + f.symbol + ".png",
		})
	}
	return object{"fiats": list}, nil
}

// swappable reports whether a coin takes part in swaps.
func (c *coin) swappable() bool { return c.status == coinNormal && c.usd.IsPositive() }

func swapCoinList(*call) (any, error) {
	list := make([]object, 0, len(coins))
	for i := range coins {
		if c := &coins[i]; c.swappable() {
			list = append(list, object{
				"coinId": c.id, "symbol": c.symbol,
				"logoUrl": resources + "token/icon/" + strings.ToLower(c.symbol) + ".png",
			})
		}
	}
	return object{"coins": list}, nil
}

func chainList(c *call) (any, error) {
	wanted := c.ids("chains", maxIDs)
	if err := c.broken(); err != nil {
		return nil, err
	}
	for _, symbol := range wanted {
		if chainNamed(symbol) == nil {
			return nil, refuse(codeChain, "chains: no chain is called %q", symbol)
		}
	}
	list := make([]object, 0, len(chains))
	for _, on := range chains {
		if len(wanted) > 0 && !slices.Contains(wanted, on.symbol) {
			continue
		}
		list = append(list, object{
			"chain": on.symbol, "chainFullName": on.name, "explorer": on.explorer,
			"baseUrl": on.explorer + "tx/%s", "confirmations": on.confirmations, "isEVM": on.evm(),
			"supportMemo": on.memo, "status": on.status,
			"logoUrl": resources + "token/icon/" + on.symbol + ".png",
		})
	}
	return object{"chains": list}, nil
}

// allChains serves all/chain, which the definitions have with fewer fields than
// getChainList, and with another name for the confirmations.
func allChains(*call) (any, error) {
	list := make([]object, 0, len(chains))
	for _, on := range chains {
		list = append(list, object{
			"chain": on.symbol, "chainFullName": on.name, "explorer": on.explorer, "confirmNum": on.confirmations,
			"isEVM": on.evm(), "status": on.status, "logoUrl": resources + "token/icon/" + on.symbol + ".png",
		})
	}
	return object{"chains": list}, nil
}

// mainCoins serves getMainCoinList. The definitions require an appId, the SDKs send it or
// nothing.
func mainCoins(c *call) (any, error) {
	appID := c.sized("appId", 3, 64)
	if appID != "" && appID != c.s.opts.AppID {
		c.reject(codeMerchantUnknown, "appId: no merchant of this secret has this app id")
	}
	if err := c.broken(); err != nil {
		return nil, err
	}
	list := make([]object, 0, len(chains))
	for _, on := range chains {
		if of := coinByID(on.native); of != nil {
			list = append(list, object{
				"coinId": of.id, "symbol": of.symbol, "status": of.status, "chain": on.symbol, "network": on.name,
				"logoUrl": resources + "token/icon/" + strings.ToLower(of.symbol) + ".png",
			})
		}
	}
	return object{"coinChainList": list}, nil
}
