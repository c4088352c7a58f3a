package coinpayments

import (
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// The statuses of a transaction, as the API writes them.
const (
	txCreated        = "created"
	txPending        = "pending"
	txPendingReceive = "pendingReceive"
	txCompleted      = "completed"
	txConfirmed      = "confirmedOnBlockchain"
	txFailed         = "failedOnBlockchain"
	txCancelled      = "cancelled"
	txRejected       = "rejected"
)

// The types of transactions that the sandbox makes by itself, as the API writes them.
const (
	kindUTXOReceive   = "utxoExternalReceive"
	kindCoinReceive   = "accountBasedExternalReceive"
	kindTokenReceive  = "accountBasedExternalTokenReceive"
	kindInternal      = "internalReceive"
	kindOwnReceive    = "sameUserReceive"
	kindExternalSpend = "externalSpend"
	kindTokenSpend    = "accountBasedTokenSpend"
	kindOwnSpend      = "sameUserSpend"
	kindConversion    = "conversion"
)

// receives are the types of transactions that bring money.
var receives = []string{kindUTXOReceive, kindCoinReceive, kindTokenReceive, kindInternal, kindOwnReceive}

// transaction is money that moved to or from a wallet.
type transaction struct {
	id       string
	wallet   *wallet
	at       *address // that a deposit came to; nil of others
	kind     string
	incoming bool
	status   string
	amount   decimal.Decimal // what arrives
	fees     decimal.Decimal // what it cost the wallet besides
	service  decimal.Decimal // CoinPayments' part of them
	from, to string
	hash     string
	confirms int
	spend    *spend
	payout   bool // of an invoice's money
	rate     decimal.Decimal

	createdAt   time.Time
	completedAt time.Time

	body    []byte // of the latest webhook
	hookURL string // where it went
	last    *engine.Webhook
	final   chan struct{} // closed once the last webhook of it was tried
	answered
}

// change is what a transaction did to its wallet's balance.
func (t *transaction) change() decimal.Decimal {
	switch {
	case t.status == txFailed || t.status == txCancelled || t.status == txRejected:
		return decimal.Zero
	case t.incoming:
		return t.amount
	}
	return t.amount.Add(t.fees).Neg()
}

// show is a transaction as the API answers it.
func (t *transaction) show(_ *Sandbox, v1 bool) object {
	c, usd := t.wallet.currency, currencyByID("5057")
	amount := func(a decimal.Decimal) string {
		if v1 {
			return c.minor(a).String()
		}
		return c.text(a)
	}
	native := func(a decimal.Decimal) string { return usd.text(a.Mul(t.rate).Truncate(2)) }
	chainFee := t.fees.Sub(t.service)
	view := object{
		"id": t.id, "dateCreated": stamp(t.createdAt), "dateCompleted": stamp(t.completedAt), "fromOwnerId": nil,
		"fromWalletId": nil, "toWalletId": nil, "spendRequestId": nil,
		"fromCurrencyId": c.id, "fromCurrencySymbol": c.symbol, "toCurrencyId": c.id, "toCurrencySymbol": c.symbol,
		"fromAmount": amount(t.amount), "toAmount": amount(t.amount),
		"coinpaymentsFee": amount(t.service), "coinPaymentsFeeCurrency": c.id, "coinPaymentsFeeCurrencySymbol": c.symbol,
		"blockchainFee": amount(chainFee), "blockchainFeeCurrency": c.id, "blockchainFeeCurrencySymbol": c.symbol,
		"transactionStatus": t.status, "transactionType": t.kind, "memo": nil, "fromAddress": orNull(t.from), "toAddress": t.to,
		"txHash": orNull(t.hash), "outputIndex": 0, "blockNumberTxAppearedAt": t.createdAt.Unix() / 10, "supportTransactionId": nil,
		"confirmations": t.confirms, "requiredConfirmations": t.required(),
		"fromAmountNative": native(t.amount), "toAmountNative": native(t.amount), "coinpaymentsFeeNative": native(t.service),
		"blockchainFeeNative": native(chainFee), "nativeCurrency": usd.id, "nativeCurrencySymbol": usd.symbol,
		"isInvoicePaymentSend": t.payout, "paymentType": nil, "convertedTxHash": nil,
	}
	if t.incoming {
		view["toWalletId"] = t.wallet.id
	} else {
		view["fromWalletId"] = t.wallet.id
	}
	if s := t.spend; s != nil {
		view["spendRequestId"], view["memo"] = s.id, orNull(s.memo)
		view["toCurrencyId"], view["toCurrencySymbol"] = s.currency.id, s.currency.symbol
		if s.currency != c {
			view["toAmount"] = s.text(s.arrives, v1)
		}
	}
	if v1 {
		view["fromCurrencyId"], _ = strconv.Atoi(c.coin())
		view["fromContractAddress"] = orNull(c.contract())
	}
	return view
}

// required is how many confirmations a transaction needs; what stays at CoinPayments needs
// none.
func (t *transaction) required() int {
	switch t.kind {
	case kindInternal, kindOwnReceive, kindOwnSpend, kindConversion:
		return 0
	}
	return t.wallet.currency.confirms
}

// transaction finds a transaction by its id, or returns nil.
func (st *state) transaction(id string) *transaction {
	for _, w := range st.wallets {
		for _, t := range w.transactions {
			if undashed(t.id) == undashed(id) {
				return t
			}
		}
	}
	return nil
}

// listTransactions lists a wallet's transactions, the newest first.
func listTransactions(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	newest := slices.Clone(w.transactions)
	slices.Reverse(newest)
	return listPage(c, newest, func(t *transaction) any { return t.answer(c) })
}

func (t *transaction) answer(c *call) any {
	return t.of(c.v1, func(v1 bool) object { return t.show(c.s, v1) })
}

func countTransactions(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	return ok(len(w.transactions))
}

// findTransaction finds a transaction by its id, or else the first one of a spend request.
func findTransaction(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	id, spend := undashed(c.query.Get("transactionId")), undashed(c.query.Get("spendRequestId"))
	if id == "" && spend == "" {
		return reply{}, invalid("transactionId", "pass transactionId or spendRequestId")
	}
	for _, t := range w.transactions {
		if id != "" && undashed(t.id) == id || id == "" && t.spend != nil && undashed(t.spend.id) == spend {
			return ok(t.answer(c))
		}
	}
	return reply{}, notFound("the wallet has no such transaction")
}

// settle gives a transaction its last status, after which nothing changes it. The lock is
// held.
func (s *Sandbox) settle(t *transaction, status string) {
	t.status, t.completedAt = status, s.engine.Now()
	switch {
	case status == txFailed || status == txCancelled || status == txRejected:
		if !t.incoming {
			t.wallet.base = t.wallet.base.Add(t.amount).Add(t.fees)
		}
	case t.incoming && t.at != nil && t.wallet.permanent:
		t.at.held = t.at.held.Add(t.amount)
	case t.incoming:
		t.wallet.base = t.wallet.base.Add(t.amount)
	}
}

// ended reports whether a transaction has its last status.
func (t *transaction) ended() bool { return !t.completedAt.IsZero() }

// progress confirms a transaction so many times from a moment on, one after the other with
// an interval between, and then has it fail if it is to. The lock is held.
func (s *Sandbox) progress(t *transaction, from time.Time, left int, interval time.Duration, fails bool) {
	switch {
	case t.ended():
		return
	case left <= 0:
		if fails {
			s.settle(t, txFailed)
		}
		t.closeAfter()
		return
	}
	next := func(now time.Time) {
		if t.ended() {
			return
		}
		t.confirms++
		if !t.incoming {
			t.status = txPending
		}
		if t.confirms >= t.required() {
			s.settle(t, txConfirmed)
		}
		s.tellWallet(t)
		if t.ended() {
			t.closeAfter()
			return
		}
		s.progress(t, now, left-1, interval, fails)
	}
	if interval <= 0 {
		next(from)
		return
	}
	s.engine.At(from.Add(interval), s.task(next))
}

// closeAfter ends the waiting of Pay when the latest webhook was tried. The lock is held.
func (t *transaction) closeAfter() {
	engine.CloseAfter(t.last, t.final)
}
