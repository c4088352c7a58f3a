package sandbox

import (
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// aggregation is the bringing together of what was paid to one deposit address.
type aggregation struct {
	number  int
	on      *chain
	address string
	at      time.Time
	coins   []aggregatedCoin
}

type aggregatedCoin struct {
	coin *coin
	fee  decimal.Decimal
}

// Aggregate brings what was paid to deposit addresses together with the merchant's other
// coins, as CCPayment does by itself, and returns from how many addresses. Each coin of
// an address costs the network's fee, which comes off the merchant's balance of it; what
// that does not cover is left for the next time. Chains with memos have one address and
// nothing to aggregate.
func (s *Sandbox) Aggregate() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, made := s.st, map[string]*aggregation{}
	for _, d := range st.deposits {
		if !d.credited || d.swept || d.network.chain.memo {
			continue
		}
		key := d.network.chain.symbol + " " + d.to.text
		a := made[key]
		if a == nil {
			a = &aggregation{number: len(st.aggregations) + 1, on: d.network.chain, address: d.to.text, at: s.engine.Now()}
		}
		if !a.has(d.coin) { // else it goes with the one before it, at one fee
			fee := st.networkFee(d.coin, d.network)
			if st.debit(s.opts.AppID, d.coin, fee) != nil {
				continue
			}
			a.coins = append(a.coins, aggregatedCoin{d.coin, fee})
		}
		if made[key] == nil {
			made[key], st.aggregations = a, append(st.aggregations, a)
		}
		d.swept = true
	}
	return len(made)
}

func (a *aggregation) has(c *coin) bool {
	return slices.ContainsFunc(a.coins, func(one aggregatedCoin) bool { return one.coin == c })
}

// aggregationFees serves getAggregationFeeRecord, whose list has another name than the
// others'.
func aggregationFees(c *call) (any, error) {
	c.requireNumber("startAt")
	c.requireNumber("endAt")
	during, on, address, limit := c.span(), c.optionalChain("chain"), c.optional("address", 128), c.pageLimit()
	if err := c.broken(); err != nil {
		return nil, err
	}
	data, err := pageOf(c, limit, newest(c.st.aggregations, func(a *aggregation) bool {
		return during.holds(a.at) && (on == nil || a.on == on) && (address == "" || sameCase(a.address) == sameCase(address))
	}), func(a *aggregation) string { return strconv.Itoa(a.number) }, (*aggregation).show)
	if err != nil {
		return nil, err
	}
	found := data.(object)
	return object{"list": found["records"], "nextId": found["nextId"]}, nil
}

func (a *aggregation) show() object {
	collects := make([]object, 0, len(a.coins))
	for _, one := range a.coins {
		collects = append(collects, object{"coinId": one.coin.id, "coinSymbol": one.coin.inRecords(), "aggregationFee": one.fee})
	}
	return object{"chain": a.on.symbol, "address": a.address, "aggregationTime": a.at.Unix(), "collects": collects}
}
