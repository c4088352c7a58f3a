package relay_test

import (
	"context"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// sell has the ledger know an order as one that our checkout made, where that can be.
func (c *moneyCase) sell(o *worldOrder) {
	if err := sellOrder(c.Context(), c.ledger, o); err != nil {
		c.Fatal(err)
	}
}

func sellOrder(ctx context.Context, l *ledger.Ledger, o *worldOrder) error {
	terms := ledger.Terms{Price: o.due.String(), FiatID: "1033"}
	amount := ""
	if !o.invoice {
		terms.PayCoinID, amount = orderCoin, o.due.String()
	}
	switch {
	case o.invoice:
	case o.rate.IsPositive():
		terms.Price = o.due.Mul(o.rate).Round(2).String()
	default:
		terms.FiatID, terms.CoinID = "", orderCoin
	}
	if price := decimal.RequireFromString(terms.Price); o.incomplete || !price.IsPositive() {
		return nil
	}
	o.sold = true
	return l.SaveCheckout(ctx, ledger.Order{
		OrderID: ledger.OrderID{AppID: gateCredentials.AppID, ID: o.id}, OwnID: o.id,
		Checkout: &ledger.Checkout{Terms: terms, Symbol: "USD", Generations: []ledger.GatewayOrder{{
			ID: o.id, Terms: terms, Amount: amount, CreatedAt: caseTime, ExpiresAt: o.expires, CheckoutURL: "https://pay.example/" + o.id,
		}}},
	}, "a checkout")
}

// paidOrder returns a gate at which an order that our checkout made, and that expires so long from
// now, is paid, and the webhook.
func paidOrder(t *testing.T, expires time.Duration) (g *gate, id ledger.OrderID, body string) {
	t.Helper()
	g = newGate(t, confirm.Policy{HoldRisky: true})
	o := &worldOrder{id: "order-1", invoice: true, due: decimal.New(10, 0), expires: caseTime.Add(expires)}
	p := &worldPayment{
		id: "1", kind: "ApiDeposit", order: o, coin: orderCoin, amount: o.due, arrived: caseTime,
		status: succeeded, recordHas: succeeded, listHas: succeeded,
	}
	o.payments = []*worldPayment{p}
	g.world = &world{orders: map[string]*worldOrder{o.id: o}, payments: map[string]*worldPayment{p.id: p}}
	if err := sellOrder(t.Context(), g.ledger, o); err != nil {
		t.Fatal(err)
	}
	return g, ledger.OrderID{AppID: gateCredentials.AppID, ID: o.id}, webhook{p, succeeded, "false"}.body()
}

// TestClosedWhileConfirming: a payment whose order is closed while it is being confirmed does
// not reach the app.
func TestClosedWhileConfirming(t *testing.T) {
	g, id, body := paidOrder(t, time.Hour)
	g.world.onOrder = func() {
		_, err := g.ledger.CloseOrder(t.Context(), id, "a test", false)
		if err = errors.Join(err, g.ledger.KeepFulfill(t.Context(), id)); err != nil {
			t.Error(err)
		}
	}
	status, calls := g.deliver(body, true)
	if status != 200 || len(calls) > 0 {
		t.Errorf("%d, and the app got %v", status, calls)
	}
	page, err := g.ledger.List(t.Context(), ledger.Query{Limit: 10})
	if err != nil || len(page.Events) != 1 || page.Events[0].State != ledger.Held || !strings.HasPrefix(page.Events[0].LastError, "closed: ") {
		t.Errorf("%+v, %v", page.Events, err)
	}
}

// TestPaidWhileBeingClosed: while the closing of an order may be taken back, a payment of it is
// neither held nor told, and fulfils the order once it is open again.
func TestPaidWhileBeingClosed(t *testing.T) {
	g, id, body := paidOrder(t, time.Hour)
	if _, err := g.ledger.CloseOrder(t.Context(), id, "a test", false); err != nil {
		t.Fatal(err)
	}
	if status, calls := g.deliver(body, true); status < 500 || len(calls) > 0 {
		t.Errorf("%d, and the app got %v", status, calls)
	}
	if err := g.ledger.ReopenOrder(t.Context(), id, "it is being paid"); err != nil {
		t.Fatal(err)
	}
	if status, calls := g.deliver(body, true); status != 200 || len(calls) != 1 || calls[0].Get("Ccpayment-Fulfill") != "true" {
		t.Errorf("open again: %d, and the app got %v", status, calls)
	}
}

// TestOpenedWhileConfirming: the app is not told that an order has expired which is opened again
// after that was found out.
func TestOpenedWhileConfirming(t *testing.T) {
	g, id, _ := paidOrder(t, -time.Hour)
	g.world.orders[id.ID].payments = nil
	app, ended := &answering{yes: true}, make(chan relay.Outcome, 1)
	g.route.App, g.route.Types = app, []string{gateway.OrderExpired}
	g.route.Report = func(o relay.Outcome) { ended <- o }
	g.world.onOrder = func() {
		order, err := g.ledger.Order(t.Context(), id)
		if err == nil {
			again := *order.Checkout
			again.Generations = append(again.Generations, ledger.GatewayOrder{ID: "order-1-again", CheckoutURL: "https://pay.example/again"})
			order.Checkout = &again
			err = g.ledger.SaveCheckout(t.Context(), order, "opened again")
		}
		if err != nil {
			t.Error(err)
		}
	}
	e := ledger.Event{
		Key:     ledger.Key{Record: ledger.Record{Route: g.route.Name, AppID: id.AppID, Type: gateway.OrderExpired, ID: id.ID}, Risk: ledger.NotRisky},
		OrderID: id.ID, GatewayOrderID: id.ID, ReceivedAt: time.Now(), Body: []byte(`{}`),
		Request: ledger.Request{Method: "POST", URI: "/hook", Host: "shop.example"},
	}
	if _, err := g.ledger.Accept(t.Context(), e, ""); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.route.Run(ctx, g.ledger)
	}()
	o := <-ended
	stop()
	<-done
	if o.Kind != relay.Pointless || o.Became != ledger.Superseded || len(app.called) > 0 {
		t.Errorf("%d, %s: %v, and the app got %v", o.Kind, o.Became, o.Err, app.called)
	}
}

