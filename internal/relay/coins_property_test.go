package relay_test

import (
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// coinsCase is one case: a world, its webhooks, and the app's books.
type coinsCase struct {
	*rapid.T
	*coinsGate
	*coinsOracle
	waiting, sent []coinsNotice // that CoinPayments has yet to see acknowledged, and that it has
	invoices      []*coinsInvoice
	deposits      []*coinsDeposit
	// flags are the Idempotency-Keys that carried one.
	flags    map[string]string
	credited decimal.Decimal
	// paid are the orders that were paid at some time, refunded those of which money was
	// sent back after it had counted.
	paid, refunded map[*coinsInvoice]bool
}

// TestCoinsMoney: invoices and deposits at CoinPayments, paid in every way, sent back,
// cancelled, and closed at any time, with webhooks in any order and repeatedly, with an app that fails and an API
// that fails, lags and knows more than the webhook. Each webhook comes to what the oracle
// says; each order that was paid is fulfilled by one event, and none that was not, that was
// closed before, or whose money was sent back; and what is credited is what was received. `-rapid.checks` says how
// many cases are tried of each policy.
func TestCoinsMoney(t *testing.T) {
	for name, policy := range map[string]struct {
		policy settle.Policy
		oracle coinsOracle
	}{
		"defaults":  {settle.Policy{}, coinsOracle{accept: new(big.Rat)}},
		"late hold": {settle.Policy{HoldLate: true}, coinsOracle{holdLate: true, accept: new(big.Rat)}},
		"accepting": {settle.Policy{AcceptUnderpaid: decimal.New(2, -2)}, coinsOracle{accept: big.NewRat(2, 100)}},
		"testing":   {settle.Policy{}, coinsOracle{testing: true, accept: new(big.Rat)}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newCoinsGate(t, confirm.Policy{HoldRisky: true, Policy: policy.policy}, policy.oracle.testing)
			rapid.Check(t, func(t *rapid.T) {
				o := policy.oracle
				o.states, o.carrier = map[coinsNotice]string{}, map[string]coinsNotice{}
				g.coins = &coins{invoices: map[string]*coinsInvoice{}, deposits: map[string]*coinsDeposit{}}
				c := &coinsCase{T: t, coinsGate: g, coinsOracle: &o, flags: map[string]string{}, paid: map[*coinsInvoice]bool{}, refunded: map[*coinsInvoice]bool{}}
				c.play()
			})
		})
	}
}

func (c *coinsCase) play() {
	c.addInvoice()
	for range rapid.IntRange(2, 24).Draw(c.T, "steps") {
		switch rapid.SampledFrom([]string{
			"pay", "pay", "confirm", "confirm", "complete", "end", "refund", "catch up", "catch up", "catch up",
			"deliver", "deliver", "deliver", "deliver", "deliver", "repeat", "fault", "invoice", "deposit", "arrive", "close",
		}).Draw(c.T, "step") {
		case "invoice":
			c.addInvoice()
		case "pay":
			c.pay(c.anyInvoice())
		case "confirm":
			c.confirmPayment(c.anyInvoice())
		case "complete":
			c.complete(c.anyInvoice())
		case "end":
			c.end(c.anyInvoice(), rapid.SampledFrom([]string{"Cancelled", "TimedOut"}).Draw(c.T, "how"))
		case "refund":
			c.refund(c.anyInvoice())
		case "deposit":
			c.addDeposit()
		case "arrive":
			if len(c.deposits) > 0 {
				c.arrive(c.deposits[rapid.IntRange(0, len(c.deposits)-1).Draw(c.T, "deposit")])
			}
		case "catch up":
			c.catchUp()
		case "deliver":
			if len(c.waiting) > 0 {
				c.send(rapid.IntRange(0, len(c.waiting)-1).Draw(c.T, "which"), rapid.IntRange(0, 3).Draw(c.T, "app") > 0)
			}
		case "repeat":
			if len(c.sent) > 0 {
				c.waiting = append(c.waiting, c.sent[rapid.IntRange(0, len(c.sent)-1).Draw(c.T, "copy")])
			}
		case "close":
			c.close(c.anyInvoice(), rapid.IntRange(0, 3).Draw(c.T, "force") == 0)
		case "fault":
			c.coins.down = rapid.IntRange(0, 2).Draw(c.T, "down") == 0
		}
		c.look()
	}
	c.drain()
	c.account()
}

