package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// The calls of this file are in CCPayment's definitions of April 2026 (Merchant
// Batch Withdraw) and not in its API reference.

// A batch goes: [Client.CreateWithdrawalBatch], [Client.AppendWithdrawalBatch] as
// often as needed, [Client.ConfirmWithdrawalBatch]. Nothing is paid before it is
// confirmed.

// BatchMode says how a batch is carried out.
type BatchMode string

// The documented modes.
const (
	BatchModeSingle BatchMode = "Single" // one payout after the other: the rest can still be aborted
	BatchModeBatch  BatchMode = "Batch"  // all at once
)

// BatchStatus is where a batch stands. One that this package does not know is kept
// as it came; it is not final.
type BatchStatus string

// The documented statuses of batches.
const (
	BatchInit       BatchStatus = "Init"      // not confirmed: payouts can be added
	BatchReviewing  BatchStatus = "Reviewing" // a person must approve it
	BatchRejected   BatchStatus = "Rejected"  // a person refused it
	BatchPending    BatchStatus = "Pending"   // confirmed, and its delay is not over
	BatchProcessing BatchStatus = "Processing"
	BatchCompleted  BatchStatus = "Completed" // every payout has ended, in whatever way
)

// Is compares without regard to case.
func (s BatchStatus) Is(other BatchStatus) bool { return strings.EqualFold(string(s), string(other)) }

// Final reports whether the batch will not change any more. What became of its
// payouts is in their records.
func (s BatchStatus) Final() bool { return s.Is(BatchRejected) || s.Is(BatchCompleted) }

// BatchPayout is one payout of a batch, in the batch's coin and on its chain.
type BatchPayout struct {
	Seq     int // your number of it, from 1, once in the batch
	Address string
	Memo    string // at most 16 characters; required where the chain has memos
	Amount  decimal.Decimal
	Remark  string // optional: at most 64 characters
}

// mostPayouts is how many payouts or addresses one call takes.
const mostPayouts = 500

func (p *params) payouts(list []BatchPayout, least int) {
	if len(list) < least || len(list) > mostPayouts {
		p.fail("orders", "has %d to %d entries, not %d", least, mostPayouts, len(list))
		return
	}
	seen := make(map[int]bool)
	p.objects("orders", len(list), func(i int, item *params) {
		payout := list[i]
		item.seq(payout.Seq, seen)
		item.plain("address", payout.Address)
		item.optionalText("memo", payout.Memo, 1, 16)
		item.amount("amount", payout.Amount, coinDecimals)
		item.optionalText("remark", payout.Remark, 1, 64)
	})
}

// seq is a number that stands once in a call.
func (p *params) seq(seq int, seen map[int]bool) {
	if seen[seq] {
		p.fail("seq", "stands there twice: %d", seq)
	}
	seen[seq] = true
	p.count("seq", seq, math.MaxUint32)
}

// WithdrawalBatchRequest asks for a batch of payouts from the merchant's balance.
type WithdrawalBatchRequest struct {
	BatchOrderID string // your id of it, 3 to 64 characters, never used before: it finds the batch if the response is lost
	CoinID       string
	Chain        string // symbol of the chain
	Mode         BatchMode
	ProductName  string        // optional: what the batch is called; at most 120 characters
	Payouts      []BatchPayout // at most 500; more are appended
	NotifyURL    string        // optional: webhooks go here instead of to the console's URL; at most 120 characters
}

// CreateWithdrawalBatch creates a batch (applyBatchWithdraw) and returns CCPayment's
// id of it. Nothing is paid before [Client.ConfirmWithdrawalBatch]. A seq that stands
// there twice is [ErrSeqDuplicate], an id that was used before
// [ErrOrderDuplicate]. It is never sent twice: see [OutcomeUnknownError], and look
// the batch up with [Client.WithdrawalBatch].
func (c *Client) CreateWithdrawalBatch(ctx context.Context, r WithdrawalBatchRequest) (billID string, err error) {
	p := c.params(endpointCreateBatch)
	p.reference("batchOrderId", r.BatchOrderID)
	p.number("coinId", r.CoinID)
	p.plain("chain", r.Chain)
	p.optionalText("productName", r.ProductName, 1, 120)
	if len(r.Payouts) > 0 {
		p.payouts(r.Payouts, 0)
	}
	if r.Mode != BatchModeSingle && r.Mode != BatchModeBatch {
		p.fail("mode", "is Single or Batch, not %.30q", r.Mode)
	}
	p.addJSON("mode", r.Mode)
	p.linkOf("notifyUrl", r.NotifyURL, 120)
	answer := createdBatch{ofBatch: ofBatch{asked: r.BatchOrderID}}
	err = c.ask(ctx, p, r.BatchOrderID, &answer)
	return answer.BillID, err
}

type createdBatch struct {
	ofBatch
	BillID string `json:"billId"`
}

// ofBatch is the part of a response that says which batch it is about.
type ofBatch struct {
	asked        string
	BatchOrderID string `json:"batchOrderId"`
}

