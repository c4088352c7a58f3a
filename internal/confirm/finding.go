package confirm

import (
	"encoding/json"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Finding is what the gateway's own records say of an event, and what follows from it.
type Finding struct {
	// Asked: the gateway has a record of the event, which agrees with the webhook.
	// Events of types that the gateway does not document have none.
	Asked bool
	// AskedAt is when the gateway was asked.
	AskedAt time.Time
	// Risk is that of the webhook and of the record together.
	Risk   ledger.Risk
	Record gateway.Record
	// Order is the order, settled; nil where there is none.
	Order *Settlement
	// Status is what the event's status has turned out to be; empty: what the webhook says.
	Status string
	// LeftTo is the record id of another payment of the order, whose event will carry
	// the order's Fulfill flag; empty: none.
	LeftTo string

	account *gateway.Account
	event   ledger.Event
	kind    gateway.Kind
	// flag is the flag that the event carries to the app if it is earned and no other
	// event has carried it; flagValue is the value of its header.
	flag      *ledger.Flag
	flagValue string
	earned    bool
	// mayFulfil: the flag was Fulfill, before it was known which event carries it.
	mayFulfil bool
	// successes are the statuses of events that may carry the order's flag, as keys have
	// them.
	successes []string
	// doubted: the records are no proof that the money is there, or nothing is to be
	// fulfilled by it.
	doubted bool
	// closed: the order was closed, and the event does not carry its flag. mayReopen: the
	// closing may yet be taken back.
	closed, mayReopen bool
	// reason is why a payment does not fulfil its order, in one word.
	reason string
	// terms are our checkout's, which the order was settled by; nil: none.
	terms *ledger.Terms
}

// Settlement is an order with the sum of its payments.
type Settlement struct {
	settle.Result
	Currency string
	Payments []ledger.OrderPayment
	// Raw is the order as the gateway returned it, in JSON.
	Raw json.RawMessage
}

// Confirmation returns what was confirmed, for the ledger and the app's headers; nil
// where there was nothing to confirm.
func (f *Finding) Confirmation() *ledger.Confirmation {
	if !f.Asked {
		return nil
	}
	c := &ledger.Confirmation{
		At: f.AskedAt, Coin: f.Record.Coin, Chain: f.Record.Chain, TxID: f.Record.TxID, Risk: f.Risk, Reason: f.reason,
	}
	if f.Record.Amount.IsPositive() {
		c.Amount, c.Fee = f.Record.Amount.String(), f.Record.Fee.String()
	}
	if f.Record.USDPrice.IsPositive() {
		c.USDPrice = f.Record.USDPrice.String()
	}
	if o := f.Order; o != nil {
		c.OrderState, c.OrderDue, c.OrderPaid = string(o.State), o.Due.String(), o.Paid.String()
		c.OrderCurrency, c.OrderLate = o.Currency, o.Late
		if f.closed {
			c.OrderState = string(settle.Closed)
		}
	}
	switch {
	case f.flag == nil:
	case f.flag.Name == ledger.Fulfill:
		c.Fulfill = true
	case f.flag.Name == ledger.Credit:
		c.Credit = true
	case f.flag.Name == ledger.Payout:
		c.Payout = f.flagValue
	}
	return c
}

// View returns what the finding says of the event's order, for the ledger; nil where
// the event has no order.
func (f *Finding) View() *ledger.Order {
	e := f.event
	if e.GatewayOrderID == "" || f.kind != gateway.Payment {
		return nil
	}
	view := &ledger.Order{
		OrderID: e.InOrder(), Account: e.Account, OwnID: e.OrderID,
		Events: []ledger.OrderEvent{{
			Route: e.Route, AppID: e.InOrder().Apart(e.AppID), Type: e.Type, RecordID: e.ID, Status: e.Key.Status, Risk: e.Risk,
		}},
	}
	if o := f.Order; o != nil {
		view.State, view.Due, view.Paid = string(o.State), o.Due.String(), o.Paid.String()
		view.Currency, view.Late, view.ReadAt, view.Payments = o.Currency, o.Late, f.AskedAt, o.Payments
	}
	if f.flag != nil && f.flag.Name == ledger.Fulfill {
		view.FulfilledBy = e.EventID()
	}
	return view
}
