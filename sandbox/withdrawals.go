package sandbox

import (
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// The kinds of withdrawal. The first two are also the types of their webhooks;
// the others have none.
const (
	kindWithdrawal     = "ApiWithdrawal"
	kindUserWithdrawal = "UserWithdrawal"
	kindAutoWithdrawal = "AutoWithdrawal"
	kindRiskRefund     = "RiskRefund"
)

// The statuses that only withdrawals have.
const (
	statusWaiting  = "WaitingApproval"
	statusRejected = "Rejected"
)

// withdrawal is money on its way to an address or to a Cwallet user.
type withdrawal struct {
	entry
	kind      string
	user      string // whose balance pays; the merchant's user id is the app id
	coin      *coin
	network   *network // nil: to a Cwallet user
	from      string
	address   string
	memo      string
	cwallet   string
	txID      string // empty until it succeeded
	amount    decimal.Decimal
	fee       decimal.Decimal // of the network, in the same coin
	taken     decimal.Decimal // what the balance paid, and gets back on failure
	usd       decimal.Decimal // the coin's price when it was made
	status    string
	notifyURL string
	refunds   *deposit // of risk refunds
	batch     *batch   // nil: it is none of a batch
}

// withdrawToNetwork serves applyAppWithdrawToNetwork.
func withdrawToNetwork(c *call) (any, error) {
	w := &withdrawal{kind: kindWithdrawal, user: c.s.opts.AppID}
	return c.toNetwork(w, c.flag("merchantPayNetworkFee"))
}

// userWithdrawToNetwork serves applyUserWithdrawToNetwork. The fee always
// comes off the amount.
func userWithdrawToNetwork(c *call) (any, error) {
	return c.toNetwork(&withdrawal{kind: kindUserWithdrawal, user: c.wallet("userId")}, false)
}

// withdrawToCwallet serves applyAppWithdrawToCwallet.
func withdrawToCwallet(c *call) (any, error) {
	return c.toCwallet(&withdrawal{kind: kindWithdrawal, user: c.s.opts.AppID})
}

// userWithdrawToCwallet serves applyUserWithdrawToCwallet.
func userWithdrawToCwallet(c *call) (any, error) {
	return c.toCwallet(&withdrawal{kind: kindUserWithdrawal, user: c.wallet("userId")})
}

// toNetwork carries out a withdrawal to an address. The balance is debited at
// once. The network's fee is in the coin withdrawn, as getWithdrawFee has
// it: on top of the amount if the merchant pays it, and out of the amount if
// not, so that the recipient gets the amount less the fee. A record's amount
// is what was asked for in either case.
func (c *call) toNetwork(w *withdrawal, feeOnTop bool) (any, error) {
	w.orderID, w.notifyURL = c.id("orderId"), c.link("notifyUrl")
	w.coin, w.network = c.network()
	w.address, w.memo = c.text("address", 128), c.optional("memo", 64)
	c.optional("networkFeeInquiryID", 128) // the fee does not move between a question and its use
	if w.network != nil {
		w.amount = c.payable("amount", w.network.precision)
	}
	if err := c.broken(); err != nil {
		return nil, err
	}
	if err := c.st.payouts.withdrawals.free(w.orderID); err != nil {
		return nil, err
	}
	if err := c.knows(w.user); err != nil {
		return nil, err
	}
	if err := c.st.payFor(w, feeOnTop); err != nil {
		return nil, err
	}
	c.st.enter(c.now, w)
	first := statusProcessing
	if c.st.payouts.approval {
		first = statusWaiting
	}
	c.s.progress(w, first)
	return object{"recordId": w.recordID}, nil
}

// enter keeps a withdrawal.
func (st *state) enter(now time.Time, w *withdrawal) {
	w.usd = st.price(w.coin)
	st.payouts.withdrawals.enter(st, now, w)
}

// toCwallet carries out a withdrawal to a Cwallet user. It is done at once,
// costs nothing and has no webhook.
func (c *call) toCwallet(w *withdrawal) (any, error) {
	w.orderID, w.cwallet, w.status = c.id("orderId"), c.text("cwalletUser", 120), statusSuccess
	w.coin, w.amount = c.payableOf("coinId", "amount")
	if err := c.broken(); err != nil {
		return nil, err
	}
	if err := c.st.payouts.withdrawals.free(w.orderID); err != nil {
		return nil, err
	}
	if err := c.knows(w.user); err != nil {
		return nil, err
	}
	if _, found := cwalletName(w.cwallet); !found {
		return nil, refuse(codeNotFound, "cwalletUser: nobody has the Cwallet id or e-mail address %q", w.cwallet)
	}
	if err := w.coin.withdrawable(); err != nil {
		return nil, err
	}
	if err := c.st.worthMoving(w.coin, w.amount); err != nil {
		return nil, err
	}
	if err := c.st.mayWithdraw(w.coin, w.amount); err != nil {
		return nil, err
	}
	if err := c.st.debit(w.user, w.coin, w.amount); err != nil {
		return nil, err
	}
	w.taken = w.amount
	c.st.enter(c.now, w)
	return object{"recordId": w.recordID}, nil
}

// payFor checks a withdrawal to an address and debits it. If it answers an
// error, no money has moved.
func (st *state) payFor(w *withdrawal, feeOnTop bool) error {
	if err := st.canPayOut(w.coin, w.network); err != nil {
		return err
	}
	if err := st.reaches(w.network.chain, w.address, w.memo); err != nil {
		return err
	}
	if err := w.withinLimits(); err != nil {
		return err
	}
	if err := st.mayWithdraw(w.coin, w.amount); err != nil {
		return err
	}
	w.fee = st.networkFee(w.coin, w.network)
	w.taken = w.amount
	left := w.amount.Sub(w.fee)
	if feeOnTop {
		if !st.price(w.coin).IsPositive() {
			return refuse(codeFeeUnpayable, "merchantPayNetworkFee: %s has no price, so the merchant cannot pay its fee", w.coin.symbol)
		}
		w.taken = w.amount.Add(w.fee)
		held := st.balance(w.user, w.coin)
		if held.GreaterThanOrEqual(w.amount) && held.LessThan(w.taken) {
			return refuse(codeFeeBalance, "amount: the balance of %s %s covers the amount but not the network fee of %s",
				held, w.coin.symbol, w.fee)
		}
	} else if !left.IsPositive() {
		return refuse(codeFeeTooHigh, "amount: nothing is left of %s after the network fee of %s %s",
			w.amount, w.fee, w.coin.symbol)
	} else if left.LessThan(w.network.minWithdraw) {
		return refuse(codeLeftTooLittle, "amount: %s of %s are left after the network fee of %s %s, and at least %s are needed",
			left, w.amount, w.fee, w.coin.symbol, w.network.minWithdraw)
	}
	return st.debit(w.user, w.coin, w.taken)
}

// canPayOut says why a coin cannot be paid out on a chain at present, or nil.
func (st *state) canPayOut(c *coin, n *network) error {
	if err := c.withdrawable(); err != nil {
		return err
	}
	if n.chain.halted() {
		return refuse(codeWithdrawHalted, "chain: withdrawals on %s are halted", n.chain.symbol)
	}
	return nil
}

// withdrawable refuses with 13005 where the coin's status halts withdrawals.
func (c *coin) withdrawable() error {
	if !c.paysOut() {
		return refuse(codeCoinHalted, "coinId: withdrawals of %s are halted (%s)", c.symbol, c.status)
	}
	return nil
}

// withinLimits applies the coin's limits on the chain, as getCoinList has them.
func (w *withdrawal) withinLimits() error {
	least, most := w.network.minWithdraw, w.network.maxWithdraw
	switch {
	case w.amount.LessThan(least):
		return refuse(codeBelowLimit, "amount: at least %s %s on %s", least, w.coin.symbol, w.network.chain.symbol)
	case most.IsPositive() && w.amount.GreaterThan(most):
		return refuse(codeAboveLimit, "amount: at most %s %s on %s", most, w.coin.symbol, w.network.chain.symbol)
	}
	return nil
}

// endings make addresses of EVM chains that cannot be paid to, so that these
// answers can be had without a fault.
var endings = []struct {
	digits, why string
	code        int
}{
	{"1d1e1d1e", "is not active", codeAddressInactive},
	{"c0dec0de", "belongs to a contract", codeContractAddress},
	{"deaddead", "is on the black list", codeBlackListed},
	{"bad0bad0", "was found to be risky", codeRiskyAddress},
}

// reaches checks that an address and memo can be paid to on a chain.
//
// On EVM chains an address that ends in 1d1e1d1e is not active (14002), in
// c0dec0de a contract's (14015), in deaddead black-listed (14017) and in
// bad0bad0 risky (14026).
func (st *state) reaches(on *chain, text, memo string) error {
	if !engine.ValidAddress(on.family, text) {
		return refuse(codeAddressFormat, "address: is not one of %s", on.symbol)
	}
	key := sameCase(text)
	if len(st.addresses.byText[key]) > 0 {
		return refuse(codeOwnAddress, "address: is a deposit address of the merchant's own")
	}
	switch {
	case on.memo && memo == "":
		return refuse(codeMemoMissing, "memo: required on %s", on.symbol)
	case !on.memo && memo != "":
		return refuse(codeMemoNotWanted, "memo: %s has none", on.symbol)
	}
	for _, ending := range endings {
		if on.evm() && strings.HasSuffix(key, ending.digits) {
			return refuse(ending.code, "address: %s", ending.why)
		}
	}
	return nil
}