func (b *ofBatch) check() error {
	if b.BatchOrderID != b.asked {
		return fmt.Errorf("it is about batch %.60q", b.BatchOrderID)
	}
	return nil
}

// AppendWithdrawalBatch adds 1 to 500 payouts to a batch that is not confirmed
// (appendBatchWithdraw). A seq that the batch has already is [ErrSeqDuplicate]. It is
// never sent twice: see [OutcomeUnknownError], and look its payouts up with
// [Client.WithdrawalBatchRecords].
func (c *Client) AppendWithdrawalBatch(ctx context.Context, batchOrderID string, payouts []BatchPayout) error {
	p := c.params(endpointAppendBatch)
	p.reference("batchOrderId", batchOrderID)
	p.payouts(payouts, 1)
	return c.ask(ctx, p, batchOrderID, new(json.RawMessage)) // it answers nothing
}

// ConfirmWithdrawalBatch has a batch paid (confirmBatchWithdraw), at once or after a
// delay of whole seconds, at most an hour. ApiWithdrawal webhooks report the progress
// of each payout. It is never sent twice: see [OutcomeUnknownError], and look the
// batch up with [Client.WithdrawalBatch].
func (c *Client) ConfirmWithdrawalBatch(ctx context.Context, batchOrderID string, delay time.Duration) (WithdrawalBatch, error) {
	p := c.params(endpointConfirmBatch)
	p.reference("batchOrderId", batchOrderID)
	if delay%time.Second != 0 {
		p.fail("delaySeconds", "is not in whole seconds: %s", delay)
	}
	p.optionalCount("delaySeconds", int(delay/time.Second), 3600)
	return c.batch(ctx, p, batchOrderID)
}

// BatchAbort is what [Client.AbortWithdrawalBatch] stopped. Where both lists are empty
// the whole batch was.
type BatchAbort struct {
	BatchOrderID string `json:"batchOrderId"`
	CanceledSeqs []int  `json:"canceledSeqs" also:"canceledOrderIds"`
	// IgnoredSeqs were not stopped: they are paid, or on their way.
	IgnoredSeqs []int `json:"ignoredSeqs" also:"ignoredOrderIds"`
	Raw         json.RawMessage
}

type abortAnswer struct {
	asked string
	BatchAbort
}

func (a *abortAnswer) check() error { return (&ofBatch{a.asked, a.BatchOrderID}).check() }

// AbortWithdrawalBatch stops a batch, or those of its payouts that are named, at most
// 500 (abortBatchWithdraw): while it is reviewed or pending, and in mode Single also
// those that were not begun. What can no longer be stopped is [ErrUnableAbort]. It is
// never sent twice: see [OutcomeUnknownError], and look the batch up with
// [Client.WithdrawalBatch].
func (c *Client) AbortWithdrawalBatch(ctx context.Context, batchOrderID string, seqs ...int) (BatchAbort, error) {
	p := c.params(endpointAbortBatch)
	p.reference("batchOrderId", batchOrderID)
	for _, seq := range seqs {
		if seq < 1 {
			p.fail("seqs", "holds %d, which is less than 1", seq)
		}
	}
	switch {
	case len(seqs) > mostPayouts:
		p.fail("seqs", "has at most %d entries, not %d", mostPayouts, len(seqs))
	case len(seqs) > 0:
		p.addJSON("seqs", seqs)
	}
	answer := abortAnswer{asked: batchOrderID}
	err := c.ask(ctx, p, batchOrderID, &answer)
	return answer.BatchAbort, err
}

// WithdrawalBatch is a batch as CCPayment keeps it.
type WithdrawalBatch struct {
	BatchOrderID   string          `json:"batchOrderId"`
	BillID         string          `json:"billId"` // CCPayment's id of it
	ProductName    string          `json:"productName" also:"taskName"`
	Coin           BatchCoin       `json:"coin"`
	Amount         decimal.Decimal `json:"amount"` // of all payouts, in Coin
	NetworkFee     decimal.Decimal `json:"networkFee"`
	NetworkFeeCoin BatchCoin       `json:"networkFeeCoin"`
	Status         BatchStatus     `json:"status"`
	Reason         string          `json:"reason"` // why it was rejected
	Mode           BatchMode       `json:"mode"`
	Stats          BatchStats      `json:"stats"`
	CreatedAt      time.Time       `json:"createdAt"`
	UpdatedAt      time.Time       `json:"updatedAt"`
	Raw            json.RawMessage
}

// BatchCoin is a coin of a batch.
type BatchCoin struct {
	CoinID string          `json:"coin_id" also:"coinId"`
	Symbol string          `json:"coin_symbol" also:"coinSymbol"`
	Price  decimal.Decimal `json:"coin_price" also:"coinPrice"` // in USD; 0: none
}

// BatchStats counts the payouts of a batch.
type BatchStats struct {
	Total      int `json:"total"`
	Succeeded  int `json:"succeeded"`
	Failed     int `json:"failed"`
	Canceled   int `json:"canceled"`
	Processing int `json:"processing"`
	ExecSeq    int `json:"execSeq" also:"execOrderId"` // the payout that was begun last; 0: none
}

