package confirm

import (
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// TestExpiryStatus: an order of which everything is sent back has expired unpaid, whether the
// buyer claims it or not; one with money that counts, or on its way, has not.
func TestExpiryStatus(t *testing.T) {
	one := decimal.New(1, 0)
	for name, test := range map[string]struct {
		result     settle.Result
		isUnderWay bool
		want       string
	}{
		"nothing paid":         {settle.Result{State: settle.Unpaid}, false, ExpiredUnpaid},
		"being sent back":      {settle.Result{State: settle.Processing}, false, ExpiredUnpaid},
		"on its way":           {settle.Result{State: settle.Processing}, true, ""},
		"a part that is kept":  {settle.Result{State: settle.Processing, Paid: one}, false, ""},
		"a part":               {settle.Result{State: settle.Partial, Paid: one}, false, ExpiredPartial},
		"waits for a decision": {settle.Result{State: settle.Review}, false, ""},
		"paid":                 {settle.Result{State: settle.Paid, Paid: one}, false, ""},
	} {
		if got := ExpiryStatus(test.result, test.isUnderWay); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
