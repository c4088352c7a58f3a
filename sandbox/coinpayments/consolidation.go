package coinpayments

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// activation is how many transfers the first consolidation of an address costs besides.
const activation = 2

// collected is what consolidating addresses brings, and what it costs.
type collected struct {
	wallet    *wallet
	addresses []*address
}

// fee is what consolidating an address costs.
func (a *address) fee() (transfer, first decimal.Decimal) {
	transfer = a.wallet.currency.fee
	if !a.activated {
		first = transfer.Mul(decimal.New(activation, 0))
	}
	return transfer, first
}

// collect chooses addresses of a wallet that hold money: those that are named, or all.
func (w *wallet) collect(names []string) (collected, error) {
	if !w.permanent {
		return collected{}, refuse(http.StatusBadRequest, "the wallet %s has no permanent addresses", w.id)
	}
	c := collected{wallet: w}
	var named []*address
	for _, name := range names {
		a := w.address(name)
		if a == nil {
			return c, notFound("the wallet has no address %s", name)
		}
		named = append(named, a)
	}
	for _, a := range w.addresses {
		if a.held.IsPositive() && (len(names) == 0 || slices.Contains(named, a)) {
			c.addresses = append(c.addresses, a)
		}
	}
	return c, nil
}

// view is what a consolidation brings and costs, as the API answers it.
func view(all []collected, v1 bool) object {
	list := []object{}
	var held, transfers, firsts decimal.Decimal
	var in *currency
	for _, c := range all {
		in = c.wallet.currency
		for _, a := range c.addresses {
			transfer, first := a.fee()
			held, transfers, firsts = held.Add(a.held), transfers.Add(transfer), firsts.Add(first)
			list = append(list, object{
				"newReceivedInternal": text(in, decimal.Zero, v1), "newReceivedExternal": text(in, a.held, v1),
				"available": text(in, a.held, v1), "activationFee": text(in, first, v1), "transferFee": text(in, transfer, v1),
				"totalFee": text(in, transfer.Add(first), v1), "address": a.text, "addressId": a.id, "walletId": c.wallet.id,
			})
		}
	}
	if in == nil {
		in = currencies[0]
	}
	return object{
		"newReceivedInternal": text(in, decimal.Zero, v1), "newReceivedExternal": text(in, held, v1), "available": text(in, held, v1),
		"activationFee": text(in, firsts, v1), "transferFee": text(in, transfers, v1), "totalFee": text(in, transfers.Add(firsts), v1),
		"addresses": list,
	}
}

// text writes an amount: in the smallest unit in v1.
func text(c *currency, amount decimal.Decimal, v1 bool) string {
	if v1 {
		return c.minor(amount).String()
	}
	return c.text(amount)
}

// collect chooses the addresses of the path's wallet that the query names, by their ids or,
// in v3, labels; without any it is all.
func (c *call) collect() ([]collected, error) {
	w, err := c.wallet()
	if err != nil {
		return nil, err
	}
	var names []string
	if text := cmp.Or(c.query.Get("addressIds"), c.query.Get("uniqueAddressLabels")); text != "" {
		names = strings.Split(text, ",")
	}
	found, err := w.collect(names)
	return []collected{found}, err
}

func showConsolidation(c *call) (reply, error) {
	found, err := c.collect()
	if err != nil {
		return reply{}, err
	}
	return ok(view(found, c.v1))
}

func consolidate(c *call) (reply, error) {
	found, err := c.collect()
	if err != nil {
		return reply{}, err
	}
	to := c.PathValue("to")
	if w := c.st.labelled(to, found[0].wallet.currency); w != nil && c.PathValue("label") != "" { // v3 names both wallets so
		to = w.id
	}
	return c.consolidate(found, to)
}

// consolidate brings what addresses hold to a wallet, less the fees.
func (c *call) consolidate(all []collected, toID string) (reply, error) {
	to, err := c.walletByID(toID)
	if err != nil {
		return reply{}, err
	}
	answer := view(all, c.v1)
	for _, one := range all {
		if one.wallet.currency != to.currency {
			return reply{}, refuse(http.StatusBadRequest, "the wallets are of different currencies")
		}
	}
	for _, one := range all {
		for _, a := range one.addresses {
			transfer, first := a.fee()
			gain := a.held.Sub(transfer).Sub(first)
			if !gain.IsPositive() {
				continue // the fees would eat it
			}
			a.held, a.activated = decimal.Zero, true
			t := c.s.arrive(to, to.addresses[0], kindOwnReceive, Payment{Amount: gain})
			t.at, t.from = nil, a.text
			to.transactions = append(to.transactions, t)
			c.s.settle(t, txCompleted)
			c.s.tellWallet(t)
			t.closeAfter()
		}
	}
	return ok(answer)
}

// readWallets reads several wallets and which of their addresses are meant. What v3 calls
// the fields is not known: it takes those of v2.
func (c *call) readWallets() ([]collected, error) {
	var in struct {
		Wallets []struct {
			WalletID  string   `json:"walletId"`
			Addresses []string `json:"addresses"`
		} `json:"wallets"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if len(in.Wallets) == 0 {
		return nil, invalid("wallets", "name at least one")
	}
	var all []collected
	for n, one := range in.Wallets {
		w, err := c.walletByID(one.WalletID)
		if err != nil {
			return nil, invalid(fmt.Sprintf("wallets[%d].walletId", n), "no wallet has the id %s", one.WalletID)
		}
		found, err := w.collect(one.Addresses)
		if err != nil {
			return nil, err
		}
		all = append(all, found)
	}
	return all, nil
}

func previewConsolidation(c *call) (reply, error) {
	all, err := c.readWallets()
	if err != nil {
		return reply{}, err
	}
	return ok(view(all, c.v1))
}

func consolidateWallets(c *call) (reply, error) {
	if c.PathValue("consolidation") != "consolidation" {
		return reply{}, notFound("POST %s is no route of the API", c.URL.Path)
	}
	all, err := c.readWallets()
	if err != nil {
		return reply{}, err
	}
	return c.consolidate(all, c.PathValue("to"))
}

// consolidationTransactions are those by which a spend collected what addresses held. The
// sandbox takes it from them without transactions of their own.
func consolidationTransactions(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	if s := c.st.spends[undashed(c.PathValue("spend"))]; s == nil || s.wallet != w {
		return reply{}, notFound("the wallet has no spend request %s", c.PathValue("spend"))
	}
	return ok([]object{})
}
