package confirm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// settle reads the order of a confirmed payment and settles it.
func (c *Confirmer) settle(ctx context.Context, a *gateway.Account, f *Finding, known *ledger.Order, l *ledger.Ledger) error {
	e, record := f.event, f.Record
	if e.OrderID == "" {
		return mismatch("the webhook names no order")
	}
	var read gateway.Order
	var err error
	if record.Order != nil {
		read, err = ownOrder(a, e.GatewayOrderID, record, known)
	} else {
		read, err = readOrder(ctx, a, e.GatewayOrderID, known)
	}
	if err != nil {
		return err
	}
	if read.LacksRate {
		return behind(a.Info, "the order is priced in fiat and has no rate")
	}
	success := a.Info.Stage(e.Status) == gateway.Success
	wrongCoin := read.Due.CoinID != "" && record.CoinID != "" && record.CoinID != read.Due.CoinID
	if success && !wrongCoin && record.Order == nil {
		if err := lists(a.Info, read, record.ID, e.Status); err != nil {
			return err
		}
	}
	for i, payment := range read.Payments {
		if payment.RecordID != record.ID {
			continue
		}
		read.Payments[i].Clean = f.Risk == ledger.NotRisky && payment.Risk != ledger.Risky
		if payment.ArrivedAt.IsZero() {
			read.Payments[i].ArrivedAt = record.ArrivedAt
		}
	}
	order, unread, err := readOthers(ctx, a, read, e.GatewayOrderID, known)
	if err != nil {
		return err
	}
	if err := askOtherRisks(ctx, a, e.Type, order, record.ID); err != nil {
		return err
	}
	for _, list := range [][]gateway.OrderPayment{read.Payments, order.Payments} { // which may be the same
		for i, payment := range list {
			list[i].Released = isReleased(known, recordOf(payment))
		}
	}
	result := settle.Settle(order.Due, payments(order), c.Policy.Policy, f.AskedAt)
	if result.State == settle.Unknown {
		return behind(a.Info, "the order has no amount due")
	}
	if unread != nil && !c.isPaidHere(order, f.AskedAt) {
		return unread
	}
	if result.State == settle.Expired {
		switch replaced, err := isReplaced(ctx, a, known, f.AskedAt, l); {
		case err != nil:
			return err
		case replaced:
			result.State = settle.Unpaid
		}
	}
	if wrongCoin {
		result.Verdicts[record.ID] = settle.WrongCoin
	}
	f.Order = &Settlement{Result: result, Currency: order.Currency, Payments: Judged(a, e.InOrder(), order, result), Raw: order.Raw}
	if f.closed && success {
		return f.afterClosing()
	}
	if record.Order != nil {
		return c.judgeOrder(a, f, Settle(read, c.Policy.Policy, f.AskedAt), result)
	}
	if !success {
		return nil
	}
	verdict := result.Verdicts[record.ID]
	switch {
	case verdict == settle.Invalid:
		return behind(a.Info, "the order lists the payment without an amount or a rate that makes sense")
	case verdict == settle.Late && e.AcceptedAs() != ledger.Late:
		return errLate
	case verdict != settle.Counts:
		f.reason = string(verdict)
	case !result.State.Fulfils():
		f.reason = string(result.State)
	default:
		f.earned = true
	}
	f.fulfils(a.Info)
	return nil
}

// replacing is how long an event waits for a checkout of its order that is being made.
const replacing = time.Second

// isReplaced reports whether the only order at the gateway that our checkout has made was
// ended before it expired, which it does to make another one. The ledger has that only after
// the gateway: while a checkout of the order is being made, nobody knows yet.
func isReplaced(ctx context.Context, a *gateway.Account, known *ledger.Order, at time.Time, l *ledger.Ledger) (bool, error) {
	if known == nil || known.Checkout == nil || len(known.Checkout.Generations) != 1 {
		return false, nil
	}
	made := known.Checkout.Latest()
	if made.Ref == "" || !made.ExpiresAt.IsZero() && !at.Before(made.ExpiresAt) {
		return false, nil
	}
	if made.Ended {
		return true, nil
	}
	_, unlock, err := l.Lock(ctx, known.CheckoutLock(), replacing, replacing)
	isBusy := errors.Is(err, ledger.ErrLeased)
	switch {
	case err == nil:
		unlock()
	case !isBusy:
		return false, err
	}
	now, err := l.Order(ctx, known.OrderID)
	switch {
	case err != nil:
		return false, err
	case len(now.Checkout.Generations) > 1 || now.Checkout.Latest().Ended:
		return true, nil
	case isBusy:
		return false, behind(a.Info, "the order has ended, and a checkout of it is being made")
	}
	return false, nil
}

