package client

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/shopspring/decimal"
)

// Withdrawal pays coins out to an address on a chain.
type Withdrawal struct {
	OrderID string // your id of it, 3 to 64 characters, never used before: it is how a lost answer is looked up
	CoinID  string
	Chain   string // symbol of the chain
	Address string
	Memo    string // required where the chain has memos
	Amount  decimal.Decimal
	// MerchantPayNetworkFee adds the network fee to what the merchant pays; else
	// it is taken from Amount.
	MerchantPayNetworkFee bool
	NotifyURL             string // optional: webhooks go here instead of to the console's URL; at most 150 characters
}

// Withdraw pays out from the merchant's balance (applyAppWithdrawToNetwork) and
// returns the record's id. ApiWithdrawal webhooks tell how it goes on; ask
// [Client.WithdrawalRecord] where none has come for two hours.
//
// It is never sent twice: see [OutcomeUnknownError].
func (c *Client) Withdraw(ctx context.Context, w Withdrawal) (recordID string, err error) {
	p := c.params(endpointWithdraw)
	w.write(p)
	p.flag("merchantPayNetworkFee", w.MerchantPayNetworkFee)
	p.link("notifyUrl", w.NotifyURL)
	return c.create(ctx, p, w.OrderID)
}

func (w Withdrawal) write(p *params) {
	p.number("coinId", w.CoinID)
	p.plain("chain", w.Chain)
	p.plain("address", w.Address)
	p.optionalPlain("memo", w.Memo)
	p.reference("orderId", w.OrderID)
	p.amount("amount", w.Amount, coinDecimals)
}

// CwalletTransfer pays coins to an account of Cwallet, at once and free of
// charge.
type CwalletTransfer struct {
	OrderID     string // your id of it, 3 to 64 characters, never used before
	CoinID      string
	CwalletUser string          // Cwallet id or e-mail address
	Amount      decimal.Decimal // worth at least 0.001 USD
}

// WithdrawToCwallet pays out from the merchant's balance to Cwallet
// (applyAppWithdrawToCwallet) and returns the record's id. No webhook follows:
// [Client.WithdrawalRecord] tells how it went. It is never sent twice: see
// [OutcomeUnknownError].
func (c *Client) WithdrawToCwallet(ctx context.Context, t CwalletTransfer) (recordID string, err error) {
	p := c.params(endpointWithdrawToCwallet)
	t.write(p)
	return c.create(ctx, p, t.OrderID)
}

func (t CwalletTransfer) write(p *params) {
	p.number("coinId", t.CoinID)
	p.plain("cwalletUser", t.CwalletUser)
	p.amount("amount", t.Amount, coinDecimals)
	p.reference("orderId", t.OrderID)
}

// UserWithdraw pays out from a user's balance (applyUserWithdrawToNetwork) and
// returns the record's id. UserWithdrawal webhooks tell how it goes on. The
// user pays the network fee: MerchantPayNetworkFee is refused. It is never sent
// twice: see [OutcomeUnknownError].
func (c *Client) UserWithdraw(ctx context.Context, userID string, w Withdrawal) (recordID string, err error) {
	p := c.params(endpointUserWithdraw)
	p.user("userId", userID, false)
	if w.MerchantPayNetworkFee {
		p.fail("merchantPayNetworkFee", "is for the merchant's own withdrawals")
	}
	w.write(p)
	p.link("notifyUrl", w.NotifyURL)
	return c.create(ctx, p, w.OrderID)
}

// UserWithdrawToCwallet pays out from a user's balance to Cwallet
// (applyUserWithdrawToCwallet) and returns the record's id. No webhook follows.
// It is never sent twice: see [OutcomeUnknownError].
func (c *Client) UserWithdrawToCwallet(ctx context.Context, userID string, t CwalletTransfer) (recordID string, err error) {
	p := c.params(endpointUserWithdrawCwallet)
	p.user("userId", userID, false)
	t.write(p)
	return c.create(ctx, p, t.OrderID)
}

// WithdrawalRecord is one payment out.
type WithdrawalRecord struct {
	RecordID     string          `json:"recordId"`
	OrderID      string          `json:"orderId"`
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
	Fee          Fee             `json:"fee"` // on a chain
	Status       Status          `json:"status"`
	Raw          json.RawMessage
}

