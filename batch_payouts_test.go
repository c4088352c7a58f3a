package ccpayment_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// payBatch has a batch of five payouts paid, which wait for approval, and returns them.
func (s *shop) payBatch(id string) []client.BatchRecord {
	s.t.Helper()
	s.box.SetApproval(true)
	if err := s.box.Credit(appID, 1280, decimal.New(1000, 0)); err != nil {
		s.t.Fatal(err)
	}
	r := client.WithdrawalBatchRequest{BatchOrderID: id, CoinID: "1280", Chain: "TRX", Mode: client.BatchModeBatch}
	for seq := 1; seq <= 5; seq++ {
		r.Payouts = append(r.Payouts, client.BatchPayout{
			Seq: seq, Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Amount: decimal.New(int64(10*seq), 0),
		})
	}
	if _, err := s.c.CreateWithdrawalBatch(s.t.Context(), r); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.c.ConfirmWithdrawalBatch(s.t.Context(), id, 0); err != nil {
		s.t.Fatal(err)
	}
	var payouts []client.BatchRecord
	for payout, err := range s.c.WithdrawalBatchRecords(s.t.Context(), id) {
		if err != nil {
			s.t.Fatal(err)
		}
		payouts = append(payouts, payout)
	}
	return payouts
}

// TestBatchPayouts: the end of each payout of a batch is told once, with what became of
// it, also where the gateway must send its webhook again.
func TestBatchPayouts(t *testing.T) {
	s := newShop(t, "")
	refusals := 1
	retried := make(chan struct{}, 1)
	payouts := s.payBatch("wages-1")
	s.app.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ccpayment-Record-Id") == payouts[3].RecordID && r.Header.Get("Ccpayment-Payout") != "" && refusals > 0 {
			refusals--
			w.WriteHeader(http.StatusInternalServerError)
			retried <- struct{}{}
		}
	})
	for i, payout := range payouts {
		status := map[bool]string{true: "rejected", false: "processing"}[i == 1]
		if err := s.box.SettleWithdrawal(payout.RecordID, status); err != nil {
			t.Fatal(err)
		}
	}
	s.box.Advance(time.Minute)
	get(t, retried)
	s.box.Advance(time.Hour)
	told := func() map[string][]string {
		told := make(map[string][]string)
		for _, call := range s.app.received() {
			if outcome := call.header.Get("Ccpayment-Payout"); outcome != "" {
				id := call.header.Get("Ccpayment-Record-Id")
				told[id] = append(told[id], outcome+" "+call.header.Get("Ccpayment-Kind")+" "+call.header.Get("Idempotency-Key"))
			}
		}
		return told
	}
	await(t, "all payouts are told", func() bool { return len(told()) == 5 && len(told()[payouts[3].RecordID]) == 2 })
	before := len(s.box.Deliveries())
	from := s.box.Now().Add(-62 * time.Minute)
	if count, err := s.c.ResendWebhooks(t.Context(), client.ResendRequest{From: from, To: from.Add(time.Hour), All: true}); err != nil || count != 5 {
		t.Errorf("%d webhooks are sent again, %v", count, err)
	}
	await(t, "their copies arrive", func() bool { return len(s.box.Deliveries()) == before+5 })
	calls := told()
	for i, payout := range payouts {
		want, times := "sent payout", 1
		if i == 1 {
			want = "failed payout"
		}
		if i == 3 {
			times = 2 // which the app refused once
		}
		got := calls[payout.RecordID]
		if len(got) != times || got[0][:len(want)] != want || got[0] != got[len(got)-1] {
			t.Errorf("payout %d was told as %q, want %q", payout.Seq, got, want)
		}
	}
	batch, err := s.c.WithdrawalBatch(t.Context(), "wages-1", 0)
	if err != nil || !batch.Status.Is(client.BatchCompleted) || batch.Stats.Succeeded != 4 || batch.Stats.Failed != 1 {
		t.Errorf("the batch: %+v, %v", batch, err)
	}
}

// TestBatchPayoutByItsBatch: where CCPayment has the record of a batch's payout only in
// the batch, which the webhook names as the order, it is confirmed there.
func TestBatchPayoutByItsBatch(t *testing.T) {
	s := silentShop(t, "")
	payouts := s.payBatch("wages-1")
	if err := s.box.SettleWithdrawal(payouts[0].RecordID, "success"); err != nil {
		t.Fatal(err)
	}
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "getAppWithdrawRecord", Code: 11003, Times: -1}); err != nil {
		t.Fatal(err)
	}
	webhook := func(record, order string) delivery {
		return delivery{body: fmt.Sprintf(`{"type":"ApiWithdrawal","msg":{"recordId":%q,"orderId":%q,"coinId":1280,"status":"Success"}}`, record, order)}
	}
	s.deliver(webhook(payouts[0].RecordID, "wages-1")).wants(t, http.StatusOK)
	got := s.app.wants(t, 1)[0].header
	if got.Get("Ccpayment-Payout") != "sent" || got.Get("Ccpayment-Confirmed") != "true" || got.Get("Ccpayment-Order-Id") != "wages-1" {
		t.Errorf("the app got %v", got)
	}
	// One that waits for approval is not believed to be paid, nor one of no batch.
	s.deliver(webhook(payouts[1].RecordID, "wages-1")).wants(t, http.StatusServiceUnavailable)
	s.deliver(webhook(payouts[0].RecordID+"0", "wages-1")).wants(t, http.StatusServiceUnavailable)
	s.deliver(webhook(payouts[2].RecordID, "wages-2")).wants(t, http.StatusServiceUnavailable)
	s.app.wants(t, 1)
}
