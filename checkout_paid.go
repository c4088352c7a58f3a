package ccpayment

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/shopspring/decimal"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// errPaid: there is nothing left to pay.
var errPaid = conflict("paid", "the order is paid")

// paidError is errPaid, with the records by which CCPayment has the order paid.
type paidError struct{ records []string }

func (e *paidError) Error() string { return errPaid.Error() }
func (e *paidError) Unwrap() error { return errPaid }

// asksMore reports whether an order at CCPayment is dearer than what is wanted
// now, as where the new price was paid already.
func asksMore(g ledger.GatewayOrder, wanted terms) bool {
	price, err := decimal.NewFromString(g.Terms.Price)
	return err != nil || price.GreaterThan(wanted.price)
}

// repriced has the app told of an order that is paid because its price was
// lowered: the event of a payment that counts is handed over again. One that is on
// its way finds the new price by itself, and so does one that is still to come.
func (t *till) repriced(ctx context.Context, order ledger.Order, wanted terms, records []string, shared *sharedLedger) error {
	checkout := *order.Checkout
	checkout.Terms, checkout.Symbol = wanted.Terms, wanted.symbol
	order.Checkout = &checkout
	cause := "the price is " + wanted.Price + " " + wanted.symbol + " now, which is paid"
	if err := shared.SaveCheckout(ctx, order, cause); err != nil {
		return err
	}
	// Read again: an event that comes to its end from now on finds the new price.
	order, err := shared.Order(ctx, order.OrderID)
	if err != nil {
		return err
	}
	for _, told := range slices.Backward(order.Events) {
		if told.Status != "success" || !slices.Contains(records, told.RecordID) {
			continue
		}
		e, err := shared.Load(ctx, told.Key(t.appID))
		switch {
		case errors.Is(err, ledger.ErrDamaged):
			continue
		case err != nil:
			return err
		}
		switch e.State {
		case ledger.Received, ledger.Confirming, ledger.Delivering:
			return nil
		case ledger.Delivered, ledger.Dead, ledger.Retrying:
		default: // nobody hands it over
			continue
		}
		if err := t.app.replay(context.WithoutCancel(ctx), e, cause, shared); err != nil {
			t.app.logger.Error("the order is paid, and the app could not be told: replay the event",
				zap.String("event_id", e.EventID()), zap.String("order_id", redact(order.OwnID)), zap.Error(redacted(err)))
		}
		return nil
	}
	return nil
}

// rest asks CCPayment what of the order is paid, and returns what is left of the
// new terms' price.
func (t *till) rest(ctx context.Context, order ledger.Order, wanted terms) (decimal.Decimal, error) {
	asked := *order.Checkout
	asked.Terms, asked.Symbol = wanted.Terms, wanted.symbol
	order.Checkout = &asked
	latest := asked.Latest().ID
	read, err := t.gateway.readGeneration(ctx, latest, &order)
	if err == nil {
		read, err = t.gateway.readWhole(ctx, read, latest, &order)
	}
	var held *heldError
	switch {
	case errors.As(err, &held):
		return decimal.Zero, conflict("contradiction", "CCPayment's order is not the one that was asked for: look at it in CCPayment's console")
	case err != nil:
		return decimal.Zero, err
	}
	result := settle.Settle(read.due, read.payments, settle.Policy{}, t.app.now())
	unfinished := slices.ContainsFunc(read.payments, func(p settle.Payment) bool { return !p.Finished })
	switch {
	case result.State.Fulfils():
		paid := &paidError{}
		for record, verdict := range result.Verdicts {
			if verdict == settle.Counts {
				paid.records = append(paid.records, record)
			}
		}
		return decimal.Zero, paid
	case slices.Contains(slices.Collect(maps.Values(result.Verdicts)), settle.OtherUnit):
		return decimal.Zero, conflict("partly_paid", "the order is partly paid in another currency")
	case unfinished, result.State == settle.Review:
		return decimal.Zero, conflict("under_way", "a payment of the order is under way: wait for it")
	}
	decimals := int32(coinDecimals)
	if wanted.FiatID != "" {
		decimals = fiatDecimals
	}
	return wanted.price.Sub(result.Paid).RoundUp(decimals), nil
}
