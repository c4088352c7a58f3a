package ccpayment

import (
	"context"
	"errors"
	"net/http"
	"slices"
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
	asked := h.app.now()
	var money confirmation
	p, err := h.policyFor(ctx, d.event, shared)
	if err == nil {
		money, err = h.gateway.confirm(ctx, d, p, asked)
	}
	var held *heldError
	switch {
	case errors.As(err, &held):
		if _, err := attempt.Finish(ctx, ledger.Ending{
			State: ledger.Held, Failure: err, AskedAt: asked, Order: money.orderView(d.event, asked),
		}); err != nil {
			return nil, h.unavailable(err)
		}
		h.tellHeld(d.event, held)
		return nil, success("held")
	case err != nil:
		if h.troubles.Allow() {
			h.logger.Warn("an event cannot be confirmed now", zap.String("route", h.routeName),
				zap.String("event_id", d.event.EventID()), zap.String("type", d.event.Type), zap.Error(redacted(err)))
		}
		became, failure := attempt.Finish(ctx, ledger.Ending{
			State: ledger.Retrying, Failure: &unconfirmedError{err}, Untried: true, AskedAt: asked,
		})
		if failure != nil {
			return nil, h.unavailable(failure)
		}
		h.tellIfDead(ctx, attempt, became, err, shared)
		return nil, notConfirmed("unconfirmed")
	}
	if money.asked {
		h.app.confirmedAt.Store(&asked)
	}
	failpoint.Reach("confirmed")
	// With confirm off it was asked about because it came late; what an operator has
	// accepted though it is risky is handed over, and fulfils nothing.
	if h.Confirm == "off" || d.event.RiskAccepted && money.risk != ledger.NotRisky {
		money.flag, money.earned = nil, false
	}
	money.mayFulfil = money.flag != nil && money.flag.Name == ledger.Fulfill
	money.askedAt = asked
	if err := h.sending(ctx, attempt, &money, shared); err != nil {
		return nil, h.unavailable(err)
	}
	if p.order != nil && p.order.Checkout != nil {
		money.terms = &p.order.Checkout.Terms
	}
	money.told = money.facts(asked)
	return &money, answer{}
}

// settleAgain has an event handed over once more that went out without its
// order's flag, and by which the order is paid all the same: its price was changed
// meanwhile, or each of its payments was on its way when the other was looked at.
func (h *Webhook) settleAgain(ctx context.Context, attempt *ledger.Attempt, money *confirmation, shared *sharedLedger) {
	if money == nil || !money.mayFulfil || money.flag != nil {
		return
	}
	e := attempt.Event
	cause, err := h.unsettled(ctx, e, money, shared)
	switch {
	case err != nil || cause == "":
	case cause == paidMeanwhile && attempt.Reason == ledger.Replay:
		err = errors.New("a replay did not settle it") // and could do so for ever
	default:
		err = h.app.replay(context.WithoutCancel(ctx), e, cause, shared)
	}
	if err != nil {
		h.logger.Error("the event's order may be paid without a word to the app: replay the event",
			append(h.fields(e), zap.Error(redacted(err)))...)
	}
}

const paidMeanwhile = "the order was paid meanwhile"

// unsettled says why the event has to be settled again, or nothing.
func (h *Webhook) unsettled(ctx context.Context, e ledger.Event, money *confirmation, shared *sharedLedger) (string, error) {
	order, err := shared.Order(ctx, e.InOrder())
	if err != nil {
		return "", err
	}
	bound, err := shared.Bound(ctx, []ledger.Flag{ledger.FulfillOf(e.AppID, e.InOrder().ID)})
	if err != nil || bound[0] {
		return "", err
	}
	if money.terms != nil && order.Checkout != nil && !sameTerms(order.Checkout.Terms, *money.terms) {
		return "the order's price has changed meanwhile", nil
	}
	isNewer := order.ReadAt.After(money.askedAt) && counts(order.Payments, e.ID) && settle.State(order.State).Fulfils()
	if !isNewer && !money.isLeft {
		return "", nil
	}
	another, err := h.anotherToCome(ctx, e, order.Payments, shared)
	if err != nil || another != "" {
		return "", err
	}
	return paidMeanwhile, nil
}

