package sandbox

var recordEndpoints = map[string]handler{
	"getAppDepositRecord":     depositRecord,
	"getAppDepositRecordList": depositRecords,
}

func depositRecord(c *call) (any, error) {
	id := c.text("recordId", 64)
	if err := c.broken(); err != nil {
		return nil, err
	}
	d := c.st.byRecord[id]
	if d == nil || d.kind == kindUser {
		return nil, refuse(codeNotFound, "recordId: the merchant has no deposit with the record id %q", id)
	}
	return object{"record": d.record()}, nil
}

func depositRecords(c *call) (any, error) {
	wantedCoin, on, during := c.optionalCoin("coinId"), c.optionalChain("chain"), c.span()
	reference, orderID := c.optionalID("referenceId"), c.optionalID("orderId")
	recordIDs, orderIDs := c.ids("recordIds", maxDepositIDs), c.ids("orderIds", maxDepositIDs)
	references, to, limit := c.ids("referenceIds", maxDepositIDs), c.optional("toAddress", 128), c.pageLimit()
	if reference != "" && orderID != "" {
		c.reject(codeInvalid, "pass either orderId or referenceId, and not both")
	}
	if err := c.broken(); err != nil {
		return nil, err
	}
	return pageOf(c, limit, newest(c.st.deposits, func(d *deposit) bool {
		return d.kind != kindUser && d.matches(wantedCoin, on, during) && d.wentTo(to) &&
			(reference == "" || d.reference == reference) && (orderID == "" || d.orderID() == orderID) &&
			among(recordIDs, d.recordID) && among(orderIDs, d.orderID()) && among(references, d.reference)
	}), (*deposit).id, (*deposit).record)
}

// maxDepositIDs is how many ids of each kind a list of deposits takes.
const maxDepositIDs = 50

func (d *deposit) id() string { return d.recordID }

// orderID is that of the order that a deposit paid; empty: none.
func (d *deposit) orderID() string {
	if d.order == nil {
		return ""
	}
	return d.order.id
}

// wentTo reports whether a deposit went to the address asked for, or none was.
func (d *deposit) wentTo(text string) bool {
	return text == "" || sameCase(d.to.text) == sameCase(text)
}

// matches applies the filters that all lists of deposits have.
func (d *deposit) matches(wanted *coin, on *chain, during span) bool {
	return (wanted == nil || d.coin == wanted) && (on == nil || d.network.chain == on) && during.holds(d.arrivedAt)
}

// record is a deposit as the record endpoints answer it.
func (d *deposit) record() object {
	r := object{
		"recordId": d.recordID, "coinId": d.coin.id, "coinSymbol": d.coin.inRecords(),
		"chain": d.network.chain.symbol, "contract": d.network.contract, "coinUSDPrice": d.usd,
		"fromAddress": d.from, "toAddress": d.to.text, "toMemo": d.to.memo,
		"amount": d.amount, "serviceFee": d.fee, "txId": d.txID, "txIndex": 0, "status": d.status,
		"isFlaggedAsRisky": d.risky, "arrivedAt": d.arrivedAt.Unix(),
		"referenceId": d.reference, "orderId": d.orderID(),
	}
	if d.kind == kindUser {
		r["userId"] = d.user
	}
	return r
}
