package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// mostResent is how many records a gateway is asked to send the webhooks of at once
// (CCPayment's API reference, Resend Webhook).
const mostResent = 50

// resent is of how much time a gateway sends webhooks again at once (the same section).
const resent = time.Hour

// resend asks the gateway for the webhooks of the records that are to come on a route which
// hands on each webhook's own request.
func (k *look) resend(ctx context.Context) error {
	records := k.again
	k.again = nil
	slices.SortStableFunc(records, func(a, b ledger.LookRecord) int { return a.MadeAt.Compare(b.MadeAt) })
	for len(records) > 0 {
		first, ids := records[0], []string(nil)
		from, to := first.MadeAt.Add(-resent/10), first.MadeAt.Add(resent*9/10)
		records = slices.DeleteFunc(records, func(r ledger.LookRecord) bool {
			isOne := len(ids) < mostResent && r.MadeAt.Before(to)
			if isOne {
				ids = append(ids, r.ID)
			}
			return isOne
		})
		if err := k.turn(ctx); err != nil {
			return err
		}
		_, err := k.account.Gateway.(gateway.Resender).Resend(ctx, gateway.ResendRequest{From: from, To: to, RecordIDs: ids})
		if err != nil && !errors.Is(err, gateway.ErrNotFound) {
			return fmt.Errorf("asking %s for webhooks once more: %w", k.account.Info.Title, err)
		}
	}
	return nil
}