// closeOrder has an order closed, as the app does, or with force an operator.
func closeOrder(account *gateway.Account, l *ledger.Ledger, id string, force bool) error {
	sessions, err := checkout.New(checkout.Config{
		Account: account, Now: time.Now, Logger: zap.NewNop(),
		Ledger: func() (*ledger.Ledger, func(), error) { return l, func() {}, nil },
	})
	if err == nil {
		_, err = sessions.Close(context.Background(), checkout.CloseRequest{OrderID: id, Reason: "a test", Force: force})
	}
	return err
}

// close closes an order, and compares with the oracle.
func (c *moneyCase) close(o *worldOrder, force bool) {
	if !o.sold {
		return
	}
	wasClosed := o.closed
	err := closeOrder(c.route.Account, c.ledger, o.id, force)
	_, isBound := c.carrier[o.id]
	switch mayClose := c.world.fault != "order" && !isBound && c.mayClose(o); {
	case wasClosed, force:
		if err != nil {
			c.Fatalf("closing %s, force: %t: %v", o.id, force, err)
		}
	case err == nil != mayClose:
		c.Fatalf("closing %s, which may be: %t: %v", o.id, mayClose, err)
	}
	if o.closed = err == nil; !wasClosed {
		o.forced = force
	}
}

// mayClose reports whether nothing that the API lists pays the order, or may.
func (c *moneyCase) mayClose(o *worldOrder) bool {
	if order, err := c.ledger.Order(c.Context(), ledger.OrderID{AppID: gateCredentials.AppID, ID: o.id}); err != nil || order.State == "paid" || order.State == "overpaid" {
		return false
	}
	sum, isSure := c.listed(o, false)
	return isSure && c.risksAreKnown(o) && !c.enoughOf(o, sum, new(big.Rat))
}

// risksAreKnown reports whether the records can be asked that must say whether a payment is
// risky, because the order's list does not.
func (c *moneyCase) risksAreKnown(o *worldOrder) bool {
	return !slices.ContainsFunc(o.payments, func(p *worldPayment) bool {
		isAsked := p.listed() && p.listHas == succeeded && p.listSilent && !p.risky
		return isAsked && (c.world.fault == "record" || p.recordHas == "")
	})
}

// listed is what the payments come to that the API lists, and whether all of them are done
// and none is in doubt.
func (c *moneyCase) listed(o *worldOrder, holdLate bool) (sum *big.Rat, isSure bool) {
	sum, isSure = new(big.Rat), true
	for _, p := range o.payments {
		isClean := !p.risky && (!p.listSilent || !p.silent)
		isLate := p.late() && (holdLate || o.rate.IsPositive() && p.rate.IsZero())
		switch {
		case !p.listed() || p.listHas == failed:
		case p.listHas == processing || !isClean || isLate:
			isSure = false
		default:
			sum.Add(sum, p.worth())
		}
	}
	return sum, isSure
}

// enoughOf reports whether a sum pays the order, of which so much may be missing.
func (c *moneyCase) enoughOf(o *worldOrder, sum, accept *big.Rat) bool {
	strict := oracle{accept: accept}
	return strict.enough(o, sum)
}

// expire asks what an event would tell of the order, were it to say that it has expired, and
// compares with the oracle.
func (c *moneyCase) expire(o *worldOrder) {
	if !o.sold {
		return
	}
	e := ledger.Event{
		Key: ledger.Key{
			Record: ledger.Record{Route: "webhook", AppID: gateCredentials.AppID, Type: gateway.OrderExpired, ID: o.id}, Risk: ledger.NotRisky,
		},
		OrderID: o.id, GatewayOrderID: o.id,
	}
	f, err := c.route.Confirm.Confirm(c.Context(), c.route.Account, gateway.Notice{Type: e.Type, RecordID: e.ID}, e, c.ledger)
	got := f.Status
	switch {
	case errors.Is(err, confirm.ErrPointless):
		got = "pointless"
	case err != nil:
		got = "later"
	}
	if want := c.expiryOf(o); got != want {
		c.Fatalf("that %s has expired is %q, %v, want %q", o.id, got, err, want)
	}
}

// expiryOf is what is to be told of an order that has expired.
func (c *moneyCase) expiryOf(o *worldOrder) string {
	if _, isBound := c.carrier[o.id]; isBound || o.closed {
		return "pointless"
	}
	if caseTime.Before(o.expires) || c.world.fault == "order" || !c.risksAreKnown(o) {
		return "later"
	}
	sum, isSure := c.listed(o, c.holdLate)
	switch {
	case c.enough(o, sum):
		return "pointless"
	case !isSure:
		return "later"
	case sum.Sign() > 0:
		return confirm.ExpiredPartial
	default:
		return confirm.ExpiredUnpaid
	}
}
