package sandbox

// recordDecimals is how many decimals most amounts of swap records are written
// with.
const recordDecimals = 24

// merchantSwap serves getSwapRecord.
func merchantSwap(c *call) (any, error) { return c.swapRecord(false) }

// userSwap serves getUserSwapRecord.
func userSwap(c *call) (any, error) { return c.swapRecord(true) }

func (c *call) swapRecord(ofUser bool) (any, error) {
	recordID, orderID := c.either()
	if err := c.broken(); err != nil {
		return nil, err
	}
	w, err := c.st.payouts.swaps.find(recordID, orderID, func(w *swap) bool { return (w.user != "") == ofUser })
	if err != nil {
		return nil, err
	}
	return object{"record": w.show()}, nil
}

// merchantSwaps serves getSwapRecordList.
func merchantSwaps(c *call) (any, error) {
	return c.swapRecords(func(w *swap) bool { return w.user == "" })
}

// userSwaps serves getUserSwapRecordList. Without a userId it has the swaps
// of all users.
func userSwaps(c *call) (any, error) {
	user := c.optionalUser("userId")
	if user != "" && c.broken() == nil {
		if err := c.knows(user); err != nil {
			return nil, err
		}
	}
	return c.swapRecords(func(w *swap) bool { return w.user != "" && (user == "" || w.user == user) })
}

func (c *call) swapRecords(wanted func(*swap) bool) (any, error) {
	recordIDs, orderIDs := c.ids("recordIds", maxIDs), c.ids("orderIds", maxIDs)
	in, out, during := c.optionalCoin("coinIdIn"), c.optionalCoin("coinIdOut"), c.span()
	if err := c.broken(); err != nil {
		return nil, err
	}
	return page(c, newest(c.st.payouts.swaps.list, func(w *swap) bool {
		return wanted(w) && (in == nil || w.coinIn == in) && (out == nil || w.coinOut == out) &&
			among(recordIDs, w.recordID) && among(orderIDs, w.orderID) && during.holds(w.createdAt)
	}), (*swap).id, (*swap).show)
}

// show is a swap as the record endpoints answer it. Some of its amounts are
// filled up with zeros to 24 decimals, as the live API's are.
func (w *swap) show() object {
	r := object{
		"recordId": w.recordID, "orderId": w.orderID,
		"coinIdIn": w.coinIn.id, "coinInSymbol": w.coinIn.inRecords(),
		"coinIdOut": w.coinOut.id, "coinOutSymbol": w.coinOut.inRecords(),
		"amountIn":     w.amountIn.StringFixed(recordDecimals),
		"amountOut":    w.amountOut,
		"netAmountOut": w.net().StringFixed(recordDecimals),
		"swapRate":     w.rate.StringFixed(recordDecimals),
		"feeRate":      w.feeRate,
		"fee":          w.fee.StringFixed(recordDecimals),
		"status":       statusSuccess, "createdAt": w.createdAt.Unix(), "arrivedAt": w.createdAt.Unix(),
	}
	if w.least.IsPositive() {
		r["amountOutMinimum"] = w.least
	}
	if w.user != "" {
		r["userId"], r["extraFee"], r["extraFeeRate"] = w.user, w.extraFee, w.extraRate
	}
	return r
}
