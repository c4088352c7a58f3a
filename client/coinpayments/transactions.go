package coinpayments

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// TransactionType is what a transaction does. Webhooks write it in another case than
// the API: compare it with Is. One that this package does not know is kept as it came.
type TransactionType string

// The documented types. The receives are deposits from outside, but for
// SameUserReceive; an InternalReceive may also be an invoice's payout.
const (
	InternalReceive                  TransactionType = "internalReceive"
	UTXOExternalReceive              TransactionType = "utxoExternalReceive"
	AccountBasedExternalReceive      TransactionType = "accountBasedExternalReceive"
	AccountBasedExternalTokenReceive TransactionType = "accountBasedExternalTokenReceive"
	SameUserReceive                  TransactionType = "sameUserReceive"
	ExternalSpend                    TransactionType = "externalSpend"
	InternalSpend                    TransactionType = "internalSpend"
	SameUserSpend                    TransactionType = "sameUserSpend"
	AccountBasedTokenSpend           TransactionType = "accountBasedTokenSpend"
	Conversion                       TransactionType = "conversion"
	AutoSweeping                     TransactionType = "autoSweeping"
	ReceiveTestFundsFromPool         TransactionType = "receiveTestFundsFromPool"
	ReturnTestFundsToPool            TransactionType = "returnTestFundsToPool"
)

// Is compares without regard to case.
func (t TransactionType) Is(other TransactionType) bool {
	return strings.EqualFold(string(t), string(other))
}

// TransactionStatus is where a transaction stands. One that this package does not know
// is kept as it came; it is not final.
type TransactionStatus string

// The documented statuses.
const (
	TransactionUnknown               TransactionStatus = "unknown"
	TransactionCreated               TransactionStatus = "created"    // a withdrawal that is not on the chain yet
	TransactionPending               TransactionStatus = "pending"    // seen, waiting for confirmations
	TransactionProcessing            TransactionStatus = "processing" // being validated
	TransactionCompleted             TransactionStatus = "completed"  // on the chain, or an internal one that is done
	TransactionExpired               TransactionStatus = "expired"
	TransactionFailed                TransactionStatus = "failed"
	TransactionConfirmedOnBlockchain TransactionStatus = "confirmedOnBlockchain" // with all confirmations
	TransactionPendingReceive        TransactionStatus = "pendingReceive"        // a deposit on the chain, waiting for confirmations
	TransactionFailedOnBlockchain    TransactionStatus = "failedOnBlockchain"
	TransactionCancelled             TransactionStatus = "cancelled"
	TransactionRejected              TransactionStatus = "rejected"
)

// Is compares without regard to case.
func (s TransactionStatus) Is(other TransactionStatus) bool {
	return strings.EqualFold(string(s), string(other))
}

// Done reports whether the money has moved: completed or confirmedOnBlockchain. With
// completed, confirmations may be missing: compare them.
func (s TransactionStatus) Done() bool {
	return s.Is(TransactionCompleted) || s.Is(TransactionConfirmedOnBlockchain)
}

// Failed reports whether no money will move: expired, failed, failedOnBlockchain,
// cancelled or rejected.
func (s TransactionStatus) Failed() bool {
	return s.Is(TransactionExpired) || s.Is(TransactionFailed) || s.Is(TransactionFailedOnBlockchain) ||
		s.Is(TransactionCancelled) || s.Is(TransactionRejected)
}

