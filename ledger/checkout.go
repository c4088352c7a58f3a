package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Terms are what an order costs, and in what it is to be paid. Two checkouts of
// an order with equal terms are the same checkout.
type Terms struct {
	// Price is a decimal number.
	Price string `json:"price"`
	// FiatID is the price's currency, or CoinID the coin that it is in.
	FiatID string `json:"fiat_id,omitempty"`
	CoinID string `json:"coin_id,omitempty"`
	// PayCoinID and Chain are what a deposit order is paid in; empty for an
	// invoice, of which the buyer picks the coin.
	PayCoinID string `json:"pay_coin_id,omitempty"`
	Chain     string `json:"chain,omitempty"`
	// Unit names the price's unit among accounts that share their orders, where gateways
	// have ids of their own for one currency; empty: the account shares none.
	Unit string `json:"unit,omitempty"`
}

// IsInvoice reports whether the buyer picks the coin.
func (t Terms) IsInvoice() bool { return t.PayCoinID == "" }

// GatewayOrder is one order at the gateway for an order of the app. There is more
// than one where the terms changed, the first expired, or a rest was to be paid.
type GatewayOrder struct {
	// AppID is the gateway's id of the account that has it; empty: the order's.
	AppID string `json:"app_id,omitempty"`
	// ID is the order's id at the gateway.
	ID string `json:"id"`
	// Ref is the gateway's own id of the order; empty: there is none beside ID, or the
	// gateway has not returned it yet.
	Ref string `json:"ref,omitempty"`
	// Terms are what was asked for; the price is the rest, where some was paid.
	Terms     Terms     `json:"terms"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// CheckoutURL is the hosted page.
	CheckoutURL string `json:"checkout_url"`
	// Address, Memo and Amount are how a deposit order is paid without the page.
	Address string `json:"address,omitempty"`
	Memo    string `json:"memo,omitempty"`
	Amount  string `json:"amount,omitempty"`
	// Ended: nobody can pay the order, because it was ended at the gateway, or the gateway
	// does not have it. That it has expired does not say so.
	Ended bool `json:"ended,omitempty"`
	// Tells: the app is to be told when it expires as the latest of its order's.
	Tells bool `json:"tells_expiry,omitempty"`
}

// Checkout is how an order is to be paid. Its Generations are the orders at the
// gateway, oldest first.
type Checkout struct {
	// Terms are the latest that the app asked for.
	Terms Terms `json:"terms"`
	// Symbol is what people call the price's unit.
	Symbol      string         `json:"symbol"`
	Generations []GatewayOrder `json:"generations"`
	// EndAt is when orders at the gateway are to be ended there that ought not to be paid
	// any more; zero: none are. See [Ledger.EndingNow].
	EndAt time.Time `json:"end_at,omitzero"`
}

// GatewayOrders returns the orders at the gateway that a checkout made for the order.
func (o Order) GatewayOrders() []GatewayOrder {
	if o.Checkout == nil {
		return nil
	}
	return o.Checkout.Generations
}

// Latest returns the order at the gateway that is to be paid.
func (c *Checkout) Latest() GatewayOrder { return c.Generations[len(c.Generations)-1] }

// LatestMade returns the latest order at the gateway that is there or may be: that of a draft
// which has Ended is not. Where there is none, it is [Checkout.Latest].
func (c *Checkout) LatestMade() GatewayOrder { return c.Generations[c.latestMade()] }

// latestMade is the index of LatestMade.
func (c *Checkout) latestMade() int {
	for i, g := range slices.Backward(c.Generations) {
		if !g.IsDraft() || !g.Ended {
			return i
		}
	}
	return len(c.Generations) - 1
}

// GatewayIDs returns the ids by which the orders at the gateway that a checkout made for
// the order are found to be this order's: their ids, and [RefID] of those that have a Ref,
// each at its account.
func (o Order) GatewayIDs() []OrderID {
	if o.Checkout == nil {
		return nil
	}
	ids := make([]OrderID, 0, len(o.Checkout.Generations))
	for _, g := range o.Checkout.Generations {
		appID := o.AppOf(g.AppID)
		ids = append(ids, OrderID{appID, g.ID})
		if g.Ref != "" {
			ids = append(ids, OrderID{appID, RefID(g.Ref)})
		}
	}
	return ids
}

// sameCall reports whether two orders at the gateway came of one call: what is known of
// them may differ.
func (g GatewayOrder) sameCall(other GatewayOrder) bool {
	return g.AppID == other.AppID && g.ID == other.ID
}

// RefID is the id by which [Ledger.OrderOf] finds an order by the Ref of one of its
// orders at the gateway. The mark in front keeps it apart from the ids that orders get.
func RefID(ref string) string { return "#" + ref }

// SaveCheckout stores how an order is to be paid, durably, and leaves the rest of
// the order as it is. The error wraps [ErrTaken] where one of its orders at the gateway
// is another order's. It is [ErrOrderClosed] where the order was closed meanwhile: what is
// there at the gateway stands in the ledger then, and is ended.
func (l *Ledger) SaveCheckout(ctx context.Context, order Order, cause string) error {
	isClosed, err := l.updateCheckout(ctx, order, cause, func(Order) bool { return true })
	if err == nil && isClosed {
		err = ErrOrderClosed
	}
	return err
}

// AddGeneration adds an order at the gateway to the order that a checkout made it for,
// durably, where the ledger had lost it. The one that is to be paid stays the latest. The
// error wraps [ErrTaken] where it is another order's.
func (l *Ledger) AddGeneration(ctx context.Context, id OrderID, g GatewayOrder, cause string) error {
	err := l.store.UpdateOrder(context.WithoutCancel(ctx), id, func(o *Order) {
		if o.Checkout == nil || slices.ContainsFunc(o.Checkout.Generations, g.sameCall) {
			return
		}
		checkout := *o.Checkout
		checkout.Generations = slices.Insert(slices.Clone(checkout.Generations), len(checkout.Generations)-1, g)
		if o.Closed != nil {
			checkout.EndAt = l.now()
		}
		o.Checkout = &checkout
		o.step(l.now(), cause)
	})
	if err != nil {
		return fmt.Errorf("adding an order at the gateway: %w", err)
	}
	l.changed(id)
	return nil
}

// joined returns the orders at the gateway that are to be written, with what another
// process, or another configuration during a reload, has written of them meanwhile; and
// of how many calls there are more orders than one.
func joined(known, ours []GatewayOrder) (all []GatewayOrder, twins int) {
	var theirs []GatewayOrder
	ours = slices.Clone(ours)
	for _, g := range known {
		i := slices.IndexFunc(ours, g.sameCall)
		switch {
		case i < 0:
			theirs = append(theirs, g)
		case g.IsDraft() && ours[i].IsDraft():
			if g.CreatedAt.After(ours[i].CreatedAt) && !ours[i].IsRefused() {
				ours[i] = g
			}
		case g.Ref == "":
		case ours[i].Ref == "":
			ours[i] = g
		case ours[i].Ref != g.Ref:
			if g = g.Twin(); !slices.ContainsFunc(ours, g.sameCall) {
				theirs, twins = append(theirs, g), twins+1
			}
		default:
			ours[i].Ended = ours[i].Ended || g.Ended
		}
	}
	return append(theirs, ours...), twins
}

// OrderOf returns the order that an order at the gateway was made for, or
// [ErrNotFound].
func (l *Ledger) OrderOf(ctx context.Context, id OrderID) (Order, error) {
	order, err := l.store.OrderOf(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound): // as of every first event of an order
		return order, ErrNotFound
	case err != nil:
		return order, fmt.Errorf("loading the order: %w", err)
	}
	return order, nil
}
