package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"github.com/shopspring/decimal"
)

// WithdrawalRequest pays coins out to an address on a chain.
type WithdrawalRequest struct {
	OrderID string // your id of it, 3 to 64 characters, never used before: it finds the record if the response is lost
	CoinID  string
	Chain   string // symbol of the chain
	Address string
	Memo    string // required where the chain has memos
	Amount  decimal.Decimal
	// MerchantPayNetworkFee adds the network fee to what the merchant pays; else
	// it is taken from Amount.
	MerchantPayNetworkFee bool
	NotifyURL             string // optional: webhooks go here instead of to the console's URL; at most 150 characters
	FeeInquiryID          string // optional: the InquiryID of a [Fee] that was asked for
}

// Withdraw pays out from the merchant's balance (applyAppWithdrawToNetwork) and
// returns the record's id. ApiWithdrawal webhooks report its progress; call
// [Client.WithdrawalRecord] where none has come for two hours.
//
// It is never sent twice: see [OutcomeUnknownError].
func (c *Client) Withdraw(ctx context.Context, r WithdrawalRequest) (recordID string, err error) {
	p := c.params(endpointWithdraw)
	p.payout(r.CoinID, r.Chain, r.Address, r.Memo, r.OrderID, r.Amount)
	p.flag("merchantPayNetworkFee", r.MerchantPayNetworkFee)
	p.link("notifyUrl", r.NotifyURL)
	p.optionalPlain("networkFeeInquiryID", r.FeeInquiryID)
	return c.create(ctx, p, r.OrderID)
}

func (p *params) payout(coinID, chain, address, memo, orderID string, amount decimal.Decimal) {
	p.number("coinId", coinID)
	p.plain("chain", chain)
	p.plain("address", address)
	p.optionalPlain("memo", memo)
	p.reference("orderId", orderID)
	p.amount("amount", amount, coinDecimals)
}

// CwalletTransferRequest pays coins to an account of Cwallet, at once and free
// of charge.
type CwalletTransferRequest struct {
	OrderID     string // your id of it, 3 to 64 characters, never used before
	CoinID      string
	CwalletUser string          // Cwallet id or e-mail address
	Amount      decimal.Decimal // worth at least 0.001 USD
}

// WithdrawToCwallet pays out from the merchant's balance to Cwallet
// (applyAppWithdrawToCwallet) and returns the record's id. No webhook follows:
// [Client.WithdrawalRecord] returns its outcome. It is never sent twice: see
// [OutcomeUnknownError].
func (c *Client) WithdrawToCwallet(ctx context.Context, r CwalletTransferRequest) (recordID string, err error) {
	p := c.params(endpointWithdrawToCwallet)
	r.write(p)
	return c.create(ctx, p, r.OrderID)
}

func (r CwalletTransferRequest) write(p *params) {
	p.number("coinId", r.CoinID)
	p.plain("cwalletUser", r.CwalletUser)
	p.amount("amount", r.Amount, coinDecimals)
	p.reference("orderId", r.OrderID)
}

// UserWithdrawalRequest pays coins of a user's out to an address on a chain. The
// network fee is taken from Amount.
type UserWithdrawalRequest struct {
	UserID    string // 5 to 64 characters, not beginning with "sys", not the app id
	OrderID   string // your id of it, 3 to 64 characters, never used before
	CoinID    string
	Chain     string // symbol of the chain
	Address   string
	Memo      string // required where the chain has memos
	Amount    decimal.Decimal
	NotifyURL string // optional: webhooks go here instead of to the console's URL; at most 150 characters
	// FeeInquiryID is the InquiryID of a [Fee] that was asked for. Optional.
	FeeInquiryID string
}

// UserWithdraw pays out from a user's balance (applyUserWithdrawToNetwork) and
// returns the record's id. UserWithdrawal webhooks report its progress. It is
// never sent twice: see [OutcomeUnknownError].
func (c *Client) UserWithdraw(ctx context.Context, r UserWithdrawalRequest) (recordID string, err error) {
	p := c.params(endpointUserWithdraw)
	p.user("userId", r.UserID, false)
	p.payout(r.CoinID, r.Chain, r.Address, r.Memo, r.OrderID, r.Amount)
	p.link("notifyUrl", r.NotifyURL)
	p.optionalPlain("networkFeeInquiryID", r.FeeInquiryID)
	return c.create(ctx, p, r.OrderID)
}

