package sandbox

import (
	"cmp"
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
	return object{"record": c.showWithdrawal(w)}, nil
}

// merchantWithdrawals serves getAppWithdrawRecordList.
func merchantWithdrawals(c *call) (any, error) {
	orderIDs := c.ids("orderIds", maxOrderIDs)
	return c.withdrawals(kindWithdrawal, func(w *withdrawal) bool {
		return among(orderIDs, w.orderID)
	})
}

// userWithdrawals serves getUserWithdrawRecordList.
func userWithdrawals(c *call) (any, error) {
	user, orderIDs := c.wallet("userId"), c.ids("orderIds", maxOrderIDs)
	if c.broken() == nil {
		if err := c.knows(user); err != nil {
			return nil, err
		}
	}
	return c.withdrawals(kindUserWithdrawal, func(w *withdrawal) bool {
		return w.user == user && among(orderIDs, w.orderID)
	})
}

// autoWithdrawals serves getAutoWithdrawRecordList.
func autoWithdrawals(c *call) (any, error) {
	recordIDs := c.ids("recordIds", maxIDs)
	return c.withdrawals(kindAutoWithdrawal, func(w *withdrawal) bool {
		return among(recordIDs, w.recordID)
	})
}

// riskRefunds serves getRiskyRefundRecordList.
func riskRefunds(c *call) (any, error) {
	recordIDs := c.ids("recordIds", maxIDs)
	return c.withdrawals(kindRiskRefund, func(w *withdrawal) bool { return among(recordIDs, w.recordID) })
}

// withdrawals answers a list of one kind with the filters that all of them
// have, and those of its own.
func (c *call) withdrawals(kind string, wanted func(*withdrawal) bool) (any, error) {
	of, on, during := c.optionalCoin("coinId"), c.optionalChain("chain"), c.span()
	to := c.optional("toAddress", 128)
	if err := c.broken(); err != nil {
		return nil, err
	}
	return page(c, newest(c.st.payouts.withdrawals.list, func(w *withdrawal) bool {
		return w.kind == kind && (of == nil || w.coin == of) &&
			(on == nil || w.network != nil && w.network.chain == on) &&
			during.holds(w.createdAt) && w.goesTo(to) && wanted(w)
	}), (*withdrawal).id, c.showWithdrawal)
}

func (c *call) showWithdrawal(w *withdrawal) object { return w.show(c.s.opts.AppID) }

// goesTo reports whether a withdrawal's address is the one asked for, or none
// was asked for. Letters' case counts, except on EVM chains.
func (w *withdrawal) goesTo(text string) bool {
	return text == "" || w.address == text ||
		w.network != nil && w.network.chain.evm() && strings.EqualFold(w.address, text)
}

// endReasons are why a withdrawal ended without success.
var endReasons = map[string]string{
	statusFailed: "the transaction failed on its chain", statusRejected: "the merchant rejected it",
}

// madeByItself changes the record of a withdrawal that nobody called for: its
// order id is CCPayment's own, and it has fewer fields. What the order ids look
// like is not known.
func (w *withdrawal) madeByItself(r object) {
	for _, name := range []string{"withdrawType", "fromAddress", "appId", "coinUSDPrice", "reason"} {
		delete(r, name)
	}
	r["orderId"], r["createdAt"] = cmp.Or(w.orderID, w.recordID), w.createdAt.Unix()
}

// show is a withdrawal as the record endpoints answer it.
func (w *withdrawal) show(appID string) object {
	r := object{
		"recordId": w.recordID, "orderId": w.orderID, "withdrawType": "Cwallet", "appId": appID,
		"coinId": w.coin.id, "coinSymbol": w.coin.inRecords(), "status": w.status, "amount": w.amount,
		"coinUSDPrice": w.usd, "reason": endReasons[w.status],
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
		w.madeByItself(r)
		r["serviceFee"] = "0"
	case kindRiskRefund:
		w.madeByItself(r)
		r["fromDeposit"] = []object{{"recordId": w.refunds.recordID}}
	}
	return r
}