func (r *WithdrawalRecord) id() string { return r.RecordID }

// Fee is what a chain takes, in a coin that need not be the one sent.
type Fee struct {
	CoinID     string          `json:"coinId"`
	CoinSymbol string          `json:"coinSymbol"`
	Amount     decimal.Decimal `json:"amount"`
}

// WithdrawalRecord gives a payment out of the merchant's (getAppWithdrawRecord).
// After an [OutcomeUnknownError], ask with [ByOrder].
func (c *Client) WithdrawalRecord(ctx context.Context, ref Ref) (WithdrawalRecord, error) {
	return record[WithdrawalRecord](ctx, c, endpointWithdrawalRecord, ref.write)
}

// UserWithdrawalRecord gives a payment out of a user's (getUserWithdrawRecord).
func (c *Client) UserWithdrawalRecord(ctx context.Context, ref Ref) (WithdrawalRecord, error) {
	return record[WithdrawalRecord](ctx, c, endpointUserWithdrawalRecord, ref.write)
}

// WithdrawalFilter picks payments out; empty fields pick all.
type WithdrawalFilter struct {
	CoinID   string
	Chain    string
	OrderIDs []string // at most 20
	Between
}

// WithdrawalRecords lists the merchant's payments out
// (getAppWithdrawRecordList).
func (c *Client) WithdrawalRecords(ctx context.Context, f WithdrawalFilter) iter.Seq2[WithdrawalRecord, error] {
	return list[WithdrawalRecord](ctx, c, endpointWithdrawalRecords, func(p *params) {
		p.optionalNumber("coinId", f.CoinID)
		p.optionalList("orderIds", f.OrderIDs, 20)
		p.optionalPlain("chain", f.Chain)
		f.write(p, 0)
	})
}

// UserWithdrawalFilter picks payments out of one user's; the other fields,
// where empty, pick all.
type UserWithdrawalFilter struct {
	UserID    string // required
	CoinID    string
	Chain     string
	ToAddress string
	Between
}

// UserWithdrawalRecords lists a user's payments out
// (getUserWithdrawRecordList).
func (c *Client) UserWithdrawalRecords(ctx context.Context, f UserWithdrawalFilter) iter.Seq2[WithdrawalRecord, error] {
	return list[WithdrawalRecord](ctx, c, endpointUserWithdrawals, func(p *params) {
		p.user("userId", f.UserID, false)
		p.optionalNumber("coinId", f.CoinID)
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
	Between
}

// AutoWithdrawalRecords lists the payments out that CCPayment made by itself,
// as the console's rules say (getAutoWithdrawRecordList). The reference names
// no fields of the answer: those of a withdrawal are expected, and Raw has what
// came.
func (c *Client) AutoWithdrawalRecords(ctx context.Context, f AutoWithdrawalFilter) iter.Seq2[WithdrawalRecord, error] {
	return list[WithdrawalRecord](ctx, c, endpointAutoWithdrawals, func(p *params) {
		p.optionalNumber("coinId", f.CoinID)
		p.optionalList("recordIds", f.RecordIDs, mostIDs)
		p.optionalPlain("chain", f.Chain)
		f.write(p, 0)
	})
}

// mostIDs is how many a query may name where no other limit is given (code
// 11010).
const mostIDs = 100

// WithdrawalFee gives what a chain takes for a withdrawal just now
// (getWithdrawFee).
func (c *Client) WithdrawalFee(ctx context.Context, coinID, chain string) (Fee, error) {
	p := c.params(endpointWithdrawalFee)
	p.number("coinId", coinID)
	p.plain("chain", chain)
	var answer feeAnswer
	err := c.ask(ctx, p, "", &answer)
	return answer.Fee, err
}

type feeAnswer struct {
	Fee Fee `json:"fee"`
}

func (a *feeAnswer) check() error { return checkCoin(a.Fee.CoinID) }

// CwalletUser is an account of Cwallet.
type CwalletUser struct {
	ID   string `json:"cwalletUserId"`
	Name string `json:"cwalletUserName"` // part of it hidden
	Raw  json.RawMessage
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
