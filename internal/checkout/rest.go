package checkout

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// errPaid is the [*Error] of an order of which nothing is left to pay.
var errPaid = conflict("paid", "the order is paid")

// errUnderWay is the [*Error] of an order of which a payment may come at any time.
var errUnderWay = conflict("under_way", "a payment of the order is under way: wait for it")

// errClosed is the [*Error] of an order that nothing more is to be paid of.
var errClosed = &Error{Status: http.StatusGone, Code: string(settle.Closed), Text: "the order is closed"}

// paidError is errPaid with the payments that count for the order.
type paidError struct{ payments []ledger.OrderPayment }

func (e *paidError) Error() string { return errPaid.Error() }
func (e *paidError) Unwrap() error { return errPaid }

// asksMore reports whether an order at the gateway asks for more than the price that
// is wanted, as after the price was lowered to what is paid already.
func asksMore(g ledger.GatewayOrder, w wanted) bool {
	price, err := decimal.NewFromString(g.Terms.Price)
	return err != nil || price.GreaterThan(w.terms.Amount)
}

// repriced saves a lowered price by which an order is paid, and replays the event of
// a payment that counts, so that the app is told to fulfil the order. Where such an
// event is being delivered, or is yet to be, nothing is replayed: its attempt finds
// the new price. Where the price was saved before, and the replay was cut off, it is
// made up for.
func (s *Sessions) repriced(ctx context.Context, order ledger.Order, w wanted, payments []ledger.OrderPayment, l *ledger.Ledger) error {
	cause := "the price is " + w.terms.Price + " " + w.terms.Symbol + " now, which is paid"
	isSaved := confirm.SamePrice(order.Checkout.Terms, w.terms.Terms)
	if !isSaved {
		checkout := *order.Checkout
		checkout.Terms, checkout.Symbol = w.terms.Terms, w.terms.Symbol
		order.Checkout = &checkout
		if err := l.SaveCheckout(ctx, order, cause); err != nil {
			return err
		}
	}
	// Read again: attempts that end from now on find the new price.
	order, err := l.Order(ctx, order.OrderID)
	if err != nil {
		return err
	}
	for _, known := range slices.Backward(order.Events) {
		key := known.Key(order.AppID)
		at := s.account.Member(key.AppID)
		counts := func(p ledger.OrderPayment) bool { return confirm.HasRecord(order.OrderID, p, key.Record) }
		if at == nil || at.Info.Stage(known.Status) != gateway.Success || !slices.ContainsFunc(payments, counts) {
			continue
		}
		e, err := l.Load(ctx, key)
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
		default: // a replay would not deliver it
			continue
		}
		if isSaved && !askedMore(e, w) {
			continue
		}
		if err := s.replay(context.WithoutCancel(ctx), e, cause); err != nil {
			s.logger.Error("the order is paid, and the app could not be told: replay the event",
				zap.String("event_id", e.EventID()), zap.String("order_id", redact.Emails(order.OwnID)), zap.Error(err))
		}
		return nil
	}
	return nil
}

// askedMore reports whether an event was delivered while its order asked for more than the
// price that is wanted: the app was told that a part is paid, and nothing since.
func askedMore(e ledger.Event, w wanted) bool {
	if e.State != ledger.Delivered || e.Confirmation == nil || e.Confirmation.OrderCurrency != w.terms.Symbol {
		return false
	}
	due, err := decimal.NewFromString(e.Confirmation.OrderDue)
	return err == nil && due.GreaterThan(w.terms.Amount.Add(w.terms.Amount.Shift(-6))) // which is equal to gateways
}

// found is what the gateways say of an order's payments now.
type found struct {
	settle.Result
	payments   []ledger.OrderPayment
	unfinished bool
	at         time.Time
}

// isUnderWay reports whether a payment may still come to count, or waits for an operator.
func (f found) isUnderWay() bool { return f.unfinished || f.State == settle.Review }

// ask asks the gateways what is paid of an order. The error is an [*Error].
func (s *Sessions) ask(ctx context.Context, order ledger.Order) (found, error) {
	at := s.now()
	whole, err := confirm.Whole(ctx, s.account, &order)
	title := s.account.Info.Title // or of the account where it went wrong
	var member *confirm.MemberError
	if errors.As(err, &member) {
		title = member.Account.Info.Title
	}
	var held *confirm.HeldError
	switch {
	case errors.As(err, &held):
		return found{}, conflict("contradiction",
			title+"'s order is not the one that was asked for: look at it in "+title+"'s console")
	case err != nil:
		return found{}, explain(title, err)
	}
	f := found{Result: confirm.Settle(whole, settle.Policy{}, s.now()), at: at}
	f.payments = confirm.Judged(s.account, order.OrderID, whole, f.Result)
	f.unfinished = slices.ContainsFunc(whole.Payments, func(p gateway.OrderPayment) bool { return !p.Finished })
	return f, nil
}

// left is what is left to pay of the wanted price.
type left struct {
	amount decimal.Decimal // in the price's unit
	// paidAt are the accounts at which a part is paid, by their ids at the gateway.
	paidAt map[string]bool
	// tried are the orders at gateways that took test coins, by accounts and their Refs.
	tried map[ledger.OrderID]bool
}

// isPaidOnlyAt reports whether all that is paid was paid at one account: its page then asks
// for what is left.
func (l left) isPaidOnlyAt(appID string) bool { return len(l.paidAt) == 1 && l.paidAt[appID] }

// rest asks the gateways how much of the order is paid, and returns what is left to pay.
// The error is a [*paidError] where nothing is, and else an [*Error].
func (s *Sessions) rest(ctx context.Context, order ledger.Order, w wanted) (left, error) {
	asked := *order.Checkout
	asked.Terms, asked.Symbol = w.terms.Terms, w.terms.Symbol
	order.Checkout = &asked
	found, err := s.ask(ctx, order)
	if err != nil {
		return left{}, err
	}
	result, judged := found.Result, found.payments
	counting := slices.DeleteFunc(slices.Clone(judged), func(p ledger.OrderPayment) bool {
		return p.Verdict != string(settle.Counts)
	})
	switch {
	case result.State.Fulfils():
		return left{}, &paidError{counting}
	case slices.Contains(slices.Collect(maps.Values(result.Verdicts)), settle.OtherUnit):
		return left{}, conflict("partly_paid", "the order is partly paid in another currency")
	case found.isUnderWay():
		return left{}, errUnderWay
	}
	still := left{w.terms.Amount.Sub(result.Paid).RoundUp(w.terms.Decimals), make(map[string]bool), make(map[ledger.OrderID]bool)}
	for _, p := range counting {
		still.paidAt[order.AppOf(p.AppID)] = true
	}
	for _, p := range judged {
		if p.Verdict == string(settle.TestCoin) {
			still.tried[ledger.OrderID{AppID: order.AppOf(p.AppID), ID: gateway.RecordOf(p.RecordID)}] = true
		}
	}
	return still, nil
}
