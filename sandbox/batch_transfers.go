package sandbox

import (
	"time"

	"github.com/shopspring/decimal"
)

// batchTransfer is money that moved from one account to several.
type batchTransfer struct {
	entry
	from   string
	coin   *coin
	remark string
	usd    decimal.Decimal // the coin's price when it was made
	parts  []*transfer
}

// transferToMany serves userBatchTransfer: all of it at once, or nothing. The
// definitions ask for amounts of at least five characters, the SDKs send shorter ones:
// both are taken.
func transferToMany(c *call) (any, error) {
	b := &batchTransfer{
		entry: entry{orderID: c.id("orderId")}, from: c.account("userId", true),
		coin: c.coin("coinId"), remark: c.optional("remark", 255),
	}
	list := c.objects("toUsers", 1, maxPayouts)
	if err := c.broken(); err != nil {
		return nil, err
	}
	total, users := decimal.Zero, []string{b.from}
	for i, one := range list {
		in := *c
		in.params = one
		t := &transfer{
			from: b.from, to: in.account("userId", true), coin: b.coin, remark: b.remark,
			amount: one.payable("amount", b.coin.precision()), batch: b,
		}
		if t.to == t.from {
			one.reject(codeInvalid, "userId: is the one who pays")
		}
		if err := one.broken(); err != nil {
			return nil, at("toUsers", i, err)
		}
		b.parts, total, users = append(b.parts, t), total.Add(t.amount), append(users, t.to)
	}
	if err := c.st.payouts.batchTransfers.free(b.orderID); err != nil {
		return nil, err
	}
	if err := c.knows(users...); err != nil {
		return nil, err
	}
	for i, t := range b.parts {
		if err := c.st.worthMoving(t.coin, t.amount); err != nil {
			return nil, at("toUsers", i, err)
		}
	}
	if err := c.st.debit(b.from, b.coin, total); err != nil {
		return nil, err
	}
	b.usd = c.st.price(b.coin)
	c.st.payouts.batchTransfers.enter(c.st, c.now, b)
	for _, t := range b.parts {
		c.st.credit(t.to, t.coin, t.amount)
		c.st.payouts.transfers.enter(c.st, c.now, t)
	}
	return object{"recordId": b.recordID}, nil
}

// batchTransferRecord serves getUserBatchTransferRecord.
func batchTransferRecord(c *call) (any, error) {
	recordID, orderID := c.recordOrOrder()
	if err := c.broken(); err != nil {
		return nil, err
	}
	b, err := c.st.payouts.batchTransfers.find(recordID, orderID, func(*batchTransfer) bool { return true })
	if err != nil {
		return nil, err
	}
	return object{"record": b.show()}, nil
}

// batchTransfersBack is how far the list goes back that names no beginning.
const batchTransfersBack = 90 * 24 * time.Hour

// batchTransfers serves getUserBatchTransferRecordList.
func batchTransfers(c *call) (any, error) {
	orderIDs, user := c.ids("orderIds", maxIDs), c.account("userId", false)
	of, during := c.optionalCoin("coinId"), c.span()
	if err := c.broken(); err != nil {
		return nil, err
	}
	if during.from.IsZero() {
		during.from = c.now.Add(-batchTransfersBack)
	}
	if user != "" {
		if err := c.knows(user); err != nil {
			return nil, err
		}
	}
	return page(c, newest(c.st.payouts.batchTransfers.list, func(b *batchTransfer) bool {
		return among(orderIDs, b.orderID) && (user == "" || b.from == user) && (of == nil || b.coin == of) && during.holds(b.createdAt)
	}), (*batchTransfer).id, (*batchTransfer).show)
}

// batchTransferDetail serves getUserBatchTransferRecordDetail.
func batchTransferDetail(c *call) (any, error) {
	id := c.text("recordId", 64)
	if err := c.broken(); err != nil {
		return nil, err
	}
	b, err := c.st.payouts.batchTransfers.find(id, "", func(*batchTransfer) bool { return true })
	if err != nil {
		return nil, err
	}
	return page(c, newest(b.parts, func(*transfer) bool { return true }), (*transfer).id, (*transfer).show)
}

func (b *batchTransfer) show() object {
	users := make([]object, 0, len(b.parts))
	for _, t := range b.parts {
		users = append(users, object{"userId": t.to, "amount": t.amount})
	}
	return object{
		"recordId": b.recordID, "orderId": b.orderID, "userId": b.from, "coinId": b.coin.id, "coinSymbol": b.coin.inRecords(),
		"toUsers": users, "status": statusSuccess, "remark": b.remark, "coinUSDPrice": b.usd,
	}
}
