package coinpayments

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/shopspring/decimal"
)

// SpendRequest asks to pay out of a wallet, or to convert (reference, Wallets, Spend
// Request). Amounts are in whole units.
type SpendRequest struct {
	ToAddress  string
	ToCurrency string // id; the wallet's own, or another one to convert to
	Amount     decimal.Decimal
	// BlockchainFeeOverride replaces the fee that CoinPayments suggests, by a tenth at
	// most. Optional.
	BlockchainFeeOverride decimal.Decimal
	Memo                  string // optional; at most 200 characters
	ReceiverPaysFee       bool   // takes the fees from Amount
	WalletToPayFeeFrom    string // optional: a wallet's id
}

// Spend is a spend request with what it will cost. Amounts are in whole units.
type Spend struct {
	SpendRequestID     string          `json:"spendRequestId"`
	FromWalletID       string          `json:"fromWalletId"`
	ToAddress          string          `json:"toAddress"`
	FromCurrencyID     string          `json:"fromCurrencyId"`
	FromCurrencySymbol string          `json:"fromCurrencySymbol"`
	FromAmount         decimal.Decimal `json:"fromAmount"`
	ToCurrencyID       string          `json:"toCurrencyId"`
	ToCurrencySymbol   string          `json:"toCurrencySymbol"`
	ToAmount           decimal.Decimal `json:"toAmount"`
	BlockchainFee      decimal.Decimal `json:"blockchainFee"`
	CoinPaymentsFee    decimal.Decimal `json:"coinpaymentsFee" also:"coinPaymentsFee"`
	Memo               string          `json:"memo"`
	WalletToPayFeeFrom string          `json:"walletToPayFeeFrom"`
	Raw                json.RawMessage
}

// RequestSpend prepares a payout or a conversion and says what it will cost (POST
// /api/v2/merchant/wallets/{id}/spend/request; reference, Wallets, Spend Request). No money
// moves before [Client.ConfirmSpend]. It is never sent twice; after an
// [OutcomeUnknownError] the request may be made again, as one that is never confirmed
// expires.
func (c *Client) RequestSpend(ctx context.Context, walletID string, r SpendRequest) (Spend, error) {
	p := c.params(routeSpendRequest)
	p.id("walletId", walletID)
	o := p.object()
	if r.ToAddress == "" {
		o.wrong("toAddress", "is missing")
	}
	o.word("toAddress", r.ToAddress, 300)
	o.currency("toCurrency", r.ToCurrency)
	o.amount("amount", r.Amount)
	o.optionalAmount("blockchainFeeOverride", r.BlockchainFeeOverride)
	o.optionalText("memo", r.Memo, 200)
	o.value("receiverPaysFee", r.ReceiverPaysFee)
	o.word("walletToPayFeeFrom", r.WalletToPayFeeFrom, 100)
	var answer spendAnswer
	err := c.ask(ctx, p, &answer)
	return answer.Spend, err
}

type spendAnswer struct{ Spend }

func (a *spendAnswer) check() error {
	if a.SpendRequestID == "" {
		return errors.New("it has no spendRequestId")
	}
	return nil
}

// ConfirmSpend carries a spend request out: the money moves (POST
// /api/v2/merchant/wallets/{id}/spend/confirmation; reference, Wallets, Confirm Spending
// Funds). [ErrNotFound]: the request has expired, or there is none.
//
// It is never sent twice. After an [OutcomeUnknownError], look with
// [Client.Transaction] and [BySpendRequest] before anything else.
func (c *Client) ConfirmSpend(ctx context.Context, walletID, spendRequestID string) error {
	p := c.params(routeSpendConfirmation)
	p.id("walletId", walletID)
	p.reference = spendRequestID
	o := p.object()
	if spendRequestID == "" {
		o.wrong("spendRequestId", "is missing")
	}
	o.word("spendRequestId", spendRequestID, 100)
	return c.ask(ctx, p, nil)
}
