package coinpayments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Record implements [gateway.Records] by the invoice, or by the transaction of a wallet.
func (v *V2) Record(ctx context.Context, n gateway.Notice) (gateway.Record, error) {
	switch n.Type {
	case invoiceType:
		invoice, err := v.invoices.Get(ctx, n.RecordID)
		if err != nil {
			return gateway.Record{}, explain(err)
		}
		return v.invoiceRecord(invoice), nil
	case depositType, withdrawalType:
		t, err := v.Client().Transaction(ctx, n.WalletID, coinpayments.ByTransaction(n.RecordID))
		if err != nil {
			return gateway.Record{}, explain(err)
		}
		if n.Type == withdrawalType {
			return withdrawn(t, n), nil
		}
		return v.deposited(ctx, t, n)
	default:
		return gateway.Record{}, fmt.Errorf("CoinPayments has no records of %.40q", n.Type)
	}
}

func (v *V2) readInvoice(ctx context.Context, id string) (coinpayments.Invoice, error) {
	return v.Client().Invoice(ctx, id)
}

// invoiceRecord is an invoice as a record: the order that it is, and the payment by which
// it was paid. Of several payments there is a sum only in the invoice's currency.
func (v *V2) invoiceRecord(i coinpayments.Invoice) gateway.Record {
	order := v.order(i)
	r := gateway.Record{
		ID: plainID(i.ID), Status: statusName(string(i.Status)), OrderID: i.InvoiceID, Risk: ledger.NotRisky, Order: &order, Raw: i.Raw,
	}
	if id := i.CustomData[orderKey]; id != "" {
		r.OrderID = id
	}
	if client := gjson.GetBytes(i.Raw, "clientId").String(); client != "" && !coinpayments.SameID(client, v.info.AccountID) {
		r.Doubt = "the invoice is another integration's"
	}
	paid := make(map[string]coinpayments.Payment)
	for at, p := range i.Payments {
		if !p.State.Paid() {
			continue
		}
		name := paymentName(p, at)
		if _, isThere := paid[name]; !isThere {
			r.Amount = r.Amount.Add(worth(p))
		}
		if paid[name] = p; hasError(p) {
			r.Doubt = fmt.Sprintf("a payment of the invoice has the error %.40q", p.ErrorCode)
		}
	}
	if len(paid) != 1 {
		r.Coin = order.Currency
		return r
	}
	for _, p := range paid {
		r.Coin, r.Amount, r.Fee, r.ArrivedAt = p.PaymentCurrencySymbol, p.ActualAmount, p.Fees.MerchantFee.Total, p.PendingAt
	}
	if hashes := i.PayoutDetails.PaidTransactions; len(hashes) == 1 {
		r.TxID = hashes[0].Hash
	}
	return r
}

// noErrors are the ways in which CoinPayments writes that a payment has no error: 0 is Unknown in
// its enumeration.
var noErrors = []string{"", "0", "none", "unknown"}

// hasError reports whether CoinPayments has an error of a payment.
func hasError(p coinpayments.Payment) bool {
	return !slices.Contains(noErrors, strings.ToLower(p.ErrorCode))
}

// transactionStatus is the status of a transaction's event. A transaction that is on its
// chain may be completed before all confirmations are there.
func transactionStatus(t coinpayments.Transaction) string {
	switch {
	case t.Status.Failed():
		return failed
	case t.Status.Is(coinpayments.TransactionConfirmedOnBlockchain), t.Status.Done() && t.Confirmations >= t.RequiredConfirmations:
		return succeeded
	default:
		return processing
	}
}

// withdrawn is the record of a withdrawal, which is one only if the money goes to others.
func withdrawn(t coinpayments.Transaction, n gateway.Notice) gateway.Record {
	r := gateway.Record{
		ID: plainID(t.ID), ReferenceID: plainID(t.SpendRequestID), Status: transactionStatus(t), Risk: ledger.NotRisky,
		Coin: t.ToCurrencySymbol, TxID: t.TxHash, Amount: t.ToAmount, Raw: t.Raw,
		Fee:      fee(t, t.ToCurrencySymbol),
		TestCoin: isTestCoin(t.ToCurrencyID, t.ToCurrencySymbol),
		Own:      !isOf(spends, string(t.Type)) || t.Type.Is(coinpayments.SameUserSpend),
	}
	if r.Amount.IsZero() {
		r.Coin, r.Amount = t.FromCurrencySymbol, t.FromAmount
	}
	if r.ReferenceID == "" {
		r.ReferenceID = n.ReferenceID
	}
	return r
}

