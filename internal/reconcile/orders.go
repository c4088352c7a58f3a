package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// ordersEvery is how often open orders are asked for one by one: one may be paid long
	// after it was made and listed.
	ordersEvery = 24 * time.Hour
	ordersPage  = 200
	// mostOrders is about how many calls one look makes for it. The next look goes on.
	mostOrders = 400
	// paidLate is for how long after its expiry an order may still be paid.
	paidLate = 7 * 24 * time.Hour
)

// paidMeanwhile is why an event is delivered once more.
const paidMeanwhile = "the gateway has its order as paid"

// askOrders asks for the account's open orders, if that is due. After each page of which some
// were asked for it is stored how far that came. It is false where the look breaks off.
func (k *look) askOrders(ctx context.Context) bool {
	now, before := k.ledger.Now(), k.calls
	saved, isAnswered := before, false // else the gateway may be away
	if k.state.OrdersNext == "" && !isOver(k.state.OrdersAt, ordersEvery, now) {
		return true
	}
	for {
		page, err := k.ledger.Orders(ctx, ledger.OrderQuery{AnyAccount: true, Limit: ordersPage, Cursor: k.state.OrdersNext})
		if err != nil {
			k.state.OrdersNext = "" // from the beginning, the next time
			return k.goesOn(ctx, fmt.Errorf("reading the open orders: %w", err))
		}
		for _, err := range page.Damaged {
			k.Logger.Error("an order is not asked for, because the ledger's entry of it cannot be read", zap.String("account", k.account.Name), zap.Error(err))
			k.goesOn(ctx, fmt.Errorf("reading the open orders: %w", err))
		}
		if len(page.Damaged) > 0 && !k.mayBeBad(ctx) { // they say nothing of the gateway
			return false
		}
		for _, order := range page.Orders {
			calls := k.calls
			err := k.askOrder(ctx, order, now)
			if err == nil && k.calls == calls {
				continue
			}
			isAnswered = isAnswered || err == nil
			if !k.goesOn(ctx, about("order", order.ID, err)) && !(isAnswered && k.mayBeBad(ctx)) {
				return false
			}
		}
		if k.state.OrdersNext = page.Next; page.Next == "" {
			k.state.OrdersAt = now
		}
		if k.calls == saved && page.Next != "" {
			continue
		}
		saved = k.calls
		if err := k.save(ctx, nil); err != nil || page.Next == "" || k.calls-before >= mostOrders {
			return k.goesOn(ctx, err)
		}
	}
}

// askOrder asks for what an order that the app was not told to fulfil, and that is not closed,
// has come to at the gateway.
func (k *look) askOrder(ctx context.Context, order ledger.Order, now time.Time) error {
	if order.FulfilledBy != "" || order.Closed != nil {
		return nil
	}
	told, isOpen := k.state.Told, false
	for _, g := range order.GatewayOrders() {
		isOver := g.Ended || !g.ExpiresAt.IsZero() && now.Sub(g.ExpiresAt) > paidLate
		if isOver || order.AppOf(g.AppID) != k.account.Info.AccountID {
			continue
		}
		isOpen = true
		if err := k.askGeneration(ctx, order, g); err != nil {
			return err
		}
	}
	if err := k.askUnfinished(ctx, order); err != nil || k.state.Told > told || !isOpen {
		return err
	}
	return k.settleAgain(ctx, order)
}

// askGeneration asks for an order at the gateway, or for its payments that the ledger has no
// event of.
func (k *look) askGeneration(ctx context.Context, of ledger.Order, g ledger.GatewayOrder) error {
	t := k.payments()
	if t.IsOrder {
		if g.Ref == "" {
			return nil
		}
		return k.ask(ctx, gateway.Notice{Type: t.Name, RecordID: g.Ref})
	}
	if err := k.turn(ctx); err != nil {
		return err
	}
	order, err := confirm.ReadMade(ctx, k.account.Account, g)
	var held *confirm.HeldError
	if errors.Is(err, gateway.ErrNotFound) || errors.As(err, &held) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range order.Payments {
		n := gateway.Notice{Type: t.Name, RecordID: gateway.RecordOf(p.RecordID)}
		h, err := k.eventOf(ctx, n, k.account.making(of), k.finals()...)
		if err == nil && (h.stands == unknown || h.stands == givenUp) && p.Finished {
			err = k.ask(ctx, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// askUnfinished asks for the records of which the order has events, and none of their end.
func (k *look) askUnfinished(ctx context.Context, order ledger.Order) error {
	asked := make(map[string]bool)
	for _, e := range order.Events {
		n := gateway.Notice{Type: e.Type, RecordID: e.RecordID, Status: e.Status}
		t, isKnown := k.account.Info.Type(e.Type)
		if order.AppOf(e.AppID) != k.account.Info.AccountID || asked[e.RecordID] || !isKnown || t.IsOrder || t.Unconfirmed || k.account.Info.Stage(e.Status).Final() {
			continue
		}
		asked[e.RecordID] = true
		h, err := k.eventOf(ctx, n, k.account.making(order), k.finals()...)
		if err == nil && (h.stands == unknown || h.stands == givenUp) {
			err = k.ask(ctx, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ask asks for a record and compares it.
func (k *look) ask(ctx context.Context, n gateway.Notice) error {
	if err := k.turn(ctx); err != nil {
		return err
	}
	found, err := k.lister.FindRecord(ctx, n)
	if errors.Is(err, gateway.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = k.compare(ctx, found)
	}
	return err
}

// settleAgain has an event of an order confirmed and delivered once more, where all that the
// app was told did not fulfil the order, and the gateway has it as paid.
func (k *look) settleAgain(ctx context.Context, order ledger.Order) error {
	if order.Checkout == nil {
		return nil
	}
	for _, known := range slices.Backward(order.Events) {
		route := routeIn(k.account.making(order), known.Route)
		if route == nil || route.Again == nil || k.account.Info.Stage(known.Status) != gateway.Success || order.AppOf(known.AppID) != k.account.Info.AccountID {
			continue
		}
		e, err := k.ledger.Load(ctx, known.Key(order.AppID))
		if errors.Is(err, ledger.ErrDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		isTried := slices.ContainsFunc(e.Transitions, func(t ledger.Transition) bool { return strings.HasSuffix(t.Cause, paidMeanwhile) })
		if e.State != ledger.Delivered || isTried {
			return nil // an attempt is to come, or an operator's
		}
		if err := k.turn(ctx); err != nil {
			return err
		}
		whole, err := confirm.Whole(ctx, route.account, &order)
		if err != nil || !confirm.Settle(whole, route.Policy, k.ledger.Now()).State.Fulfils() {
			return nil // it is asked for again tomorrow
		}
		return route.Again(ctx, e, paidMeanwhile)
	}
	return nil
}

// payments is the type of the webhooks about payments of orders.
func (k *look) payments() gateway.Type {
	i := slices.IndexFunc(k.account.Info.Types, func(t gateway.Type) bool { return t.Kind == gateway.Payment && !t.Unconfirmed })
	if i < 0 {
		return gateway.Type{}
	}
	return k.account.Info.Types[i]
}

// finals are the statuses after which nothing follows.
func (k *look) finals() (names []string) {
	for _, s := range k.account.Info.Statuses {
		if s.Stage.Final() {
			names = append(names, s.Name)
		}
	}
	return names
}