// UserCwalletTransferRequest pays coins of a user's to an account of Cwallet.
type UserCwalletTransferRequest struct {
	UserID string // 5 to 64 characters, not beginning with "sys", not the app id
	CwalletTransferRequest
}

// UserWithdrawToCwallet pays out from a user's balance to Cwallet
// (applyUserWithdrawToCwallet) and returns the record's id. No webhook follows.
// It is never sent twice: see [OutcomeUnknownError].
func (c *Client) UserWithdrawToCwallet(ctx context.Context, r UserCwalletTransferRequest) (recordID string, err error) {
	p := c.params(endpointUserWithdrawCwallet)
	p.user("userId", r.UserID, false)
	r.write(p)
	return c.create(ctx, p, r.OrderID)
}

// WithdrawalRecord is one payment out. An automatic one has ServiceFee and
// CreatedAt, and neither WithdrawType nor FromAddress.
type WithdrawalRecord struct {
	RecordID     string          `json:"recordId"`
	OrderID      string          `json:"orderId"`
	AppID        string          `json:"appId"`
	UserID       string          `json:"userId"`       // of a user's withdrawal
	WithdrawType string          `json:"withdrawType"` // Network or Cwallet
	CoinID       string          `json:"coinId"`
	CoinSymbol   string          `json:"coinSymbol"`
	Chain        string          `json:"chain"`
	FromAddress  string          `json:"fromAddress"`
	ToAddress    string          `json:"toAddress"`   // on a chain
	ToMemo       string          `json:"toMemo"`      // on a chain
	CwalletUser  string          `json:"cwalletUser"` // at Cwallet
	TxID         string          `json:"txId"`        // on a chain
	Amount       decimal.Decimal `json:"amount"`
	CoinUSDPrice decimal.Decimal `json:"coinUSDPrice"`
	Fee          Fee             `json:"fee"` // on a chain
	ServiceFee   decimal.Decimal `json:"serviceFee"`
	Status       Status          `json:"status"`
	Reason       string          `json:"reason"` // why it failed or was rejected
	CreatedAt    time.Time       `json:"createdAt"`
	Raw          json.RawMessage
}

func (r WithdrawalRecord) ref() Ref { return Ref{r.RecordID, r.OrderID} }

// Fee is what a chain takes, in a coin that need not be the one sent.
type Fee struct {
	CoinID     string          `json:"coinId"`
	CoinSymbol string          `json:"coinSymbol"`
	Amount     decimal.Decimal `json:"amount"`
	// InquiryID names what [Client.WithdrawalFee] said, for a withdrawal's
	// FeeInquiryID. Empty: CCPayment gave none.
	InquiryID string `json:"networkFeeInquiryID"`
}

// WithdrawalRecord gives a payment out of the merchant's (getAppWithdrawRecord).
// After an [OutcomeUnknownError], ask with [ByOrder].
func (c *Client) WithdrawalRecord(ctx context.Context, ref Ref) (WithdrawalRecord, error) {
	return record[WithdrawalRecord](ctx, c, endpointWithdrawalRecord, ref)
}

// UserWithdrawalRecord gives a payment out of a user's (getUserWithdrawRecord).
func (c *Client) UserWithdrawalRecord(ctx context.Context, ref Ref) (WithdrawalRecord, error) {
	return record[WithdrawalRecord](ctx, c, endpointUserWithdrawalRecord, ref)
}

// WithdrawalFilter picks payments out; empty fields pick all.
type WithdrawalFilter struct {
	CoinID    string
	Chain     string
	OrderIDs  []string // at most 20
	ToAddress string
	Between
}

