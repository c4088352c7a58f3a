package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// The statuses of a batch.
const (
	batchInit       = "Init"
	batchReviewing  = "Reviewing"
	batchRejected   = "Rejected"
	batchPending    = "Pending"
	batchProcessing = "Processing"
	batchCompleted  = "Completed"
)

// modeSingle pays a batch's payouts one after the other, the other mode, Batch, all at
// once.
const modeSingle = "Single"

// statusCanceled is what a payout is that was aborted.
const statusCanceled = "Canceled"

const (
	maxPayouts    = 500
	maxBatchDelay = 3600 // seconds
	maxVerbose    = 3
)

// batch is a number of payouts in one coin on one chain, as the definitions of April
// 2026 have them. They do not say what comes of the network's fees, of an abort of all,
// or how a payout's order id is made: here the merchant pays the fees on top, such a
// batch is Completed, and the id is the batch's with the seq behind it.
type batch struct {
	id, billID string
	product    string
	mode       string
	notifyURL  string
	coin       *coin
	network    *network
	payouts    []*payout
	status     string
	execSeq    int64 // of the payout that was begun last
	createdAt  time.Time
	updatedAt  time.Time
}

// payout is one withdrawal of a batch. It has a record once it is begun or under review.
type payout struct {
	*withdrawal
	seq       int64
	remark    string
	canceled  bool
	addedAt   time.Time
	updatedAt time.Time
}

// The states of a payout that a batch asks for.
func (p *payout) waits() bool  { return p.status == "" }
func (p *payout) review() bool { return p.status == statusWaiting }
func (p *payout) runs() bool   { return p.status == statusProcessing }
func (p *payout) ended() bool  { return !p.waits() && !p.review() && !p.runs() }
func (p *payout) denied() bool { return p.status == statusRejected && !p.canceled }

func (b *batch) count(is func(*payout) bool) int {
	n := 0
	for _, p := range b.payouts {
		if is(p) {
			n++
		}
	}
	return n
}

// applyBatch serves applyBatchWithdraw.
func applyBatch(c *call) (any, error) {
	b := &batch{
		id: c.batchID(), product: c.firstOf(128, "productName", "taskName"), notifyURL: c.linkOf("notifyUrl", 120),
		status: batchInit, createdAt: c.now, updatedAt: c.now,
	}
	c.require("mode")
	b.mode = c.oneOf("mode", modeSingle, "Batch")
	b.coin, b.network = c.network()
	orders := c.objects("orders", 0, maxPayouts)
	if err := c.broken(); err != nil {
		return nil, err
	}
	if c.st.payouts.batches[b.id] != nil {
		return nil, refuse(codeOrderDuplicate, "batchOrderId: %q exists already; look the batch up", b.id)
	}
	if err := c.st.canPayOut(b.coin, b.network); err != nil {
		return nil, err
	}
	if err := c.add(b, orders); err != nil {
		return nil, err
	}
	b.billID = c.st.recordID(c.now)
	c.st.payouts.batches[b.id] = b
	return object{"batchOrderId": b.id, "billId": b.billID}, nil
}

// appendBatch serves appendBatchWithdraw.
func appendBatch(c *call) (any, error) {
	id, orders := c.batchID(), c.objects("orders", 1, maxPayouts)
	b, err := c.batch(id)
	if err != nil {
		return nil, err
	}
	if b.status != batchInit {
		return nil, refuse(codeInvalid, "batchOrderId: the batch is %s, and takes payouts only while it is %s", b.status, batchInit)
	}
	if err := c.add(b, orders); err != nil {
		return nil, err
	}
	return object{}, nil
}

// add reads payouts and adds them to a batch: all of them, or with an error none.
func (c *call) add(b *batch, orders []*params) error {
	taken := map[int64]bool{}
	for _, p := range b.payouts {
		taken[p.seq] = true
	}
	var more []*payout
	for i, order := range orders {
		p, err := c.readPayout(b, order, taken)
		if err != nil {
			return at("orders", i, err)
		}
		more = append(more, p)
	}
	b.payouts, b.updatedAt = append(b.payouts, more...), c.now
	return nil
}

