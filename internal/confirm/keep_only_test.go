package confirm

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// TestKeepOnly: what a gateway sends back as too much pays nothing of a price that was raised
// meanwhile, in one payment or in several.
func TestKeepOnly(t *testing.T) {
	for name, test := range map[string]struct {
		amounts []int64 // in the order in which they came; below 0: it is under way
		paid    int64
	}{
		"exact": {[]int64{50}, 50}, "one of too much": {[]int64{100}, 50}, "two": {[]int64{50, 50}, 50}, "some of the second": {[]int64{20, 80}, 50},
		"too little": {[]int64{20}, 20}, "one under way": {[]int64{-100, 50}, 50},
	} {
		var list []gateway.OrderPayment
		for i, amount := range test.amounts {
			list = append(list, gateway.OrderPayment{Payment: settle.Payment{
				RecordID: string(rune('a' + i)), Amount: decimal.NewFromInt(max(amount, -amount)), Finished: amount > 0, Clean: true,
			}})
		}
		keepOnly(list, decimal.NewFromInt(50))
		r := Settle(gateway.Order{Due: settle.Order{Due: decimal.NewFromInt(100), Refunds: true}, Payments: list}, settle.Policy{}, time.Now())
		if !r.Paid.Equal(decimal.NewFromInt(test.paid)) || r.State.Fulfils() {
			t.Errorf("%s: %s of 100 are paid, and it is %s", name, r.Paid, r.State)
		}
		for id, verdict := range r.Verdicts {
			if verdict == settle.Invalid {
				t.Errorf("%s: payment %s makes no sense", name, id)
			}
		}
	}

	same := settle.Payment{RecordID: "a", Amount: decimal.NewFromInt(20), Finished: true, Clean: true}
	other := settle.Payment{RecordID: "b", Amount: decimal.NewFromInt(30), Finished: true, Clean: true}
	list := []gateway.OrderPayment{{Payment: same}, {Payment: same}, {Payment: other}}
	keepOnly(list, decimal.NewFromInt(50))
	r := Settle(gateway.Order{Due: settle.Order{Due: decimal.NewFromInt(100), Refunds: true}, Payments: list}, settle.Policy{}, time.Now())
	if !r.Paid.Equal(decimal.NewFromInt(50)) {
		t.Errorf("of one that is listed twice, and another: %s are paid", r.Paid)
	}
}
