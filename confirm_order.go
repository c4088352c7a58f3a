package ccpayment

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// settleOrder reads the order of a confirmed payment and settles it.
func (g *gatewayV2) settleOrder(
	ctx context.Context, e ledger.Event, record client.DepositRecord, c confirmation, p policy, now time.Time,
) (confirmation, error) {
	if e.OrderID == "" {
		return c, mismatch("the webhook names no order")
	}
	order, err := g.readGeneration(ctx, e.GatewayOrderID, p.order)
	if err != nil {
		return c, err
	}
	if order.lacksRate {
		return c, behind("the order is priced in fiat and has no rate")
	}
	success := client.Status(e.Status).Is(client.StatusSuccess)
	wrongCoin := order.due.CoinID != "" && record.CoinID != "" && record.CoinID != order.due.CoinID
	if success && !wrongCoin {
		if err := order.has(record.RecordID); err != nil {
			return c, err
		}
	}
	for i, payment := range order.payments {
		if payment.RecordID != record.RecordID {
			continue
		}
		order.payments[i].Clean = c.risk == ledger.NotRisky && order.risks[i] != client.RiskFlagged
		if payment.ArrivedAt.IsZero() {
			order.payments[i].ArrivedAt = record.ArrivedAt
		}
	}
	if order, err = g.readOthers(ctx, order, e.GatewayOrderID, p); err != nil {
		return c, err
	}
	if err := g.askOtherRisks(ctx, order, record.RecordID); err != nil {
		return c, err
	}
	for i, payment := range order.payments {
		order.payments[i].Released = p.order != nil && slices.Contains(p.order.Released, payment.RecordID)
	}
	result := settle.Settle(order.due, order.payments, p.Policy, now)
	if result.State == settle.Unknown {
		return c, behind("the order has no amount due")
	}
	if wrongCoin {
		result.Verdicts[record.RecordID] = settle.WrongCoin
	}
	c.rawOrder, c.order = order.raw, &orderFacts{result, order.currency, order.judged(result)}
	if !success {
		return c, nil
	}
	verdict := result.Verdicts[record.RecordID]
	switch {
	case verdict == settle.Invalid:
		return c, behind("the order lists the payment without an amount or a rate that makes sense")
	case verdict == settle.Late:
		return c, &heldError{"late: the payment came after the order's expiry"}
	case verdict != settle.Counts:
		c.reason = string(verdict)
	case !result.State.Fulfils():
		c.reason = string(result.State)
	default:
		c.earned = true
	}
	flag := ledger.FulfillOf(e.AppID, e.InOrder().ID)
	c.flag, c.flagValue = &flag, "true"
	return c, nil
}

// recordsAtOnce is how many records of an order's payments are asked for at the
// same time.
const recordsAtOnce = 4

// askOtherRisks asks for the records of the order's payments, other than the
// one given, whose risk the order's list does not tell.
func (g *gatewayV2) askOtherRisks(ctx context.Context, order *gatewayOrder, recordID string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, recordsAtOnce)
	var all sync.WaitGroup
	for i, payment := range order.payments {
		if payment.RecordID == recordID || order.risks[i] != client.RiskUnknown || !payment.Finished || payment.Failed {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			other, err := g.reads.deposit.get(ctx, payment.RecordID)
			if err != nil {
				cancel(explainAPI("record of another payment", err))
				return
			}
			order.payments[i].Clean = other.Risk == client.RiskNone
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// readOrder asks for an order of the kind that was found last, and of the other
// kind where there is none.
func (g *gatewayV2) readOrder(ctx context.Context, orderID string) (*gatewayOrder, error) {
	first, second := g.readDepositOrder, g.readInvoice
	if g.reads.invoices.Load() {
		first, second = second, first
	}
	order, err := first(ctx, orderID)
	if errors.Is(err, client.ErrNotFound) {
		order, err = second(ctx, orderID)
	}
	if err != nil {
		return nil, explainAPI("order", err)
	}
	return order, nil
}

func (g *gatewayV2) readDepositOrder(ctx context.Context, orderID string) (*gatewayOrder, error) {
	order, err := g.reads.order.get(ctx, orderID)
	if err != nil {
		return nil, err
	}
	g.reads.invoices.Store(false)
	return fromDepositOrder(order), nil
}

func (g *gatewayV2) readInvoice(ctx context.Context, orderID string) (*gatewayOrder, error) {
	invoice, err := g.reads.invoice.get(ctx, orderID)
	if err != nil {
		return nil, err
	}
	g.reads.invoices.Store(true)
	return fromInvoice(invoice), nil
}