type batchAnswer struct {
	asked string
	WithdrawalBatch
}

func (a *batchAnswer) check() error { return (&ofBatch{a.asked, a.BatchOrderID}).check() }

func (c *Client) batch(ctx context.Context, p *params, batchOrderID string) (WithdrawalBatch, error) {
	answer := batchAnswer{asked: batchOrderID}
	err := c.ask(ctx, p, batchOrderID, &answer)
	return answer.WithdrawalBatch, err
}

// WithdrawalBatch gives a batch (getBatchWithdrawOrder). verbose, from 0 to 3, asks
// for more, of which CCPayment does not say what it is: Raw has it.
func (c *Client) WithdrawalBatch(ctx context.Context, batchOrderID string, verbose int) (WithdrawalBatch, error) {
	p := c.params(endpointBatch)
	p.reference("batchOrderId", batchOrderID)
	p.optionalCount("verbose", verbose, 3)
	return c.batch(ctx, p, batchOrderID)
}

// BatchRecord is a payout of a batch as CCPayment keeps it.
type BatchRecord struct {
	Seq        int             `json:"seq"`
	RecordID   string          `json:"recordId"` // empty: it was not begun
	OrderID    string          `json:"orderId"`
	Address    string          `json:"address"`
	Memo       string          `json:"memo"`
	Amount     decimal.Decimal `json:"amount"`
	Remark     string          `json:"remark"`
	Status     Status          `json:"status"`
	NetworkFee decimal.Decimal `json:"networkFee"`
	TxID       string          `json:"txId"`
	Reason     string          `json:"reason"` // why it failed or was rejected
	CreatedAt  time.Time       `json:"createdAt"`
	UpdatedAt  time.Time       `json:"updatedAt"`
	Raw        json.RawMessage
}

// ref names it by its seq: not every payout has a record.
func (r BatchRecord) ref() Ref {
	if r.Seq == 0 {
		return Ref{}
	}
	return Ref{recordID: strconv.Itoa(r.Seq)}
}

// readBatchRecord also takes what CCPayment's SDKs write, who have orderId for seq.
func readBatchRecord(data json.RawMessage, v reflect.Value) error {
	if err := decoder.Object(data, v); err != nil {
		return err
	}
	r := v.Addr().Interface().(*BatchRecord)
	if r.Seq == 0 && isNumber(r.OrderID) {
		r.Seq, _ = strconv.Atoi(r.OrderID)
	}
	return nil
}

// WithdrawalBatchRecords lists the payouts of a batch (getBatchWithdrawOrderRecordList),
// 100 at a time.
func (c *Client) WithdrawalBatchRecords(ctx context.Context, batchOrderID string) iter.Seq2[BatchRecord, error] {
	return list[BatchRecord](ctx, c, endpointBatchRecords, func(p *params) {
		p.reference("batchOrderId", batchOrderID)
		p.optionalCount("limit", 100, 100)
	})
}

// PayoutAddress is an address to be checked.
type PayoutAddress struct {
	Seq     int // your number of it, from 1, once in the call
	Address string
	Memo    string
}

// AddressCheck is what CCPayment says about an address: why it cannot be paid to, such
// as [ErrAddressFormat]. Without codes it can.
type AddressCheck struct {
	Seq   int         `json:"seq"`
	Codes []CodeError `json:"codes"`
	Raw   json.RawMessage
}

type addressChecks struct {
	asked   []PayoutAddress
	Results []AddressCheck `json:"addressInfoResults"`
}

// check refuses a response that says nothing about one of the addresses: that would
// read as if it were fine.
func (a *addressChecks) check() error {
	said := make(map[int]bool)
	for _, result := range a.Results {
		said[result.Seq] = true
	}
	for _, address := range a.asked {
		if !said[address.Seq] {
			return fmt.Errorf("it says nothing about seq %d", address.Seq)
		}
	}
	if len(a.Results) != len(a.asked) {
		return errors.New("it has more results than addresses")
	}
	return nil
}

// CheckAddresses says of 1 to 500 addresses whether they can be paid to on a chain
// (checkWithdrawAddress), as one does before they go into a batch.
func (c *Client) CheckAddresses(ctx context.Context, chain string, addresses []PayoutAddress) ([]AddressCheck, error) {
	p := c.params(endpointCheckAddresses)
	p.plain("chain", chain)
	if len(addresses) == 0 || len(addresses) > mostPayouts {
		p.fail("addressInfoList", "has 1 to %d entries, not %d", mostPayouts, len(addresses))
	}
	seen := make(map[int]bool)
	p.objects("addressInfoList", len(addresses), func(i int, item *params) {
		item.plain("address", addresses[i].Address)
		item.optionalPlain("memo", addresses[i].Memo)
		item.seq(addresses[i].Seq, seen)
	})
	answer := addressChecks{asked: addresses}
	err := c.ask(ctx, p, "", &answer)
	return answer.Results, err
}
