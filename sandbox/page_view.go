package sandbox

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// checkoutPage is the page of an order.
func (s *Sandbox) checkoutPage(v *Checkout) hosted.Checkout {
	page := hosted.Checkout{
		Shop: hosted.Merchant, OrderID: v.OrderID, Product: v.Product, Price: money(v.Price, v.Symbol),
		State: pageState(v), Now: v.Now, ExpiresAt: v.ExpiresAt, Refresh: hosted.Later,
		ReturnURL: v.ReturnURL, CloseURL: v.CloseURL,
	}
	switch {
	case v.underWay():
		page.Refresh = hosted.Soon
	case page.Settled():
		page.Refresh = 0
	}
	if v.Paid.IsPositive() && page.State != hosted.Paid {
		page.Received, page.Total = money(v.Paid, v.Unit), money(v.Total, v.Unit)
		page.ReceivedPercent = hosted.Percent(v.Paid, v.Total)
	}
	if page.State == hosted.Overpaid {
		page.Excess = money(v.Paid.Sub(v.Total), v.Unit)
	}
	for _, p := range slices.Backward(v.Payments) {
		page.Payments = append(page.Payments, s.pagePayment(v, p))
	}
	if v.Invoice {
		page.Picker = pagePicker(v)
	}
	if v.Due != nil {
		page.Due = &hosted.Due{
			Amount: v.Due.Amount.String(), Coin: v.Due.Symbol, Network: v.Due.ChainName,
			NetworkSymbol: v.Due.Chain, Address: v.Due.Address, Memo: v.Due.Memo,
		}
		if v.Invoice {
			page.Due.ChangeURL = pagePath(v) + "?change=1"
		}
		page.Controls = s.pageControls(v)
	}
	return page
}

// pageState is where an order stands. Payments in another coin than a deposit
// order's change nothing: they are only listed.
func pageState(v *Checkout) hosted.State {
	last := len(v.Payments) - 1
	risky := func(p CheckoutPayment) bool { return p.Counts && p.Risky && p.Status == statusSuccess }
	switch {
	case v.Paid.Sub(v.Total).GreaterThan(v.slack()):
		return hosted.Overpaid
	case v.Paid.GreaterThanOrEqual(v.Total):
		return hosted.Paid
	case v.underWay():
		return hosted.Processing
	case slices.ContainsFunc(v.Payments, risky):
		return hosted.InReview
	case v.Expired:
		return hosted.Expired
	case v.Paid.IsPositive():
		return hosted.PartlyPaid
	case last >= 0 && v.Payments[last].Status == statusFailed:
		return hosted.Failed
	}
	return hosted.Waiting
}

func (v *Checkout) underWay() bool {
	return slices.ContainsFunc(v.Payments, func(p CheckoutPayment) bool { return p.Status == statusProcessing })
}

// slack is what an invoice's payments can be above the price without anybody
// having paid too much: amounts are rounded up to the coin's last digit.
func (v *Checkout) slack() decimal.Decimal {
	sum := decimal.Zero
	for _, p := range v.Payments {
		if v.Invoice && p.Amount.IsPositive() {
			places := coinsNamed(p.Coin, p.Chain)[0].on(p.Chain).precision
			step := decimal.New(1, -int32(min(places, feeDecimals)))
			sum = sum.Add(p.Value.Mul(step).DivRound(p.Amount, 2*rateDecimals))
		}
	}
	return sum
}

func (s *Sandbox) pagePayment(v *Checkout, p CheckoutPayment) hosted.Payment {
	on := chainNamed(p.Chain)
	// Confirmations come evenly; the last one is that which makes a success.
	share := int64(v.Now.Sub(p.At)) * int64(on.confirmations) / int64(max(1, s.engine.Sooner(confirmation)))
	return hosted.Payment{
		Amount: p.Amount.String(), Coin: p.Coin, Network: on.name, Status: hosted.PaymentStatus(p.Status),
		Risky: p.Risky, Late: p.Late, WrongCoin: !p.Counts, TxID: p.TxID, RecordID: p.RecordID, At: p.At,
		Confirmations: int(min(max(0, share), int64(on.confirmations)-1)), ConfirmationsNeeded: on.confirmations,
	}
}

// pagePicker offers the coins of an invoice, each with all its networks.
func pagePicker(v *Checkout) *hosted.Picker {
	picker := &hosted.Picker{Action: pagePath(v) + "/coin"}
	var lastID int64
	for _, c := range v.Choices {
		if c.CoinID != lastID {
			lastID = c.CoinID
			picker.Coins = append(picker.Coins, hosted.Coin{
				Symbol: c.Symbol, Name: c.Name, Amount: "≈ " + hosted.About(c.Amount) + " " + c.Symbol,
			})
		}
		coin := &picker.Coins[len(picker.Coins)-1]
		coin.Networks = append(coin.Networks, hosted.Network{
			Value: c.value(), Name: c.ChainName, Selected: v.Due != nil && c.value() == v.Due.value(),
		})
	}
	return picker
}

// value names a choice in forms.
func (c *CheckoutChoice) value() string { return fmt.Sprintf("%d/%s", c.CoinID, c.Chain) }

// pageControls are the buttons that pay; nil once nobody watches the address
// any more.
func (s *Sandbox) pageControls(v *Checkout) *hosted.Controls {
	if v.Now.Sub(v.ExpiresAt) > acceptedAfter {
		return nil
	}
	due := v.Due.Amount
	if due.IsZero() {
		due = s.fullAmount(v.Token)
	}
	places := int32(min(coinByID(v.Due.CoinID).on(v.Due.Chain).precision, feeDecimals))
	amount := func(times string) string {
		return due.Mul(number(times)).RoundCeil(places).String() + " " + v.Due.Symbol
	}
	controls := &hosted.Controls{
		Action: pagePath(v) + "/pay",
		Exact:  due.String() + " " + v.Due.Symbol, Less: amount("0.5"), More: amount("1.5"),
		Risky: "flagged address",
	}
	// What is due in another coin is known only while something is due.
	if name, _, err := s.otherCoin(v.Token); err == nil && v.Due.Amount.IsPositive() {
		controls.WrongCoin = "in " + coinsNamed(name, "")[0].symbol
	}
	for _, c := range reaching(v) {
		controls.Options = append(controls.Options, hosted.Option{
			Value: c.value(), Label: c.Symbol + " on " + c.ChainName, Selected: c.value() == v.Due.value(),
		})
	}
	return controls
}

// reaching are the coins that can be sent to an order: to an invoice all that
// it offers, to a deposit order those that its one address can receive.
func reaching(v *Checkout) []CheckoutChoice {
	if v.Invoice {
		return v.Choices
	}
	var list []CheckoutChoice
	family := chainNamed(v.Due.Chain).family
	for i := range coins {
		for j := range coins[i].networks {
			c, n := &coins[i], &coins[i].networks[j]
			if n.chain.family == family && acceptsDeposit(c, n) == nil {
				list = append(list, CheckoutChoice{CoinID: c.id, Symbol: c.symbol, Chain: n.chain.symbol, ChainName: n.chain.name})
			}
		}
	}
	return list
}

// money writes an amount with its unit: fiat with two decimals, of which the
// last is rounded down, and coins to the last digit.
func money(amount decimal.Decimal, unit string) string {
	if slices.ContainsFunc(fiats, func(f fiat) bool { return f.symbol == unit }) {
		return amount.Truncate(2).StringFixed(2) + " " + unit
	}
	return amount.Truncate(rateDecimals).String() + " " + unit
}