func (c *call) readPayout(b *batch, order *params, taken map[int64]bool) (*payout, error) {
	p := &payout{
		seq: order.seq(taken), remark: order.optional("remark", 64), addedAt: c.now, updatedAt: c.now,
		withdrawal: &withdrawal{
			kind: kindWithdrawal, user: c.s.opts.AppID, coin: b.coin, network: b.network, notifyURL: b.notifyURL, batch: b,
			address: order.text("address", 128), memo: order.optional("memo", 16), amount: order.payable("amount", b.network.precision),
		},
	}
	p.orderID = fmt.Sprintf("%s-%d", b.id, p.seq)
	if err := order.broken(); err != nil {
		return nil, err
	}
	if err := c.st.reachesInBatch(b.network.chain, p.address, p.memo); err != nil {
		return nil, err
	}
	p.fee = c.st.networkFee(b.coin, b.network)
	return p, p.withinLimits()
}

// seq reads the number of a payout or an address, which stands once among those taken
// (14027). The SDKs call it orderId.
func (p *params) seq(taken map[int64]bool) int64 {
	name := "seq"
	if p.has("orderId") && !p.has(name) {
		name = "orderId"
	}
	p.requireNumber(name)
	n := p.optionalNumber(name)
	switch {
	case n > math.MaxUint32:
		p.reject(codeInvalid, "%s: is greater than %d", name, uint32(math.MaxUint32))
	case taken[n]:
		p.reject(codeSeqTwice, "%s: %d stands there twice", name, n)
	}
	taken[n] = true
	return n
}

// confirmBatch serves confirmBatchWithdraw. The balance pays for all of it at once, and
// gets back what is not paid out.
func confirmBatch(c *call) (any, error) {
	id, delay := c.batchID(), c.optionalNumber("delaySeconds")
	if delay > maxBatchDelay {
		c.reject(codeInvalid, "delaySeconds: at most %d, got %d", maxBatchDelay, delay)
	}
	b, err := c.batch(id)
	switch {
	case err != nil:
		return nil, err
	case b.status != batchInit:
		return nil, refuse(codeRepeated, "batchOrderId: the batch was confirmed already, it is %s", b.status)
	case len(b.payouts) == 0:
		return nil, refuse(codeInvalid, "batchOrderId: the batch has no payouts; appendBatchWithdraw adds them")
	}
	if err := c.payForBatch(b); err != nil {
		return nil, err
	}
	b.updatedAt = c.now
	switch {
	case c.st.payouts.approval:
		for _, p := range b.payouts {
			c.s.begin(p, statusWaiting)
		}
	case delay > 0:
		b.status = batchPending
		st := c.st
		c.s.engine.At(c.now.Add(time.Duration(delay)*time.Second), func(context.Context, time.Time) {
			c.s.mu.Lock()
			defer c.s.mu.Unlock()
			if c.s.st == st && b.status == batchPending {
				c.s.run(b)
			}
		})
	default:
		c.s.run(b)
	}
	return c.showBatch(b), nil
}

// payForBatch debits a batch. If it answers an error, no money has moved.
func (c *call) payForBatch(b *batch) error {
	if err := c.st.canPayOut(b.coin, b.network); err != nil {
		return err
	}
	amount, fees, user := decimal.Zero, decimal.Zero, c.s.opts.AppID
	var amounts []decimal.Decimal
	for _, p := range b.payouts {
		p.fee = c.st.networkFee(b.coin, b.network)
		p.taken = p.amount.Add(p.fee)
		amount, fees, amounts = amount.Add(p.amount), fees.Add(p.fee), append(amounts, p.amount)
	}
	if err := c.st.mayWithdraw(b.coin, amounts...); err != nil {
		return err
	}
	held := c.st.balance(user, b.coin)
	if held.GreaterThanOrEqual(amount) && held.LessThan(amount.Add(fees)) {
		return refuse(codeFeeBalance, "batchOrderId: the balance of %s %s covers the payouts but not the network fees of %s",
			held, b.coin.symbol, fees)
	}
	return c.st.debit(user, b.coin, amount.Add(fees))
}

// run begins what is to be begun of a batch.
func (s *Sandbox) run(b *batch) {
	b.status = batchProcessing
	for _, p := range b.payouts {
		if !p.waits() {
			continue
		}
		s.begin(p, statusProcessing)
		if b.mode == modeSingle {
			return
		}
	}
}

