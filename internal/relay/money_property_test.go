package relay_test

import (
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// caseTime is when the cases play; their orders expire an hour off.
var caseTime = time.Now().Truncate(time.Second)

// gate is a route over a real ledger, between a world and an app, without a
// network.
type gate struct {
	route  *relay.Route
	ledger *ledger.Ledger
	ids    int // made so far

	// mu keeps the world as it is while a call is answered: one may still be on its way when
	// nobody waits for its answer any more.
	mu    sync.Mutex
	world *world
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.world.RoundTrip(r)
}

// change changes the world.
func (g *gate) change(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
}

var gateCredentials = client.Credentials{AppID: "app-123", AppSecret: "secret-456"}

func newGate(t *testing.T, policy confirm.Policy) *gate {
	t.Helper()
	g := &gate{}
	transport := client.NewHTTPClient()
	transport.Transport.(*http.Transport).RegisterProtocol("http", g)
	const timeout = 10 * time.Second
	v2, err := ccpayment.New(
		ccpayment.Config{AppID: gateCredentials.AppID, AppSecret: gateCredentials.AppSecret, BaseURL: "http://127.0.0.1/ccpayment/v2"},
		gateway.OpenOptions{Timeout: timeout, HTTP: transport},
	)
	if err != nil {
		t.Fatal(err)
	}
	g.route, g.ledger = newMoneyRoute(t, &gateway.Account{Gateway: v2, Info: v2.Info(), Budget: 4 * timeout}, policy)
	return g
}

// deliver sends one signed webhook, with an app that responds 200 or 500, and returns
// the reply's status and the headers of the app's calls.
func (g *gate) deliver(body string, yes bool) (status int, calls []http.Header) {
	now := time.Now()
	timestamp := strconv.FormatInt(now.Unix(), 10)
	header := http.Header{
		"Appid": {gateCredentials.AppID}, "Timestamp": {timestamp},
		"Sign": {client.Sign(gateCredentials, timestamp, []byte(body))},
	}
	return take(g.route, g.ledger, gateway.Request{Method: http.MethodPost, Header: header, Body: []byte(body)}, now, yes)
}

// newID returns an id that no other case has.
func (g *gate) newID(kind string) string {
	g.ids++
	return fmt.Sprintf("%s%09d", kind, g.ids)
}

// moneyCase is one case: a world, its webhooks, and the app's books.
type moneyCase struct {
	*rapid.T
	*gate
	*oracle
	waiting, sent []webhook // that CCPayment has yet to see acknowledged, and that it has
	orders        []*worldOrder
	payments      []*worldPayment
	// flags are the Idempotency-Keys that carried one: by order or record.
	flags    map[string]string
	credited decimal.Decimal
	cleared  bool // a case in which the risk of a payment changed, or no webhook had it
}

// TestMoneyGate: orders and deposits, paid in every way, closed and expired at any time, with
// webhooks in any order and repeatedly, with an app that fails and APIs that fail, lag and know more
// than the webhook. Each webhook comes to what the oracle says; each order
// that was paid is fulfilled by one event, and none that was not, or was closed before;
// nobody is told that an order has expired which is paid, or being paid; and what is
// credited is what was received, to the last digit. `-rapid.checks` says how
// many cases are tried of each policy.
func TestMoneyGate(t *testing.T) {
	for name, policy := range map[string]struct {
		policy confirm.Policy
		oracle oracle
	}{
		"defaults":  {confirm.Policy{HoldRisky: true}, oracle{holdRisky: true, accept: new(big.Rat)}},
		"forward":   {confirm.Policy{}, oracle{accept: new(big.Rat)}},
		"late hold": {confirm.Policy{HoldRisky: true, Policy: settle.Policy{HoldLate: true}}, oracle{holdRisky: true, holdLate: true, accept: new(big.Rat)}},
		"all": {
			confirm.Policy{Policy: settle.Policy{HoldLate: true, AcceptUnderpaid: decimal.New(2, -2)}},
			oracle{holdLate: true, accept: big.NewRat(2, 100)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, policy.policy)
			rapid.Check(t, func(t *rapid.T) {
				o := policy.oracle
				o.states, o.delivered, o.carrier = map[webhook]string{}, map[webhook]bool{}, map[string]webhook{}
				g.change(func() { g.world = &world{orders: map[string]*worldOrder{}, payments: map[string]*worldPayment{}} })
				c := &moneyCase{T: t, gate: g, oracle: &o, flags: map[string]string{}}
				c.play()
			})
		})
	}
}

