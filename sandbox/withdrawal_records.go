package sandbox

import (
	"slices"
	"strings"
)

// maxOrderIDs is how many order ids a list of withdrawals takes.
const maxOrderIDs = 20

// merchantWithdrawal serves getAppWithdrawRecord.
func merchantWithdrawal(c *call) (any, error) { return c.withdrawal(kindWithdrawal) }

// userWithdrawal serves getUserWithdrawRecord.
func userWithdrawal(c *call) (any, error) { return c.withdrawal(kindUserWithdrawal) }

func (c *call) withdrawal(kind string) (any, error) {
	recordID, orderID := c.recordOrOrder()
	if err := c.broken(); err != nil {
		return nil, err
	}
	w, err := c.st.payouts.withdrawals.find(recordID, orderID,
		func(w *withdrawal) bool { return w.kind == kind })
	if err != nil {
		return nil, err
	}
	return object{"record": w.show()}, nil
}

// merchantWithdrawals serves getAppWithdrawRecordList.
func merchantWithdrawals(c *call) (any, error) {
	orderIDs := c.ids("orderIds", maxOrderIDs)
	return c.withdrawals(kindWithdrawal, func(w *withdrawal) bool {
		return len(orderIDs) == 0 || slices.Contains(orderIDs, w.orderID)
	})
}

// userWithdrawals serves getUserWithdrawRecordList.
func userWithdrawals(c *call) (any, error) {
	user, to := c.wallet("userId"), c.optional("toAddress", 128)
	if c.broken() == nil {
		if err := c.knows(user); err != nil {
			return nil, err
		}
	}
	return c.withdrawals(kindUserWithdrawal, func(w *withdrawal) bool {
		return w.user == user && w.goesTo(to)
	})
}

// autoWithdrawals serves getAutoWithdrawRecordList.
func autoWithdrawals(c *call) (any, error) {
	recordIDs := c.ids("recordIds", maxIDs)
	return c.withdrawals(kindAutoWithdrawal, func(w *withdrawal) bool {
		return len(recordIDs) == 0 || slices.Contains(recordIDs, w.recordID)
	})
}

// riskRefunds serves getRiskyRefundRecordList.
func riskRefunds(c *call) (any, error) {
	to := c.optional("toAddress", 128)
	return c.withdrawals(kindRiskRefund, func(w *withdrawal) bool { return w.goesTo(to) })
}

// withdrawals answers a list of one kind with the filters that all of them
// have, and those of its own.
func (c *call) withdrawals(kind string, wanted func(*withdrawal) bool) (any, error) {
	of, on, during := c.optionalCoin("coinId"), c.optionalChain("chain"), c.span()
	if err := c.broken(); err != nil {
		return nil, err
	}
	return page(c, newest(c.st.payouts.withdrawals.list, func(w *withdrawal) bool {
		return w.kind == kind && (of == nil || w.coin == of) &&
			(on == nil || w.network != nil && w.network.chain == on) &&
			during.holds(w.createdAt) && wanted(w)
	}), (*withdrawal).id, (*withdrawal).show)
}

// goesTo reports whether a withdrawal's address is the one asked for, or none
// was asked for. Letters' case counts, except on EVM chains.
func (w *withdrawal) goesTo(text string) bool {
	return text == "" || w.address == text ||
		w.network != nil && w.network.chain.evm() && strings.EqualFold(w.address, text)
}

// show is a withdrawal as the record endpoints answer it.
func (w *withdrawal) show() object {
	r := object{
		"recordId": w.recordID, "orderId": w.orderID, "withdrawType": "Cwallet",
		"coinId": w.coin.id, "coinSymbol": w.coin.inRecords(), "status": w.status, "amount": w.amount,
	}
	if w.network == nil {
		r["cwalletUser"] = w.cwallet
	} else {
		r["withdrawType"], r["chain"] = "Network", w.network.chain.symbol
		r["fromAddress"], r["toAddress"], r["toMemo"] = w.from, w.address, w.memo
		r["txId"] = w.txID
		r["fee"] = object{"coinId": w.coin.id, "coinSymbol": w.coin.inRecords(), "amount": w.fee}
	}
	switch w.kind {
	case kindUserWithdrawal:
		r["userId"] = w.user
	case kindAutoWithdrawal:
		delete(r, "orderId")
	case kindRiskRefund:
		delete(r, "orderId")
		r["serviceFee"] = w.refunds.fee
	}
	return r
}