// WithdrawalRecords lists the merchant's payments out
// (getAppWithdrawRecordList).
func (c *Client) WithdrawalRecords(ctx context.Context, f WithdrawalFilter, options ...ListOption) iter.Seq2[WithdrawalRecord, error] {
	return list[WithdrawalRecord](ctx, c, endpointWithdrawalRecords, func(p *params) {
		p.optionalNumber("coinId", f.CoinID)
		p.optionalList("orderIds", f.OrderIDs, mostWithdrawalIDs)
		p.optionalPlain("chain", f.Chain)
		p.optionalPlain("toAddress", f.ToAddress)
		f.write(p, 0)
	}, options...)
}

// UserWithdrawalFilter picks payments out of one user's; the other fields,
// where empty, pick all.
type UserWithdrawalFilter struct {
	UserID    string // required
	CoinID    string
	Chain     string
	ToAddress string
	OrderIDs  []string // at most 20
	Between
}

// UserWithdrawalRecords lists a user's payments out
// (getUserWithdrawRecordList).
func (c *Client) UserWithdrawalRecords(ctx context.Context, f UserWithdrawalFilter) iter.Seq2[WithdrawalRecord, error] {
	return list[WithdrawalRecord](ctx, c, endpointUserWithdrawals, func(p *params) {
		p.user("userId", f.UserID, false)
		p.optionalNumber("coinId", f.CoinID)
		p.optionalList("orderIds", f.OrderIDs, mostWithdrawalIDs)
		p.optionalPlain("toAddress", f.ToAddress)
		p.optionalPlain("chain", f.Chain)
		f.write(p, 0)
	})
}

// AutoWithdrawalFilter picks automatic payments out; empty fields pick all.
type AutoWithdrawalFilter struct {
	CoinID    string
	Chain     string
	RecordIDs []string // at most 100
	ToAddress string
	Between
}

// AutoWithdrawalRecords lists the payments out that CCPayment made by itself,
// as the console's rules say (getAutoWithdrawRecordList).
func (c *Client) AutoWithdrawalRecords(ctx context.Context, f AutoWithdrawalFilter) iter.Seq2[WithdrawalRecord, error] {
	return list[WithdrawalRecord](ctx, c, endpointAutoWithdrawals, func(p *params) {
		p.optionalNumber("coinId", f.CoinID)
		p.optionalList("recordIds", f.RecordIDs, mostIDs)
		p.optionalPlain("chain", f.Chain)
		p.optionalPlain("toAddress", f.ToAddress)
		f.write(p, 0)
	})
}

// mostIDs is how many a query may name where no other limit is given (code
// 11010).
const mostIDs = 100

// mostWithdrawalIDs is how many order ids a list of withdrawals takes.
const mostWithdrawalIDs = 20

// WithdrawalFee gives what a chain takes for a withdrawal just now
// (getWithdrawFee).
func (c *Client) WithdrawalFee(ctx context.Context, coinID, chain string) (Fee, error) {
	p := c.params(endpointWithdrawalFee)
	p.number("coinId", coinID)
	p.plain("chain", chain)
	var answer feeAnswer
	err := c.ask(ctx, p, "", &answer)
	if answer.InquiryID != "" {
		answer.Fee.InquiryID = answer.InquiryID
	}
	return answer.Fee, err
}

type feeAnswer struct {
	Fee       Fee    `json:"fee"`
	InquiryID string `json:"networkFeeInquiryID"` // beside the fee
}

func (a *feeAnswer) check() error { return checkCoin(a.Fee.CoinID) }

// CwalletUser is an account of Cwallet.
type CwalletUser struct {
	ID   string `json:"cwalletUserId"`
	Name string `json:"cwalletUserName"` // part of it hidden
	Raw  json.RawMessage
}

func (u *CwalletUser) check() error {
	if u.ID == "" {
		return errors.New("it has no user")
	}
	return nil
}

// CwalletUser looks a Cwallet account up, as one does before paying to it
// (getCwalletUserId).
func (c *Client) CwalletUser(ctx context.Context, cwalletUserID string) (CwalletUser, error) {
	p := c.params(endpointCwalletUser)
	p.plain("cwalletUserId", cwalletUserID)
	var answer CwalletUser
	err := c.ask(ctx, p, "", &answer)
	return answer, err
}