func (c *moneyCase) play() {
	c.change(c.addOrder)
	for range rapid.IntRange(2, 24).Draw(c.T, "steps") {
		switch step := rapid.SampledFrom([]string{
			"pay", "pay", "pay", "finish", "finish", "deliver", "deliver", "deliver", "deliver", "deliver",
			"repeat", "catch up", "catch up", "flip", "resend", "fault", "order", "close", "expire",
		}).Draw(c.T, "step"); step {
		case "deliver":
			if len(c.waiting) > 0 {
				c.send(rapid.IntRange(0, len(c.waiting)-1).Draw(c.T, "which"), rapid.IntRange(0, 3).Draw(c.T, "app") > 0)
			}
		case "repeat":
			if len(c.sent) > 0 {
				c.waiting = append(c.waiting, rapid.SampledFrom(c.sent).Draw(c.T, "copy"))
			}
		case "close":
			c.close(rapid.SampledFrom(c.orders).Draw(c.T, "order"), rapid.IntRange(0, 3).Draw(c.T, "force") == 0)
		case "expire":
			c.expire(rapid.SampledFrom(c.orders).Draw(c.T, "order"))
		default:
			c.change(func() { c.happens(step) })
		}
	}
	c.drain()
	c.account()
}

// happens has something happen at CCPayment.
func (c *moneyCase) happens(step string) {
	switch step {
	case "order":
		c.addOrder()
	case "pay":
		c.pay()
	case "finish":
		if p := c.anyPayment(); p != nil && p.status == processing {
			c.finish(p, rapid.SampledFrom([]string{succeeded, succeeded, succeeded, failed}).Draw(c.T, "last status"))
		}
	case "catch up":
		if p := c.anyPayment(); p != nil {
			if rapid.Bool().Draw(c.T, "the record") {
				p.recordHas = p.status
			} else {
				p.listHas = p.status
			}
		}
	case "flip":
		if p := c.anyPayment(); p != nil && rapid.IntRange(0, 2).Draw(c.T, "flips") == 0 {
			p.risky, p.flipped, c.cleared = !p.risky, true, true
		}
	case "resend":
		if p := c.anyPayment(); p != nil && p.status != processing {
			c.announce(p)
		}
	case "fault":
		c.world.fault = rapid.SampledFrom([]string{"", "", "record", "order"}).Draw(c.T, "fault")
	}
}

func (c *moneyCase) anyPayment() *worldPayment {
	if len(c.payments) == 0 {
		return nil
	}
	return rapid.SampledFrom(c.payments).Draw(c.T, "payment")
}

func (c *moneyCase) addOrder() {
	o := &worldOrder{
		id:         c.newID("order-"),
		due:        decimal.New(rapid.Int64Range(1, 3000).Draw(c.T, "due"), -2),
		expires:    caseTime.Add(rapid.SampledFrom([]time.Duration{time.Hour, -time.Hour}).Draw(c.T, "expires")),
		incomplete: rapid.IntRange(0, 9).Draw(c.T, "incomplete") == 0,
	}
	switch rapid.SampledFrom([]string{"invoice", "fiat", "coin"}).Draw(c.T, "kind of order") {
	case "invoice":
		o.invoice = true
	case "fiat":
		o.rate = decimal.New(rapid.Int64Range(1, 300).Draw(c.T, "rate"), -2)
	}
	c.orders, c.world.orders[o.id] = append(c.orders, o), o
	c.sell(o)
}

