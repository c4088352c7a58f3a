package client_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const outside = "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL"

// batches goes through a batch of payouts from its addresses to its end.
func (s *story) batches() {
	ctx, c := s.ctx, s.c
	s.on("checkWithdrawAddress", func(t *testing.T) {
		checks := must[[]client.AddressCheck](t)(c.CheckAddresses(ctx, "TRX", []client.PayoutAddress{{Seq: 3, Address: outside}, {Seq: 5, Address: "nowhere"}}))
		if len(checks) != 2 || len(checks[0].Codes) != 0 || !slices.Equal(checks[1].Codes, []client.CodeError{client.ErrAddressFormat}) {
			t.Errorf("%+v", checks)
		}
	})
	wages := client.WithdrawalBatchRequest{
		BatchOrderID: "wages-1", CoinID: usdt, Chain: "TRX", Mode: client.BatchModeSingle, ProductName: "Wages",
		Payouts: []client.BatchPayout{{Seq: 1, Address: outside, Amount: amount("10"), Remark: "May"}},
	}
	var before decimal.Decimal
	s.on("applyBatchWithdraw", func(t *testing.T) {
		before = must[client.Balance](t)(c.Balance(ctx, usdt)).Available
		if id := must[string](t)(c.CreateWithdrawalBatch(ctx, wages)); id == "" {
			t.Error("CCPayment gave it no id")
		}
		if _, err := c.CreateWithdrawalBatch(ctx, wages); !errors.Is(err, client.ErrOrderDuplicate) {
			t.Errorf("the same batch once more: %v", err)
		}
	})
	s.on("appendBatchWithdraw", func(t *testing.T) {
		more := []client.BatchPayout{{Seq: 2, Address: outside, Amount: amount("20")}, {Seq: 3, Address: outside, Amount: amount("30")}}
		if err := c.AppendWithdrawalBatch(ctx, "wages-1", more); err != nil {
			t.Fatal(err)
		}
		if err := c.AppendWithdrawalBatch(ctx, "wages-1", more); !errors.Is(err, client.ErrSeqDuplicate) {
			t.Errorf("the same payouts once more: %v", err)
		}
		same(t, "the balance before it is confirmed", must[client.Balance](t)(c.Balance(ctx, usdt)).Available, before.String())
	})
	s.on("confirmBatchWithdraw", func(t *testing.T) {
		confirmed := must[client.WithdrawalBatch](t)(c.ConfirmWithdrawalBatch(ctx, "wages-1", time.Minute))
		same(t, "the status", confirmed.Status, client.BatchPending)
		same(t, "the amount", confirmed.Amount, "60")
		same(t, "what left", before.Sub(must[client.Balance](t)(c.Balance(ctx, usdt)).Available), confirmed.Amount.Add(confirmed.NetworkFee).String())
	})
	s.on("abortBatchWithdraw", func(t *testing.T) {
		abort := must[client.BatchAbort](t)(c.AbortWithdrawalBatch(ctx, "wages-1", 2))
		if !slices.Equal(abort.CanceledSeqs, []int{2}) || len(abort.IgnoredSeqs) != 0 {
			t.Errorf("%+v", abort)
		}
	})
	s.on("getBatchWithdrawOrder", func(t *testing.T) {
		s.box.Advance(2 * time.Minute)
		batch := must[client.WithdrawalBatch](t)(c.WithdrawalBatch(ctx, "wages-1", 0))
		same(t, "the status", batch.Status, client.BatchCompleted)
		same(t, "the counts", batch.Stats, client.BatchStats{Total: 3, Succeeded: 2, Canceled: 1, ExecSeq: 3})
		same(t, "the name", batch.ProductName, "Wages")
		if _, err := c.AbortWithdrawalBatch(ctx, "wages-1"); !errors.Is(err, client.ErrUnableAbort) {
			t.Errorf("aborting what is paid: %v", err)
		}
	})
	s.on("getBatchWithdrawOrderRecordList", func(t *testing.T) {
		payouts, err := collect(c.WithdrawalBatchRecords(ctx, "wages-1"))
		if err != nil || len(payouts) != 3 {
			t.Fatalf("%+v, %v", payouts, err)
		}
		same(t, "the first", payouts[0].Status.Is(client.StatusSuccess) && payouts[0].Remark == "May" && payouts[0].TxID != "", true)
		same(t, "the second", payouts[1].Status, client.StatusCanceled)
		record := must[client.WithdrawalRecord](t)(c.WithdrawalRecord(ctx, client.ByRecord(payouts[2].RecordID)))
		same(t, "the third's amount", record.Amount, "30")
		same(t, "what left in the end", before.Sub(must[client.Balance](t)(c.Balance(ctx, usdt)).Available),
			amount("40").Add(payouts[0].NetworkFee).Add(payouts[2].NetworkFee).String())
	})
}

