package sandbox

import "github.com/shopspring/decimal"

// transfer is money that moved between two accounts of the merchant's wallet
// system.
type transfer struct {
	entry
	from, to string
	coin     *coin
	amount   decimal.Decimal
	remark   string
	batch    *batchTransfer // nil: it is none of a batch
}

// transferCoins serves userTransfer. It is done at once, costs nothing and
// has no webhook. Either side may be the merchant, whose user id is the app id.
func transferCoins(c *call) (any, error) {
	t := &transfer{
		entry: entry{orderID: c.id("orderId")},
		from:  c.account("fromUserId", true), to: c.account("toUserId", true),
		remark: c.optional("remark", 255),
	}
	t.coin, t.amount = c.payableOf("coinId", "amount")
	if t.from != "" && t.from == t.to {
		c.reject(codeInvalid, "toUserId: is the same as fromUserId")
	}
	if err := c.broken(); err != nil {
		return nil, err
	}
	if err := c.st.payouts.transfers.free(t.orderID); err != nil {
		return nil, err
	}
	if err := c.knows(t.from, t.to); err != nil {
		return nil, err
	}
	if err := c.st.worthMoving(t.coin, t.amount); err != nil {
		return nil, err
	}
	if err := c.st.debit(t.from, t.coin, t.amount); err != nil {
		return nil, err
	}
	c.st.credit(t.to, t.coin, t.amount)
	c.st.payouts.transfers.enter(c.st, c.now, t)
	return object{"recordId": t.recordID}, nil
}

// userTransfer serves getUserTransferRecord.
func userTransfer(c *call) (any, error) {
	recordID, orderID := c.recordOrOrder()
	if err := c.broken(); err != nil {
		return nil, err
	}
	t, err := c.st.payouts.transfers.find(recordID, orderID, func(*transfer) bool { return true })
	if err != nil {
		return nil, err
	}
	return object{"record": t.show()}, nil
}

// userTransfers serves getUserTransferRecordList. The pages' table calls both
// users required, while their example does without toUserId and the newer
// definitions without fromUserId; so does the sandbox.
func userTransfers(c *call) (any, error) {
	from, to := c.account("fromUserId", false), c.account("toUserId", false)
	of, during := c.optionalCoin("coinId"), c.span()
	if err := c.broken(); err != nil {
		return nil, err
	}
	if from != "" {
		if err := c.knows(from); err != nil {
			return nil, err
		}
	}
	return page(c, newest(c.st.payouts.transfers.list, func(t *transfer) bool {
		return (from == "" || t.from == from) && (to == "" || t.to == to) && (of == nil || t.coin == of) &&
			during.holds(t.createdAt)
	}), (*transfer).id, (*transfer).show)
}

func (t *transfer) show() object {
	orderID := t.orderID
	if t.batch != nil {
		orderID = t.batch.orderID
	}
	return object{
		"recordId": t.recordID, "orderId": orderID, "coinId": t.coin.id, "coinSymbol": t.coin.inRecords(),
		"fromUserId": t.from, "toUserId": t.to, "amount": t.amount, "status": statusSuccess, "remark": t.remark,
	}
}
