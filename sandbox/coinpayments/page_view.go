package coinpayments

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// page is the page of an invoice. The lock is held.
func (s *Sandbox) page(i *invoice) hosted.Checkout {
	now := s.engine.Now()
	page := hosted.Checkout{
		Shop: hosted.Merchant, OrderID: i.orderID(), Product: i.product(), Price: i.currency.text(i.total) + " " + i.currency.symbol,
		State: i.pageState(), Now: now, Refresh: hosted.Later, ReturnURL: i.success, CloseURL: i.cancel,
	}
	p := i.active()
	page.Note = notes[page.State]
	switch {
	case page.State == hosted.Processing:
		page.Refresh = hosted.Soon
	case page.Settled():
		page.Refresh = 0
	}
	for _, one := range slices.Backward(i.payments) {
		for _, t := range slices.Backward(one.transfers) {
			page.Payments = append(page.Payments, t.onPage())
		}
	}
	if i.open() {
		page.Picker = s.st.picker(i, p)
	}
	if p == nil {
		return page
	}
	received, _ := p.received()
	if received.IsPositive() && page.State != hosted.Paid {
		page.Received, page.Total = p.text(received), p.text(p.expected)
		page.ReceivedPercent = hosted.Percent(received, p.expected)
	}
	if page.State == hosted.Overpaid {
		page.Excess = p.text(received.Sub(p.expected))
	}
	if i.open() {
		page.ExpiresAt = p.expiresAt
	}
	page.Due = &hosted.Due{
		Amount: s.due(i).String(), Coin: p.currency.symbol, Network: p.currency.network, Address: p.address,
	}
	if received.IsZero() {
		page.Due.ChangeURL = pagePath(i.id) + "&change=1"
	}
	page.Controls = s.controls(i, p)
	return page
}

// notes are what states mean where CoinPayments sends money back by itself.
var notes = map[hosted.State]string{
	hosted.PartlyPaid: "A part arrived. Send the rest before the time is up; if you do not, what you sent goes back to you.",
	hosted.Overpaid:   "Thank you. More arrived than was due; CoinPayments sends the rest back to you.",
}

// product is what an invoice is for.
func (i *invoice) product() string {
	names := make([]string, 0, len(i.items))
	for _, line := range i.items {
		names = append(names, line.Name)
	}
	if i.description != "" {
		return i.description
	}
	return strings.Join(names, ", ")
}

// text writes an amount of a payment's coin with its unit.
func (p *payment) text(amount decimal.Decimal) string {
	return amount.String() + " " + p.currency.symbol
}

// pageState is where an invoice stands.
func (i *invoice) pageState() hosted.State {
	p := i.active()
	switch i.status {
	case statusPaid, statusCompleted:
		if p != nil {
			if received, _ := p.received(); received.GreaterThan(p.expected) {
				return hosted.Overpaid
			}
		}
		return hosted.Paid
	case statusCancelled:
		return hosted.Cancelled
	case statusTimedOut:
		return hosted.Expired
	}
	if p == nil || len(p.transfers) == 0 {
		return hosted.Waiting
	}
	received, confirmed := p.received()
	switch {
	case received.GreaterThan(confirmed):
		return hosted.Processing
	case received.IsPositive():
		return hosted.PartlyPaid
	}
	return hosted.Failed
}

func (t *transfer) onPage() hosted.Payment {
	c := t.payment.currency
	status := hosted.PaymentProcessing
	switch {
	case t.failed:
		status = hosted.PaymentFailed
	case strings.HasSuffix(t.payment.state, "WaitingRefund"):
		status = "Waiting for a refund"
	case strings.HasSuffix(t.payment.state, "RefundProcessed"):
		status = "Refunded"
	case t.confirms >= c.confirms:
		status = hosted.PaymentSuccess
	}
	return hosted.Payment{
		Amount: t.amount.String(), Coin: c.symbol, Network: c.network, Status: status, Late: t.late, TxID: t.hash, At: t.at,
		Confirmations: t.confirms, ConfirmationsNeeded: c.confirms,
	}
}

// picker offers the coins that an invoice can be paid in. Each is one with its network.
func (st *state) picker(i *invoice, chosen *payment) *hosted.Picker {
	picker := &hosted.Picker{Action: pages + i.id + "/coin"}
	for _, c := range currencies {
		if !c.payable() {
			continue
		}
		symbol, _, _ := strings.Cut(c.symbol, ".")
		at := slices.IndexFunc(picker.Coins, func(o hosted.Coin) bool { return o.Symbol == symbol })
		if at < 0 {
			amount := i.total.DivRound(st.worth(c, i.currency), rateDecimals)
			picker.Coins = append(picker.Coins, hosted.Coin{
				Symbol: symbol, Name: strings.TrimSpace(strings.Split(c.name, "(")[0]), Amount: "≈ " + hosted.About(amount) + " " + symbol,
			})
			at = len(picker.Coins) - 1
		}
		picker.Coins[at].Networks = append(picker.Coins[at].Networks, hosted.Network{
			Value: c.id, Name: c.network, Selected: chosen != nil && chosen.currency == c,
		})
	}
	return picker
}

// due is what an invoice's page asks for: what is missing, or all once nothing is. The
// lock is held.
func (s *Sandbox) due(i *invoice) decimal.Decimal {
	p := i.active()
	if p == nil {
		return decimal.Zero
	}
	received, _ := p.received()
	if rest := p.expected.Sub(received); rest.IsPositive() {
		return rest
	}
	return p.expected
}

// fine rounds an amount up to what the chosen coin allows.
func (s *Sandbox) fine(id string, amount decimal.Decimal) decimal.Decimal {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.st.find(id).active()
	if p == nil {
		return amount
	}
	return amount.RoundCeil(p.currency.finest())
}

// controls are the buttons that pay.
func (s *Sandbox) controls(i *invoice, p *payment) *hosted.Controls {
	due := s.due(i)
	amount := func(times string) string { return p.text(due.Mul(number(times)).RoundCeil(p.currency.finest())) }
	return &hosted.Controls{
		Action: pages + i.id + "/pay", Exact: p.text(due), Less: amount("0.5"), More: amount("1.5"),
	}
}
