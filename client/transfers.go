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
	Raw        json.RawMessage
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
