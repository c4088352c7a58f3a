package ccpayment

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// unconfirmedError is why an event could not be confirmed now.
type unconfirmedError struct{ cause error }

func (e *unconfirmedError) Error() string { return e.cause.Error() }
func (e *unconfirmedError) Unwrap() error { return e.cause }

// notConfirmed is the answer where CCPayment is to try again later.
func notConfirmed(outcome string) answer {
	return answer{status: http.StatusServiceUnavailable, outcome: outcome, text: "the event cannot be confirmed now", retryAfter: true}
}

// confirm asks CCPayment about the event and has the attempt remember what it
// said. Where the event must not be handed over now, the confirmation is nil and
// the answer says so. The sender's hanging up does not end it.
func (h *Webhook) confirm(ctx context.Context, d delivery, attempt *ledger.Attempt, shared *sharedLedger) (*confirmation, answer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.secrets.apiBudget)
	defer cancel()
	attempt.Confirming()
	asked := h.app.now()
	var money confirmation
	p, err := h.policyFor(ctx, d.event, shared)
	if err == nil {
		money, err = h.gateway.confirm(ctx, d, p, asked)
	}
	var held *heldError
	switch {
	case errors.As(err, &held):
		attempt.Confirmed(nil, money.orderView(d.event, asked))
		if err := attempt.Hold(ctx, err.Error()); err != nil {
			return nil, h.unavailable(err)
		}
		h.tellHeld(d.event, held)
		return nil, success("held")
	case err != nil:
		if h.troubles.Allow() {
			h.logger.Warn("an event cannot be confirmed now", zap.String("route", h.routeName),
				zap.String("event_id", d.event.EventID()), zap.String("type", d.event.Type), zap.Error(redacted(err)))
		}
		if err := attempt.Unconfirmed(ctx, &unconfirmedError{err}); err != nil {
			return nil, h.unavailable(err)
		}
		h.tellIfDead(ctx, attempt, err)
		return nil, notConfirmed("unconfirmed")
	}
	if money.asked {
		h.app.confirmedAt.Store(&asked)
	}
	failpoint.Reach("confirmed")
	if h.Confirm == "off" { // it was asked about because it came late
		money.flag, money.earned = nil, false
	}
	if d.event.Accepted && money.risk != ledger.NotRisky {
		money.flag, money.earned = nil, false // it is handed over, and never fulfils
	}
	if err := h.sending(ctx, attempt, &money, shared); err != nil {
		attempt.End(ctx, err)
		return nil, h.unavailable(err)
	}
	if p.order != nil && p.order.Checkout != nil {
		money.terms = &p.order.Checkout.Terms
	}
	money.told = money.facts(asked)
	attempt.Confirmed(money.told, money.orderView(d.event, asked))
	return &money, answer{}
}

// settleAgain has an event handed over once more whose order got another price
// while it was on its way: by that one it may be paid.
func (h *Webhook) settleAgain(ctx context.Context, e ledger.Event, money *confirmation, shared *sharedLedger) {
	if money == nil || money.terms == nil || money.flag != nil || e.Key.Status != "success" {
		return
	}
	order, err := shared.Order(ctx, e.InOrder())
	if err == nil && order.Checkout != nil && order.FulfilledBy == "" && !sameTerms(order.Checkout.Terms, *money.terms) {
		err = h.app.replay(context.WithoutCancel(ctx), e, "the order's price has changed meanwhile", shared)
	}
	if err != nil {
		h.logger.Error("the order's price has changed, and its payment could not be settled again: replay it",
			append(h.fields(e), zap.Error(redacted(err)))...)
	}
}

// policyFor is the route's policy with what an operator has decided about the
// event and about its order's other payments.
func (h *Webhook) policyFor(ctx context.Context, e ledger.Event, shared *sharedLedger) (policy, error) {
	p := h.policy
	if e.Accepted || h.Confirm == "off" {
		p.holdRisky = false
	}
	if e.GatewayOrderID == "" {
		return p, nil
	}
	order, err := shared.Order(ctx, e.InOrder())
	switch {
	case err == nil:
		p.order = &order
	case !errors.Is(err, ledger.ErrNotFound):
		return p, err
	}
	return p, nil
}

// sending leaves the event its flag where it is the one that carries it: the
// first that earns it, or one that an earlier attempt has bound it to. Of a
// payment that goes out without, the ledger keeps a trace before it does.
func (h *Webhook) sending(ctx context.Context, attempt *ledger.Attempt, money *confirmation, shared *sharedLedger) error {
	if money.flag == nil {
		_, err := attempt.Send(ctx)
		return err
	}
	if money.earned {
		isLeft, err := h.isLeftToAnother(ctx, attempt, money, shared)
		if err != nil {
			return err
		}
		if isLeft {
			money.earned, money.reason = false, string(settle.Partial)
		}
	}
	if !money.earned {
		holds, err := attempt.Holds(ctx, *money.flag)
		if err != nil {
			return err
		}
		if !holds[0] {
			money.flag = nil
			attempt.Trace()
		}
		_, err = attempt.Send(ctx)
		return err
	}
	carries, err := attempt.Send(ctx, *money.flag)
	if err != nil {
		return err
	}
	if !carries[0] {
		if money.flag.Name == ledger.Fulfill {
			money.reason = "already_fulfilled"
		}
		money.flag = nil
	}
	return nil
}