// begin gives a payout its record and its first status.
func (s *Sandbox) begin(p *payout, status string) {
	if status == statusProcessing {
		p.batch.execSeq = p.seq
	}
	s.st.enter(s.engine.Now(), p.withdrawal)
	s.progress(p.withdrawal, status)
}

// follow brings a batch up to date after one of its payouts has changed.
func (s *Sandbox) follow(b *batch, changed *withdrawal) {
	b.updatedAt = s.engine.Now()
	for _, p := range b.payouts {
		if p.withdrawal == changed {
			p.updatedAt = b.updatedAt
		}
	}
	switch {
	case b.count((*payout).review) > 0:
		b.status = batchReviewing
	case b.count((*payout).denied) == len(b.payouts):
		b.status = batchRejected
	case b.count((*payout).ended) == len(b.payouts):
		b.status = batchCompleted
	case b.count((*payout).runs) > 0:
		b.status = batchProcessing
	case b.status == batchProcessing: // one after the other: the next
		s.run(b)
	}
}

// abortBatch serves abortBatchWithdraw. What was not begun gets its money back at once.
// Definitions: a batch can be aborted while it is Reviewing or Pending, in the mode
// Single also while it is Processing.
func abortBatch(c *call) (any, error) {
	name := "seqs"
	if c.has("orderIds") && !c.has(name) {
		name = "orderIds"
	}
	id, seqs := c.batchID(), c.numbers(name, maxPayouts)
	b, err := c.batch(id)
	if err != nil {
		return nil, err
	}
	for _, seq := range seqs {
		if b.find(seq) == nil {
			return nil, refuse(codeNotFound, "%s: the batch has no payout %s", name, seq)
		}
	}
	open := b.status == batchReviewing || b.status == batchPending || b.status == batchProcessing && b.mode == modeSingle
	canceled, ignored := []int64{}, []int64{}
	var stopped []*payout
	for _, p := range b.payouts {
		switch {
		case len(seqs) > 0 && !slices.Contains(seqs, fmt.Sprint(p.seq)):
		case open && (p.waits() || p.review()):
			canceled, stopped = append(canceled, p.seq), append(stopped, p)
		default:
			ignored = append(ignored, p.seq)
		}
	}
	if len(canceled) == 0 {
		return nil, refuse(codeUnableAbort, "batchOrderId: the batch is %s, and nothing of this is left to abort", b.status)
	}
	for _, p := range stopped {
		c.s.cancel(p)
	}
	return object{"batchOrderId": b.id, "canceledSeqs": canceled, "ignoredSeqs": ignored}, nil
}

// cancel stops a payout that was not begun. One under review has a record, which is
// Rejected then.
func (s *Sandbox) cancel(p *payout) {
	p.canceled = true
	if p.review() {
		s.progress(p.withdrawal, statusRejected)
		return
	}
	p.status = statusCanceled
	s.st.credit(p.user, p.coin, p.taken)
	s.follow(p.batch, p.withdrawal)
}

func (b *batch) find(seq string) *payout {
	at := slices.IndexFunc(b.payouts, func(p *payout) bool { return fmt.Sprint(p.seq) == seq })
	if at < 0 {
		return nil
	}
	return b.payouts[at]
}

// batchID reads a required batchOrderId.
func (p *params) batchID() string {
	p.require("batchOrderId")
	return p.sized("batchOrderId", 3, 64)
}

// batch finds the batch that a call names, unless a rule is broken.
func (c *call) batch(id string) (*batch, error) {
	if err := c.broken(); err != nil {
		return nil, err
	}
	b := c.st.payouts.batches[id]
	if b == nil {
		return nil, refuse(codeNotFound, "batchOrderId: no batch is called %q", id)
	}
	return b, nil
}

// batchCodes are the codes that the calls of batches have for what single withdrawals
// answer with others.
var batchCodes = map[int]int{
	codeAddressFormat: codeBatchAddress, codeMemoMissing: codeBatchMemo, codeBlackListed: codeBatchBlackList,
}

// reachesInBatch is reaches with the codes of batches.
func (st *state) reachesInBatch(on *chain, address, memo string) error {
	err := st.reaches(on, address, memo)
	if broken, ok := errors.AsType[*refusal](err); ok {
		return refuse(cmp.Or(batchCodes[broken.code], broken.code), "%s", broken.msg)
	}
	return err
}
