package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"
)

// batchOrder serves getBatchWithdrawOrder. What verbose adds is not known: nothing here.
func batchOrder(c *call) (any, error) {
	id := c.batchID()
	if verbose := c.optionalNumber("verbose"); verbose > maxVerbose {
		c.reject(codeInvalid, "verbose: from 0 to %d, got %d", maxVerbose, verbose)
	}
	b, err := c.batch(id)
	if err != nil {
		return nil, err
	}
	return c.showBatch(b), nil
}

func (c *call) showBatch(b *batch) object {
	amount, fees := decimal.Zero, decimal.Zero
	for _, p := range b.payouts {
		amount, fees = amount.Add(p.amount), fees.Add(p.fee)
	}
	coin := object{"coin_id": b.coin.id, "coin_symbol": b.coin.inRecords(), "coin_price": c.st.price(b.coin)}
	reason := ""
	if b.status == batchRejected {
		reason = endReasons[statusRejected]
	}
	succeeded := func(p *payout) bool { return p.status == statusSuccess }
	failed := func(p *payout) bool { return p.status == statusFailed || p.denied() }
	return object{
		"batchOrderId": b.id, "productName": b.product, "billId": b.billID, "coin": coin, "amount": amount,
		"networkFee": fees, "networkFeeCoin": coin, "status": b.status, "reason": reason, "mode": b.mode,
		"stats": object{
			"total": len(b.payouts), "succeeded": b.count(succeeded), "failed": b.count(failed),
			"canceled":   b.count(func(p *payout) bool { return p.canceled }),
			"processing": b.count((*payout).runs), "execSeq": b.execSeq,
		},
		"createdAt": b.createdAt.Unix(), "updatedAt": b.updatedAt.Unix(),
	}
}

// batchRecords serves getBatchWithdrawOrderRecordList, in the order in which the payouts
// were given.
func batchRecords(c *call) (any, error) {
	id, limit := c.batchID(), c.pageLimit()
	b, err := c.batch(id)
	if err != nil {
		return nil, err
	}
	return pageOf(c, limit, slices.Values(b.payouts), func(p *payout) string { return strconv.FormatInt(p.seq, 10) }, (*payout).show)
}

// show is a payout as the list of its batch has it. One that was not begun is Pending and
// has no record.
func (p *payout) show() object {
	status, reason := cmp.Or(p.status, batchPending), endReasons[p.status]
	if p.canceled {
		status, reason = statusCanceled, "the merchant aborted it"
	}
	return object{
		"seq": p.seq, "address": p.address, "memo": p.memo, "amount": p.amount, "remark": p.remark,
		"recordId": p.recordID, "orderId": p.orderID, "status": status, "networkFee": p.fee, "txId": p.txID,
		"reason": reason, "createdAt": p.addedAt.Unix(), "updatedAt": p.updatedAt.Unix(),
	}
}

// checkAddresses serves checkWithdrawAddress.
func checkAddresses(c *call) (any, error) {
	on, list := c.chain("chain"), c.objects("addressInfoList", 1, maxPayouts)
	if err := c.broken(); err != nil {
		return nil, err
	}
	results, taken := make([]object, 0, len(list)), map[int64]bool{}
	for i, one := range list {
		address, memo, seq := one.text("address", 256), one.optional("memo", 64), one.seq(taken)
		if err := one.broken(); err != nil {
			return nil, at("addressInfoList", i, err)
		}
		codes := []int{}
		if broken, ok := errors.AsType[*refusal](c.st.reachesInBatch(on, address, memo)); ok {
			codes = append(codes, broken.code)
		}
		results = append(results, object{"seq": seq, "codes": codes})
	}
	return object{"addressInfoResults": results}, nil
}

// at is a refusal because of one item of a list.
func at(name string, i int, err error) error {
	if broken, ok := errors.AsType[*refusal](err); ok {
		return refuse(broken.code, "%s", fmt.Sprintf("%s[%d].%s", name, i, broken.msg))
	}
	return err
}
