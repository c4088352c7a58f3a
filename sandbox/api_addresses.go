package sandbox

import "slices"

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
// EVM chain that takes it on all of them. On a chain with memos all owners
// share one address, so there the memo is needed too, which the pages leave
// open.
func unbindAddress(c *call) (any, error) {
	on, text, memo := c.chain("chain"), c.text("address", 128), c.optional("memo", 64)
	if err := c.broken(); err != nil {
		return nil, err
	}
	a := c.st.addresses.find(text, memo)
	if a == nil || a.family != on.family || a.order != nil || a.unbound {
		return nil, refuse(codeNotFound, "address: no reference or user has %s on %s", text, on.symbol)
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
