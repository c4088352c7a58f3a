package operator

import (
	"context"
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Close closes an order of an account, or of its group, and returns it as it is then; see
// [checkout.Sessions.Close]. The error wraps a [*checkout.Error].
func (o *Operator) Close(ctx context.Context, order ledger.Order, account, reason string, force bool) (ledger.Order, error) {
	at, err := o.Account(account)
	if err != nil {
		return order, err
	}
	sessions, err := o.Checkouts.Of(at)
	if err != nil {
		return order, &ledger.RefusedError{Reason: fmt.Sprintf("the order cannot be closed here: %v", err)}
	}
	return sessions.Close(ctx, checkout.CloseRequest{OrderID: order.OwnID, Reason: reason, Force: force})
}
