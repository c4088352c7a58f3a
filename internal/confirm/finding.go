package confirm

import (
	"encoding/json"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Finding is what the gateway's own records say of an event.
type Finding struct {
	// Asked: there was something to ask, and the gateway agreed.
	Asked bool
	// AskedAt is when the gateway was asked.
	AskedAt time.Time
	// Risk is that of the webhook and of the record together.
	Risk   ledger.Risk
	Record gateway.Record
	// Order is the order, settled; nil where there is none.
	Order *Settlement
	// LeftTo is the record of another payment of the order, which will tell the app
	// to fulfil it; empty: none.
	LeftTo string

	event ledger.Event
	kind  gateway.Kind
	// flag is what the event tells the app if it is earned and nothing else has told
	// it; flagValue is that of the header.
	flag      *ledger.Flag
	flagValue string
	earned    bool
	// mayFulfil: the flag was Fulfill, before it was looked at who has it.
	mayFulfil bool
	// reason is why a payment does not fulfil its order, in one word.
	reason string
	// terms are those of our checkout that the order was settled by; nil: none.
	terms *ledger.Terms
}

// Settlement is what the payments of an order come to.
type Settlement struct {
	settle.Result
	Currency string
	Payments []ledger.OrderPayment
	// Raw is the order as the gateway answered, in JSON.
	Raw json.RawMessage
}

// Confirmation is what was confirmed, as the ledger keeps it and the app learns
// it; nil where there was nothing to ask.
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

// View is what the event tells of its order, as the ledger keeps it; nil where it
// has none.
func (f *Finding) View() *ledger.Order {
	e := f.event
	if e.GatewayOrderID == "" || f.kind != gateway.Payment {
		return nil
	}
	view := &ledger.Order{
		OrderID: e.InOrder(), Account: e.Account, OwnID: e.OrderID,
		Events: []ledger.OrderEvent{{Route: e.Route, Type: e.Type, RecordID: e.ID, Status: e.Key.Status, Risk: e.Risk}},
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