// look notes which orders are paid now.
func (c *coinsCase) look() {
	for _, i := range c.invoices {
		c.paid[i] = c.paid[i] || c.isPaid(i)
	}
}

func (c *coinsCase) anyInvoice() *coinsInvoice {
	return c.invoices[rapid.IntRange(0, len(c.invoices)-1).Draw(c.T, "invoice")]
}

func (c *coinsCase) announce(i *coinsInvoice, status string) {
	i.status = strings.ToLower(status[:1]) + status[1:]
	c.waiting = append(c.waiting, coinsNotice{invoice: i, status: status})
	if rapid.IntRange(0, 2).Draw(c.T, "the API lags") > 0 {
		i.catchUp()
	}
}

func (c *coinsCase) addInvoice() {
	i := &coinsInvoice{
		id: c.newID("2008d68d-0f66-44ec-8500-000"), order: c.newID("order-"),
		total:   decimal.New(rapid.Int64Range(10, 3000).Draw(c.T, "total"), -2),
		expires: caseTime.Add(rapid.SampledFrom([]time.Duration{time.Hour, -time.Hour}).Draw(c.T, "expires")),
		asked:   rapid.SampledFrom([]int64{100, 100, 98, 50}).Draw(c.T, "asked for, in percent"),
	}
	c.invoices, c.coins.invoices[i.id] = append(c.invoices, i), i
	c.announce(i, "Unpaid")
	c.sell(i)
}

// isOpen reports whether an invoice can still be paid.
func (i *coinsInvoice) isOpen() bool { return i.status == "unpaid" || i.status == "pending" }

// pay makes a payment arrive: most often what is asked for, in time. What comes after the
// end of the invoice is sent back.
func (c *coinsCase) pay(i *coinsInvoice) {
	p := &coinsPayment{
		address: c.newID("0xA"), due: i.total, expected: i.total.DivRound(coinRate, 12).RoundCeil(8), state: "pending", symbol: "LTC",
		pending: i.expires.Add(rapid.SampledFrom([]time.Duration{-time.Minute, -time.Minute, 0, time.Second}).Draw(c.T, "arrives")),
		err:     rapid.IntRange(0, 15).Draw(c.T, "error") == 0,
	}
	share := rapid.SampledFrom([]int64{10000, 10000, 10000, 5000, 9899, 9801, 9800, 9700, 10001, 15000}).Draw(c.T, "share of what is asked for")
	p.actual = p.expected.Mul(decimal.New(share, -4)).RoundCeil(8)
	if rapid.IntRange(0, 7).Draw(c.T, "test coin") == 0 {
		p.symbol = "LTCT"
	}
	if !i.isOpen() {
		p.state = "timedOutWaitingRefund"
		i.payments = append(i.payments, p)
		return
	}
	i.payments = append(i.payments, p)
	for range rapid.IntRange(1, 3).Draw(c.T, "confirmations") { // one webhook for each
		c.announce(i, "Pending")
	}
}

// confirmPayment confirms a payment that is on its way. It pays the invoice if CoinPayments
// finds it enough, also one that has been cancelled meanwhile.
func (c *coinsCase) confirmPayment(i *coinsInvoice) {
	at := slices.IndexFunc(i.payments, func(p *coinsPayment) bool { return p.state == "pending" })
	if at < 0 {
		return
	}
	p := i.payments[at]
	if p.actual.LessThan(p.expected.Mul(decimal.New(i.asked, -2))) {
		return
	}
	if p.state = "confirmed"; i.isOpen() || i.status == "cancelled" {
		c.announce(i, "Paid")
	}
}

// complete pays an invoice's money out. What is still on its way is sent back.
func (c *coinsCase) complete(i *coinsInvoice) {
	if i.status != "paid" {
		return
	}
	for _, p := range i.payments {
		switch p.state {
		case "confirmed":
			p.state = "completed"
		case "pending":
			p.state = "timedOutWaitingRefund"
		}
	}
	c.announce(i, "Completed")
}

// end ends an invoice that is not paid, and its payments with it; at times one that is on
// its way goes on.
func (c *coinsCase) end(i *coinsInvoice, status string) {
	if !i.isOpen() {
		return
	}
	goesOn := status == "Cancelled" && rapid.Bool().Draw(c.T, "a payment goes on")
	for _, p := range i.payments {
		if p.state == "pending" && !goesOn {
			p.state = strings.ToLower(status[:1]) + status[1:] + "WaitingRefund"
		}
	}
	c.announce(i, status)
}

