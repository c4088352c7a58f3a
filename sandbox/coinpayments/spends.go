package coinpayments

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// spendLifetime is how long a spend request waits to be confirmed.
const spendLifetime = time.Hour

// spendRate is CoinPayments' share of what leaves.
var spendRate = number("0.0023")

// spend is a request to send or convert money, which moves nothing until it is confirmed.
type spend struct {
	id        string
	wallet    *wallet
	to        string
	currency  *currency       // in which it arrives
	leaves    decimal.Decimal // what the wallet pays, without fees
	arrives   decimal.Decimal
	chainFee  decimal.Decimal
	service   decimal.Decimal
	memo      string
	feesFrom  string // another wallet that pays the fees
	createdAt time.Time
	confirmed bool
}

// text writes an amount in the currency in which a spend arrives.
func (s *spend) text(amount decimal.Decimal, v1 bool) string {
	if v1 {
		return s.currency.minor(amount).String()
	}
	return s.currency.text(amount)
}

// askedSpend is the body of a spend request. v1 names amounts in the smallest unit.
type askedSpend struct {
	ToAddress    string `json:"toAddress"`
	ToCurrency   string `json:"toCurrency"`
	ToCurrencyID string `json:"toCurrencyId"`
	Amount       string `json:"amount"`
	InUnits      string `json:"amountInSmallestUnits"`
	Fee          string `json:"blockchainFeeOverride"`
	FeeInUnits   string `json:"blockchainFeeOverrideInSmallestUnits"`
	Memo         string `json:"memo"`
	ReceiverPays bool   `json:"receiverPaysFee"`
	FeesFrom     string `json:"walletToPayFeeFrom"`
}

// spendRequest previews a withdrawal or conversion.
func spendRequest(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	var in askedSpend
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	s, err := c.readSpend(w, &in)
	if err != nil {
		return reply{}, err
	}
	if err := s.affordable(c.st); err != nil {
		return reply{}, err
	}
	s.id, s.createdAt = newUUID(), c.now
	c.st.spends[undashed(s.id)] = s
	from := func(a decimal.Decimal) string {
		if c.v1 {
			return w.currency.minor(a).String()
		}
		return w.currency.text(a)
	}
	return ok(object{
		"spendRequestId": s.id, "fromWalletId": w.id, "toAddress": s.to, "fromCurrencyId": w.currency.id,
		"fromCurrencySymbol": w.currency.symbol, "fromAmount": from(s.leaves), "toCurrencyId": s.currency.id,
		"toCurrencySymbol": s.currency.symbol, "toAmount": s.text(s.arrives, c.v1),
		"blockchainFee": from(s.chainFee), "coinpaymentsFee": from(s.service), "memo": orNull(s.memo),
		"walletToPayFeeFrom": orNull(s.feesFrom),
	})
}

// readSpend reads a spend request by the reference's rules.
func (c *call) readSpend(w *wallet, in *askedSpend) (*spend, error) {
	id, text, fee := in.ToCurrency, in.Amount, in.Fee
	if c.v1 {
		id, text, fee = in.ToCurrencyID, in.InUnits, in.FeeInUnits
	}
	s := &spend{wallet: w, to: in.ToAddress, currency: w.currency, memo: in.Memo, feesFrom: in.FeesFrom, chainFee: w.currency.fee}
	if id != "" {
		if s.currency = currencyByID(id); s.currency == nil || !s.currency.payable() {
			return nil, invalid("toCurrency", "nothing can be sent in %q", id)
		}
	}
	if !engine.ValidAddress(s.currency.family, s.to) {
		return nil, invalid("toAddress", "%q is no address on %s", s.to, s.currency.network)
	}
	if in.FeesFrom != "" && c.st.wallet(in.FeesFrom) == nil {
		return nil, invalid("walletToPayFeeFrom", "no wallet has the id %s", in.FeesFrom)
	}
	var err error
	if s.leaves, err = c.readCoins(w.currency, "amount", text); err != nil {
		return nil, err
	}
	if fee != "" {
		if s.chainFee, err = c.readCoins(w.currency, "blockchainFeeOverride", fee); err != nil {
			return nil, err
		}
	}
	s.service = s.leaves.Mul(spendRate).RoundCeil(w.currency.finest())
	if c.st.deposits[sameCase(s.to)] != nil {
		s.chainFee, s.service = decimal.Zero, decimal.Zero // it stays at CoinPayments
	}
	if in.ReceiverPays {
		s.leaves = s.leaves.Sub(s.chainFee).Sub(s.service)
	}
	s.arrives = s.leaves
	if s.currency != w.currency {
		s.arrives = s.leaves.Mul(c.st.worth(w.currency, s.currency)).Truncate(s.currency.finest())
	}
	if !s.arrives.IsPositive() {
		return nil, invalid("amount", "fees leave nothing of it")
	}
	return s, nil
}

// readCoins reads an amount of a currency: in the smallest unit in v1.
func (c *call) readCoins(of *currency, field, text string) (decimal.Decimal, error) {
	value, err := engine.ParseAmount(text)
	switch {
	case err != nil:
		return value, invalid(field, "%s", err.Error())
	case !value.IsPositive():
		return value, invalid(field, "must be above 0")
	case c.v1:
		value = value.Shift(-int32(of.decimals))
	}
	if !value.Equal(value.Truncate(int32(of.decimals))) {
		return value, invalid(field, "%s has %d decimals", of.symbol, of.decimals)
	}
	return value, nil
}

