package coinpayments

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// view is a currency as the API answers it.
func (c *currency) view() object {
	return object{
		"id": c.id, "type": c.kind, "symbol": c.symbol, "name": c.name, "logo": c.logo(),
		"decimalPlaces": c.decimals, "rank": c.rank(), "status": "active", "capabilities": c.capabilities(),
		"urls":                  object{"websites": []string{}, "explorers": []string{}},
		"requiredConfirmations": c.confirms, "isEnabledForPayment": c.payable(),
	}
}

// words reads a list of a query, divided by commas, in lower case.
func (c *call) words(name string) []string {
	text := strings.ToLower(c.query.Get(name))
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// listCurrencies lists currencies by rank: those whose name or symbol has a text, of some
// types, with all of some capabilities.
func listCurrencies(c *call) (reply, error) {
	q, kinds, can := strings.ToLower(c.query.Get("q")), c.words("types"), c.words("capabilities")
	if at := slices.Index(kinds, "coin"); at >= 0 {
		kinds[at] = kindCrypto
	}
	list := []object{}
	for _, one := range currencies {
		has := func(what string) bool {
			return slices.ContainsFunc(one.capabilities(), func(own string) bool { return strings.EqualFold(own, what) })
		}
		switch {
		case !strings.Contains(strings.ToLower(one.symbol), q) && !strings.Contains(strings.ToLower(one.name), q):
		case len(kinds) > 0 && !slices.Contains(kinds, one.kind):
		case slices.ContainsFunc(can, func(what string) bool { return !has(what) }):
		default:
			list = append(list, one.view())
		}
	}
	return ok(list)
}

// named finds the currency that a part of the path names.
func (c *call) named(part string) (*currency, error) {
	if found := currencyByID(c.PathValue(part)); found != nil {
		return found, nil
	}
	return nil, notFound("there is no currency %q", c.PathValue(part))
}

func findCurrency(c *call) (reply, error) {
	one, err := c.named("id")
	if err != nil {
		return reply{}, err
	}
	return ok(one.view())
}

// latestBlock makes up a number that grows: a block each ten seconds.
func latestBlock(c *call) (reply, error) {
	one, err := c.named("id")
	if err != nil {
		return reply{}, err
	}
	return ok(object{"currencyId": one.id, "latestBlockNumber": c.now.Unix() / 10})
}

func requiredConfirmations(*call) (reply, error) {
	list := []object{}
	for _, one := range currencies {
		if one.payable() {
			list = append(list, object{"currencyId": one.id, "currencySymbol": one.symbol, "confirmationsCount": one.confirms})
		}
	}
	return ok(list)
}

func listConversions(*call) (reply, error) {
	list := []object{}
	for _, from := range currencies {
		for _, to := range currencies {
			if from != to && from.payable() && to.payable() {
				list = append(list, object{"from": from.id, "fromSymbol": from.symbol, "to": to.id, "toSymbol": to.symbol})
			}
		}
	}
	return ok(list)
}

// conversionLimits are ten to a million dollars, in the smallest unit of what is
// converted.
func conversionLimits(c *call) (reply, error) {
	from, err := c.named("from")
	if err != nil {
		return reply{}, err
	}
	if _, err = c.named("to"); err != nil {
		return reply{}, err
	}
	units := func(usd string) decimal.Decimal {
		return from.minor(number(usd).DivRound(c.st.price(from), int32(from.decimals)))
	}
	return ok(object{"min": units("10").BigInt(), "max": units("1000000").BigInt()})
}

// merchantCurrencies are those that the merchant accepts, which are all.
func merchantCurrencies(*call) (reply, error) {
	items := []object{}
	for _, one := range currencies {
		if one.payable() {
			items = append(items, object{
				"currency": one.view(), "payoutFrequency": "normal", "order": one.rank(), "discountPercent": 0,
				"markupPercent": 0, "payoutConfigurations": []object{}, "switcherStatus": "enabled",
			})
		}
	}
	return ok(object{"items": items, "paging": paging(len(items), nil)})
}

// paging is what lists say of their pages; next is the cursor of the one that follows.
func paging(limit int, next any) object {
	return object{
		"cursor": object{"before": nil, "after": next}, "limit": limit,
		"first": nil, "next": next, "previous": nil, "last": nil,
	}
}

// listRates answers what one of each currency in "from" is worth in each in "to".
func listRates(c *call) (reply, error) {
	chosen := func(name string) ([]*currency, error) {
		text := c.query.Get(name)
		if text == "" {
			return nil, invalid(name, "name at least one currency")
		}
		var list []*currency
		for id := range strings.SplitSeq(text, ",") {
			one := currencyByID(id)
			if one == nil {
				return nil, invalid(name, "there is no currency %q", id)
			}
			list = append(list, one)
		}
		return list, nil
	}
	from, err := chosen("from")
	if err != nil {
		return reply{}, err
	}
	to, err := chosen("to")
	if err != nil {
		return reply{}, err
	}
	items := []object{}
	for _, base := range from {
		for _, quote := range to {
			items = append(items, object{
				"baseCurrencyId": base.id, "baseSymbol": base.symbol, "quoteCurrencyId": quote.id, "quoteSymbol": quote.symbol,
				"rate": c.st.worth(base, quote).String(),
			})
		}
	}
	return ok(object{"items": items})
}

// blockchainFee is what a transfer costs on a currency's chain: a number, in V1 of the smallest
// units.
func blockchainFee(c *call) (reply, error) {
	one, err := c.named("id")
	switch {
	case err != nil:
		return reply{}, err
	case !one.payable():
		return reply{}, refuse(http.StatusBadRequest, "%s is on no chain", one.symbol)
	}
	if c.v1 {
		return ok(json.Number(one.minor(one.fee).String()))
	}
	return ok(json.Number(one.text(one.fee)))
}
