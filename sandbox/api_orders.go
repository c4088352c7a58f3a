package sandbox

var orderEndpoints = map[string]handler{
	"createAppOrderDepositAddress": createDepositOrder,
	"getAppOrderInfo":              depositOrderInfo,
}

var invoiceEndpoints = map[string]handler{
	"createInvoiceUrl":    createInvoice,
	"getInvoiceOrderInfo": invoiceInfo,
	"createCheckoutUrl":   createCheckout,
}

func createDepositOrder(c *call) (any, error) {
	o := newOrder(c, maxExpiry)
	o.coin, o.network = c.network()
	o.fiat = c.fiat("fiatId")
	hosted := c.flag("generateCheckoutURL")
	if o.fiat == nil {
		o.priceCoin = o.coin
	}
	precision := rateDecimals
	if o.network != nil {
		precision = o.network.precision
	}
	o.readPrice(c, precision)
	if err := c.broken(); err != nil {
		return nil, err
	}
	if err := acceptsDeposit(o.coin, o.network); err != nil {
		return nil, err
	}
	if !c.st.converts(o, o.coin) {
		return nil, refuse(codeCoinPrice, "fiatId: %s has no price, so an order is priced in it and not in fiat", o.coin.symbol)
	}
	if err := c.st.add(o); err != nil {
		return nil, err
	}
	if hosted {
		o.url = c.base + "/c/" + o.token
	}
	o.address = c.st.addresses.assign(o.network.chain)
	o.address.order = o
	c.st.rateOf(o, o.coin, c.now)
	o.amount = c.st.toPay(o, o.price, o.coin, o.network, c.now)
	data := object{
		"address": o.address.text, "amount": o.amount, "memo": o.address.memo,
		"confirmsNeeded": o.network.chain.confirmations,
	}
	if hosted {
		data["checkoutUrl"] = o.url
	}
	return data, nil
}

func depositOrderInfo(c *call) (any, error) {
	id := c.id("orderId")
	if err := c.broken(); err != nil {
		return nil, err
	}
	o, err := c.st.order(id, false)
	if err != nil {
		return nil, err
	}
	paid := make([]object, 0, len(o.deposits))
	for _, d := range o.deposits {
		if o.counts(d) {
			paid = append(paid, object{
				"recordId": d.recordID, "fromAddress": d.from, "amount": d.amount, "serviceFee": d.fee,
				"txid": d.txID, "status": d.status, "isFlaggedAsRisky": d.risky,
				"arrivedAt": d.arrivedAt.Unix(), "rate": d.rate,
			})
		}
	}
	data := object{
		"amountToPay": o.amount, "coinId": o.coin.id, "coinSymbol": o.coin.inRecords(),
		"chain": o.network.chain.symbol, "toAddress": o.address.text, "toMemo": o.address.memo,
		"rate": c.st.rateOf(o, o.coin, o.createdAt), "createAt": o.createdAt.Unix(), "expiredAt": o.expiresAt.Unix(),
		"checkoutUrl": o.url, "buyerEmail": o.buyer, "paidList": paid,
	}
	if o.fiat != nil {
		data["fiatId"], data["fiatSymbol"] = o.fiat.id, o.fiat.symbol
	}
	return data, nil
}

func createInvoice(c *call) (any, error) {
	o, err := c.newInvoice()
	if err != nil {
		return nil, err
	}
	return object{"invoiceUrl": o.url}, nil
}

// createCheckout serves createCheckoutUrl, which nothing public defines: CCPayment's
// plugin for WooCommerce sends it what createInvoiceUrl takes, and reads checkoutUrl.
// This is a guess, made to let that plugin be tried.
func createCheckout(c *call) (any, error) {
	o, err := c.newInvoice()
	if err != nil {
		return nil, err
	}
	return object{"checkoutUrl": o.url}, nil
}

func (c *call) newInvoice() (*order, error) {
	o := newOrder(c, invoiceLifetime)
	o.invoice = true
	if c.hasNumber("priceFiatId") == c.hasNumber("priceCoinId") {
		c.reject(codeInvalid, "pass either priceFiatId or priceCoinId, and not both")
	}
	o.fiat, o.priceCoin = c.fiat("priceFiatId"), c.optionalCoin("priceCoinId")
	precision := rateDecimals
	if o.priceCoin != nil {
		precision = o.priceCoin.precision()
	}
	o.readPrice(c, precision)
	if err := c.broken(); err != nil {
		return nil, err
	}
	if err := c.st.add(o); err != nil {
		return nil, err
	}
	o.url = c.base + "/i/" + o.token
	return o, nil
}

func invoiceInfo(c *call) (any, error) {
	id := c.id("orderId")
	if err := c.broken(); err != nil {
		return nil, err
	}
	o, err := c.st.order(id, true)
	if err != nil {
		return nil, err
	}
	paid := make([]object, 0, len(o.deposits))
	for _, d := range o.deposits {
		paid = append(paid, object{
			"recordId": d.recordID, "coinId": d.coin.id, "coinSymbol": d.coin.inRecords(),
			"chain": d.network.chain.symbol, "fromAddress": d.from, "toAddress": d.to.text, "toMemo": d.to.memo,
			"paidAmount": d.amount, "serviceFee": d.fee, "rate": d.rate, "paidValue": d.paidValue(),
			"txid": d.txID, "status": d.status, "isFlaggedAsRisky": d.risky, "arrivedAt": d.arrivedAt.Unix(),
		})
	}
	data := object{
		"orderId": o.id, "createAt": o.createdAt.Unix(), "product": o.product, "price": o.price,
		"priceSymbol": o.symbol(), "invoiceUrl": o.url, "buyerEmail": o.buyer, "expiredAt": o.expiresAt.Unix(),
		"totalPaidValue": o.totalPaidValue(), "paidList": paid,
	}
	if o.fiat != nil {
		data["priceFiatId"] = o.fiat.id
	} else {
		data["priceCoinId"] = o.priceCoin.id
	}
	return data, nil
}
