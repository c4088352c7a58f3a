package sandbox

import (
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// AutoWithdrawal is a payout that CCPayment makes by itself once a balance is
// high enough, as the merchant set it up in the console.
type AutoWithdrawal struct {
	Coin    string          // symbol or id
	Chain   string          // empty: the coin's first
	Address string          // empty: one made up
	Memo    string          // for chains with memos; empty: one made up
	Amount  decimal.Decimal // in coins; the network fee comes off it
}

// AutoWithdraw makes an auto-withdrawal from the merchant's balance and
// returns its record id. It has no webhook, and is found with
// getAutoWithdrawRecordList. On an error, which is by the same rules as for
// withdrawals, no money has moved.
func (s *Sandbox) AutoWithdraw(a AutoWithdrawal) (string, error) {
	w := &withdrawal{
		kind: kindAutoWithdrawal, user: s.opts.AppID, address: a.Address, memo: a.Memo, amount: a.Amount,
	}
	found := coinsNamed(a.Coin, a.Chain)
	switch len(found) {
	case 0:
		return "", fmt.Errorf("coin: no coin is called %q on chain %q", a.Coin, a.Chain)
	case 1:
		w.coin, w.network = found[0], found[0].on(a.Chain)
	default:
		return "", fmt.Errorf("coin: %q is the symbol of several coins; name one by its id", a.Coin)
	}
	if w.network == nil {
		w.network = &w.coin.networks[0]
	}
	if !w.amount.IsPositive() || !w.amount.Equal(w.amount.Truncate(int32(w.network.precision))) {
		return "", fmt.Errorf("amount: must be above 0 and have at most %d decimals", w.network.precision)
	}
	if w.address == "" {
		w.address = engine.NewAddress(w.network.chain.family)
	}
	if w.memo == "" && w.network.chain.memo {
		w.memo = "1"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.st.payFor(w, false); err != nil {
		return "", err
	}
	s.st.enter(s.engine.Now(), w)
	s.progress(w, statusProcessing)
	return w.recordID, nil
}

// RefundRisky sends a risky deposit back to where it came from, as the console
// can, and returns the refund's record id. The whole amount goes back; the
// network fee and the deposit's service fee come off the merchant's balance,
// which must cover them in the deposit's coin. The deposit is Failed from then
// on: its money is gone, and clearing its flag credits nothing. It has no
// webhook, and is found with getRiskyRefundRecordList.
//
// If the refund fails (see SettleWithdrawal), the fees come back and the
// deposit is as it was.
func (s *Sandbox) RefundRisky(depositID string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.st.byRecord[depositID]
	switch {
	case d == nil:
		return "", fmt.Errorf("record_id: no deposit has the record id %q", depositID)
	case !d.risky:
		return "", errors.New("record_id: the deposit is not risky")
	case d.status != statusSuccess:
		return "", fmt.Errorf("record_id: the deposit is %s, and only a successful one can be refunded", d.status)
	}
	w := &withdrawal{
		kind: kindRiskRefund, user: s.opts.AppID, coin: d.coin, network: d.network,
		address: d.from, amount: d.amount, refunds: d,
	}
	if w.address == "" {
		w.address = engine.NewAddress(d.network.chain.family)
	}
	w.fee = s.st.networkFee(d.coin, d.network)
	w.taken = w.fee.Add(d.fee)
	if err := s.st.debit(w.user, w.coin, w.taken); err != nil {
		return "", err
	}
	d.status = statusFailed
	s.st.enter(s.engine.Now(), w)
	s.progress(w, statusProcessing)
	return w.recordID, nil
}