// refund sends a payment back, of which no webhook tells.
func (c *coinsCase) refund(i *coinsInvoice) {
	if len(i.payments) == 0 || rapid.IntRange(0, 1).Draw(c.T, "refunds") == 0 {
		return
	}
	switch p := i.payments[rapid.IntRange(0, len(i.payments)-1).Draw(c.T, "payment")]; p.state {
	case "timedOutWaitingRefund":
		p.state = "timedOutRefundProcessed"
	case "cancelledWaitingRefund":
		p.state = "cancelledRefundProcessed"
	case "confirmed", "completed":
		p.state, c.refunded[i] = "refunded", true
		if rapid.Bool().Draw(c.T, "the invoice, too") {
			i.status = "refunded"
		}
	}
}

func (c *coinsCase) catchUp() {
	for _, i := range c.invoices {
		if rapid.Bool().Draw(c.T, "catches up") {
			i.catchUp()
		}
	}
	for _, d := range c.deposits {
		if rapid.Bool().Draw(c.T, "catches up") {
			d.api = d.status
		}
	}
}

func (c *coinsCase) addDeposit() {
	d := &coinsDeposit{
		id:     c.newID("407ee3f9-4d8d-4ebe-8b82-000"),
		typ:    rapid.SampledFrom([]string{"utxoExternalReceive", "utxoExternalReceive", "accountBasedExternalTokenReceive", "internalReceive", "internalReceive", "sameUserReceive", "conversion"}).Draw(c.T, "type"),
		symbol: rapid.SampledFrom([]string{"LTC", "LTC", "LTC", "LTCT"}).Draw(c.T, "coin"), status: "pendingReceive",
		amount: decimal.New(rapid.Int64Range(1, 3000).Draw(c.T, "amount"), rapid.SampledFrom([]int32{-2, -8}).Draw(c.T, "decimals")),
		silent: rapid.IntRange(0, 7).Draw(c.T, "no address") == 0,
	}
	if d.typ == "internalReceive" {
		d.from = rapid.SampledFrom([]string{"7ff25090-4f3a-4cc4-a187-59fce3f4e501", "7ff25090-4f3a-4cc4-a187-59fce3f4e501", ownWallet, ""}).Draw(c.T, "from")
		d.pays = rapid.SampledFrom([]string{"false", "false", "true", ""}).Draw(c.T, "pays an invoice")
	}
	c.deposits, c.coins.deposits[d.id] = append(c.deposits, d), d
	c.waiting = append(c.waiting, coinsNotice{deposit: d, status: processing})
}

// arrive ends a deposit. Where it does not arrive, nobody is told.
func (c *coinsCase) arrive(d *coinsDeposit) {
	if d.status != "pendingReceive" {
		return
	}
	if rapid.IntRange(0, 5).Draw(c.T, "fails") == 0 {
		d.status = "failed"
		return
	}
	d.status = "completed"
	c.waiting = append(c.waiting, coinsNotice{deposit: d, status: succeeded})
}

// send sends a queued webhook, and compares with the oracle.
func (c *coinsCase) send(which int, yes bool) {
	e := c.waiting[which]
	want := c.coinsOracle.deliver(c.coins, e, yes)
	body, status, calls := c.coinsGate.deliver(e, yes)
	if status != want.status || len(calls) > 1 || len(calls) == 1 != (want.money != nil) {
		c.Fatalf("%s got %d, and the app %v; want %d, %v", body, status, calls, want.status, want.money)
	}
	if len(calls) == 1 {
		c.wantHeaders(body, calls[0], want)
		c.book(e, body, calls[0])
	}
	if status == http.StatusOK {
		c.waiting = slices.Delete(c.waiting, which, which+1)
		c.sent = append(c.sent, e)
	}
}

func (c *coinsCase) wantHeaders(body string, got http.Header, want outcome) {
	for _, name := range []string{"Confirmed", "Fulfill", "Credit", "Payout", "Order-State", "Order-Late", "Reason", "Risky"} {
		if got.Get("Ccpayment-"+name) != want.money[name] {
			c.Fatalf("%s: %s is %q, want %q", body, name, got.Get("Ccpayment-"+name), want.money[name])
		}
	}
	if want.paid == nil {
		return
	}
	if paid, err := decimal.NewFromString(got.Get("Ccpayment-Order-Amount-Paid")); err != nil || paid.Rat().Cmp(want.paid) != 0 {
		c.Fatalf("%s: paid is %s, %v, want %s", body, paid, err, want.paid.FloatString(24))
	}
}

