package sandbox

import (
	"slices"
	"strings"
)

var permanentEndpoints = map[string]handler{
	"getOrCreateAppDepositAddress": permanentAddress,
	"addressUnbinding":             unbindAddress,
	"rescanLostTransaction":        rescan,
}

func permanentAddress(c *call) (any, error) {
	who := owner{referenceID: c.id("referenceId")}
	on, notifyURL := c.chain("chain"), c.link("notifyUrl")
	if err := c.broken(); err != nil {
		return nil, err
	}
	return c.giveAddress(on, who, notifyURL)
}

// giveAddress answers with the permanent address of a reference or user.
func (c *call) giveAddress(on *chain, who owner, notifyURL string) (any, error) {
	if on.halted() {
		return nil, refuse(codeDepositHalted, "chain: deposits on %s are halted", on.symbol)
	}
	a, err := c.st.addresses.permanent(on, who, notifyURL)
	if err != nil {
		return nil, err
	}
	return object{"address": a.text, "memo": a.memo}, nil
}

// unbindAddress takes a permanent address from its reference or user. On an
// EVM chain that takes it on all of them.
func unbindAddress(c *call) (any, error) {
	on, text := c.chain("chain"), c.text("address", 128)
	if err := c.broken(); err != nil {
		return nil, err
	}
	a, err := c.st.unbindable(on, text)
	if err != nil {
		return nil, err
	}
	c.st.addresses.unbind(a)
	unbound := make([]object, 0, len(a.chains))
	for _, symbol := range slices.Sorted(slices.Values(a.chains)) {
		unbound = append(unbound, object{"chain": symbol, "address": a.text})
	}
	return object{
		"unbound": unbound, "unboundAt": c.now.Unix(), "userID": a.userID, "referenceID": a.referenceID,
	}, nil
}

// othersAddress is how an address on an EVM chain ends that CCPayment gave to another
// merchant.
const othersAddress = "feedfeed"

// unbindable finds an address that can be unbound, or says with one of the codes
// from 17000 on why it cannot. On a chain with memos all owners share one
// address, so there none can.
func (st *state) unbindable(on *chain, text string) (*address, error) {
	shared := st.addresses.byText[sameCase(text)]
	if len(shared) == 0 && on.evm() && strings.HasSuffix(sameCase(text), othersAddress) {
		return nil, refuse(codeUnbindOthers, "address: %s is another merchant's", text)
	}
	if len(shared) == 0 {
		return nil, refuse(codeAddressOfOthers, "address: CCPayment gave no address %s out", text)
	}
	a := shared[0]
	switch {
	case a.family != on.family:
		return nil, refuse(codeUnbindChain, "address: %s is not one of %s", text, on.symbol)
	case a.memo != "":
		return nil, refuse(codeUnbindMemo, "address: %s has memos, and cannot be unbound", text)
	case a.order != nil:
		return nil, refuse(codeUnbindKind, "address: %s is an order's", text)
	case a.unbound:
		return nil, refuse(codeUnbindTwice, "address: %s is unbound already", text)
	case !slices.ContainsFunc(st.deposits, func(d *deposit) bool { return d.to == a }):
		return nil, refuse(codeUnbindUnused, "address: nobody has paid to %s yet", text)
	}
	return a, nil
}

// rescan looks for a transaction again. One that is still processing is
// credited by it.
func rescan(c *call) (any, error) {
	on, text, memo := c.chain("chain"), c.text("toAddress", 128), c.optional("memo", 64)
	txID := c.text("txId", 128)
	if err := c.broken(); err != nil {
		return nil, err
	}
	at := slices.IndexFunc(c.st.deposits, func(d *deposit) bool {
		return d.txID == txID && d.network.chain == on && d.to == c.st.addresses.find(text, memo)
	})
	if at < 0 {
		return nil, refuse(codeNotFound, "txId: no such transaction went to that address on %s", on.symbol)
	}
	if d := c.st.deposits[at]; d.status == statusProcessing {
		c.s.finish(d, statusSuccess, c.st.latest[d.recordID] != nil)
		return object{
			"description": "The deposit has been rescanned. Please wait for the transaction to be credited.",
		}, nil
	}
	return object{"description": "The deposit was found before. Nothing is left to rescan."}, nil
}
