package settle_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

func amount(text string) decimal.Decimal { return decimal.RequireFromString(text) }

var (
	expiry = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	before = expiry.Add(-time.Hour)
	after  = expiry.Add(time.Hour)
)

// paid is a payment that succeeded in time and is clean.
func paid(id, text string, changes ...func(*settle.Payment)) settle.Payment {
	p := settle.Payment{RecordID: id, CoinID: "1280", Amount: amount(text), ArrivedAt: before, Finished: true, Clean: true}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func risky(p *settle.Payment)      { p.Clean = false }
func failed(p *settle.Payment)     { p.Failed = true }
func unfinished(p *settle.Payment) { p.Finished = false }
func wrongCoin(p *settle.Payment)  { p.CoinID = "1482" }
func late(p *settle.Payment)       { p.ArrivedAt = after }
func released(p *settle.Payment)   { p.Released = true }

func rate(text string) func(*settle.Payment) {
	return func(p *settle.Payment) { p.Rate = amount(text) }
}

func TestSettle(t *testing.T) {
	invoice := settle.Order{Due: amount("49.90"), ExpiresAt: expiry}
	coins := settle.Order{Due: amount("10"), CoinID: "1280", ExpiresAt: expiry}
	fiat := settle.Order{Due: amount("10"), CoinID: "1280", Rate: amount("2"), ExpiresAt: expiry}
	hold := settle.Policy{HoldLate: true}
	for name, c := range map[string]struct {
		order    settle.Order
		payments []settle.Payment
		policy   settle.Policy
		now      time.Time
		state    settle.State
		paid     string
	}{
		"nothing":                    {order: invoice, state: settle.Unpaid, paid: "0"},
		"nothing, after expiry":      {order: invoice, now: after, state: settle.Expired, paid: "0"},
		"exact":                      {order: invoice, payments: []settle.Payment{paid("1", "49.90")}, state: settle.Paid, paid: "49.9"},
		"any coin of an invoice":     {order: invoice, payments: []settle.Payment{paid("1", "49.90", wrongCoin)}, state: settle.Paid, paid: "49.9"},
		"split":                      {order: invoice, payments: []settle.Payment{paid("1", "20"), paid("2", "29.9")}, state: settle.Paid, paid: "49.9"},
		"under":                      {order: invoice, payments: []settle.Payment{paid("1", "49.89")}, state: settle.Partial, paid: "49.89"},
		"over":                       {order: invoice, payments: []settle.Payment{paid("1", "49.91")}, state: settle.Overpaid, paid: "49.91"},
		"one record twice":           {order: invoice, payments: []settle.Payment{paid("1", "30"), paid("1", "30")}, state: settle.Partial, paid: "30"},
		"noise below":                {order: invoice, payments: []settle.Payment{paid("1", "49.899999999999992")}, state: settle.Paid, paid: "49.899999999999992"},
		"noise above":                {order: invoice, payments: []settle.Payment{paid("1", "49.900000000000008")}, state: settle.Paid, paid: "49.900000000000008"},
		"just within the tolerance":  {order: invoice, payments: []settle.Payment{paid("1", "49.8999501")}, state: settle.Paid, paid: "49.8999501"},
		"just beyond the tolerance":  {order: invoice, payments: []settle.Payment{paid("1", "49.89995")}, state: settle.Partial, paid: "49.89995"},
		"at the tolerance above":     {order: coins, payments: []settle.Payment{paid("1", "10.00001")}, state: settle.Paid, paid: "10.00001"},
		"beyond it":                  {order: coins, payments: []settle.Payment{paid("1", "10.000010000001")}, state: settle.Overpaid, paid: "10.000010000001"},
		"10.002 at 0.9998":           {order: settle.Order{Due: amount("10")}, payments: []settle.Payment{paid("1", "9.9999996")}, state: settle.Paid, paid: "9.9999996"},
		"risky":                      {order: invoice, payments: []settle.Payment{paid("1", "49.90", risky)}, state: settle.Review, paid: "0"},
		"risky and enough besides":   {order: invoice, payments: []settle.Payment{paid("1", "49.90", risky), paid("2", "49.90")}, state: settle.Paid, paid: "49.9"},
		"risky and a part besides":   {order: invoice, payments: []settle.Payment{paid("1", "49.90", risky), paid("2", "10")}, state: settle.Review, paid: "10"},
		"failed":                     {order: invoice, payments: []settle.Payment{paid("1", "49.90", failed)}, state: settle.Unpaid, paid: "0"},
		"under way":                  {order: invoice, payments: []settle.Payment{paid("1", "49.90", unfinished)}, now: after, state: settle.Processing, paid: "0"},
		"a part, the rest under way": {order: invoice, payments: []settle.Payment{paid("1", "20"), paid("2", "29.9", unfinished)}, state: settle.Partial, paid: "20"},
		"late":                       {order: invoice, payments: []settle.Payment{paid("1", "49.90", late)}, now: after, state: settle.Paid, paid: "49.9"},
		"late and held":              {order: invoice, payments: []settle.Payment{paid("1", "49.90", late)}, policy: hold, state: settle.Review, paid: "0"},
		"late, held and released":    {order: invoice, payments: []settle.Payment{paid("1", "49.90", late, released)}, policy: hold, state: settle.Paid, paid: "49.9"},
		"wrong coin":                 {order: coins, payments: []settle.Payment{paid("1", "10", wrongCoin)}, state: settle.Unpaid, paid: "0"},
		"coin, at any rate":          {order: coins, payments: []settle.Payment{paid("1", "10", rate("3"))}, state: settle.Paid, paid: "10"},
		"fiat, at the locked rate":   {order: fiat, payments: []settle.Payment{paid("1", "10", rate("2"))}, state: settle.Paid, paid: "10"},
		"fiat, late and worth less":  {order: fiat, payments: []settle.Payment{paid("1", "10", late, rate("1.5"))}, state: settle.Partial, paid: "7.5"},
		"fiat, late and worth more":  {order: fiat, payments: []settle.Payment{paid("1", "10", late, rate("3"))}, state: settle.Overpaid, paid: "15"},
		"fiat, late without a rate":  {order: fiat, payments: []settle.Payment{paid("1", "10", late)}, state: settle.Review, paid: "0"},
		"fiat, in time without one":  {order: fiat, payments: []settle.Payment{paid("1", "10")}, state: settle.Paid, paid: "10"},
		"a negative rate":            {order: fiat, payments: []settle.Payment{paid("1", "10", rate("-2"))}, state: settle.Review, paid: "0"},
		"a part may be missing":      {order: invoice, payments: []settle.Payment{paid("1", "49.41")}, policy: settle.Policy{AcceptUnderpaid: amount("0.01")}, state: settle.Paid, paid: "49.41"},
		"but not more than that":     {order: invoice, payments: []settle.Payment{paid("1", "49.40")}, policy: settle.Policy{AcceptUnderpaid: amount("0.01")}, state: settle.Partial, paid: "49.4"},
		"a share that is none":       {order: invoice, payments: []settle.Payment{paid("1", "1")}, policy: settle.Policy{AcceptUnderpaid: amount("1")}, state: settle.Partial, paid: "1"},
		"nothing due":                {order: settle.Order{}, payments: []settle.Payment{paid("1", "1")}, state: settle.Unknown, paid: "0"},
		"less than nothing due":      {order: settle.Order{Due: amount("-1")}, payments: []settle.Payment{paid("1", "1")}, state: settle.Unknown, paid: "0"},
		"an absurd amount":           {order: invoice, payments: []settle.Payment{{RecordID: "1", Amount: decimal.New(1, 20_000_000), Finished: true, Clean: true}}, state: settle.Review, paid: "0"},
		"an absurd due":              {order: settle.Order{Due: decimal.New(1, 20_000_000)}, payments: []settle.Payment{paid("1", "1")}, state: settle.Unknown, paid: "0"},
		"an absurd rate":             {order: fiat, payments: []settle.Payment{{RecordID: "1", CoinID: "1280", Amount: amount("1"), Rate: decimal.New(1, 20_000_000), Finished: true, Clean: true}}, state: settle.Review, paid: "0"},
	} {
		now := c.now
		if now.IsZero() {
			now = before
		}
		got := settle.Settle(c.order, c.payments, c.policy, now)
		if got.State != c.state || !got.Paid.Equal(amount(c.paid)) {
			t.Errorf("%s: %s with %s paid, want %s with %s", name, got.State, got.Paid, c.state, c.paid)
		}
	}
}

// TestWaitsForAPerson: what cannot be weighed counts once somebody releases it,
// but for amounts in another unit.
func TestWaitsForAPerson(t *testing.T) {
	order := settle.Order{Due: decimal.New(10, 0)}
	for _, test := range []struct {
		name    string
		payment settle.Payment
		state   settle.State
		verdict settle.Verdict
	}{
		{"unpriced", settle.Payment{Unpriced: true}, settle.Review, settle.Late},
		{"unpriced, released", settle.Payment{Unpriced: true, Released: true}, settle.Paid, settle.Counts},
		{"another unit", settle.Payment{OtherUnit: true}, settle.Review, settle.OtherUnit},
		{"another unit, released", settle.Payment{OtherUnit: true, Released: true}, settle.Review, settle.OtherUnit},
		{"worthless", settle.Payment{Worthless: true, Released: true}, settle.Unpaid, settle.TestCoin},
		{"on its way back", settle.Payment{Returned: true}, settle.Processing, settle.Returned},
		{"sent back", settle.Payment{Returned: true, Failed: true}, settle.Unpaid, settle.Returned},
	} {
		p := test.payment
		p.RecordID, p.Amount, p.Finished, p.Clean = "1", decimal.New(10, 0), true, true
		got := settle.Settle(order, []settle.Payment{p}, settle.Policy{}, time.Now())
		if got.State != test.state || got.Verdicts["1"] != test.verdict {
			t.Errorf("%s: %s, %s, want %s, %s", test.name, got.State, got.Verdicts["1"], test.state, test.verdict)
		}
	}
}

// TestRefunds: where the gateway sends too little back by itself, the order is not partly
// paid, and too much is too much all the same.
func TestRefunds(t *testing.T) {
	for paid, want := range map[int64]settle.State{9: settle.Processing, 10: settle.Paid, 11: settle.Overpaid} {
		p := settle.Payment{RecordID: "1", Amount: decimal.New(paid, 0), Finished: true, Clean: true}
		got := settle.Settle(settle.Order{Due: decimal.New(10, 0), Refunds: true}, []settle.Payment{p}, settle.Policy{}, time.Now())
		if got.State != want {
			t.Errorf("%d of 10 paid: %s, want %s", paid, got.State, want)
		}
	}
}