// isPaidHere reports whether the payments at the event's own account come to the order's
// price by themselves. Then it does not take those elsewhere, which can only add to them.
func (c *Confirmer) isPaidHere(order gateway.Order, at time.Time) bool {
	order.Payments = slices.DeleteFunc(slices.Clone(order.Payments), func(p gateway.OrderPayment) bool { return p.AccountID != "" })
	return Settle(order, settle.Policy{HoldLate: c.Policy.HoldLate}, at).State.Fulfils()
}

var errLate = &HeldError{ledger.Late + ": the payment came after the order's expiry"}

// fulfils gives the finding the flag of its order, which is earned or not.
func (f *Finding) fulfils(info gateway.Info) {
	flag := f.event.InOrder().Fulfill()
	f.flag, f.flagValue = &flag, "true"
	f.successes = []string{f.event.Key.Status}
	if f.Record.Order == nil {
		return
	}
	for _, name := range successes(info) {
		if name != f.event.Key.Status {
			f.successes = append(f.successes, name)
		}
	}
}

// successes are the statuses of a gateway by which a payment is there, as keys have them.
func successes(info gateway.Info) (names []string) {
	for _, s := range info.Statuses {
		if s.Stage == gateway.Success {
			names = append(names, strings.ToLower(s.Name))
		}
	}
	return names
}

// lists returns an error where the order's list of payments does not have this one with
// the webhook's status yet: a gateway's orders can lag behind its records.
func lists(info gateway.Info, order gateway.Order, recordID, status string) error {
	for _, p := range order.Payments {
		if p.RecordID == recordID {
			if p.Finished && !p.Failed {
				return nil
			}
			return behind(info, "the order lists the payment, and not as %s", status)
		}
	}
	return behind(info, "the order does not list the payment")
}

func payments(o gateway.Order) []settle.Payment {
	list := make([]settle.Payment, len(o.Payments))
	for i, p := range o.Payments {
		list[i] = p.Payment
	}
	return list
}

// Judged returns the payments of the ledger's order with this id, as it was read by an
// account, with their verdicts.
func Judged(a *gateway.Account, id ledger.OrderID, o gateway.Order, r settle.Result) []ledger.OrderPayment {
	list := make([]ledger.OrderPayment, 0, len(o.Payments))
	for _, p := range o.Payments {
		list = append(list, ledger.OrderPayment{
			AppID: id.Apart(cmp.Or(p.AccountID, a.Info.AccountID)), RecordID: recordOf(p),
			Verdict: string(r.Verdicts[p.RecordID]), Amount: p.Amount.String(),
		})
	}
	return list
}

// paymentType is the type of a gateway's webhooks about payments of orders.
func paymentType(info gateway.Info) string {
	for _, t := range info.Types {
		if t.Kind == gateway.Payment && !t.Unconfirmed {
			return t.Name
		}
	}
	return ""
}

// recordsAtOnce is how many records of an order's payments are read at the same time.
const recordsAtOnce = 4

// askOtherRisks reads the records of those of the order's payments, other than the one
// given, whose risk the order's list does not have.
func askOtherRisks(ctx context.Context, a *gateway.Account, typ string, order gateway.Order, recordID string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, recordsAtOnce)
	var all sync.WaitGroup
	for i, payment := range order.Payments {
		if payment.RecordID == recordID || payment.Risk != ledger.RiskUnknown || !payment.Finished || payment.Failed {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			defer func() {
				if p := recover(); p != nil {
					cancel(fmt.Errorf("reading the record of another payment panicked: %v", p))
				}
			}()
			of, typ := a, typ
			if payment.AccountID != "" {
				of = a.Member(payment.AccountID)
				typ = paymentType(of.Info)
			}
			other, err := of.Gateway.Record(ctx, gateway.Notice{Type: typ, RecordID: recordOf(payment)})
			if err != nil {
				cancel(explain(of.Info, "record of another payment", err))
				return
			}
			order.Payments[i].Clean = other.Risk == ledger.NotRisky
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