// deposited is the record of a deposit. What CoinPayments pays out of the merchant's own
// invoices comes as a deposit, too, and must not be credited to a customer.
func (v *V2) deposited(ctx context.Context, t coinpayments.Transaction, n gateway.Notice) (gateway.Record, error) {
	r := gateway.Record{
		ID: plainID(t.ID), ReferenceID: t.ToAddress, Status: transactionStatus(t), Risk: ledger.NotRisky,
		Coin: t.ToCurrencySymbol, TxID: t.TxHash, Amount: t.ToAmount, ArrivedAt: t.DateCreated, Raw: t.Raw,
		Fee:      fee(t, t.ToCurrencySymbol),
		TestCoin: isTestCoin(t.ToCurrencyID, t.ToCurrencySymbol),
		Own:      t.Type.Is(coinpayments.SameUserReceive),
	}
	if sameAddress(t.ToAddress, n.ReferenceID) {
		r.ReferenceID = n.ReferenceID
	}
	switch {
	case r.Own || r.Status != succeeded:
		return r, nil
	case !isOf(receives, string(t.Type)):
		r.Doubt = fmt.Sprintf("the transaction is of the type %.40q, which is no deposit", t.Type)
	case r.ReferenceID == "":
		r.Doubt = "the transaction is to no address, so that it may be a payout of the merchant's own invoices"
	case t.IsInvoicePaymentSend != nil && *t.IsInvoicePaymentSend,
		t.Type.Is(coinpayments.InternalReceive) && t.IsInvoicePaymentSend == nil:
		r.Doubt = "the transaction is a payout of the merchant's own invoices, or may be one"
	case t.Type.Is(coinpayments.InternalReceive):
		_, isOwn, err := v.wallet(ctx, t.FromWalletID)
		if err != nil {
			return r, err
		}
		if isOwn || t.FromWalletID == "" {
			r.Doubt = "the transaction is from a wallet of the merchant's own, or may be"
		}
	}
	if r.Doubt != "" {
		return r, nil
	}
	// That a webhook comes says that the address was made by an integration.
	wallet, isKnown, err := v.wallet(ctx, n.WalletID)
	if isKnown && wallet.ClientID != "" && !coinpayments.SameID(wallet.ClientID, v.info.AccountID) {
		r.Doubt = "the wallet was not made by this integration"
	}
	return r, err
}

// wallet looks a wallet up, and returns false where the integration has none of this id.
func (v *V2) wallet(ctx context.Context, id string) (w coinpayments.Wallet, isKnown bool, err error) {
	if id == "" {
		return w, false, nil
	}
	w, err = v.Client().Wallet(ctx, id)
	if errors.Is(err, coinpayments.ErrNotFound) || errors.Is(err, coinpayments.ErrForbidden) || errors.Is(err, coinpayments.ErrBadRequest) {
		return w, false, nil
	}
	return w, err == nil, explain(err)
}

// fee is what CoinPayments and the chain take of a transaction, as far as that is in this
// coin.
func fee(t coinpayments.Transaction, symbol string) (sum decimal.Decimal) {
	if t.CoinPaymentsFeeCurrencySymbol == "" || t.CoinPaymentsFeeCurrencySymbol == symbol {
		sum = sum.Add(t.CoinPaymentsFee)
	}
	if t.BlockchainFeeCurrencySymbol == "" || t.BlockchainFeeCurrencySymbol == symbol {
		sum = sum.Add(t.BlockchainFee)
	}
	return sum
}

// sameAddress compares two addresses. Capitals in those that begin with 0x are a check sum.
func sameAddress(a, b string) bool {
	return a == b || strings.HasPrefix(a, "0x") && strings.EqualFold(a, b)
}

// isTestCoin reports whether a coin is worth nothing, as LTCT is (API reference,
// Introduction), whose id is known.
func isTestCoin(id, symbol string) bool { return id == "1002" || gateway.IsTestCoin(symbol) }
