package coinpayments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// payingTime is how long a buyer pays at the address and the rate of a payment.
	payingTime = time.Hour
	// cancelAsked is how often an invoice is read again until it is cancelled, and
	// cancelPause the time between.
	cancelAsked = 5
	cancelPause = 500 * time.Millisecond
)

// Cancel implements [gateway.Canceler]. A payment wins over it.
func (v *V2) Cancel(ctx context.Context, made ledger.GatewayOrder) error {
	var refused error
	for asked := 0; ; asked++ {
		i, err := v.invoices.Get(ctx, made.Ref)
		switch {
		case err != nil:
			return explain(err)
		case i.Status.Is(coinpayments.InvoiceCancelled), i.Status.Is(coinpayments.InvoiceTimedOut), i.Status.Is(coinpayments.InvoiceDeleted):
			return nil
		case v.isPaying(i):
			return fmt.Errorf("%w: invoice %s", gateway.ErrPaying, made.Ref)
		case refused != nil: // and it is not paid
			return explain(refused)
		case asked >= cancelAsked:
			return fmt.Errorf("invoice %s is %s after it was cancelled", made.Ref, i.Status)
		case asked == 0:
			// A payment that has begun meanwhile is a reason to refuse it.
			if err := v.Client().CancelInvoice(ctx, made.Ref); !errors.Is(err, coinpayments.ErrOutcomeUnknown) {
				refused = err
			}
			continue
		}
		select {
		case <-time.After(cancelPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// isPaying reports whether an invoice is paid, or may be paid in a moment: a payment of it
// was begun within the time that a buyer has for one, or has arrived.
func (v *V2) isPaying(i coinpayments.Invoice) bool {
	if i.Status.Paid() || i.Status.Is(coinpayments.InvoicePending) {
		return true
	}
	for _, p := range i.Payments {
		switch {
		case p.State.Paid(), p.State.Is(coinpayments.PaymentDetected), p.State.Is(coinpayments.PaymentPending):
			return true
		case !p.State.Is(coinpayments.PaymentCreated):
		case p.CreatedAt.IsZero() && p.IsActive, v.options.Now().Sub(p.CreatedAt) < payingTime:
			return true
		}
	}
	return false
}