// book keeps accounts as an app with an inbox does, and checks each flag against what the
// API knows.
func (c *coinsCase) book(e coinsNotice, body string, got http.Header) {
	fulfils, credits := got.Get("Ccpayment-Fulfill") == "true", got.Get("Ccpayment-Credit") == "true"
	key, of := got.Get("Idempotency-Key"), e.flag()
	switch first, known := c.flags[of]; {
	case !fulfils && !credits:
		return
	case fulfils == (e.deposit != nil) || credits == (e.invoice != nil):
		c.Fatalf("%s: carries the other's flag", body)
	case known && first != key:
		c.Fatalf("%s: a second event carries a flag of %s", body, of)
	case known:
		return
	case fulfils && c.unreturned(e.invoice).Cmp(new(big.Rat).Mul(e.invoice.total.Rat(), big.NewRat(97, 100))) < 0:
		c.Fatalf("%s: fulfils an order of which %s is left", body, c.unreturned(e.invoice).FloatString(4))
	case fulfils && e.invoice.closed:
		c.Fatalf("%s: fulfils an order that is closed", body)
	case credits && e.deposit.status != "completed":
		c.Fatalf("%s: credits what has not arrived", body)
	}
	c.flags[of] = key
	if credits {
		amount, err := decimal.NewFromString(got.Get("Ccpayment-Amount"))
		if err != nil {
			c.Fatal(err)
		}
		c.credited = c.credited.Add(amount)
	}
}

// unreturned is the money of an invoice that has come and was not sent back, as far as the
// API knows.
func (c *coinsCase) unreturned(i *coinsInvoice) *big.Rat {
	sum := new(big.Rat)
	for _, p := range i.known.payments {
		if p.state == "confirmed" || p.state == "completed" {
			sum.Add(sum, p.worth())
		}
	}
	return sum
}

// drain lets the API catch up, ends every payment and deposit, and delivers until
// everything is acknowledged.
func (c *coinsCase) drain() {
	for _, i := range c.invoices {
		for range i.payments {
			c.confirmPayment(i)
		}
		c.complete(i) // as CoinPayments does in the end
		c.end(i, "TimedOut")
	}
	for _, d := range c.deposits {
		c.arrive(d)
		d.api = d.status
	}
	for _, i := range c.invoices {
		i.catchUp()
	}
	c.look()
	c.coins.down = false
	for stuck := 0; len(c.waiting) > 0; {
		before := len(c.waiting)
		c.send(rapid.IntRange(0, before-1).Draw(c.T, "which"), true)
		if len(c.waiting) < before {
			stuck = 0
		} else if stuck++; stuck > 200 {
			c.Fatal("a delivery is not acknowledged although nothing is wrong any more")
		}
	}
}

// account compares the app's books with what happened, after the last webhook. An order
// that an event was held of waits for an operator.
func (c *coinsCase) account() {
	received := decimal.Zero
	for _, d := range c.deposits {
		isWorth := d.symbol != "LTCT" || c.testing
		if _, isHeld := c.states[coinsNotice{deposit: d, status: succeeded}]; isHeld && d.status == "completed" && isWorth &&
			!d.isDoubtful() && d.typ != "sameUserReceive" && d.typ != "conversion" {
			received = received.Add(d.amount)
		}
	}
	if !c.credited.Equal(received) {
		c.Fatalf("%s was credited and %s received", c.credited, received)
	}
	for _, i := range c.invoices {
		_, fulfilled := c.flags[i.order]
		isHeld := false
		for e, state := range c.states {
			isHeld = isHeld || e.invoice == i && state == "held"
		}
		if fulfilled && i.closed && !i.forced {
			c.Fatalf("%s is closed and fulfilled", i.order)
		}
		if fulfilled && !c.paid[i] || !fulfilled && c.paid[i] && !c.refunded[i] && !isHeld {
			c.Fatalf("%s is fulfilled: %t, and was paid: %t", i.order, fulfilled, c.paid[i])
		}
		order, err := c.ledger.Order(c.Context(), ledger.OrderID{AppID: coinsClient, ID: i.order})
		if err != nil {
			c.Fatal(err)
		}
		if order.FulfilledBy != c.flags[i.order] {
			c.Fatalf("%s was fulfilled by %q, and the ledger says by %q", i.order, c.flags[i.order], order.FulfilledBy)
		}
	}
}