// isLeftToAnother reports whether another payment is to fulfil the order, because
// this one may have been handed over before without saying so: an app that has
// taken it then, and whose yes was lost, ignores what it is told a second time.
// Where no other is still to come, it is this one all the same.
func (h *Webhook) isLeftToAnother(ctx context.Context, attempt *ledger.Attempt, money *confirmation, shared *sharedLedger) (bool, error) {
	if attempt.Event.Seq == 0 || money.order == nil {
		return false, nil
	}
	bound, err := shared.store.Bound(ctx, []ledger.Flag{*money.flag})
	if err != nil || bound[0] {
		return false, err // it is settled already who fulfils it
	}
	for _, payment := range money.order.payments {
		if payment.Verdict != string(settle.Counts) || payment.RecordID == attempt.Event.ID {
			continue
		}
		isToCome, err := h.isToCome(ctx, attempt.Event.Key, payment.RecordID, shared)
		if err != nil || isToCome {
			return isToCome, err
		}
	}
	return false, nil
}

// isToCome reports whether the same status of another record has still to be
// handed over for the first time. What came on this route tells; where nothing
// did, what came on another that confirms, unless that one leaves it aside. One
// that is known as risky only is held, and comes when a person says so.
func (h *Webhook) isToCome(ctx context.Context, key ledger.Key, recordID string, shared *sharedLedger) (bool, error) {
	key.ID = recordID
	for _, key.Route = range h.app.confirmingRoutes(h.routeName) {
		isKnown, isToCome := false, false
		for _, key.Risk = range []ledger.Risk{ledger.Risky, ledger.RiskUnknown, ledger.NotRisky} {
			e, err := shared.store.Load(ctx, key)
			switch {
			case errors.Is(err, ledger.ErrNotFound), err == nil && e.State == ledger.Ignored && key.Route != h.routeName:
			case err != nil || e.Seq > 0 || !e.State.Pending():
				return false, err
			default:
				isKnown, isToCome = true, key.Risk != ledger.Risky
			}
		}
		if isKnown {
			return isToCome, nil
		}
	}
	return true, nil // nobody has told of it yet
}

// facts are what was confirmed, as the ledger keeps it and the app is told; nil
// where there was nothing to ask.
func (c *confirmation) facts(at time.Time) *ledger.Confirmation {
	if !c.asked {
		return nil
	}
	f := &ledger.Confirmation{
		At: at, Coin: c.record.coin, Chain: c.record.chain, TxID: c.record.txID, Risk: c.risk, Reason: c.reason,
	}
	if c.record.amount.IsPositive() {
		f.Amount, f.Fee = c.record.amount.String(), c.record.fee.String()
	}
	if c.record.usdPrice.IsPositive() {
		f.USDPrice = c.record.usdPrice.String()
	}
	if o := c.order; o != nil {
		f.OrderState, f.OrderDue, f.OrderPaid = string(o.State), o.Due.String(), o.Paid.String()
		f.OrderCurrency, f.OrderLate = o.currency, o.Late
	}
	switch {
	case c.flag == nil:
	case c.flag.Name == ledger.Fulfill:
		f.Fulfill = true
	case c.flag.Name == ledger.Credit:
		f.Credit = true
	case c.flag.Name == ledger.Payout:
		f.Payout = c.flagValue
	}
	return f
}

// orderView is what the event tells of its order; nil where it has none.
func (c *confirmation) orderView(e ledger.Event, at time.Time) *ledger.Order {
	if e.GatewayOrderID == "" || e.Type != "ApiDeposit" {
		return nil
	}
	view := &ledger.Order{
		OrderID: e.InOrder(), Account: e.Account, OwnID: e.OrderID,
		Events: []ledger.OrderEvent{{Route: e.Route, Type: e.Type, RecordID: e.ID, Status: e.Key.Status, Risk: e.Risk}},
	}
	if o := c.order; o != nil {
		view.State, view.Due, view.Paid = string(o.State), o.Due.String(), o.Paid.String()
		view.Currency, view.Late, view.ReadAt, view.Payments = o.currency, o.Late, at, o.payments
	}
	if c.flag != nil && c.flag.Name == ledger.Fulfill {
		view.FulfilledBy = e.EventID()
	}
	return view
}

// moneyHeaders are what the app is told of confirmed money. A flag is there or
// absent.
func moneyHeaders(c *ledger.Confirmation) []headerField {
	if c == nil {
		return nil
	}
	fields := []headerField{
		{"Ccpayment-Confirmed", "true"},
		{"Ccpayment-Coin", c.Coin},
		{"Ccpayment-Chain", c.Chain},
		{"Ccpayment-Txid", c.TxID},
		{"Ccpayment-Amount", c.Amount},
		{"Ccpayment-Fee", c.Fee},
		{"Ccpayment-Usd-Price", c.USDPrice},
		{"Ccpayment-Order-State", c.OrderState},
		{"Ccpayment-Order-Amount-Due", c.OrderDue},
		{"Ccpayment-Order-Amount-Paid", c.OrderPaid},
		{"Ccpayment-Order-Currency", c.OrderCurrency},
		{"Ccpayment-Payout", c.Payout},
		{"Ccpayment-Reason", c.Reason},
	}
	for name, set := range map[string]bool{
		"Ccpayment-Order-Late": c.OrderLate, "Ccpayment-Fulfill": c.Fulfill, "Ccpayment-Credit": c.Credit,
	} {
		if set {
			fields = append(fields, headerField{name, "true"})
		}
	}
	return fields
}
