package coinpayments

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// Webhooks of wallets are tried so often, a second apart, and each try takes no longer.
const (
	walletTries   = 5
	walletTimeout = 5 * time.Second
)

// tellWallet sends the webhook of a transaction as it is, if the address or wallet has
// one. The lock is held.
func (s *Sandbox) tellWallet(t *transaction) {
	to := t.wallet.hookURL
	if t.at != nil && t.at.hookURL != "" {
		to = t.at.hookURL
	}
	if to == "" {
		return
	}
	t.body = engine.Marshal(t.inHook())
	s.sendWallet(t, to)
}

// sendWallet sends the latest body of a transaction's webhook. The lock is held.
func (s *Sandbox) sendWallet(t *transaction, to string) {
	body := t.body
	w := s.webhook(to, pascal(t.kind), func() []byte { return body })
	w.Timeout = walletTimeout
	w.Retry = func(tries int) (time.Duration, bool) {
		return time.Duration(tries) * time.Second, tries < walletTries
	}
	w.Status, w.RecordID, w.OrderID, w.After = t.status, t.id, t.to, t.last
	t.last, t.hookURL = w, to
	s.engine.Send(w)
}

// inHook is a transaction as webhooks write it: flat, with amounts as texts.
func (t *transaction) inHook() object {
	c := t.wallet.currency
	native := func(a decimal.Decimal) string { return a.Mul(t.rate).StringFixed(2) }
	chainFee := t.fees.Sub(t.service)
	whole := t.amount.Add(t.fees)
	body := object{
		"walletId": t.wallet.id, "address": t.to, "transactionId": t.id, "txHash": orNull(t.hash), "transactionType": pascal(t.kind),
		"amount": t.amount.String(), "symbol": c.symbol, "coinPaymentsFee": t.service.String(), "coinPaymentsFeeSymbol": c.symbol,
		"blockchainFee": chainFee.String(), "blockchainFeeSymbol": c.symbol, "totalAmount": whole.String(), "totalAmountSymbol": c.symbol,
		"nativeAmount": native(t.amount), "coinPaymentsFeeNativeAmount": native(t.service), "blockchainFeeNativeAmount": native(chainFee),
		"totalNativeAmount": native(whole), "nativeSymbol": "USD",
		"confirmations": t.confirms, "requiredConfirmations": t.required(),
	}
	if t.spend != nil {
		body["spendRequestId"] = t.spend.id
	}
	return body
}
