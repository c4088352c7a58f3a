package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"github.com/shopspring/decimal"
)

// DepositRecord is one payment that arrived. A payment of an order has OrderID,
// one to a permanent address ReferenceID, one to a user's address UserID.
type DepositRecord struct {
	RecordID     string          `json:"recordId"`
	OrderID      string          `json:"orderId"`
	ReferenceID  string          `json:"referenceId"`
	UserID       string          `json:"userId"`
	CoinID       string          `json:"coinId"`
	CoinSymbol   string          `json:"coinSymbol"`
	Chain        string          `json:"chain"`
	Contract     string          `json:"contract"`
	CoinUSDPrice decimal.Decimal `json:"coinUSDPrice"` // when it was received
	FromAddress  string          `json:"fromAddress"`  // empty for coins of Bitcoin's kind
	ToAddress    string          `json:"toAddress"`
	ToMemo       string          `json:"toMemo"`
	Amount       decimal.Decimal `json:"amount"` // received, in the coin
	ServiceFee   decimal.Decimal `json:"serviceFee"`
	TxID         string          `json:"txId"`
	TxIndex      int             `json:"txIndex"` // of the payment in its transaction
	Status       Status          `json:"status"`
	Risk         Risk            `json:"isFlaggedAsRisky"`
	ArrivedAt    time.Time       `json:"arrivedAt"`
	Raw          json.RawMessage
}

func (r DepositRecord) ref() Ref { return Ref{r.RecordID, r.OrderID} }

// DepositRecord gives a payment by the recordId of its webhook
// (getAppDepositRecord). CCPayment asks to call it before anything is credited.
func (c *Client) DepositRecord(ctx context.Context, recordID string) (DepositRecord, error) {
	return record[DepositRecord](ctx, c, endpointDepositRecord, ByRecord(recordID))
}

// DepositFilter picks payments; empty fields pick all. Not both OrderID and
// ReferenceID.
type DepositFilter struct {
	CoinID      string
	Chain       string
	OrderID     string // 3 to 64 characters
	ReferenceID string // 3 to 64 characters
	ToAddress   string
	// RecordIDs, OrderIDs and ReferenceIDs pick any of several, at most 50 each.
	RecordIDs    []string
	OrderIDs     []string
	ReferenceIDs []string
	Between
	PageSize int // records that one call asks for: at most 100; default 20
}

// DepositRecords lists payments to orders, invoices and permanent addresses
// (getAppDepositRecordList).
func (c *Client) DepositRecords(ctx context.Context, f DepositFilter, options ...ListOption) iter.Seq2[DepositRecord, error] {
	return list[DepositRecord](ctx, c, endpointDepositRecords, func(p *params) {
		p.optionalNumber("coinId", f.CoinID)
		if f.OrderID != "" && f.ReferenceID != "" {
			p.fail("orderId", "and referenceId are both given: one of them at most")
		}
		p.optionalReference("referenceId", f.ReferenceID)
		p.optionalReference("orderId", f.OrderID)
		p.optionalPlain("chain", f.Chain)
		p.optionalPlain("toAddress", f.ToAddress)
		p.optionalList("recordIds", f.RecordIDs, mostDepositIDs)
		p.optionalList("orderIds", f.OrderIDs, mostDepositIDs)
		p.optionalList("referenceIds", f.ReferenceIDs, mostDepositIDs)
		f.write(p, 0)
		p.optionalCount("limit", f.PageSize, 100)
	}, options...)
}

// mostDepositIDs is how many of each kind a list of deposits takes.
const mostDepositIDs = 50

// UserDepositRecord gives a payment to a user's address by the recordId of its
// webhook (getUserDepositRecord).
func (c *Client) UserDepositRecord(ctx context.Context, recordID string) (DepositRecord, error) {
	return record[DepositRecord](ctx, c, endpointUserDepositRecord, ByRecord(recordID))
}

// UserDepositFilter picks payments to one user; the other fields, where empty,
// pick all.
type UserDepositFilter struct {
	UserID    string // required
	CoinID    string
	Chain     string
	ToAddress string
	Between
}

