package client

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/shopspring/decimal"
)

// UserTransferRequest moves coins between two users, or between a user and the
// merchant, whose user id is the app id.
type UserTransferRequest struct {
	OrderID    string // your id of it, 3 to 64 characters, never used before
	FromUserID string
	ToUserID   string
	CoinID     string
	Amount     decimal.Decimal // worth at least 0.001 USD
	Remark     string          // optional: at most 255 characters
}

// UserTransfer moves coins between users, at once and free of charge
// (userTransfer), and returns the record's id. No webhook follows. It is never
// sent twice: see [OutcomeUnknownError].
func (c *Client) UserTransfer(ctx context.Context, r UserTransferRequest) (recordID string, err error) {
	p := c.params(endpointUserTransfer)
	p.user("fromUserId", r.FromUserID, true)
	p.user("toUserId", r.ToUserID, true)
	p.number("coinId", r.CoinID)
	p.amount("amount", r.Amount, coinDecimals)
	p.reference("orderId", r.OrderID)
	p.optionalText("remark", r.Remark, 1, 255)
	return c.create(ctx, p, r.OrderID)
}

// TransferRecord is a transfer as CCPayment keeps it.
type TransferRecord struct {
	RecordID   string          `json:"recordId"`
	OrderID    string          `json:"orderId"`
	FromUserID string          `json:"fromUserId"`
	ToUserID   string          `json:"toUserId"`
	CoinID     string          `json:"coinId"`
	CoinSymbol string          `json:"coinSymbol"`
	Amount     decimal.Decimal `json:"amount"`
	Status     Status          `json:"status"` // Success or Failed
	Remark     string          `json:"remark"`
	// CoinUSDPrice is what a coin was worth; 0: CCPayment said nothing.
	CoinUSDPrice decimal.Decimal `json:"coinUSDPrice"`
	Raw          json.RawMessage
}

func (r TransferRecord) ref() Ref { return Ref{r.RecordID, r.OrderID} }

// UserTransferRecord gives a transfer (getUserTransferRecord). After an
// [OutcomeUnknownError], ask with [ByOrder].
func (c *Client) UserTransferRecord(ctx context.Context, ref Ref) (TransferRecord, error) {
	return record[TransferRecord](ctx, c, endpointUserTransferRecord, ref)
}

// TransferFilter picks transfers to a user; the other fields, where empty, pick
// all.
type TransferFilter struct {
	FromUserID string // empty: from anybody; the app id is the merchant
	ToUserID   string // required; the app id is the merchant
	CoinID     string
	Between
}

// UserTransferRecords lists the transfers to a user, or between two
// (getUserTransferRecordList).
func (c *Client) UserTransferRecords(ctx context.Context, f TransferFilter) iter.Seq2[TransferRecord, error] {
	return list[TransferRecord](ctx, c, endpointUserTransfers, func(p *params) {
		p.optionalNumber("coinId", f.CoinID)
		if f.FromUserID != "" {
			p.user("fromUserId", f.FromUserID, true)
		}
		p.user("toUserId", f.ToUserID, true)
		f.write(p, 0)
	})
}

// The calls that follow are in CCPayment's definitions of April 2026 (User Transfer)
// and not in its API reference.

// UserBatchTransferRequest moves coins from one user, or from the merchant, to several.
type UserBatchTransferRequest struct {
	OrderID string // your id of it, 3 to 64 characters, never used before
	UserID  string // who pays; the app id is the merchant
	ToUsers []TransferShare
	CoinID  string
	Remark  string // optional: at most 255 characters
}

// TransferShare is what one user gets of a batch transfer.
type TransferShare struct {
	UserID string          `json:"userId"`
	Amount decimal.Decimal `json:"amount"`
}

// UserBatchTransfer moves coins from a user to one or more others, at once and free of
// charge (userBatchTransfer), and returns the record's id. No webhook follows. It is
// never sent twice: see [OutcomeUnknownError].
func (c *Client) UserBatchTransfer(ctx context.Context, r UserBatchTransferRequest) (recordID string, err error) {
	p := c.params(endpointUserBatchTransfer)
	p.reference("orderId", r.OrderID)
	p.user("userId", r.UserID, true)
	if len(r.ToUsers) == 0 {
		p.fail("toUsers", "is empty")
	}
	p.objects("toUsers", len(r.ToUsers), func(i int, item *params) {
		item.user("userId", r.ToUsers[i].UserID, true)
		item.shareAmount("amount", r.ToUsers[i].Amount)
	})
	p.number("coinId", r.CoinID)
	p.optionalText("remark", r.Remark, 1, 255)
	return c.create(ctx, p, r.OrderID)
}

// shareAmount is an amount of at least five characters, which the definitions ask for
// here: 7.5 is sent as 7.500.
func (p *params) shareAmount(name string, value decimal.Decimal) {
	const shortest = 5
	whole := len(value.Truncate(0).String())
	if text := value.String(); value.IsPositive() && len(text) < shortest {
		p.addJSON(name, value.StringFixed(int32(max(shortest-whole-1, 1))))
		return
	}
	p.amount(name, value, coinDecimals)
}

// BatchTransferRecord is a batch transfer as CCPayment keeps it.
type BatchTransferRecord struct {
	RecordID     string          `json:"recordId"`
	OrderID      string          `json:"orderId"`
	UserID       string          `json:"userId"` // who paid
	ToUsers      []TransferShare `json:"toUsers"`
	CoinID       string          `json:"coinId"`
	CoinSymbol   string          `json:"coinSymbol"`
	Status       Status          `json:"status"`
	Remark       string          `json:"remark"`
	CoinUSDPrice decimal.Decimal `json:"coinUSDPrice"`
	Raw          json.RawMessage
}

func (r BatchTransferRecord) ref() Ref { return Ref{r.RecordID, r.OrderID} }

// UserBatchTransferRecord gives a batch transfer (getUserBatchTransferRecord). After an
// [OutcomeUnknownError], ask with [ByOrder].
func (c *Client) UserBatchTransferRecord(ctx context.Context, ref Ref) (BatchTransferRecord, error) {
	return record[BatchTransferRecord](ctx, c, endpointBatchTransferRecord, ref)
}

// BatchTransferFilter picks batch transfers; empty fields pick all.
type BatchTransferFilter struct {
	OrderIDs []string // at most 100
	UserID   string   // who paid; the app id is the merchant
	CoinID   string
	Between  // without StartAt: the last 90 days
}

// UserBatchTransferRecords lists batch transfers (getUserBatchTransferRecordList).
func (c *Client) UserBatchTransferRecords(ctx context.Context, f BatchTransferFilter) iter.Seq2[BatchTransferRecord, error] {
	return list[BatchTransferRecord](ctx, c, endpointBatchTransferRecords, func(p *params) {
		p.optionalList("orderIds", f.OrderIDs, mostIDs)
		if f.UserID != "" {
			p.user("userId", f.UserID, true)
		}
		p.optionalNumber("coinId", f.CoinID)
		f.write(p, 0)
	})
}

// UserBatchTransfers lists the transfers that a batch transfer consists of, by its
// recordId (getUserBatchTransferRecordDetail).
func (c *Client) UserBatchTransfers(ctx context.Context, recordID string) iter.Seq2[TransferRecord, error] {
	return list[TransferRecord](ctx, c, endpointBatchTransferDetail, func(p *params) {
		p.plain("recordId", recordID)
	})
}