func (s *story) batchTransfers() {
	ctx, c := s.ctx, s.c
	var recordID string
	s.on("userBatchTransfer", func(t *testing.T) {
		before := must[client.Balance](t)(c.UserBalance(ctx, "user-2", usdt)).Available
		r := client.UserBatchTransferRequest{
			OrderID: "tips-1", UserID: appID, CoinID: usdt, Remark: "tips",
			ToUsers: []client.TransferShare{{UserID: "user-1", Amount: amount("5")}, {UserID: "user-2", Amount: amount("2.5")}},
		}
		recordID = must[string](t)(c.UserBatchTransfer(ctx, r))
		same(t, "what came", must[client.Balance](t)(c.UserBalance(ctx, "user-2", usdt)).Available.Sub(before), "2.5")
		if _, err := c.UserBatchTransfer(ctx, r); !errors.Is(err, client.ErrOrderDuplicate) {
			t.Errorf("the same once more: %v", err)
		}
	})
	s.on("getUserBatchTransferRecord", func(t *testing.T) {
		record := must[client.BatchTransferRecord](t)(c.UserBatchTransferRecord(ctx, client.ByOrder("tips-1")))
		same(t, "the record", record.RecordID, recordID)
		if len(record.ToUsers) != 2 || record.ToUsers[1].UserID != "user-2" || !record.ToUsers[1].Amount.Equal(amount("2.5")) {
			t.Errorf("%+v", record.ToUsers)
		}
	})
	s.on("getUserBatchTransferRecordList", func(t *testing.T) {
		for user, want := range map[string]int{appID: 1, "user-1": 0} {
			records, err := collect(c.UserBatchTransferRecords(ctx, client.BatchTransferFilter{UserID: user, OrderIDs: []string{"tips-1"}}))
			if err != nil || len(records) != want {
				t.Errorf("of %s: %+v, %v", user, records, err)
			}
		}
	})
	s.on("getUserBatchTransferRecordDetail", func(t *testing.T) {
		transfers, err := collect(c.UserBatchTransfers(ctx, recordID))
		if err != nil || len(transfers) != 2 || transfers[0].OrderID != "tips-1" || transfers[0].RecordID == transfers[1].RecordID {
			t.Errorf("%+v, %v", transfers, err)
		}
	})
}

func (s *story) newerTools() {
	ctx, c := s.ctx, s.c
	s.on("getPaymentBlockHeight", func(t *testing.T) {
		address := must[client.Address](t)(c.PermanentAddress(ctx, client.AddressRequest{ReferenceID: "buyer-2", Chain: "TRX"}))
		paid := s.pay(sandbox.Payment{Address: address.Address, Amount: amount("40"), Coin: "USDT"})
		height := must[client.BlockHeight](t)(c.PaymentBlockHeight(ctx, paid))
		if height.Chain != "TRX" || height.LastBlock-height.TxBlock < height.Required || height.Required != 19 {
			t.Errorf("%+v", height)
		}
	})
	s.on("getAggregationFeeRecord", func(t *testing.T) {
		before := must[client.Balance](t)(c.Balance(ctx, usdt)).Available
		s.box.Aggregate()
		span := client.Between{StartAt: s.box.Now().Add(-time.Hour), EndAt: s.box.Now().Add(time.Hour)}
		fees, err := collect(c.AggregationFees(ctx, client.AggregationFeeFilter{Between: span, PageSize: 1}))
		sum := decimal.Zero
		for _, fee := range fees {
			for _, one := range fee.Collects {
				if one.CoinID == usdt {
					sum = sum.Add(one.Fee)
				}
			}
		}
		if err != nil || len(fees) < 3 || fees[0].AggregatedAt.IsZero() {
			t.Fatalf("%+v, %v", fees, err)
		}
		same(t, "what they cost", before.Sub(must[client.Balance](t)(c.Balance(ctx, usdt)).Available), sum.String())
		some, err := collect(c.AggregationFees(ctx, client.AggregationFeeFilter{Between: span, Address: fees[1].Address}))
		if err != nil || len(some) != 1 {
			t.Errorf("of one address: %+v, %v", some, err)
		}
	})
	s.on("all/chain", func(t *testing.T) {
		all := must[[]client.Chain](t)(c.AllChains(ctx))
		at := slices.IndexFunc(all, func(chain client.Chain) bool { return chain.Chain == "ETH" })
		if at < 0 || all[at].Confirmations != 12 || !all[at].IsEVM {
			t.Errorf("%+v", all)
		}
	})
	s.on("getMainCoinList", func(t *testing.T) {
		coins := must[[]client.MainCoin](t)(c.MainCoins(ctx))
		if !slices.ContainsFunc(coins, func(coin client.MainCoin) bool { return coin.Chain == "TRX" && coin.CoinID == trx }) {
			t.Errorf("%+v", coins)
		}
	})
}

// TestLostAnswerOfABatch: CCPayment confirms a batch, and its answer is lost. The
// batch must be found, and paid once.
func TestLostAnswerOfABatch(t *testing.T) {
	box, c := newSandbox(t)
	if err := box.Credit(appID, 1280, amount("100")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateWithdrawalBatch(t.Context(), client.WithdrawalBatchRequest{
		BatchOrderID: "wages-1", CoinID: usdt, Chain: "TRX", Mode: client.BatchModeBatch,
		Payouts: []client.BatchPayout{{Seq: 1, Address: outside, Amount: amount("25")}},
	}); err != nil {
		t.Fatal(err)
	}
	if err := box.SetFaults(sandbox.Fault{Endpoint: "confirmBatchWithdraw", Drop: "after"}); err != nil {
		t.Fatal(err)
	}
	_, err := c.ConfirmWithdrawalBatch(t.Context(), "wages-1", 0)
	var unknown *client.OutcomeUnknownError
	if !errors.As(err, &unknown) || unknown.OrderID != "wages-1" {
		t.Fatalf("the error is %v", err)
	}
	batch, err := c.WithdrawalBatch(t.Context(), unknown.OrderID, 0)
	if err != nil || !batch.Status.Is(client.BatchProcessing) {
		t.Errorf("looked up: %+v, %v", batch, err)
	}
	if _, err := c.ConfirmWithdrawalBatch(t.Context(), "wages-1", 0); !errors.Is(err, client.ErrRepeatedSubmit) {
		t.Errorf("confirmed once more: %v", err)
	}
	if _, err := c.Call(t.Context(), "confirmBatchWithdraw", []byte(`{"batchOrderId":"wages-9"}`)); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("another batch: %v", err)
	}
	same(t, "the balance", box.Balance(appID, 1280), amount("75").Sub(batch.NetworkFee).String())
}