// Transaction is a transaction of a wallet. Amounts are in whole units.
type Transaction struct {
	ID                            string            `json:"id"`
	DateCreated                   time.Time         `json:"dateCreated"`
	DateCompleted                 time.Time         `json:"dateCompleted"`
	FromOwnerID                   string            `json:"fromOwnerId"`
	FromWalletID                  string            `json:"fromWalletId"`
	ToWalletID                    string            `json:"toWalletId"`
	SpendRequestID                string            `json:"spendRequestId"`
	FromCurrencyID                string            `json:"fromCurrencyId"`
	FromCurrencySymbol            string            `json:"fromCurrencySymbol"`
	ToCurrencyID                  string            `json:"toCurrencyId"`
	ToCurrencySymbol              string            `json:"toCurrencySymbol"`
	FromAmount                    decimal.Decimal   `json:"fromAmount"`
	ToAmount                      decimal.Decimal   `json:"toAmount"`
	CoinPaymentsFee               decimal.Decimal   `json:"coinpaymentsFee" also:"coinPaymentsFee"`
	CoinPaymentsFeeCurrency       string            `json:"coinPaymentsFeeCurrency"`
	CoinPaymentsFeeCurrencySymbol string            `json:"coinPaymentsFeeCurrencySymbol"`
	BlockchainFee                 decimal.Decimal   `json:"blockchainFee"`
	BlockchainFeeCurrency         string            `json:"blockchainFeeCurrency"`
	BlockchainFeeCurrencySymbol   string            `json:"blockchainFeeCurrencySymbol"`
	Status                        TransactionStatus `json:"transactionStatus"`
	Type                          TransactionType   `json:"transactionType"`
	Memo                          string            `json:"memo"`
	FromAddress                   string            `json:"fromAddress"`
	ToAddress                     string            `json:"toAddress"`
	TxHash                        string            `json:"txHash"` // of external ones; several transactions may share one
	OutputIndex                   int               `json:"outputIndex"`
	BlockNumberTxAppearedAt       int64             `json:"blockNumberTxAppearedAt"`
	SupportTransactionID          string            `json:"supportTransactionId"`
	Confirmations                 int               `json:"confirmations"`
	RequiredConfirmations         int               `json:"requiredConfirmations"`
	FromAmountNative              decimal.Decimal   `json:"fromAmountNative"` // in NativeCurrency, as the next three
	ToAmountNative                decimal.Decimal   `json:"toAmountNative"`
	CoinPaymentsFeeNative         decimal.Decimal   `json:"coinpaymentsFeeNative" also:"coinPaymentsFeeNative"`
	BlockchainFeeNative           decimal.Decimal   `json:"blockchainFeeNative"`
	NativeCurrency                string            `json:"nativeCurrency"`
	NativeCurrencySymbol          string            `json:"nativeCurrencySymbol"`
	// IsInvoicePaymentSend: it pays an invoice. Nil: the answer does not say.
	IsInvoicePaymentSend *bool  `json:"isInvoicePaymentSend"`
	PaymentType          string `json:"paymentType"`
	ConvertedTxHash      string `json:"convertedTxHash"`
	Raw                  json.RawMessage
}

// TransactionRef names a transaction: [ByTransaction], [BySpendRequest].
type TransactionRef struct{ transactionID, spendRequestID string }

// ByTransaction names a transaction by its id.
func ByTransaction(transactionID string) TransactionRef {
	return TransactionRef{transactionID: transactionID}
}

// BySpendRequest names the first transaction of a spend request.
func BySpendRequest(spendRequestID string) TransactionRef {
	return TransactionRef{spendRequestID: spendRequestID}
}

// Transaction gives a transaction of a wallet (GET
// /api/v2/merchant/wallets/{id}/transaction; reference, Wallets, Get Wallet Transaction).
// [ErrNotFound]: the wallet has none with this id.
func (c *Client) Transaction(ctx context.Context, walletID string, ref TransactionRef) (Transaction, error) {
	p := c.params(routeTransaction)
	p.id("walletId", walletID)
	if ref.transactionID == "" && ref.spendRequestID == "" {
		p.fail("transactionId", "is missing, and so is spendRequestId: one of them names the transaction")
	}
	p.ask("transactionId", ref.transactionID)
	p.ask("spendRequestId", ref.spendRequestID)
	answer := transactionAnswer{asked: ref}
	err := c.ask(ctx, p, &answer)
	return answer.Transaction, err
}

type transactionAnswer struct {
	asked TransactionRef
	Transaction
}

func (a *transactionAnswer) check() error {
	if a.asked.transactionID != "" {
		return checkID(a.ID, a.asked.transactionID)
	}
	if a.ID == "" {
		return errors.New("it has no id")
	}
	return checkID(a.SpendRequestID, a.asked.spendRequestID)
}

// Transactions lists the transactions of a wallet (GET
// /api/v2/merchant/wallets/{id}/transactions; reference, Wallets, Get Wallet
// Transactions). Webhooks about deposits are not sent for long: this finds what they
// missed.
func (c *Client) Transactions(ctx context.Context, walletID string, options ...ListOption) iter.Seq2[Transaction, error] {
	return c.TransactionsFrom(ctx, walletID, 0, options...)
}

// TransactionsFrom is Transactions without as many as skip at the beginning of the
// list.
func (c *Client) TransactionsFrom(ctx context.Context, walletID string, skip int, options ...ListOption) iter.Seq2[Transaction, error] {
	return pages[Transaction]{
		client: c, route: routeTransactions, limit: mostItems, skip: true, first: skip,
		id:    func(t Transaction) string { return t.ID },
		write: func(p *params) { p.id("walletId", walletID) },
	}.all(ctx, options...)
}

// CountTransactions counts the transactions of a wallet (GET
// /api/v2/merchant/wallets/{id}/transactions/count).
func (c *Client) CountTransactions(ctx context.Context, walletID string) (int, error) {
	p := c.params(routeTransactionCount)
	p.id("walletId", walletID)
	return c.count(ctx, p)
}
