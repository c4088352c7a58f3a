package ccpayment

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/coalesce"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// reads are the reads by which an account's events are confirmed, which concurrent
// callers share.
type reads struct {
	deposit, userDeposit       *coalesce.Group[client.DepositRecord]
	withdrawal, userWithdrawal *coalesce.Group[client.WithdrawalRecord]
	batch                      *coalesce.Group[[]client.BatchRecord]
	order                      *coalesce.Group[client.DepositOrder]
	invoice                    *coalesce.Group[client.Invoice]
	// invoices: the last order that was found is an invoice. Most accounts have orders
	// of one kind only, so the next one is looked for among these first.
	invoices atomic.Bool
}

// newReads returns the reads by the client that an account has at the time.
func newReads(api func() *client.Client) *reads {
	return &reads{
		deposit: coalesce.New(func(ctx context.Context, id string) (client.DepositRecord, error) {
			return api().DepositRecord(ctx, id)
		}),
		userDeposit: coalesce.New(func(ctx context.Context, id string) (client.DepositRecord, error) {
			return api().UserDepositRecord(ctx, id)
		}),
		withdrawal: coalesce.New(func(ctx context.Context, id string) (client.WithdrawalRecord, error) {
			return api().WithdrawalRecord(ctx, client.ByRecord(id))
		}),
		userWithdrawal: coalesce.New(func(ctx context.Context, id string) (client.WithdrawalRecord, error) {
			return api().UserWithdrawalRecord(ctx, client.ByRecord(id))
		}),
		batch: coalesce.New(func(ctx context.Context, id string) ([]client.BatchRecord, error) {
			var payouts []client.BatchRecord
			for payout, err := range api().WithdrawalBatchRecords(ctx, id) {
				if err != nil {
					return nil, err
				}
				payouts = append(payouts, payout)
			}
			return payouts, nil
		}),
		order:   coalesce.New(func(ctx context.Context, id string) (client.DepositOrder, error) { return api().DepositOrder(ctx, id) }),
		invoice: coalesce.New(func(ctx context.Context, id string) (client.Invoice, error) { return api().Invoice(ctx, id) }),
	}
}

// Record implements [gateway.Records] by getAppDepositRecord,
// getUserDepositRecord, getAppWithdrawRecord and getUserWithdrawRecord, and for the
// payout of a batch that getAppWithdrawRecord does not have by
// getBatchWithdrawOrderRecordList.
func (v *V2) Record(ctx context.Context, n gateway.Notice) (gateway.Record, error) {
	switch n.Type {
	case apiDeposit, directDeposit:
		return deposited(v.reads.deposit.Get(ctx, n.RecordID))
	case userDeposit:
		return deposited(v.reads.userDeposit.Get(ctx, n.RecordID))
	case apiWithdrawal:
		r, err := withdrawn(v.reads.withdrawal.Get(ctx, n.RecordID))
		if errors.Is(err, gateway.ErrNotFound) && n.OrderID != "" {
			return v.paidInBatch(ctx, n, err)
		}
		return r, err
	case userWithdrawal:
		return withdrawn(v.reads.userWithdrawal.Get(ctx, n.RecordID))
	default:
		return gateway.Record{}, fmt.Errorf("CCPayment has no records of %.40q", n.Type)
	}
}

func deposited(r client.DepositRecord, err error) (gateway.Record, error) {
	return gateway.Record{
		ID: r.RecordID, CoinID: r.CoinID, OrderID: r.OrderID, ReferenceID: r.ReferenceID, UserID: r.UserID,
		Status: string(r.Status), Risk: risk(r.Risk), Coin: r.CoinSymbol, Chain: r.Chain, TxID: r.TxID,
		Amount: r.Amount, Fee: r.ServiceFee, USDPrice: r.CoinUSDPrice, ArrivedAt: r.ArrivedAt, Raw: r.Raw,
		TestCoin: gateway.IsTestCoin(r.CoinSymbol),
	}, explain(err)
}

// withdrawn returns the record of a payout, which CCPayment never flags as risky.
func withdrawn(r client.WithdrawalRecord, err error) (gateway.Record, error) {
	return gateway.Record{
		ID: r.RecordID, CoinID: r.CoinID, OrderID: r.OrderID, UserID: r.UserID,
		Status: string(r.Status), Risk: ledger.NotRisky, Coin: r.CoinSymbol, Chain: r.Chain, TxID: r.TxID,
		Amount: r.Amount, Fee: r.Fee.Amount, Raw: r.Raw,
	}, explain(err)
}

// paidInBatch looks for a payout in the batch whose id its webhook has as the order's.
// CCPayment's definitions do not say where the payouts of a batch have their records. If
// there is no such batch, or the payout is not in it, the error is missing.
func (v *V2) paidInBatch(ctx context.Context, n gateway.Notice, missing error) (gateway.Record, error) {
	payouts, err := v.reads.batch.Get(ctx, n.OrderID)
	if err != nil && !errors.Is(err, client.ErrNotFound) {
		return gateway.Record{}, explain(err)
	}
	for _, p := range payouts {
		if p.RecordID == n.RecordID {
			status := p.Status
			if status.Is(client.StatusSuccess) { // it may be Successful
				status = client.StatusSuccess
			}
			return gateway.Record{
				ID: p.RecordID, OrderID: n.OrderID, Status: string(status), Risk: ledger.NotRisky,
				TxID: p.TxID, Amount: p.Amount, Fee: p.NetworkFee, Raw: p.Raw,
			}, nil
		}
	}
	return gateway.Record{}, missing
}

func risk(r client.Risk) ledger.Risk {
	switch r {
	case client.RiskFlagged:
		return ledger.Risky
	case client.RiskNone:
		return ledger.NotRisky
	default:
		return ledger.RiskUnknown
	}
}

// Resend implements [gateway.Resender] by webhook/resend.
func (v *V2) Resend(ctx context.Context, r gateway.ResendRequest) (int, error) {
	count, err := v.Client().ResendWebhooks(ctx, client.ResendRequest{
		From: r.From, To: r.To, RecordIDs: r.RecordIDs, All: !r.Unacknowledged, Type: r.Type,
	})
	return count, explain(err)
}