// counts reports whether a record is one of the payments that count.
func counts(payments []ledger.OrderPayment, recordID string) bool {
	return slices.ContainsFunc(payments, func(p ledger.OrderPayment) bool {
		return p.RecordID == recordID && p.Verdict == string(settle.Counts)
	})
}

// policyFor is the route's policy with what an operator has decided about the
// event and about its order's other payments.
func (h *Webhook) policyFor(ctx context.Context, e ledger.Event, shared *sharedLedger) (policy, error) {
	p := h.policy
	if e.RiskAccepted || h.Confirm == "off" {
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
	if money.earned && money.flag != nil {
		another, err := h.leftTo(ctx, attempt, money, shared)
		if err != nil {
			_, failure := attempt.Finish(ctx, ledger.Ending{Failure: err})
			return errors.Join(err, failure)
		}
		if another != "" {
			money.earned, money.isLeft, money.reason = false, true, string(settle.Partial)
			h.logger.Info("another payment of the order, which is still to come, will tell the app to fulfil it",
				append(h.fields(attempt.Event), zap.String("other_record_id", another))...)
		}
	}
	carries, err := attempt.Sent(ctx, ledger.Sending{AskedAt: money.askedAt, Flag: money.flag, Kept: !money.earned})
	if err != nil || carries || money.flag == nil {
		return err
	}
	if money.earned && money.flag.Name == ledger.Fulfill {
		money.reason = "already_fulfilled"
	}
	money.flag = nil
	return nil
}

// leftTo returns the record of another payment that is to fulfil the order,
// because this one may have been handed over before without saying so: an app that
// has taken it then, and whose yes was lost, may ignore what it is told a second
// time. Where no other is still to come, it is this one all the same.
func (h *Webhook) leftTo(ctx context.Context, attempt *ledger.Attempt, money *confirmation, shared *sharedLedger) (recordID string, err error) {
	if attempt.Event.Seq == 0 || money.order == nil {
		return "", nil
	}
	bound, err := shared.Bound(ctx, []ledger.Flag{*money.flag})
	if err != nil || bound[0] {
		return "", err // it is settled already who fulfils it
	}
	return h.anotherToCome(ctx, attempt.Event, money.order.payments, shared)
}

// anotherToCome returns the record of another of the order's payments that count
// of which the same status has still to be handed over for the first time. One of
// which nobody has told is to come.
func (h *Webhook) anotherToCome(
	ctx context.Context, e ledger.Event, payments []ledger.OrderPayment, shared *sharedLedger,
) (recordID string, err error) {
	order, err := shared.Order(ctx, e.InOrder())
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return "", err
	}
	routes := h.app.routesThatConfirm()
	for _, payment := range payments {
		if payment.Verdict != string(settle.Counts) || payment.RecordID == e.ID {
			continue
		}
		// What came there tells, also on a route that is not configured any more.
		for _, told := range order.Events {
			if _, known := routes[told.Route]; !known && told.RecordID == payment.RecordID {
				routes[told.Route] = false
			}
		}
		isToCome, err := isToCome(ctx, e.Key, payment.RecordID, routes, shared)
		if err != nil {
			return "", err
		}
		if isToCome {
			return payment.RecordID, nil
		}
	}
	return "", nil
}

// isToCome reports whether a record's event has still to be handed over for the
// first time, on a route that confirms it. One that is known as risky only is
// held, and comes when a person says so.
func isToCome(ctx context.Context, key ledger.Key, recordID string, routes map[string]bool, shared *sharedLedger) (bool, error) {
	key.ID = recordID
	isKnown, isToCome := false, false
	for route, confirms := range routes {
		key.Route = route
		for _, key.Risk = range []ledger.Risk{ledger.Risky, ledger.RiskUnknown, ledger.NotRisky} {
			e, err := shared.Load(ctx, key)
			switch {
			case errors.Is(err, ledger.ErrNotFound):
			case errors.Is(err, ledger.ErrDamaged):
				return false, nil // it cannot be handed over
			case err != nil || e.Seq > 0 || !e.State.Pending():
				return false, err
			default:
				isKnown, isToCome = true, isToCome || confirms && key.Risk != ledger.Risky
			}
		}
	}
	return isToCome || !isKnown, nil
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
