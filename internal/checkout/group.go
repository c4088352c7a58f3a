package checkout

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// The accounts of a group share their orders: one of the app's orders has orders at the
// gateways of several, of which a buyer is to be able to pay the latest alone.

// at returns the sessions of the account that has an order at the gateway; nil: there is
// no such account in the group by now.
func (s *Sessions) at(order ledger.Order, g ledger.GatewayOrder) *Sessions {
	id := order.AppOf(g.AppID)
	for _, one := range s.group() {
		if one.account.Info.AccountID == id {
			return one
		}
	}
	return nil
}

// isWhole returns an [*Error] unless all the order's orders at gateways are at accounts that
// are configured. What is paid at another nobody knows, also once it has expired there.
func (s *Sessions) isWhole(order ledger.Order) error {
	for _, g := range order.Checkout.Generations {
		if s.at(order, g) == nil {
			return &Error{
				Status: http.StatusConflict, Code: "other_account",
				Text:  "the order was opened at an account that is not configured any more: configure it, with the same `orders` as the " + s.account.Label(),
				Cause: fmt.Errorf("it is %s at the account with the id %s", g.ID, order.AppOf(g.AppID)),
			}
		}
	}
	return nil
}

// lacks reports whether an order that may still be paid at a gateway is there at an account
// that is not configured.
func (s *Sessions) lacks(order ledger.Order) bool {
	return slices.ContainsFunc(order.Checkout.Generations, func(g ledger.GatewayOrder) bool { return !g.Ended && s.at(order, g) == nil })
}

func (s *Sessions) group() []*Sessions { return append([]*Sessions{s}, s.peers...) }

// has reports whether any of an order's orders at gateways is at this account.
func (s *Sessions) has(order ledger.Order, made []ledger.GatewayOrder) bool {
	return slices.ContainsFunc(made, func(g ledger.GatewayOrder) bool { return s.at(order, g) == s })
}

// mayOpen reports whether the account may open an order that a checkout made at the account
// of this name.
func (s *Sessions) mayOpen(order ledger.Order) bool {
	isShared := s.account.Orders != "" && order.OrderID == ledger.SharedOrder(s.account.Orders, order.OwnID)
	return isShared || slices.ContainsFunc(s.account.Group(), func(a *gateway.Account) bool { return a.Name == order.Account })
}

// isElsewhere reports whether an order that no checkout made is at another account.
func (s *Sessions) isElsewhere(order ledger.Order) bool {
	return slices.ContainsFunc(order.Events, func(e ledger.OrderEvent) bool { return order.AppOf(e.AppID) != s.account.Info.AccountID })
}

// next returns what is known of the order's next order at the account's gateway before it
// is made, beside those that were made. Its first there is called as the app calls it.
func (s *Sessions) next(order ledger.Order, made []ledger.GatewayOrder, w wanted) ledger.GatewayOrder {
	id := w.gatewayID
	if order.AppID == s.account.Info.AccountID {
		id = order.ID // an earlier version's checkout may have called it otherwise
	}
	if s.has(order, made) {
		id = gateway.NewGeneration(id)
	}
	return ledger.GatewayOrder{AppID: order.Apart(s.account.Info.AccountID), ID: id, Terms: w.terms.Terms, Tells: s.tells(order)}
}

// unit returns the [ledger.Terms.Unit] of terms of the account's; empty where it shares no
// orders.
func (s *Sessions) unit(t gateway.Terms) string {
	fiat := ""
	switch {
	case s.account.Orders == "":
		return ""
	case t.Fiat:
		fiat = t.Symbol
	}
	return confirm.Unit(s.account.Info, t.Terms, fiat)
}

// withUnits returns an order with the units of terms from before its accounts shared it.
// One whose symbol is that of the fiat currency that is wanted is in that.
func (s *Sessions) withUnits(order ledger.Order, w wanted) ledger.Order {
	if s.account.Orders == "" || order.Checkout == nil {
		return order
	}
	checkout := *order.Checkout
	checkout.Generations = slices.Clone(checkout.Generations)
	was := checkout.Terms
	add := func(to *ledger.Terms, at *Sessions) {
		isWanted := w.terms.Fiat && checkout.Symbol == w.terms.Symbol && to.FiatID == was.FiatID && to.CoinID == was.CoinID
		switch {
		case to.Unit != "" || at == nil:
		case isWanted:
			to.Unit = w.terms.Unit
		default:
			to.Unit = at.unit(gateway.Terms{Terms: *to})
		}
	}
	for i, g := range checkout.Generations {
		add(&checkout.Generations[i].Terms, s.at(order, g))
	}
	add(&checkout.Terms, s.at(order, checkout.Latest()))
	order.Checkout = &checkout
	return order
}
