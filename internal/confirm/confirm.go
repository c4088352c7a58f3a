// Package confirm confirms events: it reads the gateway's own records, compares them
// with the webhook, settles the order, and decides which event carries the flag that
// tells the app to fulfil it.
package confirm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Policy is the options of a route about confirmed payments.
type Policy struct {
	// HoldRisky: payments that are not known to be clean are held.
	HoldRisky bool
	// NoFlags: events are confirmed, and never carry a flag that tells the app to
	// fulfil, credit or book anything.
	NoFlags bool
	settle.Policy
}

// Confirmer confirms the events of one route. It is safe for concurrent use.
type Confirmer struct {
	Policy Policy
	// Routes returns the routes that are configured here, and of each whether it
	// confirms its events: only then may it tell the app to fulfil an order. Those that
	// others serve who share the ledger count, too.
	Routes func() map[string]bool
	Now    func() time.Time
}

// HeldError is why an event is held for an operator. Its first word is one of HeldKinds.
type HeldError struct{ Cause string }

func (e *HeldError) Error() string { return e.Cause }

// Kind is the first word of the cause.
func (e *HeldError) Kind() string {
	kind, _, _ := strings.Cut(e.Cause, ":")
	return kind
}

// HeldKinds are all that [HeldError.Kind] returns.
var HeldKinds = []string{"risky", "mismatch", "late", "closed"}

func mismatch(format string, args ...any) error {
	return &HeldError{"mismatch: " + fmt.Sprintf(format, args...)}
}

// ErrBehind: the gateway's records do not agree with the webhook yet, and may later.
var ErrBehind = errors.New("records are behind")

func behind(info gateway.Info, format string, args ...any) error {
	return fmt.Errorf("%s's %w: "+format, append([]any{info.Title, ErrBehind}, args...)...)
}

// Confirm reads the account's gateway's records of an event. A [HeldError] means that
// an operator must look: the records contradict the webhook, or the policy holds the
// payment; the finding then has what is known of the order. Any other error means
// that nothing is known for sure yet, and the event is to be retried, unless it wraps
// [ErrPointless].
func (c *Confirmer) Confirm(ctx context.Context, a *gateway.Account, n gateway.Notice, e ledger.Event, l *ledger.Ledger) (*Finding, error) {
	t, _ := a.Info.Type(e.Type)
	f := &Finding{AskedAt: c.Now(), Risk: e.Risk, account: a, event: e, kind: t.Kind}
	known, err := knownOrder(ctx, e, l)
	if err != nil {
		return f, err
	}
	if known != nil && known.Checkout != nil {
		f.terms = &known.Checkout.Terms
	}
	if f.closed, err = isClosedTo(ctx, e, known, l); err == nil && f.closed {
		f.mayReopen, err = l.MayReopen(ctx, *known)
	}
	if err != nil {
		return f, err
	}
	if e.Type == gateway.OrderExpired {
		return f, c.expired(ctx, a, f, known, l)
	}
	if !a.Info.Confirms(e.Type) {
		return f, nil // there is nothing to ask
	}
	if !e.HasID() {
		return f, mismatch("the webhook names no record")
	}
	record, err := a.Gateway.Record(ctx, n)
	if err != nil {
		return f, explain(a.Info, "record", err)
	}
	if record.Order != nil && madeAs(a, known, record.Order.Ref) != nil {
		record.OrderID = e.GatewayOrderID // the ledger knows which order the record is, whatever it says itself
	}
	if err := agree(t, n, e, record); err != nil {
		return f, err
	}
	if stage := a.Info.Stage(record.Status); t.FailsSilently && stage.Final() && stage != gateway.Success {
		f.Status = record.Status
	} else if err := agreeStatus(a.Info, e.Status, record.Status); err != nil {
		return f, err
	}
	f.Asked, f.Record = true, record
	if t.Kind == gateway.Payout {
		f.payout(a.Info.Stage(cmp.Or(f.Status, e.Status)))
	} else if err := c.money(ctx, a, f, known, l); err != nil {
		return f, err
	}
	// An event that an operator released although it is risky goes to the app, and fulfils
	// nothing, and so does one that was accepted as late.
	if c.Policy.NoFlags || e.RiskAccepted && (f.Risk != ledger.NotRisky || f.doubted || e.AcceptedAs() == ledger.Late) {
		f.flag, f.earned = nil, false
	}
	f.mayFulfil = f.flag != nil && f.flag.Name == ledger.Fulfill
	return f, nil
}

// knownOrder returns what the ledger has of the event's order; nil: nothing.
func knownOrder(ctx context.Context, e ledger.Event, l *ledger.Ledger) (*ledger.Order, error) {
	if e.GatewayOrderID == "" {
		return nil, nil
	}
	order, err := l.Order(ctx, e.InOrder())
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &order, nil
}

// money judges a confirmed payment or deposit.
func (c *Confirmer) money(ctx context.Context, a *gateway.Account, f *Finding, known *ledger.Order, l *ledger.Ledger) error {
	e := f.event
	f.Risk = joinRisks(e.Risk, f.Record.Risk)
	if e.Released && f.Record.Risk == ledger.NotRisky {
		f.Risk = ledger.NotRisky // the gateway has cleared it since the webhook
	}
	isOrder := f.kind == gateway.Payment
	if c.Policy.HoldRisky && !e.RiskAccepted && f.Risk != ledger.NotRisky {
		// The order is settled all the same, if it can be read now: a buyer whose
		// payment is held must not be asked to pay again.
		if isOrder {
			settled := *f
			_ = c.settle(ctx, a, &settled, known, l)
			f.Order = settled.Order
		}
		return &HeldError{"risky: " + a.Info.Title + " flags the payment, or does not say that it is clean"}
	}
	success := a.Info.Stage(e.Status) == gateway.Success
	if success && f.Record.Order == nil && !f.Record.Amount.IsPositive() {
		return behind(a.Info, "the record is %s and has no amount", e.Status)
	}
	if isOrder {
		return c.settle(ctx, a, f, known, l)
	}
	if success {
		return f.deposit(a)
	}
	return nil
}

// deposit judges a confirmed deposit. What only moved between the merchant's own wallets
// is nobody's credit.
func (f *Finding) deposit(a *gateway.Account) error {
	e := f.event
	f.doubted = f.Record.Doubt != ""
	switch {
	case f.doubted && !e.RiskAccepted:
		return mismatch("%s", f.Record.Doubt)
	case f.Record.Own:
		return nil
	}
	isWorthless := f.Record.TestCoin && !a.Testing
	if isWorthless {
		f.reason = string(settle.TestCoin)
	}
	flag := ledger.CreditOf(e.Record)
	f.flag, f.flagValue, f.earned = &flag, "true", f.Risk == ledger.NotRisky && !isWorthless
	return nil
}

// payout judges a confirmed payout.
func (f *Finding) payout(stage gateway.Stage) {
	f.Risk = ledger.NotRisky
	if !stage.Final() || f.Record.Own {
		return
	}
	flag := ledger.PayoutOf(f.event.Record)
	f.flag, f.flagValue, f.earned = &flag, "failed", true
	if stage == gateway.Success {
		f.flagValue = "sent"
	}
}
