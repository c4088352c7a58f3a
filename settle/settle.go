// Package settle adds up the payments of an order and decides whether it is paid: in
// decimals, without a clock, a network or a ledger. Every input has a result.
package settle

import (
	"time"

	"github.com/shopspring/decimal"
)

// State is where an order stands.
type State string

// The states of an order. Unknown is none of them: the order that was read cannot be
// settled, and is to be read again.
const (
	Unknown    State = ""
	Unpaid     State = "unpaid"
	Processing State = "processing" // only unfinished payments, or too little that the gateway sends back
	Partial    State = "partial"
	Paid       State = "paid"
	Overpaid   State = "overpaid"
	Review     State = "review" // held payments, and not paid without them
	Expired    State = "expired"
	// Closed is that of an order that was closed and is not fulfilled, whatever its payments
	// come to: Settle does not know of it.
	Closed State = "closed"
)

// States are those that an order can be in.
var States = []State{Unpaid, Processing, Partial, Paid, Overpaid, Review, Expired, Closed}

// Fulfils reports whether an order in this state is to be fulfilled.
func (s State) Fulfils() bool { return s == Paid || s == Overpaid }

// Verdict is whether one payment counts towards its order, or why not.
type Verdict string

// The verdicts on a payment. Only Counts adds to what was paid.
const (
	Counts     Verdict = "counts"
	Unfinished Verdict = "unfinished"
	Failed     Verdict = "failed"
	Risky      Verdict = "risky"      // flagged, or not known to be clean
	WrongCoin  Verdict = "wrong_coin" // not the coin that the order asks for
	Late       Verdict = "late"       // after expiry, and held by the policy or for want of a rate
	Invalid    Verdict = "senseless"  // its amount or rate is not a positive number within bounds
	OtherUnit  Verdict = "other_unit" // for an earlier price in another currency
	TestCoin   Verdict = "test_coin"  // a coin that is worth nothing, where those do not count
	Returned   Verdict = "returned"   // sent back to the buyer by the gateway
)

// holds reports whether an operator must look at the payment.
func (v Verdict) holds() bool { return v == Risky || v == Late || v == Invalid || v == OtherUnit }

// Order is an order that is to be paid.
type Order struct {
	// Due is in the order's own unit: the price of an invoice, the coin amount
	// of a deposit order.
	Due decimal.Decimal
	// CoinID is the coin of a deposit order; empty where any coin will do.
	CoinID string
	// Rate is fiat per coin, of a deposit order with a price in fiat; else 0.
	Rate decimal.Decimal
	// ExpiresAt is when a payment becomes late; zero: never.
	ExpiresAt time.Time
	// Slack is how much more than Due is not over: what asking for a rest in
	// whole cents adds.
	Slack decimal.Decimal
	// Refunds: the gateway sends back by itself what is too little in the end, and what
	// is too much. The order is never [Partial].
	Refunds bool
}

// Payment is one payment of the order, as the gateway's records have it.
type Payment struct {
	RecordID string
	CoinID   string
	// Amount is in the order's own unit: paidValue of an invoice, the coin
	// amount of a deposit order.
	Amount decimal.Decimal
	// Rate is fiat per coin when a deposit order's payment was received.
	Rate      decimal.Decimal
	ArrivedAt time.Time
	// ExpiresAt is when it became late, where that is not the order's time.
	ExpiresAt time.Time
	// Finished and Failed are its status; neither is still under way.
	Finished, Failed bool
	// Clean: the gateway says that the payment is not risky. Unknown is not clean.
	Clean bool
	// Released: an operator lets it count although it is late.
	Released bool
	// Unpriced: the payment came late, and its worth at that time is not known.
	Unpriced bool
	// OtherUnit: the amount is in another unit than the order's.
	OtherUnit bool
	// Returned: the gateway sends the money back by itself; Failed once it has.
	Returned bool
	// Worthless: the coin is a test coin, and those do not count.
	Worthless bool
}

// Policy is what the operator has configured.
type Policy struct {
	// AcceptUnderpaid is the share of the due that may be missing: 0.01 is 1 %.
	AcceptUnderpaid decimal.Decimal
	// HoldLate keeps payments after expiry from counting.
	HoldLate bool
}

// Result is an order's state, with the sum of its payments and the verdict on each.
type Result struct {
	State State
	Due   decimal.Decimal
	Paid  decimal.Decimal // of the payments that count, in the order's unit
	// Late: a payment that counts came after expiry.
	Late bool
	// Verdicts are by record id.
	Verdicts map[string]Verdict
}

// tolerance is the share of the due that is neither short nor over: the numbers of
// gateways carry binary noise.
var tolerance = decimal.New(1, -6)

// Settle adds up the payments of an order. A record that is among them twice counts
// once, as it comes first.
func Settle(order Order, payments []Payment, policy Policy, now time.Time) Result {
	r := Result{Due: order.Due, Verdicts: make(map[string]Verdict, len(payments))}
	if !sensible(order.Due) || order.Rate.IsNegative() || !order.Rate.IsZero() && !sensible(order.Rate) {
		return r
	}
	held, unfinished := false, false
	for _, p := range payments {
		if _, known := r.Verdicts[p.RecordID]; known {
			continue
		}
		verdict, worth := order.judge(p, policy)
		r.Verdicts[p.RecordID] = verdict
		held = held || verdict.holds()
		unfinished = unfinished || verdict == Unfinished || verdict == Returned && !p.Failed
		if verdict == Counts {
			r.Paid = r.Paid.Add(worth)
			r.Late = r.Late || order.isLate(p)
		}
	}
	r.State = state(order, r.Paid, policy, held, unfinished, now)
	return r
}

func state(order Order, paid decimal.Decimal, policy Policy, held, unfinished bool, now time.Time) State {
	noise := order.Due.Mul(tolerance)
	enough := order.Due.Sub(order.Due.Mul(share(policy.AcceptUnderpaid))).Sub(noise)
	switch {
	case paid.GreaterThan(order.Due.Add(noise).Add(order.Slack)):
		return Overpaid
	case paid.IsPositive() && paid.GreaterThanOrEqual(enough):
		return Paid
	case held:
		return Review
	case paid.IsPositive() && !order.Refunds:
		return Partial
	case paid.IsPositive(), unfinished:
		return Processing
	case !order.ExpiresAt.IsZero() && now.After(order.ExpiresAt):
		return Expired
	default:
		return Unpaid
	}
}
