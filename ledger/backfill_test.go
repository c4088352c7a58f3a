package ledger_test

import (
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// backfilled is an event as the gateway's records tell of it, and asItCame as its webhook does,
// which says nothing of a risk.
func backfilled() ledger.Event {
	e := event("Success")
	e.NextReason = ledger.Backfill
	return e
}

func asItCame() ledger.Event {
	e := event("Success")
	e.Risk = ledger.RiskUnknown
	return e
}

// TestWebhookAfterABackfill: a webhook is a copy of a backfilled event that the app was told of,
// or will be; one that waits for people or was given up keeps no webhook from the app.
func TestWebhookAfterABackfill(t *testing.T) {
	for state, want := range map[ledger.State]ledger.Verdict{
		ledger.Delivered: ledger.Overtaken, ledger.Retrying: ledger.Overtaken,
		ledger.Held: ledger.Deliver, ledger.Dead: ledger.Deliver, ledger.Ignored: ledger.Deliver,
	} {
		t.Run(state.String(), func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.accept(backfilled(), ledger.Accepted)
				b.put(backfilled(), ledger.Delivering, state)
				if attempt := b.want(asItCame(), want); attempt != nil {
					if err := succeed(bg, attempt); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}
