package confirm

import (
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestAgree: ids are equal where both sides have one. A deposit of which the webhook does not
// say whose it is, and the record does, would be credited to nobody.
func TestAgree(t *testing.T) {
	for name, test := range map[string]struct {
		by      gateway.Booking
		webhook ledger.Event
		record  gateway.Record
		agrees  bool
	}{
		"the same reference":            {gateway.ByReference, ledger.Event{ReferenceID: "u1"}, gateway.Record{ReferenceID: "u1"}, true},
		"another reference":             {gateway.ByReference, ledger.Event{ReferenceID: "u1"}, gateway.Record{ReferenceID: "u2"}, false},
		"a reference in the webhook":    {gateway.ByReference, ledger.Event{ReferenceID: "u1"}, gateway.Record{}, true},
		"a reference in the record":     {gateway.ByReference, ledger.Event{}, gateway.Record{ReferenceID: "u1"}, false},
		"a reference, and an order's":   {gateway.ByReference, ledger.Event{ReferenceID: "u1"}, gateway.Record{ReferenceID: "u1", OrderID: "o1"}, false},
		"the same user":                 {gateway.ByUser, ledger.Event{UserID: "u1"}, gateway.Record{UserID: "u1"}, true},
		"another user":                  {gateway.ByUser, ledger.Event{UserID: "u1"}, gateway.Record{UserID: "u2"}, false},
		"a user in the webhook":         {gateway.ByUser, ledger.Event{UserID: "u1"}, gateway.Record{}, true},
		"a user in the record":          {gateway.ByUser, ledger.Event{}, gateway.Record{UserID: "u1"}, false},
		"a user, and an order's":        {gateway.ByUser, ledger.Event{UserID: "u1"}, gateway.Record{OrderID: "o1"}, false},
		"a user, and a reference's":     {gateway.ByUser, ledger.Event{UserID: "u1"}, gateway.Record{ReferenceID: "u1"}, false},
		"an order, and a reference's":   {gateway.ByOrder, ledger.Event{GatewayOrderID: "o1"}, gateway.Record{ReferenceID: "u1"}, false},
		"another order":                 {gateway.ByOrder, ledger.Event{GatewayOrderID: "o1"}, gateway.Record{OrderID: "o2"}, false},
		"an order that is not recorded": {gateway.ByOrder, ledger.Event{GatewayOrderID: "o1"}, gateway.Record{}, true},
	} {
		if err := agree(gateway.Type{BookedBy: test.by}, gateway.Notice{}, test.webhook, test.record); (err == nil) != test.agrees {
			t.Errorf("%s: %v", name, err)
		}
	}
}
