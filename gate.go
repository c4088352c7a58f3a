package ccpayment

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// unconfirmedError is why an event could not be confirmed now.
type unconfirmedError struct{ cause error }

func (e *unconfirmedError) Error() string { return e.cause.Error() }
func (e *unconfirmedError) Unwrap() error { return e.cause }

// notConfirmed is the answer where CCPayment is to try again later.
func notConfirmed(outcome string) answer {
	return answer{status: http.StatusServiceUnavailable, outcome: outcome, text: "the event cannot be confirmed now", retryAfter: true}
}

// confirm asks CCPayment about the event and binds the flag that it may carry.
// Where the event must not be handed over now, the confirmation is nil and the
// answer says so. The sender's hanging up does not end it.
func (h *Webhook) confirm(ctx context.Context, d delivery, attempt *ledger.Attempt) (*confirmation, answer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.secrets.apiBudget)
	defer cancel()
	attempt.Confirming()
	money, err := h.gateway.confirm(ctx, d, h.policy, h.app.now())
	var held *heldError
	switch {
	case errors.As(err, &held):
		h.logger.Error("holding an event", zap.String("route", h.routeName), zap.String("event_id", d.event.EventID()),
			zap.String("type", d.event.Type), zap.String("cause", err.Error()))
		if err := attempt.Hold(ctx, err.Error()); err != nil {
			return nil, h.unavailable(err)
		}
		return nil, success("held")
	case err != nil:
		if h.troubles.Allow() {
			h.logger.Warn("an event cannot be confirmed now", zap.String("route", h.routeName),
				zap.String("event_id", d.event.EventID()), zap.String("type", d.event.Type), zap.Error(err))
		}
		if err := attempt.Unconfirmed(ctx, &unconfirmedError{err}); err != nil {
			return nil, h.unavailable(err)
		}
		return nil, notConfirmed("unconfirmed")
	}
	if err := bindFlag(ctx, attempt, &money); err != nil {
		attempt.End(ctx, err)
		return nil, h.unavailable(err)
	}
	attempt.Confirmed()
	return &money, answer{}
}

// bindFlag leaves the event its flag where it is the one that carries it: the
// first that earns it, or one that an earlier attempt has bound it to.
func bindFlag(ctx context.Context, attempt *ledger.Attempt, money *confirmation) error {
	if money.flag == nil {
		return nil
	}
	ask := attempt.Holds
	if money.earned {
		ask = attempt.Bind
	}
	carries, err := ask(ctx, *money.flag)
	if err != nil {
		return err
	}
	if !carries[0] {
		if money.earned && money.flag.Name == ledger.Fulfill {
			money.reason = "already_fulfilled"
		}
		money.flag = nil
	}
	return nil
}

// moneyHeaders are what the app is told of confirmed money. A flag is there or
// absent.
func (c *confirmation) headers() []headerField {
	if !c.asked {
		return nil
	}
	fields := []headerField{
		{"Ccpayment-Confirmed", "true"},
		{"Ccpayment-Coin", c.record.coin},
		{"Ccpayment-Chain", c.record.chain},
		{"Ccpayment-Txid", c.record.txID},
		{"Ccpayment-Reason", c.reason},
	}
	add := func(name, value string) { fields = append(fields, headerField{name, value}) }
	if c.record.amount.IsPositive() {
		add("Ccpayment-Amount", c.record.amount.String())
		add("Ccpayment-Fee", c.record.fee.String())
	}
	if c.record.usdPrice.IsPositive() {
		add("Ccpayment-Usd-Price", c.record.usdPrice.String())
	}
	if o := c.order; o != nil {
		add("Ccpayment-Order-State", string(o.State))
		add("Ccpayment-Order-Amount-Due", o.Due.String())
		add("Ccpayment-Order-Amount-Paid", o.Paid.String())
		add("Ccpayment-Order-Currency", o.currency)
		if o.Late {
			add("Ccpayment-Order-Late", "true")
		}
	}
	if c.flag != nil {
		add(map[string]string{
			ledger.Fulfill: "Ccpayment-Fulfill", ledger.Credit: "Ccpayment-Credit", ledger.Payout: "Ccpayment-Payout",
		}[c.flag.Name], c.flagValue)
	}
	return fields
}