// pay makes a payment arrive: most often of an order, most often what is due or
// a half, in its coin, in time and clean.
func (c *moneyCase) pay() {
	p := &worldPayment{
		id: c.newID(""), kind: rapid.SampledFrom([]string{"ApiDeposit", "ApiDeposit", "ApiDeposit", "DirectDeposit", "UserDeposit"}).Draw(c.T, "type"),
		coin: orderCoin, status: processing, arrived: caseTime,
		amount: decimal.New(rapid.Int64Range(1, 3000).Draw(c.T, "amount"), rapid.SampledFrom([]int32{-2, -18}).Draw(c.T, "decimals")),
		risky:  rapid.IntRange(0, 7).Draw(c.T, "risky") == 0,
		silent: rapid.IntRange(0, 15).Draw(c.T, "silent record") == 0, listSilent: rapid.IntRange(0, 3).Draw(c.T, "silent list") == 0,
	}
	c.cleared = c.cleared || p.silent
	if p.kind == "ApiDeposit" {
		o := rapid.SampledFrom(c.orders).Draw(c.T, "order")
		share := decimal.New(rapid.SampledFrom([]int64{
			100_0000000, 100_0000000, 100_0000000, 50_0000000, 50_0000000, 25_0000000, 200_0000000, 98_0000000, 97_9999000, 97_9998999,
			99_9999000, 99_9998999, 100_0001000, 100_0001001,
		}).Draw(c.T, "share of the due"), -9)
		p.order, p.amount = o, o.due.Mul(share)
		if rapid.IntRange(0, 7).Draw(c.T, "other coin") == 0 {
			p.coin = otherCoin
		}
		p.arrived = o.expires.Add(rapid.SampledFrom([]time.Duration{-time.Minute, -time.Minute, 0, time.Second}).Draw(c.T, "arrives"))
		if o.rate.IsPositive() {
			p.rate = rapid.SampledFrom([]decimal.Decimal{o.rate, o.rate, {}, o.rate.Add(decimal.New(1, -2)), o.rate.Mul(decimal.New(5, -1))}).Draw(c.T, "own rate")
		}
		o.payments = append(o.payments, p)
	}
	p.recordHas = rapid.SampledFrom([]string{processing, processing, ""}).Draw(c.T, "the record has")
	p.listHas = rapid.SampledFrom([]string{processing, processing, ""}).Draw(c.T, "the list has")
	c.payments, c.world.payments[p.id] = append(c.payments, p), p
	c.announce(p)
}

func (c *moneyCase) finish(p *worldPayment, status string) {
	p.status = status
	if rapid.IntRange(0, 2).Draw(c.T, "the record lags") > 0 {
		p.recordHas = status
	}
	if rapid.IntRange(0, 2).Draw(c.T, "the list lags") > 0 {
		p.listHas = status
	}
	c.announce(p)
}

// announce queues a webhook of a payment's status.
func (c *moneyCase) announce(p *worldPayment) {
	risk := strconv.FormatBool(p.risky)
	if rapid.IntRange(0, 7).Draw(c.T, "silent webhook") == 0 {
		risk = ""
	}
	c.waiting = append(c.waiting, webhook{p, p.status, risk})
}

// send sends a queued webhook, and compares with the oracle.
func (c *moneyCase) send(which int, yes bool) {
	e := c.waiting[which]
	want := c.oracle.deliver(c.world, e, yes)
	status, calls := c.gate.deliver(e.body(), yes)
	if status != want.status || len(calls) > 1 || len(calls) == 1 != (want.money != nil) {
		c.Fatalf("%s got %d, and the app %v; want %d, %v", e.body(), status, calls, want.status, want.money)
	}
	if len(calls) == 1 {
		c.wantHeaders(e, calls[0], want)
		c.book(e, calls[0])
	}
	if status == http.StatusOK {
		c.waiting = slices.Delete(c.waiting, which, which+1)
		c.sent = append(c.sent, e)
	}
}

func (c *moneyCase) wantHeaders(e webhook, got http.Header, want outcome) {
	for _, name := range []string{"Confirmed", "Fulfill", "Credit", "Payout", "Order-State", "Order-Late", "Reason", "Risky", "Amount"} {
		if got.Get("Ccpayment-"+name) != want.money[name] {
			c.Fatalf("%s: %s is %q, want %q", e.body(), name, got.Get("Ccpayment-"+name), want.money[name])
		}
	}
	if want.paid == nil {
		return
	}
	paid, err := decimal.NewFromString(got.Get("Ccpayment-Order-Amount-Paid"))
	if err != nil {
		c.Fatal(err)
	}
	if off := new(big.Rat).Sub(paid.Rat(), want.paid); off.Abs(off).Cmp(big.NewRat(1, 1_000_000_000_000_000_000)) > 0 {
		c.Fatalf("%s: paid is %s, want %s", e.body(), paid, want.paid.FloatString(24))
	}
	if due := got.Get("Ccpayment-Order-Amount-Due"); due != e.payment.order.due.String() {
		c.Fatalf("%s: due is %s, want %s", e.body(), due, e.payment.order.due)
	}
}