// fees are what a spend costs besides what it sends.
func (s *spend) fees() decimal.Decimal { return s.chainFee.Add(s.service) }

// affordable refuses what a wallet's balance does not cover.
func (s *spend) affordable(st *state) error {
	need, payer := s.leaves, st.wallet(s.feesFrom)
	switch {
	case s.feesFrom == "":
		need = need.Add(s.fees())
	case payer.confirmed().LessThan(s.fees()):
		return refuse(http.StatusBadRequest, "insufficient balance: the wallet that pays the fees holds %s", payer.confirmed())
	}
	if held := s.wallet.confirmed(); held.LessThan(need) {
		return refuse(http.StatusBadRequest, "insufficient balance: the wallet holds %s %s, and %s are needed", held, s.wallet.currency.symbol, need)
	}
	return nil
}

// confirmSpend carries a spend request out.
func confirmSpend(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	var in struct {
		ID string `json:"spendRequestId"`
	}
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	s := c.st.spends[undashed(in.ID)]
	if s == nil || s.wallet != w || s.confirmed || c.now.Sub(s.createdAt) > spendLifetime {
		return reply{}, notFound("the spend request is not found, expired, or confirmed already")
	}
	if err := s.affordable(c.st); err != nil {
		return reply{}, err
	}
	s.confirmed = true
	c.s.carryOut(s)
	return reply{http.StatusAccepted, nil}, nil
}

// take takes an amount from a wallet: what it holds itself first, and then what its
// addresses hold.
func (w *wallet) take(amount decimal.Decimal) {
	fromBase := decimal.Min(amount, w.base)
	w.base, amount = w.base.Sub(fromBase), amount.Sub(fromBase)
	for _, a := range w.addresses {
		part := decimal.Min(amount, a.held)
		a.held, amount = a.held.Sub(part), amount.Sub(part)
	}
}

// carryOut sends what a spend request says. The lock is held.
func (s *Sandbox) carryOut(of *spend) {
	w, now := of.wallet, s.engine.Now()
	t := &transaction{
		id: newUUID(), wallet: w, kind: kindExternalSpend, status: txCreated, amount: of.leaves, fees: of.fees(), service: of.service,
		from: w.addresses[0].text, to: of.to, spend: of, createdAt: now, rate: s.st.price(w.currency), final: make(chan struct{}),
	}
	if of.feesFrom != "" {
		s.st.wallet(of.feesFrom).take(of.fees())
		t.fees = decimal.Zero
	}
	w.take(t.amount.Add(t.fees))
	w.transactions = append(w.transactions, t)
	own := s.st.deposits[sameCase(of.to)]
	switch {
	case of.currency != w.currency:
		t.kind = kindConversion
	case own != nil:
		t.kind = kindOwnSpend
	case w.currency.kind == kindToken:
		t.kind = kindTokenSpend
	}
	switch {
	case t.required() == 0:
		s.settle(t, txCompleted)
		s.tellWallet(t)
		t.closeAfter()
		if own != nil && own.wallet.currency == of.currency {
			kind := kindOwnReceive
			if t.kind == kindConversion {
				kind = kindConversion
			}
			got := s.arrive(own.wallet, own, kind, Payment{Amount: of.arrives})
			own.wallet.transactions = append(own.wallet.transactions, got)
			s.settle(got, txCompleted)
			s.tellWallet(got)
			got.closeAfter()
		}
	case !s.st.approval:
		s.leave(t)
	}
}

// leave puts a spend on its chain, where it is confirmed. The lock is held.
func (s *Sandbox) leave(t *transaction) {
	t.status, t.hash = txPending, engine.NewTxID()
	s.progress(t, s.engine.Now(), t.required(), s.interval(t.required(), false), false)
}

// SetApproval has spends that are confirmed from now on wait for SettleWithdrawal, or no
// longer.
func (s *Sandbox) SetApproval(needed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.approval = needed
}

// SettleWithdrawal decides what becomes of a spend that has not ended, named by the id of
// its transaction or of its request: "success", "failed", "cancelled", "rejected", or
// "processing" of one that waits. What did not succeed is back in the wallet, and sends no
// webhook.
func (s *Sandbox) SettleWithdrawal(id, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.st.transaction(id)
	if of := s.st.spends[undashed(id)]; t == nil && of != nil {
		for _, one := range of.wallet.transactions {
			if one.spend == of {
				t = one
			}
		}
	}
	switch {
	case t == nil || t.incoming:
		return fmt.Errorf("record_id: no spend that was confirmed has the id %q", id)
	case t.ended():
		return fmt.Errorf("record_id: the spend has ended, it is %s", t.status)
	}
	switch strings.ToLower(status) {
	case "success":
		t.confirms = t.required()
		s.settle(t, txConfirmed)
		s.tellWallet(t)
	case "processing":
		if t.status != txCreated {
			return errors.New("status: the spend is processing already")
		}
		s.leave(t)
	case "failed":
		s.settle(t, txFailed)
	case "cancelled":
		s.settle(t, txCancelled)
	case "rejected":
		s.settle(t, txRejected)
	default:
		return fmt.Errorf(`status: must be "success", "failed", "processing", "cancelled" or "rejected", got %q`, status)
	}
	return nil
}