// UserDepositRecords lists payments to a user (getUserDepositRecordList).
func (c *Client) UserDepositRecords(ctx context.Context, f UserDepositFilter) iter.Seq2[DepositRecord, error] {
	return list[DepositRecord](ctx, c, endpointUserDepositRecords, func(p *params) {
		p.user("userId", f.UserID, false)
		p.optionalNumber("coinId", f.CoinID)
		p.optionalPlain("chain", f.Chain)
		p.optionalPlain("toAddress", f.ToAddress)
		f.write(p, 0)
	})
}

// RescanRequest names a payment that is on the chain but was not credited.
type RescanRequest struct {
	Chain     string // symbol of the chain
	ToAddress string // the deposit address it went to
	Memo      string // only where the chain has memos
	TxID      string // its hash on the chain
}

// Rescan asks CCPayment to look for a lost payment again, and returns its response in
// words, which can be shown to the payer (rescanLostTransaction).
func (c *Client) Rescan(ctx context.Context, r RescanRequest) (description string, err error) {
	p := c.params(endpointRescan)
	p.plain("chain", r.Chain)
	p.plain("toAddress", r.ToAddress)
	p.optionalPlain("memo", r.Memo)
	p.plain("txId", r.TxID)
	var answer struct {
		Description string `json:"description"`
	}
	err = c.ask(ctx, p, "", &answer)
	return answer.Description, err
}

// BlockHeight is how deep a payment is in its chain.
type BlockHeight struct {
	Chain     string `json:"chain"`
	TxBlock   int64  `json:"txBlockHeight"`   // the block that the payment is in; 0: none yet
	LastBlock int64  `json:"currBlockHeight"` // the chain's latest
	Required  int64  `json:"reqConfirmations"`
	Raw       json.RawMessage
}

func (h *BlockHeight) check() error {
	if h.Chain == "" {
		return errors.New("it names no chain")
	}
	return nil
}

// PaymentBlockHeight says how deep a payment is in its chain, by its recordId
// (getPaymentBlockHeight; CCPayment's definitions, Utilities).
func (c *Client) PaymentBlockHeight(ctx context.Context, recordID string) (BlockHeight, error) {
	p := c.params(endpointBlockHeight)
	p.plain("record_id", recordID)
	var answer BlockHeight
	err := c.ask(ctx, p, "", &answer)
	return answer, err
}

// RiskRefund is a payment flagged as risky that was sent back.
type RiskRefund struct {
	RecordID   string          `json:"recordId"`
	OrderID    string          `json:"orderId"`
	CoinID     string          `json:"coinId"`
	CoinSymbol string          `json:"coinSymbol"`
	Chain      string          `json:"chain"`
	ToAddress  string          `json:"toAddress"`
	ToMemo     string          `json:"toMemo"`
	Amount     decimal.Decimal `json:"amount"`
	Fee        Fee             `json:"fee"`
	TxID       string          `json:"txId"`
	Status     Status          `json:"status"`
	CreatedAt  time.Time       `json:"createdAt"`
	// FromDeposit names the payments that were sent back.
	FromDeposit []RefundedDeposit `json:"fromDeposit"`
	Raw         json.RawMessage
}

// RefundedDeposit names a payment by its record. CCPayment's definitions have an
// object here and its SDKs a text: both are read.
type RefundedDeposit struct {
	RecordID string `json:"recordId"`
}

func (r RiskRefund) ref() Ref { return Ref{r.RecordID, r.OrderID} }

// RiskRefundFilter picks refunds; empty fields pick all.
type RiskRefundFilter struct {
	CoinID    string
	Chain     string
	ToAddress string
	RecordIDs []string // at most 100
	Between
}

// RiskRefunds lists the refunds of risky payments (getRiskyRefundRecordList).
func (c *Client) RiskRefunds(ctx context.Context, f RiskRefundFilter) iter.Seq2[RiskRefund, error] {
	return list[RiskRefund](ctx, c, endpointRiskRefunds, func(p *params) {
		p.optionalNumber("coinId", f.CoinID)
		p.optionalList("recordIds", f.RecordIDs, mostIDs)
		p.optionalPlain("chain", f.Chain)
		p.optionalPlain("toAddress", f.ToAddress)
		f.write(p, 0)
	})
}