// book keeps accounts as an app with an inbox does, and checks each flag
// against what happened.
func (c *moneyCase) book(e webhook, got http.Header) {
	key, of := got.Get("Idempotency-Key"), e.payment.id
	fulfils, credits := got.Get("Ccpayment-Fulfill") == "true", got.Get("Ccpayment-Credit") == "true"
	if fulfils {
		of = e.payment.order.id
	}
	switch first, known := c.flags[of]; {
	case !fulfils && !credits:
		return
	case known && first != key:
		c.Fatalf("%s: a second event carries a flag of %s", e.body(), of)
	case known:
		return
	case e.status != succeeded || e.payment.status != succeeded || e.payment.risky:
		c.Fatalf("%s: carries a flag for a payment that is %s, risky: %t", e.body(), e.payment.status, e.payment.risky)
	case fulfils && !c.isPaid(e.payment.order):
		c.Fatalf("%s: fulfils an order that is not paid", e.body())
	case fulfils && e.payment.order.closed:
		c.Fatalf("%s: fulfils an order that is closed", e.body())
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

// drain lets CCPayment's APIs catch up, ends every payment, and delivers until
// everything is acknowledged.
func (c *moneyCase) drain() {
	c.change(func() {
		for _, p := range c.payments {
			if p.status == processing {
				c.finish(p, rapid.SampledFrom([]string{succeeded, succeeded, failed}).Draw(c.T, "last status"))
			}
			p.recordHas, p.listHas = p.status, p.status
		}
		for _, o := range c.orders {
			o.incomplete = false
		}
		c.world.fault = ""
	})
	if rapid.Bool().Draw(c.T, "all at once") {
		c.sendAtOnce()
	}
	for len(c.waiting) > 0 {
		before := len(c.waiting)
		c.send(rapid.IntRange(0, before-1).Draw(c.T, "which"), true)
		if len(c.waiting) == before {
			c.Fatal("a delivery is not acknowledged although nothing is wrong any more")
		}
	}
}

// sendAtOnce sends all queued webhooks at the same time. The headers of each delivery
// depend on which comes first; the books do not.
func (c *moneyCase) sendAtOnce() {
	statuses, calls := make([]int, len(c.waiting)), make([][]http.Header, len(c.waiting))
	var all sync.WaitGroup
	for i, e := range c.waiting {
		all.Go(func() { statuses[i], calls[i] = c.gate.deliver(e.body(), true) })
	}
	closing := c.orders[len(c.orders)-1]
	isClosing := rapid.Bool().Draw(c.T, "one is closed meanwhile") && closing.sold
	if isClosing {
		all.Go(func() {
			closing.closed = closeOrder(c.route.Account, c.ledger, closing.id, false) == nil || closing.closed
		})
	}
	all.Wait()
	before := closing.closed
	closing.closed = false // the books are checked for each event below, and for all of them in the end
	defer func() { closing.closed = before }()
	var again []webhook // which waited for the closing to be decided
	for i, e := range c.waiting {
		if isClosing && statuses[i] == http.StatusServiceUnavailable && len(calls[i]) == 0 {
			again = append(again, e)
			continue
		}
		if statuses[i] != http.StatusOK || len(calls[i]) > 1 {
			c.Fatalf("%s got %d, and the app %v", e.body(), statuses[i], calls[i])
		}
		for _, call := range calls[i] {
			c.book(e, call)
		}
	}
	c.waiting = again
}

// account compares the app's books with what happened, after the last webhook. Where
// the risk of a payment changed, or no webhook had it, a held event stays held
// although the payment may be clean now.
func (c *moneyCase) account() {
	c.wantLedger()
	if c.cleared {
		return
	}
	received := decimal.Zero
	for _, p := range c.payments {
		if p.order == nil && p.status == succeeded && !p.risky {
			received = received.Add(p.amount)
		}
	}
	if !c.credited.Equal(received) {
		c.Fatalf("%s was credited and %s received", c.credited, received)
	}
	for _, o := range c.orders {
		_, fulfilled := c.flags[o.id]
		switch {
		case o.closed && fulfilled && !o.forced:
			c.Fatalf("%s is closed and fulfilled", o.id)
		case !o.closed && fulfilled != c.isPaid(o):
			c.Fatalf("%s is fulfilled: %t, and paid: %t", o.id, fulfilled, c.isPaid(o))
		}
	}
}

// wantLedger: the ledger names the event that fulfilled an order.
func (c *moneyCase) wantLedger() {
	for _, o := range c.orders {
		order, err := c.ledger.Order(c.Context(), ledger.OrderID{AppID: gateCredentials.AppID, ID: o.id})
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			c.Fatal(err)
		}
		if order.FulfilledBy != c.flags[o.id] {
			c.Fatalf("%s was fulfilled by %q, and the ledger says by %q", o.id, c.flags[o.id], order.FulfilledBy)
		}
	}
}
